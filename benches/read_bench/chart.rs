//! How times grow with a table, as an SVG: one panel an operation, both axes logarithmic.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::report::{Line, Report};

const OPERATIONS: [&str; 3] = ["write one slot", "latest", "three sessions"];

/// The layouts that differ only in length, and their sessions.
const LENGTHS: [(&str, f64); 4] = [("1 day", 1.0), ("1 month", 21.0), ("1 year", 258.0), ("5 years", 1_290.0)];

const COLOURS: [&str; 9] =
    ["#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f", "#bcbd22"];

const PANEL: f64 = 300.0;
const GAP: f64 = 60.0;

/// Decades of milliseconds shown: 0.01 to 10,000.
const DECADES: (i32, i32) = (-2, 4);

/// The chart of a run's figures.
pub(crate) fn svg(report: &Report) -> String {
    let engines: BTreeSet<&str> =
        report.lines.iter().filter(|line| is_shown(line)).map(|line| line.engine.as_str()).collect();
    let height = PANEL + 70.0 + 16.0 * f64::from(u32::try_from(engines.len()).unwrap_or(0));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        3.0 * (PANEL + GAP) + GAP
    );
    for (number, operation) in (0_u32..).zip(OPERATIONS) {
        let left = GAP + f64::from(number) * (PANEL + GAP);
        panel(&mut svg, left, operation);
        for (engine, colour) in engines.iter().zip(COLOURS) {
            curve(&mut svg, left, (report, engine, operation), colour);
        }
    }
    for (number, (engine, colour)) in (0_u32..).zip(engines.iter().zip(COLOURS)) {
        let y = PANEL + 66.0 + 16.0 * f64::from(number);
        let _ = writeln!(svg, "<rect x=\"{GAP}\" y=\"{}\" width=\"14\" height=\"3\" fill=\"{colour}\"/>", y - 5.0);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{y}\">{engine}</text>", GAP + 20.0);
    }
    svg + "</svg>\n"
}

fn is_shown(line: &Line) -> bool {
    OPERATIONS.contains(&line.operation.as_str()) && LENGTHS.iter().any(|(layout, _)| *layout == line.layout)
}

/// Frame, title and grid of a panel.
fn panel(svg: &mut String, left: f64, operation: &str) {
    let _ = writeln!(svg, "<text x=\"{left}\" y=\"18\" font-size=\"13\">{operation}, ms</text>");
    for decade in DECADES.0..=DECADES.1 {
        let y = height_of(10_f64.powi(decade));
        let _ = writeln!(svg, "<path d=\"M{left} {y:.1}h{PANEL}\" stroke=\"#ddd\"/>");
        let told = 10_f64.powi(decade);
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{told}</text>", left - 5.0, y + 4.0);
    }
    for (layout, sessions) in LENGTHS {
        let (x, y) = (left + across(sessions), PANEL + 44.0);
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{layout}</text>");
    }
}

fn curve(svg: &mut String, left: f64, (report, engine, operation): (&Report, &str, &str), colour: &str) {
    let point = |(layout, sessions): (&str, f64)| {
        let ms = report.p50_ms(engine, layout, operation)?;
        Some((left + across(sessions), height_of(ms)))
    };
    let points: Vec<(f64, f64)> = LENGTHS.into_iter().filter_map(point).collect();
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ =
        writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>", path.join(" "));
    for (x, y) in points {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
}

fn across(sessions: f64) -> f64 {
    sessions.log10() / 1_290_f64.log10() * PANEL
}

fn height_of(ms: f64) -> f64 {
    let (lowest, highest) = (f64::from(DECADES.0), f64::from(DECADES.1));
    30.0 + PANEL * (1.0 - (ms.log10() - lowest) / (highest - lowest))
}
