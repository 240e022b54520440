//! Charts as SVG by hand: lines over time, and bars of parts. Every text in them is escaped.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use super::svg::escaped;
use crate::calendar::to_new_york;

/// Size on the page.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 220.0;

/// The plot inside of it: left, top, right, bottom.
const PLOT: (f64, f64, f64, f64) = (58.0, 44.0, 590.0, 192.0);

/// Lines across the plot, with their values.
const NUM_GRID_LINES: u32 = 4;

/// Colours of lines, which also differ in brightness.
const COLOURS: [&str; 4] = ["#1f5fa8", "#b3261e", "#1a7f4b", "#9a6700"];

/// Colours of the parts of a bar: captured, backfilled, missing.
const PARTS: [(&str, &str); 3] = [("captured", "#1f5fa8"), ("backfilled", "#8fb4dc"), ("missing", "#b3261e")];

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Its name in the legend.
    pub(super) name: String,
    /// In order of time.
    pub(super) points: Vec<(DateTime<Utc>, f64)>,
}

/// A bar of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bar {
    /// Its name below.
    pub(super) name: String,
    /// Captured, backfilled, missing.
    pub(super) parts: [usize; 3],
}

/// Lines over time with their zero; none where no line has two points.
pub(super) fn lines(title: &str, all: &[Line]) -> Option<String> {
    let points = || all.iter().flat_map(|line| &line.points).filter(|(_, value)| value.is_finite());
    let (from, to) = (points().map(|(at, _)| *at).min()?, points().map(|(at, _)| *at).max()?);
    if to <= from {
        return None;
    }
    // The zero is what they are measured from, so it is always in sight.
    let (low, high) = points().fold((0.0_f64, 0.0_f64), |(low, high), (_, value)| (low.min(*value), high.max(*value)));
    let room = if high > low { (high - low) * 0.06 } else { 1.0 };
    let (low, high) = (low - room, high + room);
    let (left, top, right, bottom) = PLOT;
    let x = |at: DateTime<Utc>| left + (at - from).as_seconds_f64() / (to - from).as_seconds_f64() * (right - left);
    let y = |value: f64| bottom - (value - low) / (high - low) * (bottom - top);
    let mut out = begun(title);
    let step = round_step((high - low) / f64::from(NUM_GRID_LINES));
    let decimals = usize::from(step < 1.0);
    let mut value = (low / step).ceil() * step;
    while value <= high {
        // No minus before a zero.
        grid_line(&mut out, y(value), &format!("{:.decimals$}", value + 0.0));
        value += step;
    }
    let zero = y(0.0);
    let _ = write!(
        out,
        r##"<line x1="{left}" y1="{zero:.1}" x2="{right}" y2="{zero:.1}" stroke="#5b636b" stroke-dasharray="3 3"/>"##
    );
    let is_one_day = (to - from).num_days() < 5;
    for (at, anchor) in [(from, "start"), (from + (to - from) / 2, "middle"), (to, "end")] {
        let label = to_new_york(at).format(if is_one_day { "%a %H:%M" } else { "%Y-%m-%d" });
        let _ = write!(
            out,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="{anchor}" fill="#5b636b">{label}</text>"##,
            x(at),
            bottom + 16.0
        );
    }
    for (line, colour) in all.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        for (at, value) in line.points.iter().filter(|(_, value)| value.is_finite()) {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", x(*at), y(*value));
        }
        let _ = write!(
            out,
            r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"/>"#
        );
    }
    let names = all.iter().map(|line| line.name.as_str()).zip(COLOURS.iter().copied().cycle());
    legend(&mut out, names);
    out.push_str("</svg>");
    Some(out)
}

/// The next of 1, 2, 5, 10 and so on, so that the values beside the lines are round.
fn round_step(least: f64) -> f64 {
    let power = 10.0_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least).unwrap_or(10.0);
    factor * power
}

