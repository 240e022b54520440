//! Checks of the tables' files, from counts that the lake gives.

use crate::calendar::Slot;

use super::{Action, CheckSpec, Finding, LooksAt, Measure, Measured, Place, Rule, Seen};

/// The checks of the lake.
pub(super) const SPECS: &[CheckSpec] = &[
    CheckSpec::new("schema.contract", LooksAt::Lake, "names and types of the columns are as designed")
        .steps(None, Some(1.0), "columns")
        .acts(Action::Block)
        .critical()
        .because("every reader relies on them: one column more or less is another table"),
    CheckSpec::new("lake.keys_unique", LooksAt::Lake, "no key is in the table twice")
        .steps(None, Some(1.0), "doubled keys")
        .acts(Action::Block)
        .critical()
        .because("two writers that both won would double every row: sums and means go wrong without a word"),
    CheckSpec::new("lake.rows_kept", LooksAt::Lake, "compaction keeps every row")
        .steps(None, Some(1.0), "rows more or less")
        .acts(Action::Block)
        .critical()
        .because("a compaction writes the same rows into fewer files, and nothing else"),
    CheckSpec::new("lake.small_files", LooksAt::Lake, "files are few")
        .steps(Some(1_500.0), Some(6_000.0), "files")
        .because("a day leaves at most 828 appends: twice that is a day without compaction, six thousand a week"),
    CheckSpec::new("lake.log_entries", LooksAt::Lake, "the log since the checkpoint is short")
        .steps(Some(1_500.0), Some(6_000.0), "log entries")
        .because("each reader reads all of them; compaction checkpoints at least once a day"),
    CheckSpec::new("lake.checkpoint_age", LooksAt::Lake, "the checkpoint is of the last session")
        .steps(Some(100.0), Some(240.0), "hours")
        .because("one is written at every close: a weekend with a holiday is 98 hours, ten days are a fault"),
    CheckSpec::new("lake.disk_free", LooksAt::Lake, "the disk has room")
        .steps(Some(90.0), Some(97.0), "% full")
        .acts(Action::Block)
        .critical()
        .because("compaction needs the room of a table twice; a full disk loses the slot under way"),
];

/// What the lake says of a table. What was not counted is none, and its check is skipped.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableFacts {
    /// The table.
    pub table: &'static str,
    /// Columns as designed, each with its type.
    pub designed: Vec<(String, String)>,
    /// Columns as they are.
    pub columns: Option<Vec<(String, String)>>,
    /// Keys that are there more than once.
    pub doubled_keys: Option<u64>,
    /// Rows before and after the newest compaction.
    pub compacted: Option<(u64, u64)>,
    /// Files that hold rows.
    pub files: Option<u64>,
    /// Log entries since the newest checkpoint.
    pub log_entries: Option<u64>,
    /// Hours of commits since the newest checkpoint: a table that nobody writes to needs none.
    pub checkpoint_age_hours: Option<f64>,
    /// Bytes free and in all of the disk that it is on.
    pub disk_bytes: Option<(u64, u64)>,
}

/// The checks of the lake's tables, at the slot of the run.
#[must_use]
pub fn lake_checks(tables: &[TableFacts], slot: Slot) -> Vec<Measure<'_>> {
    let each = |check, measured: fn(&TableFacts) -> Option<Measured>| {
        Measure::new(check, move |rule| {
            let known = tables.iter().filter_map(|facts| Some((facts, measured(facts)?)));
            Ok(Seen::each(known, |(facts, measured)| judge((facts, slot), measured, rule)))
        })
    };
    vec![
        each("schema.contract", schema),
        each("lake.keys_unique", |facts| Some(counted(facts.doubled_keys?, "keys are there more than once"))),
        each("lake.rows_kept", rows_kept),
        each("lake.small_files", |facts| Some(counted(facts.files?, "files"))),
        each("lake.log_entries", |facts| Some(counted(facts.log_entries?, "log entries since the checkpoint"))),
        each("lake.checkpoint_age", |facts| {
            let hours = facts.checkpoint_age_hours?;
            Some(Measured::new(
                hours,
                format!("the newest checkpoint is {hours:.0} hours older than the newest commit"),
            ))
        }),
        each("lake.disk_free", disk),
    ]
}

fn judge((facts, slot): (&TableFacts, Slot), measured: Measured, rule: &Rule<'_>) -> Option<Finding> {
    rule.judge(&Place { table: facts.table, symbol: None, timestamp: slot }, measured)
}

fn counted(number: u64, what: &str) -> Measured {
    Measured::count(usize::try_from(number).unwrap_or(usize::MAX), format!("{number} {what}"))
}

