//! What the reader should distrust today.

use super::sheet::Section;
use super::{Report, morning};
use crate::evaluation::Verdict;
use crate::market::Symbol;

/// A confidence below this is no ground to act on: no rule fires on it.
const LOW_CONFIDENCE: f64 = 0.5;

/// What is to be read with care, the gravest first.
pub(super) fn distrust(report: &Report) -> Option<Section> {
    let mut lines = Vec::new();
    if report.is_simulated {
        lines.push("every price: the gateway is the simulated one".to_owned());
    }
    let silent: Vec<&str> =
        report.mornings.iter().filter(|morning| morning.heard.is_err()).map(|morning| morning.etf.as_str()).collect();
    if !silent.is_empty() {
        lines.push(format!("the silence of {}: there is no signal, which is not the same as hold", silent.join(", ")));
    }
    lines.extend(morning::late(report).map(|late| format!("the timing: {late}")));
    let heard = report.mornings.iter().filter_map(|morning| Some((&morning.etf, morning.heard.as_ref().ok()?)));
    let doubted: Vec<String> = heard
        .filter(|(_, heard)| heard.confidence < LOW_CONFIDENCE)
        .map(|(etf, heard)| format!("{etf} {:.2}", heard.confidence))
        .collect();
    if !doubted.is_empty() {
        lines.push(format!("signals of little confidence: {}", doubted.join(", ")));
    }
    let missing = report.completeness.last().map_or(0, super::Completeness::missing);
    if missing > 0 {
        lines.push(format!("changes over the last session: {missing} of its slots are missing"));
    }
    match report.incidents.len() {
        0 => {}
        1 => lines.push("the data: an incident goes on, told under Findings".to_owned()),
        number => lines.push(format!("the data: {number} incidents go on, told under Findings")),
    }
    let adds = |symbol: &Symbol| {
        let live = report.verdicts.iter().filter(|judged| judged.symbol == *symbol && judged.is_live);
        live.into_iter().any(|judged| judged.verdict == Verdict::Adds)
    };
    let mut unproved: Vec<&str> =
        report.verdicts.iter().filter(|judged| !adds(&judged.symbol)).map(|judged| judged.symbol.as_str()).collect();
    unproved.dedup();
    if !unproved.is_empty() {
        let names = unproved.join(", ");
        lines.push(format!("any gain from confirmation for {names}: nothing of the kind has been measured so far"));
    }
    if let Some(day) = report.calendar_ends {
        lines.push(format!("days from {day} on: no calendar is published for them yet, they follow the rules"));
    }
    (!lines.is_empty()).then(|| Section {
        title: "What to distrust today",
        is_warning: true,
        lines,
        ..Section::default()
    })
}
