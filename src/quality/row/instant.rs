//! When a row is: on the grid, in an open session, not in the future.

use crate::calendar::Slot;

use super::super::{Batch, CheckFault, Finding, Measured, Row, Rule, Seen};

pub(super) fn aligned(_: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let late = row.at - Slot::at_or_before(row.at).instant();
    if late.is_zero() {
        return None;
    }
    rule.judge(&row.place(), Measured::new(1.0, format!("{} s after a slot", late.num_seconds())))
}

pub(super) fn open(batch: &Batch<'_>, rule: &Rule<'_>) -> Result<Seen, CheckFault> {
    let mut seen = Seen::default();
    for row in batch.rows {
        seen.looked_at += 1;
        let session = batch.calendar(row.table).session_of_slot(Slot::at_or_before(row.at))?;
        let told = match (session.map(|session| session.day.date()), row.date) {
            (None, _) => "the exchange is closed".to_owned(),
            (Some(day), Some(date)) if day != date => format!("dated {date}, of the session of {day}"),
            _ => continue,
        };
        seen.findings.extend(rule.judge(&row.place(), Measured::new(1.0, told)));
    }
    Ok(seen)
}

pub(super) fn future(batch: &Batch<'_>, row: &Row, rule: &Rule<'_>) -> Option<Finding> {
    let ahead = (row.at.max(row.captured_at) - batch.now).num_seconds();
    let ahead = f64::from(i32::try_from(ahead).unwrap_or(i32::MAX));
    rule.judge(&row.place(), Measured::new(ahead, format!("{ahead} s ahead of the run")))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::super::fixtures::{at, batch, row, run};
    use super::super::super::{Row, Status};
    use super::super::row_checks;

    fn status(check: &str, row: Row) -> Status {
        let rows = [row];
        let mut batch = batch(&rows, ("2026-11-18", "2026-11-18"));
        batch.now = at("2026-11-27 18:00");
        run(&row_checks(&batch), check).status
    }

    #[test]
    fn a_row_one_second_late_is_off_the_grid() {
        let sound = row("ES", at("2026-11-18 12:00"), 6_000.0);
        assert_eq!(status("time.slot_aligned", sound.clone()), Status::Pass);
        assert_eq!(status("time.slot_aligned", Row { at: sound.at + TimeDelta::seconds(1), ..sound }), Status::Fail);
    }

    #[test]
    fn a_row_in_the_evening_break_or_after_a_half_day_is_told() {
        let of = |symbol, time| status("time.session_open", row(symbol, at(time), 600.0));
        assert_eq!(of("ES", "2026-11-18 17:00"), Status::Pass);
        assert_eq!(of("ES", "2026-11-18 17:30"), Status::Fail);
        assert_eq!(of("SPY", "2026-11-27 13:00"), Status::Pass);
        assert_eq!(of("SPY", "2026-11-27 16:00"), Status::Fail);
    }

    #[test]
    fn a_row_of_another_date_than_its_session_is_told() {
        let evening = row("ES", at("2026-11-18 19:00"), 6_000.0);
        assert_eq!(status("time.session_open", evening.clone()), Status::Pass);
        let date = evening.date.and_then(|date| date.pred_opt());
        assert_eq!(status("time.session_open", Row { date, ..evening }), Status::Fail);
    }

    #[test]
    fn a_row_of_the_future_is_told() {
        let sound = row("ES", at("2026-11-18 12:00"), 6_000.0);
        assert_eq!(status("time.future", sound.clone()), Status::Pass);
        assert_eq!(status("time.future", Row { captured_at: at("2026-11-27 18:00:06"), ..sound }), Status::Fail);
    }
}
