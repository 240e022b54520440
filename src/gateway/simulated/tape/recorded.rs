//! The recorded tape: bars from CSV files, played as they are. Holes stay holes.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use flate2::Crc;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use thiserror::Error;

use crate::calendar::{ContractMonth, Session};
use crate::market::{Bar, FutureContract, FutureSpec, Instrument, Symbol};

use super::super::hours::{Hours, Venue};
use super::super::instrument::{con_id, tick_of};
use super::{TapeQuote, to_tick};

/// Bars a tape may hold: ten contracts for five years at five minutes.
const MAX_BARS: usize = 4_000_000;

/// Symbol, contract and expiry: the names of contracts come again after ten years.
type SeriesKey = (Symbol, String, Option<NaiveDate>);

/// Recorded bars of any number of contracts and ETFs; clones share them.
#[derive(Debug, Clone)]
pub struct RecordedTape {
    series: Arc<BTreeMap<SeriesKey, Series>>,
}

#[derive(Debug, Default)]
struct Series {
    /// Delivery month; an ETF has none.
    month: Option<ContractMonth>,
    /// By their end.
    bars: Vec<Bar>,
}

/// One line of a tape.
#[derive(Debug, Deserialize)]
struct Line {
    symbol: String,
    contract: String,
    expiry: Option<NaiveDate>,
    bar_start_utc: DateTime<Utc>,
    bar_end_utc: DateTime<Utc>,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: Option<f64>,
}

/// A tape that cannot be read.
#[derive(Debug, Error)]
pub enum TapeError {
    /// The file cannot be opened.
    #[error("cannot open the tape {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is no bar.
    #[error("cannot read line {line} of the tape {}: it needs symbol,contract,expiry,bar_start_utc,bar_end_utc,open,high,low,close,volume", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, the header is 1.
        line: u64,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A line is a bar that cannot be.
    #[error("line {line} of the tape {} is no bar: {problem}", path.display())]
    Bar {
        /// The file.
        path: PathBuf,
        /// Line number, the header is 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// No file, or nothing in them.
    #[error("the tape holds no bar: name at least one CSV file with bars")]
    Empty,
    /// More bars than fit.
    #[error("the tape holds more than {MAX_BARS} bars: divide it")]
    TooLong,
}

/// Its bars by number, symbols and checksum, whatever the names of its files and however they are packed.
impl fmt::Display for RecordedTape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let num_bars: usize = self.series.values().map(|series| series.bars.len()).sum();
        let symbols: Vec<String> = self.symbols().iter().map(ToString::to_string).collect();
        write!(f, "recorded, {num_bars} bars of {} (crc32 {:08x})", symbols.join(", "), self.checksum())
    }
}

impl RecordedTape {
    /// Reads CSV files, `.gz` ones too; a bar that is in two files is taken from the first.
    ///
    /// # Errors
    /// [`TapeError`] names the file and the line.
    pub fn load(paths: &[PathBuf]) -> Result<Self, TapeError> {
        let mut series: BTreeMap<SeriesKey, Series> = BTreeMap::new();
        let mut num_bars = 0;
        for path in paths {
            read_file(path, |symbol, contract, expiry, bar| {
                num_bars += 1;
                let of = series.entry((symbol, contract, expiry.map(|(_, day)| day))).or_default();
                of.month = expiry.map(|(month, _)| month);
                of.bars.push(bar);
                num_bars <= MAX_BARS
            })?;
        }
        if num_bars == 0 {
            return Err(TapeError::Empty);
        }
        for of in series.values_mut() {
            of.bars.sort_by_key(|b| b.end);
            of.bars.dedup_by_key(|b| b.end);
        }
        Ok(Self { series: Arc::new(series) })
    }

