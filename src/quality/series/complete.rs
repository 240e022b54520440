//! Is everything there: every slot of every session, and the newest one in time.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::calendar::{Session, Slot};
use crate::market::Symbol;

use super::super::{Batch, CheckFault, Finding, Measured, Place, Rule, Seen};

/// A slot younger than this may still be under way.
const UNDERWAY: TimeDelta = TimeDelta::seconds(90);

/// What is there and what should be, of one table in one session.
struct Attendance<'a> {
    table: &'static str,
    symbols: &'a [Symbol],
    /// Slots that should be there.
    due: Vec<Slot>,
    /// Slots in which no symbol at all has a row; of one symbol alone that cannot be told apart from its own fault.
    silent: Vec<Slot>,
    /// What is there.
    present: BTreeSet<(&'a Symbol, Slot)>,
}

impl<'a> Attendance<'a> {
    fn of(batch: &'a Batch<'a>, (table, symbols): (&'static str, &'a [Symbol]), session: &Session) -> Self {
        let over = batch.now - UNDERWAY;
        let due: Vec<Slot> = session.slots().filter(|slot| slot.instant() <= over).collect();
        let bounds = session.open()..=session.close();
        let rows = batch.rows.iter().filter(|row| row.table == table && bounds.contains(&row.at));
        let present: BTreeSet<(&Symbol, Slot)> = rows.map(|row| (&row.symbol, Slot::at_or_before(row.at))).collect();
        let heard: BTreeSet<Slot> = present.iter().map(|(_, slot)| *slot).collect();
        let silent = due.iter().copied().filter(|slot| symbols.len() > 1 && !heard.contains(slot)).collect();
        Self { table, symbols, due, silent, present }
    }

    fn missing(&self, symbol: &Symbol) -> Vec<Slot> {
        let silent: BTreeSet<Slot> = self.silent.iter().copied().collect();
        let due = self.due.iter().copied();
        due.filter(|slot| !silent.contains(slot) && !self.present.contains(&(symbol, *slot))).collect()
    }
}

fn attendances<'a>(batch: &'a Batch<'a>) -> Result<Vec<Attendance<'a>>, CheckFault> {
    let mut all = Vec::new();
    for captured in batch.captured() {
        let sessions = batch.sessions(captured.0)?;
        let of_table = sessions.iter().map(|session| Attendance::of(batch, captured, session));
        all.extend(of_table.filter(|attendance| !attendance.due.is_empty()));
    }
    Ok(all)
}

/// One finding a session in place of one a symbol: an outage of the exchange, or of the gateway.
pub(super) fn silent(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let several = attendances(batch)?.into_iter().filter(|attendance| attendance.symbols.len() > 1);
    let mut seen = Seen::default();
    for attendance in several {
        seen.looked_at += attendance.due.len();
        let Some(first) = attendance.silent.first() else { continue };
        let place = Place { table: attendance.table, symbol: None, timestamp: *first };
        let told = told(&attendance.silent, attendance.due.len());
        seen.findings.extend(rule.judge(&place, told.with_detail(ranges(&attendance.silent))));
    }
    Ok(seen)
}

/// One finding a symbol and session, with the list of the missing slots.
pub(super) fn session(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for attendance in attendances(batch)? {
        seen.looked_at += attendance.due.len() * attendance.symbols.len();
        for symbol in attendance.symbols {
            seen.findings.extend(missing(&attendance, symbol, rule));
        }
    }
    Ok(seen)
}

fn missing(attendance: &Attendance<'_>, symbol: &Symbol, rule: &Rule<'_>) -> Option<Finding> {
    let missing = attendance.missing(symbol);
    let place = Place { table: attendance.table, symbol: Some(symbol.clone()), timestamp: *missing.first()? };
    rule.judge(&place, told(&missing, attendance.due.len()).with_detail(ranges(&missing)))
}

fn told(slots: &[Slot], due: usize) -> Measured {
    let told = Measured::count(slots.len(), format!("{} of {due} slots missing", slots.len()));
    match slots.last() {
        Some(last) => told.over(slots.len(), *last),
        None => told,
    }
}

/// Neighbouring slots as ranges, for a reader.
fn ranges(slots: &[Slot]) -> String {
    let mut ranges: Vec<(Slot, Slot)> = Vec::new();
    for slot in slots {
        match ranges.last_mut() {
            Some((_, last)) if last.next() == *slot => *last = *slot,
            _ => ranges.push((*slot, *slot)),
        }
    }
    let told = ranges.into_iter().map(
        |(first, last)| {
            if first == last { first.to_string() } else { format!("{first} to {last}") }
        },
    );
    told.collect::<Vec<_>>().join(", ")
}

