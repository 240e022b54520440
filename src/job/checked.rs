//! What checks found, as observations that alerts take in. Pure.

use std::collections::BTreeMap;

use crate::alert::{Facts, GATEWAY_DOWN, MAX_SAMPLE_ROWS, Observation, Reach, Sample, Series};
use crate::quality::{Action, CheckRun, Finding, Row, Severity, Status, spec};
use crate::state::IncidentKey;

use super::holds::built_on;

/// Slots shown before and after the fault.
const SLOTS_AROUND: usize = 40;

/// Checks that fail of themselves while the gateway is down.
const OF_THE_GATEWAY: [&str; 3] = ["exchange.silent", "complete.session", "fresh.slot"];

/// What checks say: a mark of each, a failure for each table and symbol with a finding, and a pass for those of the open
/// incidents whose check was made and found nothing any more. `rows` are what the charts show.
#[must_use]
pub fn seen_by_checks((runs, rows): (&[CheckRun], &[Row]), open: &[IncidentKey], reach: Reach) -> Vec<Observation> {
    let mut seen = Vec::new();
    for run in runs {
        seen.push(mark(run));
        let failed = failures((run, rows), reach);
        let is_new = |key: &&IncidentKey| !failed.iter().any(|observation| observation.key == **key);
        if matches!(run.status, Status::Pass | Status::Warn | Status::Fail) {
            let over = open.iter().filter(|key| key.check == run.check).filter(is_new);
            seen.extend(over.cloned().map(Observation::passed));
        }
        seen.extend(failed);
    }
    seen
}

/// That the check was made. It opens nothing: what failed has a key of its own.
fn mark(run: &CheckRun) -> Observation {
    let key = IncidentKey::new(run.check, "", "");
    Observation { status: run.status, reach: Reach::Log, ..Observation::failed(key, Severity::Warn, Facts::default()) }
}

fn failures((run, rows): (&CheckRun, &[Row]), reach: Reach) -> Vec<Observation> {
    let mut grouped: BTreeMap<IncidentKey, Vec<&Finding>> = BTreeMap::new();
    for finding in &run.findings {
        let subject = finding.symbol.as_ref().map_or("", |symbol| symbol.as_str());
        grouped.entry(IncidentKey::new(run.check, finding.table, subject)).or_default().push(finding);
    }
    let observed = grouped.into_iter().filter_map(|(key, findings)| {
        let worst = findings.iter().max_by_key(|finding| finding.severity)?;
        // A warning is written down, and so is whatever is muted.
        let is_log = findings.iter().all(|finding| finding.action == Action::Log);
        let facts = facts((run, rows), worst, &findings);
        let failed = Observation::failed(key, worst.severity, facts);
        let failed = Observation { reach: if is_log { Reach::Log } else { reach }, ..failed };
        let follows = OF_THE_GATEWAY.contains(&run.check);
        Some(if follows { failed.following_from(GATEWAY_DOWN) } else { failed })
    });
    observed.collect()
}

fn facts((run, rows): (&CheckRun, &[Row]), worst: &Finding, findings: &[&Finding]) -> Facts {
    let slots = || findings.iter().map(|finding| finding.timestamp.instant());
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let day = worst.timestamp.instant().format("%Y-%m-%d");
    let known = spec(run.check);
    Facts {
        observed: worst.observed.clone(),
        expected: known.map_or_else(String::new, |spec| spec.title.to_owned()),
        threshold: worst.threshold.clone(),
        window: slots().min().zip(slots().max()),
        bad_rows: Some((count(findings.len()), count(run.looked_at))),
        sample: sample(findings),
        held_jobs: held(worst),
        done: match worst.action {
            Action::Log | Action::Alert => "the rows stay where they are; the finding stands in quality_findings",
            Action::Quarantine => {
                "the finding stands in quality_findings; what was rejected before it was stored is in quarantine"
            }
            Action::Block => {
                "the finding stands in quality_findings; what is derived from these rows waits until it passes"
            }
        }
        .to_owned(),
        next: vec![
            format!("jobs quality report --date {day}"),
            format!("jobs show {} --from {day}", worst.table),
            "jobs run backfill".to_owned(),
            "jobs run quality".to_owned(),
        ],
        runbook: known.map_or_else(String::new, |spec| format!("Why the bound is where it is: {}.", spec.reason)),
        series: series(worst, rows),
    }
}

/// The jobs that wait until it passes.
fn held(worst: &Finding) -> Vec<String> {
    let is_held = worst.action == Action::Block && worst.severity >= Severity::Error;
    built_on(worst.table).iter().filter(|_| is_held).map(|job| (*job).to_owned()).collect()
}

