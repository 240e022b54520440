//! Configuration: built-in defaults < jobs.yaml < `JOBS__SECTION__KEY` < flags. No file is needed.
//!
//! Each module owns its section; here they are put together and every error is told at once, with file and line.

mod layers;
mod list_file;
mod locate;
mod shell_words;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::alert::{AlertConfig, MailConfig};
use crate::calendar::DayOverride;
use crate::evaluation::EvaluationConfig;
use crate::gateway::GatewayConfig;
use crate::lake::LakeConfig;
use crate::market::{Dividends, ExDate, MarketConfig, Symbol};
use crate::monitor::MonitorConfig;
use crate::quality::QualityConfig;
use crate::rules::RulesConfig;
use crate::signals::SignalsConfig;
use crate::telemetry::LogConfig;

pub use layers::{ConfigError, Layers, Loaded, load, load_judged, salvage};
pub use list_file::ListFile;

/// A commented configuration file with every key at its default, for `jobs config generate`.
pub const SAMPLE: &str = include_str!("sample.yaml");

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where market data comes from.
    pub gateway: GatewayConfig,
    /// What is captured.
    pub market: MarketConfig,
    /// What is checked of it.
    pub quality: QualityConfig,
    /// Where it is kept.
    pub lake: LakeConfig,
    /// What is derived from it.
    pub signals: SignalsConfig,
    /// By which thresholds it is decided.
    pub rules: RulesConfig,
    /// How they are judged.
    pub evaluation: EvaluationConfig,
    /// Market calendars.
    pub calendar: CalendarConfig,
    /// Folders.
    pub paths: PathsConfig,
    /// How runs are tried.
    pub runs: RunsConfig,
    /// Log files.
    pub log: LogConfig,
    /// How mails leave.
    pub mail: MailConfig,
    /// When a person is told.
    pub alert: AlertConfig,
    /// What an outside monitor is told.
    pub monitor: MonitorConfig,
}

impl Config {
    /// Every fault of every section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let captured: Vec<&Symbol> = self.market.futures.iter().chain(&self.market.spot).collect();
        let sections = [
            self.gateway.faults(),
            self.market.faults(),
            self.quality.faults(&captured),
            self.lake.faults(),
            self.signals.faults(&self.market),
            self.rules.faults(),
            self.evaluation.faults(),
            self.runs.faults(),
            self.log.faults(),
            self.mail.faults(),
            self.alert.faults(),
            self.monitor.faults(),
            shell_words::faults(self),
        ];
        sections.concat()
    }
}

/// The configuration section `calendar`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarConfig {
    /// A YAML list of days on which an exchange deviates from the embedded table.
    pub override_file: Option<PathBuf>,
}

/// The configuration section `runs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunsConfig {
    /// Further attempts after a failure that may pass.
    pub max_retries: u32,
    /// Pause before each.
    pub retry_backoff_ms: u64,
    /// How long a daemon that is told to stop waits for the runs that go on.
    pub drain_seconds: u64,
    /// How long a job that was ended may take to let go before it counts as stuck and the daemon has itself restarted.
    pub stuck_after_seconds: u64,
    /// How long the ledger keeps what became of a slot.
    pub ledger_retention_days: u32,
}

impl Default for RunsConfig {
    fn default() -> Self {
        Self {
            max_retries: 2,
            retry_backoff_ms: 5_000,
            drain_seconds: 90,
            stuck_after_seconds: 30,
            ledger_retention_days: 800,
        }
    }
}

impl RunsConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let bounds = [
            ("max_retries", u64::from(self.max_retries), 10),
            ("retry_backoff_ms", self.retry_backoff_ms, 60_000),
            ("drain_seconds", self.drain_seconds, 3_600),
            ("stuck_after_seconds", self.stuck_after_seconds, 600),
        ];
        let outside = bounds.into_iter().filter(|(_, value, most)| value > most);
        let mut faults: Vec<String> =
            outside.map(|(key, value, most)| format!("runs.{key} is {value}: give at most {most}")).collect();
        if !(30..=10_000).contains(&self.ledger_retention_days) {
            let days = self.ledger_retention_days;
            faults.push(format!("runs.ledger_retention_days is {days}: give 30 to 10000"));
        }
        faults
    }
}

