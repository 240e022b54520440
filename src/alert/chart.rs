//! A chart of the values around a fault: SVG by hand, with every text escaped, and a PNG of it for the mail.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, Options, Tree, fontdb};

use crate::calendar::to_new_york;
use crate::report::escaped;

use super::observation::{MAX_POINTS, Series};
use super::words::one_line;

/// Size of the chart on the page; the picture has twice as many pixels.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 200.0;

/// The plot inside of it: left, top, right, bottom.
const PLOT: (f64, f64, f64, f64) = (66.0, 26.0, 590.0, 170.0);

/// Lines across the plot, with their values.
const NUM_GRID_LINES: u32 = 4;

/// Pixels to a unit of the page.
const SCALE: f32 = 2.0;

/// The font, which is compiled in: none of the machine's is opened.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    Arc::new(fonts)
});

/// The chart as SVG; none where fewer than two values are known.
pub(super) fn svg(series: &Series) -> Option<String> {
    let newest = series.points.len().saturating_sub(MAX_POINTS);
    let points = series.points.get(newest..)?;
    let known: Vec<f64> = points.iter().filter_map(|(_, value)| *value).filter(|value| value.is_finite()).collect();
    let scale = Scale::of(points, &known)?;
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="DejaVu Sans" font-size="10"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fbfbfa"/>"##
    );
    let title = escaped(&one_line(&series.title, 80));
    let _ = write!(out, r##"<text x="8" y="15" font-size="11" fill="#22262a">{title}</text>"##);
    out.push_str(&scale.fault(series.fault));
    out.push_str(&scale.grid());
    out.push_str(&scale.line(points));
    out.push_str("</svg>");
    Some(out)
}