fn sample(findings: &[&Finding]) -> Sample {
    let columns = ["slot", "severity", "observed", "detail"].map(str::to_owned).to_vec();
    let row = |finding: &&Finding| {
        let (slot, severity) = (finding.timestamp.to_string(), finding.severity.to_string());
        vec![slot, severity, finding.observed.clone(), finding.detail.clone()]
    };
    Sample { columns, rows: findings.iter().take(MAX_SAMPLE_ROWS).map(row).collect() }
}

/// The prices around the fault; none where it is of no symbol, or no row is near.
fn series(worst: &Finding, rows: &[Row]) -> Option<Series> {
    let symbol = worst.symbol.as_ref()?;
    let at = worst.timestamp.instant();
    let mut own: Vec<&Row> = rows.iter().filter(|row| row.symbol == *symbol && row.table == worst.table).collect();
    own.sort_by_key(|row| row.at);
    let place = own.partition_point(|row| row.at < at);
    let around = own.get(place.saturating_sub(SLOTS_AROUND)..(place + SLOTS_AROUND).min(own.len()))?;
    let points = around.iter().map(|row| (row.at, row.last)).collect::<Vec<_>>();
    let title = format!("{symbol} last");
    (!points.is_empty()).then_some(Series { title, points, fault: Some((at, at)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Slot;
    use crate::quality::FUTURES_TABLE;

    fn finding(symbol: &str, severity: Severity, action: Action) -> Finding {
        let slot = Slot::at("2026-03-02T15:05:00Z".parse().expect("an instant")).expect("on the grid");
        Finding {
            check: "price.outlier",
            table: FUTURES_TABLE,
            symbol: Some(symbol.parse().expect("a symbol")),
            timestamp: slot,
            run_slot: slot,
            severity,
            observed: "9.1".to_owned(),
            threshold: "below 8".to_owned(),
            action,
            detail: String::new(),
        }
    }

    fn run(status: Status, findings: Vec<Finding>) -> CheckRun {
        CheckRun { check: "price.outlier", status, looked_at: 3, findings, reason: None }
    }

    fn told(run: CheckRun, open: &[IncidentKey]) -> Vec<(String, Status, Reach)> {
        let seen = seen_by_checks((&[run], &[]), open, Reach::Mail);
        seen.into_iter().map(|seen| (seen.key.subject, seen.status, seen.reach)).collect()
    }

    #[test]
    fn each_symbol_fails_for_itself_and_the_check_leaves_its_mark() {
        let error = |symbol| finding(symbol, Severity::Error, Action::Quarantine);
        let seen = told(run(Status::Fail, vec![error("ES"), error("NQ"), error("ES")]), &[]);
        let fail = |subject: &str, reach| (subject.to_owned(), Status::Fail, reach);
        assert_eq!(seen, [fail("", Reach::Log), fail("ES", Reach::Mail), fail("NQ", Reach::Mail)]);
    }

    #[test]
    fn a_warning_is_written_down_only() {
        let seen = told(run(Status::Warn, vec![finding("ES", Severity::Warn, Action::Log)]), &[]);
        assert_eq!(seen[1], ("ES".to_owned(), Status::Warn, Reach::Log));
    }

    #[test]
    fn an_open_incident_passes_once_its_check_finds_nothing_and_not_where_it_was_not_made() {
        let open = [IncidentKey::new("price.outlier", FUTURES_TABLE, "ES"), IncidentKey::new("quote.age", "", "ES")];
        let passed = told(run(Status::Pass, Vec::new()), &open);
        assert_eq!(passed.len(), 2);
        assert_eq!((passed[1].0.as_str(), passed[1].1), ("ES", Status::Pass));
        for status in [Status::Error, Status::Skipped] {
            assert_eq!(told(run(status, Vec::new()), &open).len(), 1, "{status}");
        }
    }

    #[test]
    fn a_failure_that_blocks_names_the_jobs_that_wait() {
        let held = |severity, action| {
            let failed = run(Status::Fail, vec![finding("ES", severity, action)]);
            seen_by_checks((&[failed], &[]), &[], Reach::Mail).remove(1).facts.held_jobs
        };
        assert_eq!(held(Severity::Error, Action::Block), ["signals", "rules"]);
        assert_eq!(held(Severity::Warn, Action::Block), Vec::<String>::new());
        assert_eq!(held(Severity::Error, Action::Alert), Vec::<String>::new());
    }

    #[test]
    fn a_gap_follows_from_a_gateway_that_is_down() {
        let mut gap = run(Status::Fail, vec![finding("ES", Severity::Error, Action::Block)]);
        gap.check = "complete.session";
        let seen = seen_by_checks((&[gap], &[]), &[], Reach::Mail);
        assert_eq!(seen[1].follows_from.as_deref(), Some(GATEWAY_DOWN));
    }
}