    /// The symbols it holds, in order.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = self.series.keys().map(|(symbol, ..)| symbol.clone()).collect();
        symbols.dedup();
        symbols
    }

    fn checksum(&self) -> u32 {
        let mut sum = Crc::new();
        for ((symbol, contract, expiry), series) in self.series.iter() {
            sum.update(format!("{symbol} {contract} {expiry:?}").as_bytes());
            for Bar { start, end, open, high, low, close, volume } in &series.bars {
                let times = [start, end].map(|at| at.timestamp_micros().to_le_bytes());
                let prices = [open, high, low, close].map(|price| price.to_le_bytes());
                times.iter().chain(&prices).for_each(|bytes| sum.update(bytes));
                sum.update(&volume.unwrap_or(-1).to_le_bytes());
            }
        }
        sum.sum()
    }

    /// First start and last end of its bars.
    #[must_use]
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let first = self.series.values().filter_map(|s| s.bars.first()).map(|b| b.start).min()?;
        let last = self.series.values().filter_map(|s| s.bars.last()).map(|b| b.end).max()?;
        Some((first, last))
    }

    pub(super) fn chain(&self, symbol: &Symbol, spec: &FutureSpec) -> Vec<FutureContract> {
        let of_symbol = self.series.iter().filter(|((s, ..), _)| s == symbol);
        let mut chain: Vec<FutureContract> = of_symbol
            .filter_map(|((_, contract, expiry), series)| {
                let (month, expiry) = (series.month?, (*expiry)?);
                Some(FutureContract {
                    symbol: symbol.clone(),
                    local_symbol: contract.clone(),
                    con_id: con_id(symbol, Some(month)),
                    month,
                    expiry,
                    spec: spec.clone(),
                })
            })
            .collect();
        chain.sort_by_key(|c| c.expiry);
        chain
    }

    pub(super) fn has_etf(&self, symbol: &Symbol) -> bool {
        self.series.iter().any(|((s, ..), series)| s == symbol && series.month.is_none())
    }

    pub(super) fn session_bars(&self, of: &Instrument, session: &Session, now: DateTime<Utc>) -> Vec<Bar> {
        let bars = self.bars(of);
        let first = bars.partition_point(|b| b.end <= session.open());
        let over = bars.partition_point(|b| b.end <= session.close().min(now));
        bars.get(first..over).unwrap_or_default().to_vec()
    }

    pub(super) fn quote(&self, hours: &Hours, of: &Instrument, at: DateTime<Utc>) -> TapeQuote {
        let bars = self.bars(of);
        let tick = tick_of(of);
        let standing = hours.standing(Venue::of(of), at);
        let ended = bars.get(..bars.partition_point(|b| b.end <= at)).unwrap_or_default();
        let Some(last) = ended.last() else {
            return TapeQuote { open_market: standing.is_some_and(|s| s.open), ..TapeQuote::default() };
        };
        let session_open = standing.as_ref().map_or(last.start, |s| s.session.open());
        let (before, session) = ended.split_at(ended.partition_point(|b| b.end <= session_open));
        let extreme = |price: fn(&Bar) -> f64, pick: fn(f64, f64) -> f64| session.iter().map(price).reduce(pick);
        TapeQuote {
            open_market: standing.is_some_and(|s| s.open),
            bid: Some((to_tick(last.close - tick, tick), 1)),
            ask: Some((to_tick(last.close + tick, tick), 1)),
            last: Some((last.close, 1)),
            volume: session.iter().map(|b| b.volume).sum(),
            open_interest: None,
            implied_vol: None,
            open: session.first().map(|b| b.open),
            high: extreme(|b| b.high, f64::max),
            low: extreme(|b| b.low, f64::min),
            prior_close: before.last().map(|b| b.close),
            last_trade_at: Some(last.end),
        }
    }

    pub(super) fn head(&self, of: &Instrument) -> Option<DateTime<Utc>> {
        self.bars(of).first().map(|b| b.start)
    }

    fn bars(&self, of: &Instrument) -> &[Bar] {
        let expiry = match of {
            Instrument::Future(contract) => Some(contract.expiry),
            Instrument::Etf(_) => None,
        };
        let key = (of.symbol().clone(), of.name().to_owned(), expiry);
        self.series.get(&key).map(|s| s.bars.as_slice()).unwrap_or_default()
    }
}

