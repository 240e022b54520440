//! Daily bars, signals, decisions and outcomes: written by the one protocol of all tables, and read back.

use arrow::json::ReaderBuilder;

use crate::market::{DailyBar, FuturesSnapshot, SpotSnapshot, Symbol};

use super::TableName;
use super::row::Row;
use super::schema::arrow_schema;
use super::{
    AsOf, DecisionRow, FindingRow, KeyRange, Lake, LakeError, OutcomeRow, QuarantinedRow, Replaced, SignalRow, Written,
    read,
};

impl Lake {
    /// Adds the daily bars whose keys are absent.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn append_daily(&self, rows: &[DailyBar]) -> Result<Written, LakeError> {
        self.append(rows).await
    }

    /// Adds the signals whose keys are absent.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn append_signals(&self, rows: &[SignalRow]) -> Result<Written, LakeError> {
        self.append(rows).await
    }

    /// Adds the verdicts whose keys are absent.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn append_decisions(&self, rows: &[DecisionRow]) -> Result<Written, LakeError> {
        self.append(rows).await
    }

    /// Adds the outcomes whose keys are absent.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn append_outcomes(&self, rows: &[OutcomeRow]) -> Result<Written, LakeError> {
        self.append(rows).await
    }

    /// Adds the findings whose keys are absent.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn append_findings(&self, rows: &[FindingRow]) -> Result<Written, LakeError> {
        self.append(rows).await
    }

    /// Keeps the rows apart whose keys are absent there, as many as `lake.quarantine_max_rows` has room for.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn append_quarantine(&self, rows: &[QuarantinedRow]) -> Result<Written, LakeError> {
        let stats = self.stats(TableName::Quarantine).await?;
        let num_held: u64 =
            stats.iter().flat_map(|stats| &stats.partitions).filter_map(|partition| partition.rows).sum();
        let max_rows = self.shared.quarantine_max_rows;
        let room = usize::try_from(u64::from(max_rows).saturating_sub(num_held)).unwrap_or(usize::MAX);
        let kept = rows.get(..room).unwrap_or(rows);
        if kept.len() < rows.len() {
            let left_out = rows.len() - kept.len();
            tracing::warn!(
                left_out,
                max_rows,
                "quarantine is full, of these rows only the findings are stored: raise lake.quarantine_max_rows, or \
                 take a backup and remove the table's folder"
            );
        }
        if kept.is_empty() { Ok(Written::default()) } else { self.append(kept).await }
    }

    /// Writes rows kept apart in place of those with their keys, to note what became of them.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn replace_quarantine(&self, rows: &[QuarantinedRow]) -> Result<Replaced<QuarantinedRow>, LakeError> {
        self.replace(rows).await
    }

    /// Writes a row that was kept apart into the table it was meant for; where its key is there by now nothing is written.
    ///
    /// # Errors
    /// As [`Lake::append_futures`], and where the row does not fit the columns of its table.
    pub async fn release(&self, row: &QuarantinedRow) -> Result<Written, LakeError> {
        let table: TableName = row.table.parse()?;
        let unfit = |source: arrow::error::ArrowError| LakeError::Unfit { table, source: source.into() };
        let mut decoder = ReaderBuilder::new(arrow_schema(table)).build_decoder().map_err(unfit)?;
        decoder.decode(row.row_json.as_bytes()).map_err(unfit)?;
        let Some(batch) = decoder.flush().map_err(unfit)? else { return Ok(Written::default()) };
        match table {
            TableName::SpotSnapshots => self.append(&SpotSnapshot::decode(&batch)?).await,
            _ => self.append(&FuturesSnapshot::decode(&batch)?).await,
        }
    }

    /// The findings about a range, by symbol and instant.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn findings(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<FindingRow>, LakeError> {
        self.typed_rows(range, as_of).await
    }

    /// The rows kept apart of a range, by symbol and instant.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn quarantined(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<QuarantinedRow>, LakeError> {
        self.typed_rows(range, as_of).await
    }

    /// Writes daily bars in place of those with their keys.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn replace_daily(&self, rows: &[DailyBar]) -> Result<Replaced<DailyBar>, LakeError> {
        self.replace(rows).await
    }

    /// Writes signals in place of those with their keys.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn replace_signals(&self, rows: &[SignalRow]) -> Result<Replaced<SignalRow>, LakeError> {
        self.replace(rows).await
    }

    /// Writes verdicts in place of those with their keys.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn replace_decisions(&self, rows: &[DecisionRow]) -> Result<Replaced<DecisionRow>, LakeError> {
        self.replace(rows).await
    }

    /// Writes outcomes in place of those with their keys.
    ///
    /// # Errors
    /// As [`Lake::append_futures`].
    pub async fn replace_outcomes(&self, rows: &[OutcomeRow]) -> Result<Replaced<OutcomeRow>, LakeError> {
        self.replace(rows).await
    }

    /// The daily bars whose sessions closed in a range, by symbol and session.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn daily(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<DailyBar>, LakeError> {
        self.typed_rows(range, as_of).await
    }

    /// The signals about a range, by symbol and instant.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn signals(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<SignalRow>, LakeError> {
        self.typed_rows(range, as_of).await
    }

    /// The verdicts about a range, by symbol, instant and rule.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn decisions(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<DecisionRow>, LakeError> {
        self.typed_rows(range, as_of).await
    }

    /// The outcomes of decisions about a range, by symbol, instant and horizon.
    ///
    /// # Errors
    /// As [`Lake::futures`].
    pub async fn outcomes(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<OutcomeRow>, LakeError> {
        self.typed_rows(range, as_of).await
    }

    /// The newest signal of an ETF.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn latest_signal(&self, symbol: &Symbol) -> Result<Option<SignalRow>, LakeError> {
        read::latest(&self.shared.signals, symbol).await
    }

    /// The newest daily bar of an ETF.
    ///
    /// # Errors
    /// As [`Lake::futures_keys`].
    pub async fn latest_daily(&self, symbol: &Symbol) -> Result<Option<DailyBar>, LakeError> {
        read::latest(&self.shared.spot_daily, symbol).await
    }

    async fn typed_rows<R: Row>(&self, range: &KeyRange, as_of: &AsOf) -> Result<Vec<R>, LakeError> {
        read::rows(self.handle(R::TABLE), range, as_of).await
    }
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;
    use crate::calendar::Slot;
    use crate::lake::RowQuery;
    use crate::lake::fixtures::{daily_row, decision_row, futures_of, lake, outcome_row, signal_row, slot, symbol};

    fn range() -> KeyRange {
        KeyRange { symbols: ["SPY", "QQQ"].map(symbol).to_vec(), from: slot(0).instant(), to: slot(500).instant() }
    }

    fn verdicts(at: Slot) -> Vec<DecisionRow> {
        let of_rule = |rule: &str| DecisionRow { rule: rule.to_owned(), ..decision_row("SPY", at) };
        ["a", "b", "none"].map(of_rule).to_vec()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn quarantine_holds_as_many_rows_as_it_may_and_takes_no_more() {
        let folder = tempdir().expect("a folder");
        let config = crate::lake::LakeConfig { quarantine_max_rows: 3, ..crate::lake::fixtures::config(folder.path()) };
        let lake = Lake::open(&config, crate::market::GatewayKind::Simulated).expect("a lake");
        let row = |number| QuarantinedRow {
            symbol: symbol("SPY"),
            timestamp: slot(number),
            table: "spot_snapshots".to_owned(),
            checks: "quote.crossed".to_owned(),
            reason: String::new(),
            row_json: "{}".to_owned(),
            decided: None,
            gateway: crate::market::GatewayKind::Simulated,
            captured_at: slot(number).instant(),
        };
        assert_eq!(lake.append_quarantine(&[row(1), row(2)]).await.expect("written").added, 2);
        assert_eq!(lake.append_quarantine(&[row(3), row(4)]).await.expect("one of them").added, 1);
        assert_eq!(lake.append_quarantine(&[row(5)]).await.expect("none").added, 0);
        assert_eq!(lake.quarantined(&range(), &AsOf::Latest).await.expect("rows").len(), 3);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_signal_is_written_once_and_the_newest_by_its_instant_is_read_back() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        // Both rest on the same newest row: the key is the instant they are about.
        let rows = [2, 1].map(|at| SignalRow { timestamp: slot(1), ..signal_row("SPY", slot(at)) });
        assert_eq!(lake.append_signals(&rows).await.expect("written").added, 2);
        let again = lake.append_signals(&rows).await.expect("nothing to do");
        assert_eq!((again.added, again.present, again.version), (0, 2, None));
        assert_eq!(lake.latest_signal(&symbol("SPY")).await.expect("readable"), Some(rows[0].clone()));
        let read = lake.signals(&range(), &AsOf::Latest).await.expect("rows");
        assert_eq!(read, [rows[1].clone(), rows[0].clone()]);
        assert_eq!(lake.latest_signal(&symbol("QQQ")).await.expect("readable"), None);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_verdicts_of_an_instant_stand_beside_each_other_and_a_new_rule_adds_its_own() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        assert_eq!(lake.append_decisions(&verdicts(slot(1))[..2]).await.expect("written").added, 2);
        let written = lake.append_decisions(&verdicts(slot(1))).await.expect("written");
        assert_eq!((written.added, written.present), (1, 2));
        assert_eq!(lake.decisions(&range(), &AsOf::Latest).await.expect("rows"), verdicts(slot(1)));
        let count = lake.count(TableName::Decisions, &range()).await.expect("counted");
        assert_eq!((count.rows, count.keys), (3, 3));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn replacing_one_verdict_leaves_the_others() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_decisions(&verdicts(slot(1))).await.expect("written");
        let new = DecisionRow { rule: "b".to_owned(), reason: "other".to_owned(), ..decision_row("SPY", slot(1)) };
        let replaced = lake.replace_decisions(std::slice::from_ref(&new)).await.expect("replaced");
        assert_eq!(replaced.old, [verdicts(slot(1))[1].clone()]);
        let rows = lake.decisions(&range(), &AsOf::Latest).await.expect("rows");
        assert_eq!((rows.len(), &rows[1]), (3, &new));
        assert_eq!(lake.replace_decisions(&[new]).await.expect("nothing to do").written, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn outcomes_of_two_horizons_come_at_different_times() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let of_horizon = |horizon: &str| OutcomeRow { horizon: horizon.to_owned(), ..outcome_row("SPY", slot(1)) };
        lake.append_outcomes(&[of_horizon("1d")]).await.expect("written");
        let written = lake.append_outcomes(&[of_horizon("1d"), of_horizon("5d")]).await.expect("written");
        assert_eq!((written.added, written.present), (1, 1));
        assert_eq!(lake.outcomes(&range(), &AsOf::Latest).await.expect("rows"), ["1d", "5d"].map(of_horizon));
        lake.replace_outcomes(&[of_horizon("1d")]).await.expect("the same");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn daily_bars_come_in_order_and_as_of_their_capture() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        let delayed = DailyBar { captured_at: slot(400).instant(), ..daily_row("SPY", slot(1)) };
        lake.append_daily(&[daily_row("SPY", slot(79)), delayed.clone()]).await.expect("written");
        let all = lake.daily(&range(), &AsOf::Latest).await.expect("rows");
        assert_eq!(all, [delayed, daily_row("SPY", slot(79))]);
        let then = lake.daily(&range(), &AsOf::Instant(slot(300).instant())).await.expect("rows");
        assert_eq!(then, [daily_row("SPY", slot(79))]);
        assert_eq!(lake.latest_daily(&symbol("SPY")).await.expect("readable"), Some(daily_row("SPY", slot(79))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_small_files_of_verdicts_become_one_and_no_row_changes() {
        let folder = tempdir().expect("a folder");
        let lake = lake(folder.path());
        lake.append_futures(&futures_of(slot(1))).await.expect("written");
        for number in 1..14 {
            lake.append_decisions(&verdicts(slot(number))).await.expect("written");
        }
        let before = lake.decisions(&range(), &AsOf::Latest).await.expect("rows");
        let compacted = lake.compact(TableName::Decisions).await.expect("compacted");
        assert_eq!((compacted.files_removed, compacted.rows), (13, 39));
        assert_eq!(lake.decisions(&range(), &AsOf::Latest).await.expect("rows"), before);
        let written = lake.append_decisions(&verdicts(slot(13))).await.expect("nothing to do");
        assert_eq!((written.added, written.present), (0, 3));
        let query = RowQuery { last: Some(3), ..RowQuery::default() };
        assert_eq!(lake.rows(TableName::Decisions, &query).await.expect("rows").rows.len(), 3);
    }
}
