//! The rows of a table: each key once, each row on the grid, inside of a session, and as this program writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Utc};

use crate::calendar::{Calendar, Slot, TradingDay};
use crate::lake::TableName;
use crate::lake::columns::{date_of, plain};
use crate::lake::error::Cause;
use crate::lake::schema::{PARTITION, columns, instant_column, part_column};
use crate::market::{GatewayKind, Source, Symbol};

use super::fault::{FROM_BACKUP, Fault, FaultKind};

const WITHOUT_SYMBOL: &str = "without a symbol that can be";
const WITHOUT_INSTANT: &str = "without a timestamp";

/// Columns of words for a reader, which may say nothing; every other text names something.
const TEXTS_FOR_READERS: [&str; 10] =
    ["action", "checks", "decided", "detail", "metadata", "observed", "reason", "reasoning", "threshold", "timing"];

/// What rows of one file reach over.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) num_rows: u64,
    pub(super) first: Option<DateTime<Utc>>,
    pub(super) last: Option<DateTime<Utc>>,
}

/// The check of all rows of a table, file after file.
pub(super) struct RowCheck<'a> {
    table: TableName,
    calendar: &'a Calendar,
    kind: Option<GatewayKind>,
    /// The keys of each symbol, each with the file that holds it.
    keys: BTreeMap<String, BTreeMap<(DateTime<Utc>, String), usize>>,
    files: Vec<PathBuf>,
    days: BTreeMap<Slot, Option<TradingDay>>,
    /// For each sort of wrong row how many there are, with the first.
    wrong: BTreeMap<(FaultKind, &'static str), (u64, String, PathBuf)>,
    num_rows: u64,
}

impl<'a> RowCheck<'a> {
    pub(super) fn new(table: TableName, calendar: &'a Calendar, kind: Option<GatewayKind>) -> Self {
        let (keys, files, days, wrong) = Default::default();
        Self { table, calendar, kind, keys, files, days, wrong, num_rows: 0 }
    }

    pub(super) fn num_rows(&self) -> u64 {
        self.num_rows
    }