/// Of each table whose market is open: how long ago the newest row, or the open, was.
pub(super) fn fresh(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for (table, symbols) in batch.captured() {
        let open = batch.calendar(table).segment_of(batch.now)?;
        // Of days gone by, the newest row is never fresh.
        let is_asked = batch.calendar(table).trading_day(batch.now)?.date() <= batch.dates.1;
        let Some(open) = open.filter(|segment| is_asked && segment.contains_instant(batch.now)) else { continue };
        for symbol in symbols {
            seen.looked_at += 1;
            let rows = batch.rows.iter().filter(|row| row.table == table && row.symbol == *symbol);
            let newest = rows.map(|row| row.at).filter(|at| *at <= batch.now).max();
            let since = newest.map_or(open.open, |at| at.max(open.open));
            let minutes = (batch.now - since).num_minutes();
            let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
            let place = Place { table, symbol: Some(symbol.clone()), timestamp: Slot::at_or_before(since) };
            let newest = newest.map_or_else(|| "none".to_owned(), |at| Slot::at_or_before(at).to_string());
            let told = Measured::new(f64::from(minutes), format!("the newest row is {newest}, {minutes} min ago"));
            seen.findings.extend(rule.judge(&place, told));
        }
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{at, batch, rows, run};
    use super::super::super::{CheckRun, Row, Severity, Status};
    use super::super::series_checks;
    use crate::market::MarketConfig;

    const DAYS: (&str, &str) = ("2026-11-18", "2026-11-18");

    fn futures_only() -> MarketConfig {
        MarketConfig { spot: Vec::new(), ..MarketConfig::default() }
    }

    fn day() -> Vec<Row> {
        let of = |symbol, price| rows(symbol, DAYS, price);
        [of("ES", 6_000.0), of("NQ", 21_000.0), of("RTY", 2_400.0)].concat()
    }

    fn runs(rows: &[Row], now: &str) -> [CheckRun; 3] {
        let market = futures_only();
        let mut batch = batch(rows, DAYS);
        (batch.market, batch.now) = (&market, at(now));
        let checks = series_checks(&batch);
        ["exchange.silent", "complete.session", "fresh.slot"].map(|check| run(&checks, check))
    }

    #[test]
    fn a_whole_session_passes() {
        let [silent, complete, _] = runs(&day(), "2026-11-18 17:30");
        assert_eq!((silent.status, complete.status), (Status::Pass, Status::Pass));
        assert_eq!(complete.looked_at, 3 * 276);
    }

    #[test]
    fn the_missing_slots_of_a_symbol_are_one_finding_that_lists_them() {
        let gone = ["2026-11-18 11:00", "2026-11-18 11:05", "2026-11-18 11:10", "2026-11-18 14:00"].map(at);
        let mut rows = day();
        rows.retain(|row| row.symbol.as_str() != "NQ" || !gone.contains(&row.at));
        let [silent, complete, _] = runs(&rows, "2026-11-18 17:30");
        assert_eq!((silent.status, complete.findings.len()), (Status::Pass, 1));
        let finding = &complete.findings[0];
        assert_eq!((finding.severity, finding.observed.as_str()), (Severity::Error, "4 of 276 slots missing"));
        assert_eq!(finding.detail, "2026-11-18T16:00:00Z to 2026-11-18T16:10:00Z, 2026-11-18T19:00:00Z");
    }

    #[test]
    fn slots_without_any_symbol_are_one_finding_and_no_missing_slots_of_symbols() {
        let mut rows = day();
        rows.retain(|row| row.at <= at("2026-11-18 10:00") || row.at > at("2026-11-18 12:00"));
        let [silent, complete, _] = runs(&rows, "2026-11-18 17:30");
        assert_eq!((silent.findings.len(), complete.status), (1, Status::Pass));
        let finding = &silent.findings[0];
        assert_eq!((finding.severity, finding.symbol.clone()), (Severity::Critical, None));
        assert_eq!(finding.observed, "24 of 276 slots missing");
    }

    #[test]
    fn the_slot_under_way_is_not_missing() {
        let mut rows = day();
        rows.retain(|row| row.at < at("2026-11-18 12:00"));
        let [silent, complete, fresh] = runs(&rows, "2026-11-18 12:01");
        assert_eq!([silent.status, complete.status, fresh.status], [Status::Pass; 3]);
        assert_eq!(runs(&rows, "2026-11-18 12:02")[0].status, Status::Warn);
    }

    #[test]
    fn a_series_that_stands_still_is_told_and_a_closed_market_is_not_asked() {
        let mut rows = day();
        rows.retain(|row| row.at <= at("2026-11-18 12:00"));
        let severity = |now| runs(&rows, now)[2].findings.iter().map(|finding| finding.severity).max();
        assert_eq!(severity("2026-11-18 12:06"), None);
        assert_eq!(severity("2026-11-18 12:07"), Some(Severity::Warn));
        assert_eq!(severity("2026-11-18 12:30"), Some(Severity::Critical));
        assert_eq!(runs(&rows, "2026-11-18 17:30")[2].status, Status::Skipped);
        assert_eq!(severity("2026-11-18 18:05"), None, "the session opened five minutes ago");
    }
}