/// The configuration section `paths`; relative ones are relative to the working directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathsConfig {
    /// Locks, leases and the state database.
    pub state: PathBuf,
    /// Log files.
    pub logs: PathBuf,
    /// Pages of the daily report.
    pub reports: PathBuf,
    /// Schedule files, which replace those compiled in.
    pub schedules: Option<PathBuf>,
}

impl Default for PathsConfig {
    fn default() -> Self {
        Self {
            state: PathBuf::from("state"),
            logs: PathBuf::from("logs"),
            reports: PathBuf::from("data/reports"),
            schedules: None,
        }
    }
}

impl PathsConfig {
    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.state.join("jobs.db")
    }

    /// Folder of the lock files.
    #[must_use]
    pub fn locks(&self) -> PathBuf {
        self.state.join("locks")
    }
}

/// Reads an operator's calendar overrides.
///
/// # Errors
/// Where the file cannot be read, is no list, or an entry is no day; every fault with its line.
pub fn read_overrides(path: &Path) -> Result<ListFile<DayOverride>, ConfigError> {
    ListFile::read(path, "- { calendar: cme_equity, date: 2026-12-05, closed: true, reason: mourning }")
}

/// Reads an operator's ex-dates.
///
/// # Errors
/// Where the file cannot be read, is no list of ex-dates, or one of them cannot be; every fault with its line.
pub fn read_dividends(path: &Path) -> Result<Dividends, ConfigError> {
    let all: ListFile<ExDate> = ListFile::read(path, "- { etf: SPY, ex_date: 2026-12-18, usd: 1.99 }")?;
    let known = Dividends::new(all.into_entries());
    known.map_err(|error| ConfigError::new(vec![format!("{}: {error}", path.display())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ex_dates_are_read_and_what_is_none_is_told_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dividends.yaml");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            read_dividends(&path).map_err(|error| error.to_string())
        };
        let known = read("- { etf: SPY, ex_date: 2026-12-18, usd: 1.99 }\n- { etf: QQQ, ex_date: 2026-12-21 }\n");
        let (from, to) = ("2026-12-01".parse().expect("a day"), "2026-12-31".parse().expect("a day"));
        let spy = "SPY".parse().expect("a symbol");
        assert_eq!(known.map(|known| known.between(&spy, (from, to)).usd()), Ok(Some(1.99)));
        for (text, told) in [
            ("- { etf: SPY, ex_date: soon }\n", "dividends.yaml:1: "),
            ("- { etf: SPY, ex_date: 2026-12-18 }\n- { etf: SPY, ex_date: soon }\n", "dividends.yaml:2: "),
            ("- { etf: SPY, ex_date: 2026-12-18, us: 1 }\n", "us"),
            ("- { etf: SPY, ex_date: 2026-12-18, usd: -1 }\n", "above 0"),
        ] {
            let refused = read(text).expect_err("unsound");
            assert!(refused.contains(told) && refused.contains("dividends.yaml"), "{refused}");
        }
    }

    #[test]
    fn the_sample_uncommented_is_the_default_and_names_every_key() {
        let uncommented: String = SAMPLE
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|l| l.trim_start().contains(": ") && !l.starts_with(char::is_uppercase))
                    .unwrap_or(line)
            })
            .collect::<Vec<_>>()
            .join("\n");
        let read: Config = serde_yaml::from_str(&uncommented).unwrap_or_else(|e| panic!("{e}\n{uncommented}"));
        assert_eq!(read, Config::default());
        let serde_yaml::Value::Mapping(sections) = serde_yaml::to_value(Config::default()).expect("a value") else {
            panic!("sections");
        };
        for (section, keys) in sections {
            assert!(SAMPLE.contains(&format!("\n{}:", section.as_str().expect("text"))), "{section:?}");
            for key in keys.as_mapping().expect("keys").keys() {
                assert!(SAMPLE.contains(&format!("  {}:", key.as_str().expect("text"))), "{key:?}");
            }
        }
    }
}