/// Bars of parts, each in per cent of its whole; none where there is no bar.
pub(super) fn bars(title: &str, all: &[Bar]) -> Option<String> {
    if all.iter().all(|bar| bar.parts.iter().sum::<usize>() == 0) {
        return None;
    }
    let (left, top, right, bottom) = PLOT;
    let mut out = begun(title);
    for number in 0..=NUM_GRID_LINES {
        let share = f64::from(number) / f64::from(NUM_GRID_LINES);
        grid_line(&mut out, bottom - share * (bottom - top), &format!("{:.0} %", 100.0 * share));
    }
    let step = (right - left) / real(all.len());
    for (number, bar) in all.iter().enumerate() {
        let whole = bar.parts.iter().sum::<usize>();
        let at = left + step * real(number);
        let mut base = bottom;
        for (part, (_, colour)) in bar.parts.iter().zip(PARTS) {
            let height = if whole == 0 { 0.0 } else { real(*part) / real(whole) * (bottom - top) };
            // A single missing slot must still be seen.
            let height = if *part > 0 { height.max(1.5) } else { 0.0 };
            base -= height;
            let (x, width) = (at + step * 0.15, step * 0.7);
            let _ = write!(
                out,
                r#"<rect x="{x:.1}" y="{base:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
            );
        }
        let name = escaped(bar.name.get(5..).unwrap_or(&bar.name));
        let _ = write!(
            out,
            r##"<text x="{:.1}" y="{:.1}" text-anchor="middle" fill="#5b636b">{name}</text>"##,
            at + step / 2.0,
            bottom + 16.0
        );
    }
    legend(&mut out, PARTS);
    out.push_str("</svg>");
    Some(out)
}

fn begun(title: &str) -> String {
    let title = escaped(title);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="DejaVu Sans, Arial, sans-serif" font-size="10"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fbfbfa"/><text x="8" y="16" font-size="11" fill="#22262a">{title}</text>"##
    )
}

fn grid_line(out: &mut String, y: f64, label: &str) {
    let (left, _, right, _) = PLOT;
    let _ = write!(
        out,
        r##"<line x1="{left}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#dfe3e6"/><text x="{:.1}" y="{:.1}" text-anchor="end" fill="#5b636b">{label}</text>"##,
        left - 6.0,
        y + 3.5
    );
}

fn legend<'a>(out: &mut String, names: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let mut x = PLOT.0;
    for (name, colour) in names {
        let _ = write!(
            out,
            r##"<rect x="{x:.1}" y="26" width="10" height="8" fill="{colour}"/><text x="{:.1}" y="34" fill="#22262a">{}</text>"##,
            x + 14.0,
            escaped(name)
        );
        x += 32.0 + 6.2 * real(name.chars().count());
    }
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn line(name: &str, values: &[f64]) -> Line {
        let start: DateTime<Utc> = "2026-11-17T21:00:00Z".parse().expect("an instant");
        let at = |number: usize| start + TimeDelta::minutes(5) * i32::try_from(number).expect("small");
        Line { name: name.to_owned(), points: values.iter().enumerate().map(|(n, value)| (at(n), *value)).collect() }
    }

    #[test]
    fn lines_keep_their_zero_in_sight_and_say_who_they_are() {
        let drawn = lines("Night, bp", &[line("ES +5.0 bp", &[1.0, 3.0, 5.0]), line("NQ", &[2.0, 8.0, 9.0])]);
        insta::assert_snapshot!(drawn.expect("a chart"));
    }

    #[test]
    fn the_values_beside_the_lines_are_round() {
        for (least, step) in [(0.3, 0.5), (1.0, 1.0), (13.0, 20.0), (61.9, 100.0)] {
            assert!((round_step(least) - step).abs() < 1e-9, "{least}: {}", round_step(least));
        }
    }

    #[test]
    fn what_is_no_line_is_no_chart_and_no_text_breaks_out() {
        assert_eq!(lines("x", &[]), None);
        assert_eq!(lines("x", &[line("one", &[1.0])]), None);
        let odd = lines("<script>", &[line("\"&<b>", &[0.0, f64::NAN, 0.0])]).expect("a chart");
        assert!(!odd.contains("<script") && !odd.contains("<b>") && !odd.contains("NaN"), "{odd}");
    }

    #[test]
    fn a_single_missing_slot_is_seen_in_its_bar() {
        let bar = |parts| Bar { name: "2026-11-17".to_owned(), parts };
        let drawn = bars("Slots", &[bar([900, 99, 1]), bar([0, 0, 0])]).expect("a chart");
        assert!(drawn.contains(r##"height="1.5" fill="#b3261e""##), "{drawn}");
        assert_eq!(bars("Slots", &[bar([0, 0, 0])]), None);
    }
}