/// The picture of a chart; none where the SVG is none of ours.
pub(super) fn png(svg: &str) -> Option<Vec<u8>> {
    let options = Options { fontdb: FONTS.clone(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).ok()?;
    let size: usvg::Size = tree.size();
    let size = size.to_int_size().scale_by(SCALE)?;
    let mut pixels = Pixmap::new(size.width(), size.height())?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().ok()
}

/// Where an instant and a value stand in the plot.
struct Scale {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(points: &[(DateTime<Utc>, Option<f64>)], known: &[f64]) -> Option<Self> {
        let (from, to) = (points.first()?.0, points.last()?.0);
        let low = known.iter().copied().reduce(f64::min)?;
        let high = known.iter().copied().reduce(f64::max)?;
        // A flat line stands in the middle.
        let room =
            if high - low > f64::EPSILON * high.abs() { (high - low) * 0.08 } else { 1.0_f64.max(high.abs() * 0.001) };
        (known.len() >= 2 && to > from).then_some(Self { from, to, low: low - room, high: high + room })
    }

    fn x(&self, at: DateTime<Utc>) -> f64 {
        let (left, _, right, _) = PLOT;
        let share = seconds(at - self.from) / seconds(self.to - self.from);
        left + share.clamp(0.0, 1.0) * (right - left)
    }

    fn y(&self, value: f64) -> f64 {
        let (_, top, _, bottom) = PLOT;
        bottom - (value - self.low) / (self.high - self.low) * (bottom - top)
    }

    /// The stretch at fault, as a band.
    fn fault(&self, fault: Option<(DateTime<Utc>, DateTime<Utc>)>) -> String {
        let Some((from, to)) = fault.filter(|(from, to)| *from <= self.to && *to >= self.from) else {
            return String::new();
        };
        let (_, top, _, bottom) = PLOT;
        let (left, right) = (self.x(from), self.x(to));
        let (left, width) = (left.min(PLOT.2 - 3.0), (right - left).max(3.0));
        let height = bottom - top;
        format!(r##"<rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" fill="#f6d5d2"/>"##)
    }

    /// Values at the left, times below.
    fn grid(&self) -> String {
        let (left, _, right, bottom) = PLOT;
        let mut out = String::new();
        for number in 0..=NUM_GRID_LINES {
            let value = self.low + (self.high - self.low) * f64::from(number) / f64::from(NUM_GRID_LINES);
            let (y, label) = (self.y(value), self.label(value));
            let _ = write!(
                out,
                r##"<line x1="{left}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#dfe3e6"/><text x="{:.1}" y="{:.1}" text-anchor="end" fill="#5b636b">{label}</text>"##,
                left - 6.0,
                y + 3.5
            );
        }
        let middle = self.from + (self.to - self.from) / 2;
        for (at, anchor) in [(self.from, "start"), (middle, "middle"), (self.to, "end")] {
            let (x, y) = (self.x(at), bottom + 16.0);
            let label = to_new_york(at).format("%a %m-%d %H:%M ET");
            let _ =
                write!(out, r##"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" fill="#5b636b">{label}</text>"##);
        }
        out
    }

    fn label(&self, value: f64) -> String {
        let span = self.high - self.low;
        let digits = match span {
            span if span >= 50.0 => 0,
            span if span >= 0.5 => 2,
            _ => 4,
        };
        format!("{value:.digits$}")
    }

    /// The line, broken where values are missing; a missing value is a mark at the foot.
    fn line(&self, points: &[(DateTime<Utc>, Option<f64>)]) -> String {
        let mut out = String::new();
        let mut path = String::new();
        let mut is_drawing = false;
        let (.., bottom) = PLOT;
        for (at, value) in points {
            let x = self.x(*at);
            if let Some(value) = value.filter(|value| value.is_finite()) {
                let command = if is_drawing { 'L' } else { 'M' };
                let _ = write!(path, "{command}{x:.1} {:.1}", self.y(value));
                // A value alone between two holes is a dot: a line of no length with round ends.
                let _ = write!(path, "{}", if is_drawing { "" } else { "h0" });
                is_drawing = true;
            } else {
                is_drawing = false;
                let y = bottom - 5.0;
                let _ = write!(out, r##"<rect x="{:.1}" y="{y}" width="2" height="5" fill="#b3261e"/>"##, x - 1.0);
            }
        }
        let _ = write!(
            out,
            r##"<path d="{path}" fill="none" stroke="#1f5fa8" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/>"##
        );
        out
    }
}

fn seconds(of: chrono::TimeDelta) -> f64 {
    of.as_seconds_f64()
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::TimeDelta;

    use super::*;

    pub(crate) fn series(num_points: i32) -> Series {
        let start: DateTime<Utc> = "2026-11-20T14:30:00Z".parse().expect("an instant");
        let at = |number: i32| start + TimeDelta::minutes(5 * i64::from(number));
        let value = |number: i32| {
            let wave = f64::from(number) * 0.35;
            (!(20..27).contains(&number)).then_some(6_000.0 + 12.0 * wave.sin() + f64::from(number) * 0.4)
        };
        Series {
            title: "ES last, points".to_owned(),
            points: (0..num_points).map(|number| (at(number), value(number))).collect(),
            fault: Some((at(20), at(26))),
        }
    }

    #[test]
    fn a_hole_breaks_the_line_and_is_marked() {
        let svg = svg(&series(60)).expect("a chart");
        assert_eq!(svg.matches('M').count(), 2 + svg.matches("Mon").count(), "{svg}");
        assert_eq!(svg.matches("width=\"2\" height=\"5\"").count(), 7);
        insta::assert_snapshot!(self::svg(&series(30)).expect("a chart"));
    }

    #[test]
    fn a_chart_becomes_a_picture_with_its_letters() {
        let png = png(&svg(&series(60)).expect("a chart")).expect("a picture");
        assert!(png.starts_with(b"\x89PNG") && png.len() > 5_000 && png.len() < 100_000, "{} bytes", png.len());
    }

    #[test]
    fn too_little_or_senseless_values_make_no_chart_and_no_fault() {
        let none = Series::default();
        let mut odd = series(4);
        odd.points.iter_mut().for_each(|(_, value)| *value = Some(f64::NAN));
        assert_eq!((svg(&none), svg(&series(1)), svg(&odd)), (None, None, None));
        let mut flat = series(4);
        flat.points.iter_mut().for_each(|(_, value)| *value = Some(0.0));
        flat.title = "<script>&\"".to_owned();
        let drawn = svg(&flat).expect("a chart");
        assert!(!drawn.contains("<script") && !drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        assert!(png(&drawn).is_some());
        assert_eq!(png("<svg"), None);
    }
}