fn schema(facts: &TableFacts) -> Option<Measured> {
    let columns = facts.columns.as_ref()?;
    let missing = facts.designed.iter().filter(|column| !columns.contains(column)).map(|column| ("no", column));
    let further = columns.iter().filter(|column| !facts.designed.contains(column)).map(|column| ("a", column));
    let told: Vec<String> =
        missing.chain(further).map(|(article, (name, kind))| format!("{article} {name} {kind}")).collect();
    // The same columns in another order read wrongly by position.
    let reordered = told.is_empty() && *columns != facts.designed;
    let observed = if reordered { "another order of the columns".to_owned() } else { told.join(", ") };
    Some(Measured::count(told.len() + usize::from(reordered), observed))
}

fn rows_kept(facts: &TableFacts) -> Option<Measured> {
    let (before, after) = facts.compacted?;
    let lost = usize::try_from(before.abs_diff(after)).unwrap_or(usize::MAX);
    Some(Measured::count(lost, format!("{before} rows before and {after} after")))
}

fn disk(facts: &TableFacts) -> Option<Measured> {
    let (free, all) = facts.disk_bytes.filter(|(_, all)| *all > 0)?;
    // Tenths of a per cent are exact in 32 bits.
    let tenths = u32::try_from(u128::from(all.saturating_sub(free)) * 1_000 / u128::from(all)).unwrap_or(u32::MAX);
    let percent = f64::from(tenths) / 10.0;
    Some(Measured::new(percent, format!("{percent:.1} % full, {} MiB free", free >> 20)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{at, run};
    use super::super::{Severity, Status};
    use super::*;

    fn status(check: &str, facts: TableFacts) -> Status {
        let tables = [TableFacts { table: "futures_snapshots", ..facts }];
        let run = run(&lake_checks(&tables, Slot::at_or_before(at("2026-11-18 12:00"))), check);
        assert!(run.findings.iter().all(|finding| finding.table == "futures_snapshots" && finding.symbol.is_none()));
        run.status
    }

    fn columns(names: &[&str]) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), "Float64".to_owned())).collect()
    }

    #[test]
    fn a_table_with_other_columns_is_told_in_every_way_that_it_differs() {
        let with = |names: &[&str]| TableFacts {
            designed: columns(&["bid", "ask"]),
            columns: Some(columns(names)),
            ..TableFacts::default()
        };
        assert_eq!(status("schema.contract", with(&["bid", "ask"])), Status::Pass);
        for names in [&["bid"][..], &["bid", "ask", "mid"], &["ask", "bid"]] {
            assert_eq!(status("schema.contract", with(names)), Status::Fail, "{names:?}");
        }
        assert_eq!(status("schema.contract", TableFacts::default()), Status::Skipped);
    }

    #[test]
    fn doubled_keys_and_lost_rows_are_critical() {
        let doubled = |keys| TableFacts { doubled_keys: Some(keys), ..TableFacts::default() };
        assert_eq!(status("lake.keys_unique", doubled(0)), Status::Pass);
        assert_eq!(status("lake.keys_unique", doubled(1)), Status::Fail);
        let compacted = |after| TableFacts { compacted: Some((828, after)), ..TableFacts::default() };
        assert_eq!(status("lake.rows_kept", compacted(828)), Status::Pass);
        assert_eq!(status("lake.rows_kept", compacted(827)), Status::Fail);
        assert_eq!(status("lake.rows_kept", compacted(829)), Status::Fail);
        assert_eq!(super::super::spec("lake.rows_kept").map(|spec| spec.worst), Some(Severity::Critical));
    }

    #[test]
    fn files_log_and_checkpoint_have_their_limits() {
        let files = |files| TableFacts { files: Some(files), ..TableFacts::default() };
        assert_eq!(status("lake.small_files", files(828)), Status::Pass);
        assert_eq!(status("lake.small_files", files(1_500)), Status::Warn);
        let entries = |entries| TableFacts { log_entries: Some(entries), ..TableFacts::default() };
        assert_eq!(status("lake.log_entries", entries(900)), Status::Pass);
        assert_eq!(status("lake.log_entries", entries(6_000)), Status::Fail);
        let age = |hours| TableFacts { checkpoint_age_hours: Some(hours), ..TableFacts::default() };
        assert_eq!(status("lake.checkpoint_age", age(98.0)), Status::Pass);
        assert_eq!(status("lake.checkpoint_age", age(240.0)), Status::Fail);
    }

    #[test]
    fn a_disk_is_told_before_it_is_full() {
        let disk = |free| TableFacts { disk_bytes: Some((free, 1_000_000)), ..TableFacts::default() };
        assert_eq!(status("lake.disk_free", disk(110_000)), Status::Pass);
        assert_eq!(status("lake.disk_free", disk(100_000)), Status::Warn);
        assert_eq!(status("lake.disk_free", disk(1_000)), Status::Fail);
    }
}