    /// The slots of each symbol; those that are on the grid.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&str, BTreeSet<Slot>)> {
        self.keys.iter().map(|(symbol, instants)| {
            (symbol.as_str(), instants.keys().filter_map(|(at, _)| Slot::at(*at).ok()).collect())
        })
    }

    /// Takes the rows of one batch of a file of one symbol.
    pub(super) fn take(
        &mut self,
        (path, symbol): (&Path, Option<&str>),
        batch: &RecordBatch,
        span: &mut Span,
    ) -> Result<(), Cause> {
        let batch = plain(self.table, batch)?;
        let symbol = symbol.unwrap_or_default().to_owned();
        let instants = batch.column_by_name(instant_column(self.table)).ok_or("it has no column of instants")?;
        let instants: &TimestampMicrosecondArray =
            instants.as_primitive_opt::<TimestampMicrosecondType>().ok_or("its instants are of another type")?;
        let parts = part_column(self.table).and_then(|part| batch.column_by_name(part)?.as_string_opt::<i32>());
        if self.files.last().is_none_or(|last| last != path) {
            self.files.push(path.to_path_buf());
        }
        if symbol.parse::<Symbol>().is_err() {
            self.wrong((FaultKind::MalformedRow, WITHOUT_SYMBOL), &symbol, path);
        }
        for row in 0..batch.num_rows() {
            span.num_rows += 1;
            self.num_rows += 1;
            let at = instants.is_valid(row).then(|| instants.value(row)).and_then(DateTime::from_timestamp_micros);
            let Some(at) = at else {
                self.wrong((FaultKind::MalformedRow, WITHOUT_INSTANT), &symbol, path);
                continue;
            };
            span.first = Some(span.first.map_or(at, |first| first.min(at)));
            span.last = Some(span.last.map_or(at, |last| last.max(at)));
            let part = parts.filter(|parts| parts.is_valid(row)).map_or("", |parts| parts.value(row));
            self.key((&symbol, at, part), path);
        }
        self.values((path, &symbol), &batch, instants);
        Ok(())
    }

    fn key(&mut self, (symbol, at, part): (&str, DateTime<Utc>, &str), path: &Path) {
        let number = self.files.len() - 1;
        let other = self.keys.entry(symbol.to_owned()).or_default().insert((at, part.to_owned()), number);
        let example = || format!("{symbol} {} {part}", at.to_rfc3339()).trim_end().to_owned();
        if let Some(other) = other.and_then(|number| self.files.get(number)) {
            let example = format!("{} is in {} too", example(), other.display());
            self.wrong((FaultKind::DoubledKey, "whose key is there more than once"), &example, path);
        }
        let Ok(slot) = Slot::at(at) else {
            return self.wrong((FaultKind::StrayRow, "off the five-minute grid"), &example(), path);
        };
        if self.day_of(slot).is_none() {
            self.wrong((FaultKind::StrayRow, "outside of the sessions of the calendar"), &example(), path);
        }
    }

    /// The trading day of a slot, looked up once.
    fn day_of(&mut self, slot: Slot) -> Option<TradingDay> {
        let calendar = self.calendar;
        let of_slot = || calendar.session_of_slot(slot).ok().flatten().map(|session| session.day);
        *self.days.entry(slot).or_insert_with(of_slot)
    }

    /// The columns besides the key.
    fn values(&mut self, (path, symbol): (&Path, &str), batch: &RecordBatch, instants: &TimestampMicrosecondArray) {
        let instant = instant_column(self.table);
        for spec in columns(self.table).iter().filter(|spec| spec.name != PARTITION && spec.name != instant) {
            let Some(array) = batch.column_by_name(spec.name) else {
                if !spec.nullable {
                    self.wrong((FaultKind::MalformedRow, "without a column they must have"), spec.name, path);
                }
                continue;
            };
            for row in 0..batch.num_rows() {
                let wrong = match array.is_null(row) {
                    true if spec.nullable => None,
                    true => Some("with a value missing that they must have"),
                    false => self.wrong_value(spec.name, array.as_ref(), row),
                };
                if let Some(wrong) = wrong {
                    let at = instants.value_as_datetime(row).map(|at| at.and_utc().to_rfc3339()).unwrap_or_default();
                    self.wrong((FaultKind::MalformedRow, wrong), &format!("{} of {symbol} {at}", spec.name), path);
                }
            }
        }
        if let Some(dates) = batch.column_by_name("date").and_then(|array| array.as_primitive_opt::<Date32Type>()) {
            self.dates((path, symbol), dates, instants);
        }
    }

    fn wrong_value(&self, column: &str, array: &dyn Array, row: usize) -> Option<&'static str> {
        match array.data_type() {
            DataType::Float64 => {
                (!array.as_primitive::<Float64Type>().value(row).is_finite()).then_some("with a number that is none")
            }
            DataType::Int64 if column == "volume" || column == "open_interest" => {
                (array.as_primitive::<Int64Type>().value(row) < 0).then_some("with a negative count")
            }
            DataType::Utf8 => {
                let text = array.as_string::<i32>().value(row);
                match column {
                    "source" => text.parse::<Source>().is_err().then_some("of an unknown source"),
                    "gateway" => {
                        let kind = text.parse::<GatewayKind>().ok();
                        let is_wrong = kind.is_none() || self.kind.is_some_and(|bound| kind != Some(bound));
                        is_wrong.then_some("of another gateway than the table's")
                    }
                    _ if TEXTS_FOR_READERS.contains(&column) => None,
                    _ => text.is_empty().then_some("with an empty text"),
                }
            }
            _ => None,
        }
    }

    /// A row's date is that of its slot's session.
    fn dates(&mut self, (path, symbol): (&Path, &str), dates: &Date32Array, instants: &TimestampMicrosecondArray) {
        for (at, date) in instants.iter().zip(dates) {
            let slot = at.and_then(DateTime::from_timestamp_micros).and_then(|at| Slot::at(at).ok());
            let (Some(slot), Some(date)) = (slot, date.and_then(date_of)) else { continue };
            if self.day_of(slot).is_some_and(|day| day.date() != date) {
                let example = format!("{symbol} {slot} says {date}");
                self.wrong((FaultKind::MalformedRow, "with another date than their session's"), &example, path);
            }
        }
    }

    fn wrong(&mut self, what: (FaultKind, &'static str), example: &str, path: &Path) {
        let found = self.wrong.entry(what).or_insert_with(|| (0, example.to_owned(), path.to_path_buf()));
        found.0 += 1;
    }

    /// The sorts of wrong rows.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let fault = |(&(kind, what), (count, example, path)): (&(FaultKind, &str), &(u64, String, PathBuf))| {
            let plural = if *count == 1 { "row" } else { "rows" };
            let found = Fault::new(kind, path, format!("{count} {plural} {what}, the first: {example}"));
            found.remedy(remedy(self.table, kind, what))
        };
        self.wrong.iter().map(fault).collect()
    }
}

