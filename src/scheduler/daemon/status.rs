//! The status line, as `systemctl status` shows it.

use super::super::planner::PlannedSlot;
use super::super::reason::eastern;

/// What comes next, what runs, and what is wrong.
pub(super) fn line(next: Option<&PlannedSlot>, running: &[&str], trouble: Option<&str>) -> String {
    let next = next.map_or_else(
        || "nothing is planned".to_owned(),
        |next| format!("next {} at {}", next.job, eastern(next.due_at)),
    );
    let running = (!running.is_empty()).then(|| format!("running {}", running.join(", ")));
    let parts = [trouble.map(str::to_owned), Some(next), running];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::super::fixtures::{et, one_job};
    use super::*;

    #[test]
    fn the_line_begins_with_what_is_wrong() {
        let planner = one_job("schedule: { at: nyse.open - 30m }");
        let next = planner.next("nightly", et("2026-03-02 08:00")).expect("planned");
        assert_eq!(line(next.as_ref(), &[], None), "next nightly at 2026-03-02 09:00 ET");
        assert_eq!(
            line(next.as_ref(), &["backfill"], Some("the ledger cannot be written")),
            "the ledger cannot be written; next nightly at 2026-03-02 09:00 ET; running backfill"
        );
        assert_eq!(line(None, &[], None), "nothing is planned");
    }
}