fn read_file(
    path: &Path,
    mut keep: impl FnMut(Symbol, String, Option<(ContractMonth, NaiveDate)>, Bar) -> bool,
) -> Result<(), TapeError> {
    let file = File::open(path).map_err(|source| TapeError::Open { path: path.to_owned(), source })?;
    let zipped = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    let plain = BufReader::new(file);
    let reader: Box<dyn Read> = if zipped { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) };
    let mut rows = csv::Reader::from_reader(reader);
    for (row, number) in rows.deserialize::<Line>().zip(2..) {
        let line = row.map_err(|source| {
            let line = source.position().map_or(number, csv::Position::line);
            TapeError::Line { path: path.to_owned(), line, source }
        })?;
        let wrong = |problem| TapeError::Bar { path: path.to_owned(), line: number, problem };
        let symbol: Symbol = line.symbol.parse().map_err(|e| wrong(format!("{e}")))?;
        let expiry = line.expiry.map(|day| ContractMonth::new(day.year(), day.month()).map(|month| (month, day)));
        let expiry = expiry.transpose().map_err(|e| wrong(e.to_string()))?;
        let bar = line.bar().map_err(wrong)?;
        if !keep(symbol, line.contract, expiry, bar) {
            return Err(TapeError::TooLong);
        }
    }
    Ok(())
}

impl Line {
    fn bar(&self) -> Result<Bar, String> {
        let Self { open, high, low, close, .. } = *self;
        if self.bar_end_utc <= self.bar_start_utc {
            return Err("it ends before it begins".to_owned());
        }
        if ![open, high, low, close].iter().all(|p| p.is_finite() && *p > 0.0) {
            return Err("its prices must be above 0".to_owned());
        }
        if high < low || [open, close].iter().any(|p| *p < low || *p > high) {
            return Err("open and close must lie between low and high".to_owned());
        }
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 saturates")]
        let volume = self.volume.map(|v| v.round() as i64);
        Ok(Bar { start: self.bar_start_utc, end: self.bar_end_utc, open, high, low, close, volume })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::market::MarketConfig;

    const HEADER: &str = "symbol,contract,expiry,bar_start_utc,bar_end_utc,open,high,low,close,volume\n";
    const TWO_BARS: &str = "ES,ESZ6,2026-12-18,2026-11-20T14:55:00Z,2026-11-20T15:00:00Z,6000,6002,5999,6001,120\n\
        ES,ESZ6,2026-12-18,2026-11-20T15:00:00Z,2026-11-20T15:05:00Z,6001,6003,6000.5,6002.25,80\n";

    fn load(name: &str, content: &[u8]) -> Result<RecordedTape, TapeError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        RecordedTape::load(&[path])
    }

    fn tape(lines: &str) -> RecordedTape {
        load("tape.csv", format!("{HEADER}{lines}").as_bytes()).expect("a tape")
    }

    fn error(lines: &str) -> String {
        load("tape.csv", format!("{HEADER}{lines}").as_bytes()).expect_err("no tape").to_string()
    }

    #[test]
    fn it_is_told_by_its_bars_and_not_by_its_files() {
        let told = |tape: RecordedTape| tape.to_string();
        let first = told(tape(TWO_BARS));
        assert!(first.starts_with("recorded, 2 bars of ES (crc32 "), "{first}");
        let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
        let (one, other) = TWO_BARS.split_once('\n').expect("two lines");
        zipped.write_all(format!("{HEADER}{other}{one}\n").as_bytes()).expect("zipped");
        let again = load("other.csv.gz", &zipped.finish().expect("zipped")).expect("a tape");
        assert_eq!(told(again), first, "the same bars in another order and file");
        assert_ne!(told(tape(&TWO_BARS.replace("6002.25", "6002.50"))), first);
    }