/// What can work for a sort of wrong rows in a table.
fn remedy(table: TableName, kind: FaultKind, what: &str) -> String {
    match kind {
        FaultKind::DoubledKey => {
            "go back to a version without them, by jobs table restore --version, then jobs run backfill; if only this \
             program wrote the table, please report it"
                .to_owned()
        }
        FaultKind::StrayRow => {
            "check calendar.override_file against the day; rows that should not be there go with jobs table restore, to a \
             version before them"
                .to_owned()
        }
        // A row is written anew in the place of the one with its key.
        _ if what == WITHOUT_SYMBOL || what == WITHOUT_INSTANT => without_a_new_row(),
        _ => match job_of(table) {
            Some(job) => format!("write them anew, by jobs run {job} --force over their slots; or {}", without_a_new_row()),
            None => without_a_new_row(),
        },
    }
}

fn without_a_new_row() -> String {
    format!("go back to a version before them, by jobs table restore --version; or {FROM_BACKUP}")
}

/// The job that writes the rows of a table anew; none where they are kept as they came.
fn job_of(table: TableName) -> Option<&'static str> {
    match table {
        TableName::FuturesSnapshots | TableName::SpotSnapshots | TableName::SpotDaily => Some("backfill"),
        TableName::FuturesSignals => Some("signals"),
        TableName::Decisions => Some("rules"),
        TableName::Outcomes => Some("evaluation"),
        TableName::QualityFindings | TableName::Quarantine => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::ArrayRef;

    use super::*;
    use crate::calendar::CalendarId;
    use crate::lake::fixtures::{futures_row, slot};
    use crate::lake::row::encoded;
    use crate::market::FuturesSnapshot;

    /// What is told of batches of one symbol, each from a file of its own.
    fn faults(batches: &[(&str, RecordBatch)]) -> Vec<(FaultKind, String)> {
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        let mut check = RowCheck::new(TableName::FuturesSnapshots, &calendar, Some(GatewayKind::Simulated));
        for (number, (symbol, batch)) in batches.iter().enumerate() {
            let path = PathBuf::from(format!("{number}.parquet"));
            check.take((&path, Some(symbol)), batch, &mut Span::default()).expect("readable");
        }
        check.faults().into_iter().map(|fault| (fault.kind, fault.what)).collect()
    }

    fn batch(rows: &[FuturesSnapshot]) -> RecordBatch {
        encoded(&rows.iter().collect::<Vec<_>>()).expect("a batch")
    }

    fn with_column(batch: &RecordBatch, name: &str, array: &ArrayRef) -> RecordBatch {
        let schema = batch.schema();
        let named = schema.fields().iter().map(|field| field.name().clone()).zip(batch.columns().iter().cloned());
        let replaced = named.map(|(own, column)| if own == name { (own, array.clone()) } else { (own, column) });
        RecordBatch::try_from_iter(replaced).expect("a batch")
    }

    #[track_caller]
    fn assert_one(found: &[(FaultKind, String)], kind: FaultKind, parts: &[&str]) {
        assert!(matches!(found, [(only, _)] if *only == kind), "{found:?}");
        for part in parts {
            assert!(found.iter().all(|(_, what)| what.contains(part)), "{part} in {found:?}");
        }
    }

    #[test]
    fn sound_rows_have_no_fault() {
        let rows = [futures_row("ES", slot(1)), futures_row("ES", slot(2))];
        let unnamed = FuturesSnapshot { con_id: None, ..futures_row("ES", slot(3)) };
        let found = faults(&[("ES", batch(&rows)), ("ES", batch(&[unnamed])), ("NQ", batch(&rows))]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_key_in_two_files_is_told_with_both() {
        let once = batch(&[futures_row("ES", slot(1)), futures_row("ES", slot(2))]);
        let again = batch(&[futures_row("ES", slot(2))]);
        let found = faults(&[("ES", once), ("ES", again)]);
        assert_one(&found, FaultKind::DoubledKey, &["1 row whose key", "ES 2026-11-18T15:10:00", "0.parquet"]);
    }

    #[test]
    fn a_row_off_the_grid_or_outside_of_the_sessions_is_a_stray() {
        let rows = batch(&[futures_row("ES", slot(1)), futures_row("ES", slot(2))]);
        let stamped = |seconds: [i64; 2]| {
            let micros = seconds.map(|seconds| (slot(1).instant().timestamp() + seconds) * 1_000_000);
            let array = TimestampMicrosecondArray::from(micros.to_vec()).with_timezone("UTC");
            let array: ArrayRef = std::sync::Arc::new(array);
            faults(&[("ES", with_column(&rows, "timestamp", &array))])
        };
        assert_one(&stamped([0, 301]), FaultKind::StrayRow, &["1 row off the five-minute grid", "T15:10:01"]);
        // Saturday noon; the date is not judged where there is no session.
        assert_one(&stamped([0, 3 * 86_400]), FaultKind::StrayRow, &["outside of the sessions", "2026-11-21"]);
    }

    #[test]
    fn a_row_as_this_program_would_not_write_it_is_malformed() {
        let row = || futures_row("ES", slot(1));
        // As another program may write it: our own codec stores no NaN.
        let nan: ArrayRef = std::sync::Arc::new(arrow::array::Float64Array::from(vec![f64::NAN]));
        let nan = with_column(&batch(&[row()]), "bid", &nan);
        assert_one(&faults(&[("ES", nan)]), FaultKind::MalformedRow, &["a number that is none, the first: bid"]);
        let negative = FuturesSnapshot { volume: Some(-1), ..row() };
        let real = FuturesSnapshot { gateway: GatewayKind::Ib, ..row() };
        let nameless = FuturesSnapshot { contract: String::new(), ..row() };
        let misdated = FuturesSnapshot { date: TradingDay::new(date_of(0).expect("a date")), ..row() };
        for (row, part) in [
            (negative, "a negative count, the first: volume"),
            (real, "another gateway than the table's"),
            (nameless, "an empty text, the first: contract"),
            (misdated, "another date than their session's, the first: ES 2026-11-18T15:05:00Z says 1970-01-01"),
        ] {
            assert_one(&faults(&[("ES", batch(&[row]))]), FaultKind::MalformedRow, &[part]);
        }
        assert_one(
            &faults(&[("es", batch(&[row()]))]),
            FaultKind::MalformedRow,
            &["a symbol that can be, the first: es"],
        );
        let unknown: ArrayRef = std::sync::Arc::new(arrow::array::StringArray::from(vec!["rumour"]));
        let unknown = with_column(&batch(&[row()]), "source", &unknown);
        assert_one(&faults(&[("ES", unknown)]), FaultKind::MalformedRow, &["an unknown source"]);
    }

    fn faults_of<R: crate::lake::row::Row>(row: &R) -> Vec<Fault> {
        let calendar = Calendar::embedded(CalendarId::CmeEquity);
        let mut check = RowCheck::new(R::TABLE, &calendar, Some(GatewayKind::Simulated));
        let batch = encoded(&[row]).expect("a batch");
        let symbol = row.key().symbol;
        check.take((Path::new("0.parquet"), Some(symbol.as_str())), &batch, &mut Span::default()).expect("readable");
        check.faults()
    }

    #[test]
    fn words_for_a_reader_may_be_absent_and_names_may_not() {
        let finding = crate::lake::FindingRow {
            symbol: "ES".parse().expect("a symbol"),
            timestamp: slot(1),
            check: "complete.session".into(),
            table: "futures_snapshots".into(),
            run_slot: slot(1),
            severity: "warn".into(),
            observed: String::new(),
            threshold: String::new(),
            action: String::new(),
            detail: String::new(),
            gateway: GatewayKind::Simulated,
            found_at: slot(1).instant(),
        };
        assert_eq!(faults_of(&finding), []);
        let nameless = crate::lake::FindingRow { severity: String::new(), ..finding };
        let found = faults_of(&nameless);
        assert!(found.iter().any(|fault| fault.what.contains("the first: severity")), "{found:?}");
        assert!(found.iter().all(|fault| !fault.remedy.contains("jobs run")), "no job writes findings anew: {found:?}");
        let decision = crate::lake::fixtures::decision_row("SPY", slot(1));
        let wordless = crate::lake::DecisionRow { reason: String::new(), ..decision.clone() };
        assert_eq!(faults_of(&wordless), []);
        let nameless = crate::lake::DecisionRow { verdict: String::new(), ..decision };
        let found = faults_of(&nameless);
        assert!(found.iter().all(|fault| fault.remedy.contains("jobs run rules --force")), "{found:?}");
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn a_value_or_a_column_that_must_be_there_is_missed() {
        let whole = batch(&[futures_row("ES", slot(1))]);
        let null: ArrayRef = std::sync::Arc::new(arrow::array::StringArray::new_null(1));
        let found = faults(&[("ES", with_column(&whole, "contract", &null))]);
        assert_one(&found, FaultKind::MalformedRow, &["a value missing", "contract of ES"]);
        let columns: Vec<usize> =
            (0..whole.num_columns()).filter(|at| whole.schema().field(*at).name() != "expiry").collect();
        let found = faults(&[("ES", whole.project(&columns).expect("fewer"))]);
        assert_one(&found, FaultKind::MalformedRow, &["a column they must have, the first: expiry"]);
    }
}
