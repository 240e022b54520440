//! What checks found, as observations that alerts take in. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::alert::{Facts, GATEWAY_DOWN, MAX_SAMPLE_ROWS, Observation, Reach, Sample, Series};
use crate::calendar::{Calendar, Slot, TradingDay};
use crate::quality::{Action, CheckRun, CheckSpec, Finding, Row, SPOT_TABLE, Severity, Status, spec};
use crate::state::IncidentKey;

use super::Calendars;
use super::holds::built_on;

/// Time shown before and after the fault.
const AROUND: TimeDelta = TimeDelta::minutes(200);

/// A fault that lasts longer is shown by its end.
const LONGEST_SHOWN: TimeDelta = TimeDelta::days(1);

/// Checks that fail of themselves while the gateway is down.
const OF_THE_GATEWAY: [&str; 3] = ["exchange.silent", "complete.session", "fresh.slot"];

/// What was looked at, and how.
#[derive(Debug, Clone, Copy)]
pub struct Looked<'a> {
    /// The checks that were made.
    pub runs: &'a [CheckRun],
    /// The rows that they saw, for the charts.
    pub rows: &'a [Row],
    /// Whose sessions they belong to.
    pub calendars: &'a Calendars,
}

/// What checks say: a mark of each, a failure for each table and symbol with a finding, and a pass for those of the open
/// incidents whose check was made and found nothing any more.
#[must_use]
pub fn seen_by_checks(looked: Looked<'_>, open: &[IncidentKey], reach: Reach) -> Vec<Observation> {
    let mut seen = Vec::new();
    for run in looked.runs {
        seen.push(mark(run));
        let failed = failures((looked, run), reach);
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

fn failures((looked, run): (Looked<'_>, &CheckRun), reach: Reach) -> Vec<Observation> {
    let mut grouped: BTreeMap<IncidentKey, Vec<&Finding>> = BTreeMap::new();
    for finding in &run.findings {
        let subject = finding.symbol.as_ref().map_or("", |symbol| symbol.as_str());
        grouped.entry(IncidentKey::new(run.check, finding.table, subject)).or_default().push(finding);
    }
    let observed = grouped.into_iter().filter_map(|(key, findings)| {
        let worst = findings.iter().max_by_key(|finding| finding.severity)?;
        // A warning is written down, and so is whatever is muted.
        let is_log = findings.iter().all(|finding| finding.action == Action::Log);
        let facts = facts((looked, run), worst, &findings);
        let failed = Observation::failed(key, worst.severity, facts);
        let failed = Observation { reach: if is_log { Reach::Log } else { reach }, ..failed };
        let follows = OF_THE_GATEWAY.contains(&run.check);
        Some(if follows { failed.following_from(GATEWAY_DOWN) } else { failed })
    });
    observed.collect()
}

/// The calendar whose sessions the rows of a table belong to.
fn calendar_of<'a>(table: &str, calendars: &'a Calendars) -> &'a Calendar {
    if table == SPOT_TABLE || table == "spot_daily" { &calendars.nyse } else { &calendars.futures }
}

/// The session of a slot, as commands take it: the close belongs to the session that it ends. Past the calendars the day by UTC.
fn session_of(at: DateTime<Utc>, calendar: &Calendar) -> NaiveDate {
    let session = calendar.session_of_slot(Slot::at_or_before(at)).ok().flatten().map(|session| session.day);
    session.or_else(|| calendar.trading_day(at).ok()).map_or(at.date_naive(), TradingDay::date)
}

fn facts((looked, run): (Looked<'_>, &CheckRun), worst: &Finding, findings: &[&Finding]) -> Facts {
    let first = findings.iter().map(|finding| finding.timestamp.instant()).min();
    let last = findings.iter().map(|finding| finding.until.instant()).max();
    let window = first.zip(last);
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let calendar = calendar_of(worst.table, looked.calendars);
    let days = window.map(|(from, to)| (session_of(from, calendar), session_of(to, calendar)));
    let (from, to) = days.unwrap_or_default();
    let only = worst.symbol.as_ref().map_or_else(String::new, |symbol| format!(" --symbols {symbol}"));
    let known = spec(run.check);
    Facts {
        session: if from == to { from.to_string() } else { format!("{from} to {to}") },
        observed: worst.observed.clone(),
        expected: known.map_or_else(String::new, |spec| spec.title.to_owned()),
        threshold: bound(worst, known),
        window,
        bad_rows: Some((count(findings.iter().map(|finding| finding.num_bad).sum()), count(run.looked_at))),
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
            format!("jobs quality report --date {}", session_of(worst.timestamp.instant(), calendar)),
            format!("jobs show {} --from {from} --to {to}", worst.table),
            format!("jobs run backfill --from {from} --to {to}{only}"),
            format!("jobs run quality --from {from} --to {to}"),
        ],
        runbook: known.map_or_else(String::new, |spec| format!("Why the bound is where it is: {}.", spec.reason)),
        series: series(worst, looked),
    }
}

/// The bound alone, where the finding tells it behind what is expected.
fn bound(finding: &Finding, known: Option<&CheckSpec>) -> String {
    let told = known.and_then(|spec| finding.threshold.strip_prefix(spec.title)).map(str::trim);
    let bare = told.and_then(|told| told.strip_prefix('(')?.strip_suffix(')'));
    bare.unwrap_or(&finding.threshold).to_owned()
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
    let num_all = u64::try_from(findings.len()).unwrap_or(u64::MAX);
    Sample { columns, rows: findings.iter().take(MAX_SAMPLE_ROWS).map(row).collect(), num_all }
}

/// The prices around the fault, slot by slot, those that are missing too; none where it is of no symbol, or no row is near.
fn series(worst: &Finding, looked: Looked<'_>) -> Option<Series> {
    let symbol = worst.symbol.as_ref()?;
    let (first, last) = (worst.timestamp.instant(), worst.until.instant());
    let from = first.max(last - LONGEST_SHOWN) - AROUND;
    let own = looked.rows.iter().filter(|row| row.symbol == *symbol && row.table == worst.table);
    let known: BTreeMap<Slot, Option<f64>> = own.map(|row| (Slot::at_or_before(row.at), row.last)).collect();
    let newest = known.keys().next_back()?.instant().max(last);
    let slots = calendar_of(worst.table, looked.calendars).slots(from, (last + AROUND).min(newest)).ok()?;
    let point = |slot: Slot| (slot.instant(), known.get(&slot).copied().flatten());
    let points: Vec<(DateTime<Utc>, Option<f64>)> = slots.into_iter().map(point).collect();
    let is_seen = points.iter().any(|(_, value)| value.is_some());
    is_seen.then(|| Series { title: format!("{symbol} last"), points, fault: Some((first.max(from), last)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::job::calendars;
    use crate::market::Source;
    use crate::quality::FUTURES_TABLE;

    fn finding(symbol: &str, severity: Severity, action: Action) -> Finding {
        let slot = Slot::at("2026-03-02T15:05:00Z".parse().expect("an instant")).expect("on the grid");
        Finding {
            check: "price.outlier",
            table: FUTURES_TABLE,
            symbol: Some(symbol.parse().expect("a symbol")),
            timestamp: slot,
            until: slot,
            num_bad: 1,
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

    fn looked(runs: &[CheckRun], rows: &[Row], open: &[IncidentKey]) -> Vec<Observation> {
        let calendars = calendars(&Config::default()).expect("calendars");
        seen_by_checks(Looked { runs, rows, calendars: &calendars }, open, Reach::Mail)
    }

    fn told(run: CheckRun, open: &[IncidentKey]) -> Vec<(String, Status, Reach)> {
        let seen = looked(&[run], &[], open);
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
            looked(&[failed], &[], &[]).remove(1).facts.held_jobs
        };
        assert_eq!(held(Severity::Error, Action::Block), ["signals", "rules"]);
        assert_eq!(held(Severity::Warn, Action::Block), Vec::<String>::new());
        assert_eq!(held(Severity::Error, Action::Alert), Vec::<String>::new());
    }

    #[test]
    fn a_gap_follows_from_a_gateway_that_is_down() {
        let mut gap = run(Status::Fail, vec![finding("ES", Severity::Error, Action::Block)]);
        gap.check = "complete.session";
        let seen = looked(&[gap], &[], &[]);
        assert_eq!(seen[1].follows_from.as_deref(), Some(GATEWAY_DOWN));
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    /// A row of ES in the evening of Sunday 2026-03-01, which belongs to the session of Monday.
    fn row(time: &str, last: f64) -> Row {
        let at = at(&format!("2026-03-01T{time}:00Z"));
        Row {
            table: FUTURES_TABLE,
            symbol: "ES".parse().expect("a symbol"),
            at,
            bid: None,
            ask: None,
            last: Some(last),
            volume: None,
            open_interest: None,
            implied_vol: None,
            date: None,
            contract: None,
            con_id: None,
            source: Source::Live,
            captured_at: at,
        }
    }

    #[test]
    fn missing_slots_are_told_with_their_session_their_number_and_the_holes_in_the_chart() {
        let slot = |time: &str| Slot::at(at(&format!("2026-03-01T{time}:00Z"))).expect("on the grid");
        let gap = Finding {
            timestamp: slot("23:10"),
            until: slot("23:20"),
            num_bad: 3,
            ..finding("ES", Severity::Error, Action::Block)
        };
        let rows = [row("23:05", 6_000.0), row("23:25", 6_001.0), row("23:30", 6_002.0)];
        let facts = looked(&[run(Status::Fail, vec![gap])], &rows, &[]).remove(1).facts;
        assert_eq!((facts.session.as_str(), facts.bad_rows), ("2026-03-02", Some((3, 3))));
        assert_eq!(facts.window, Some((slot("23:10").instant(), slot("23:20").instant())));
        assert_eq!(facts.next[0], "jobs quality report --date 2026-03-02");
        assert_eq!(facts.next[2], "jobs run backfill --from 2026-03-02 --to 2026-03-02 --symbols ES");
        let calendar = Calendar::embedded(crate::calendar::CalendarId::CmeEquity);
        let close = session_of(at("2026-03-06T22:00:00Z"), &calendar);
        assert_eq!(close.to_string(), "2026-03-06", "Friday's close is Friday's");
        let series = facts.series.expect("rows are near");
        let missing = series.points.iter().filter(|(_, value)| value.is_none()).count();
        assert_eq!((series.points.len(), missing, series.fault), (6, 3, facts.window), "{:?}", series.points);
    }
}