    fn es(tape: &RecordedTape) -> Instrument {
        let symbol: Symbol = "ES".parse().expect("a symbol");
        let spec = MarketConfig::default().future(&symbol).expect("built in");
        Instrument::Future(tape.chain(&symbol, &spec).remove(0))
    }

    fn quote(tape: &RecordedTape, at: &str) -> TapeQuote {
        tape.quote(&Hours::embedded(), &es(tape), at.parse().expect("an instant"))
    }

    #[test]
    fn the_quote_is_the_last_ended_bar_with_a_tick_to_either_side() {
        let quote = quote(&tape(TWO_BARS), "2026-11-20T15:04:59Z");
        assert_eq!((quote.bid, quote.last, quote.ask), (Some((6000.75, 1)), Some((6001.0, 1)), Some((6001.25, 1))));
        assert_eq!((quote.volume, quote.open_interest), (Some(120), None));
    }

    #[test]
    fn in_a_hole_the_last_trade_grows_old() {
        let quote = quote(&tape(TWO_BARS), "2026-11-20T18:00:00Z");
        assert!(quote.open_market);
        assert_eq!(quote.last, Some((6002.25, 1)));
        assert_eq!(quote.last_trade_at, "2026-11-20T15:05:00Z".parse().ok());
        assert_eq!(quote.volume, Some(200));
    }

    #[test]
    fn before_the_first_bar_there_is_no_price() {
        assert_eq!(quote(&tape(TWO_BARS), "2026-11-20T14:59:59Z").last, None);
    }

    #[test]
    fn a_name_that_comes_again_after_ten_years_is_another_contract() {
        let tape =
            tape(&format!("{TWO_BARS}{}", TWO_BARS.replace("2026-", "2016-").replace("2016-12-18", "2016-12-16")));
        let symbol: Symbol = "ES".parse().expect("a symbol");
        let spec = MarketConfig::default().future(&symbol).expect("built in");
        let chain = tape.chain(&symbol, &spec);
        assert_eq!(chain.iter().map(|c| c.local_symbol.as_str()).collect::<Vec<_>>(), ["ESZ6", "ESZ6"]);
        let heads = chain.into_iter().map(|c| tape.head(&Instrument::Future(c)).map(|at| at.year()));
        assert_eq!(heads.collect::<Vec<_>>(), [Some(2016), Some(2026)]);
    }

    #[test]
    fn an_unknown_volume_stays_unknown() {
        let lines = TWO_BARS.replace(",80\n", ",\n");
        assert_eq!(quote(&tape(&lines), "2026-11-20T15:05:00Z").volume, None);
    }

    #[test]
    fn zipped_files_are_read_too() {
        let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
        zipped.write_all(format!("{HEADER}{TWO_BARS}").as_bytes()).expect("zipped");
        let tape = load("tape.csv.gz", &zipped.finish().expect("zipped")).expect("a tape");
        assert_eq!(tape.symbols().len(), 1);
        assert_eq!(tape.span().map(|(_, last)| last), "2026-11-20T15:05:00Z".parse().ok());
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let wrong = error(&format!("{TWO_BARS}ES,ESZ6,2026-12-18,yesterday,2026-11-20T15:00:00Z,1,1,1,1,1\n"));
        assert!(wrong.contains("line 4") && wrong.contains("tape.csv"), "{wrong}");
        let wrong = error(&TWO_BARS.replace(",5999,", ",6009,"));
        assert!(wrong.contains("line 2") && wrong.contains("between low and high"), "{wrong}");
        assert!(matches!(RecordedTape::load(&[]), Err(TapeError::Empty)));
        let missing = RecordedTape::load(&[PathBuf::from("/nowhere/tape.csv")]).expect_err("no file").to_string();
        assert!(missing.contains("/nowhere/tape.csv"), "{missing}");
    }
}
