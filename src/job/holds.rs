//! What holds back the jobs that build on data: failures of checks whose action is `block`.
//!
//! A hold ends with the first look that finds nothing any more, or with a mute, which is the operator's word that it is
//! known. Only what is derived after the fault is held: mornings before it are as good as they were.

use chrono::{DateTime, Utc};

use crate::alert::Facts;
use crate::calendar::Slot;
use crate::config::Config;
use crate::market::Symbol;
use crate::quality::{Action, FUTURES_TABLE, SPOT_TABLE};
use crate::state::{Incident, Ledger, LedgerError, Severity};

/// The jobs that build on a table, in the order in which they run.
#[must_use]
pub fn built_on(table: &str) -> &'static [&'static str] {
    match table {
        FUTURES_TABLE | SPOT_TABLE => &["signals", "rules"],
        "spot_daily" | "futures_signals" => &["rules"],
        "decisions" => &["evaluation"],
        _ => &[],
    }
}

/// The failures that hold something back.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    holding: Vec<Hold>,
}

#[derive(Debug, Clone)]
struct Hold {
    incident: Incident,
    facts: Facts,
}

impl Holds {
    /// Those that go on at an instant.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn of(ledger: &Ledger, config: &Config, now: DateTime<Utc>) -> Result<Self, LedgerError> {
        let mutes = ledger.mutes(now)?;
        let is_holding = |incident: &Incident| {
            let checked = config.quality.check(&incident.key.check);
            checked.is_some_and(|settings| settings.enabled && settings.action == Action::Block)
                && incident.severity >= Severity::Error
                && incident.passes_in_a_row == 0
                && !mutes.iter().any(|mute| mute.covers(&incident.key, now))
        };
        let holding = ledger.open_incidents()?.into_iter().filter(is_holding).map(|incident| {
            // Facts that cannot be read tell no window: it then holds from its first failure on.
            let facts = serde_json::from_str(&incident.facts).unwrap_or_default();
            Hold { incident, facts }
        });
        Ok(Self { holding: holding.collect() })
    }

    /// Why nothing is to be derived as of a slot from the rows of a symbol in a table; none where nothing is held.
    #[must_use]
    pub fn on(&self, (table, symbol): (&str, &Symbol), as_of: Slot) -> Option<String> {
        let is_about = |hold: &&Hold| {
            let key = &hold.incident.key;
            let since = hold.facts.window.map_or(hold.incident.opened_at, |(first, _)| first);
            key.table == table && (key.subject.is_empty() || key.subject == symbol.as_str()) && since <= as_of.instant()
        };
        let Hold { incident, facts } = self.holding.iter().find(is_about)?;
        let since = incident.opened_at.format("%Y-%m-%dT%H:%MZ");
        Some(format!(
            "held back by {key}, failing since {since}: {observed}; jobs quality report shows \
             the rows, and jobs alert mute {key} --for 12h --reason WHY lets them through",
            key = incident.key,
            observed = facts.observed,
        ))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::alert::{Looker, Observation};
    use crate::job::alerts;
    use crate::state::{IncidentKey, Mute};

    struct Desk {
        _folder: TempDir,
        config: Config,
        ledger: Ledger,
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_795_187_100 + 60 * minute, 0).expect("representable")
    }

    fn key() -> IncidentKey {
        IncidentKey::new("complete.session", FUTURES_TABLE, "ES")
    }

    impl Desk {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let ledger = Ledger::open(&folder.path().join("jobs.db")).expect("opened");
            Self { config: Config::default(), ledger, _folder: folder }
        }

        fn see(&self, seen: Observation, minute: i64) {
            let looker = Looker { job: "quality".to_owned(), run_id: "1".to_owned(), slot: at(minute) };
            alerts(&self.config, self.ledger.clone()).observe(&looker, &[seen], at(minute)).expect("noted");
        }

        fn fail(&self, severity: Severity) {
            let facts =
                Facts { observed: "3 missing slots".to_owned(), window: Some((at(-10), at(0))), ..Facts::default() };
            self.see(Observation::failed(key(), severity, facts), 0);
        }

        fn on(&self, symbol: &str, minute: i64) -> Option<String> {
            let holds = Holds::of(&self.ledger, &self.config, at(5)).expect("readable");
            holds.on((FUTURES_TABLE, &symbol.parse().expect("a symbol")), Slot::at_or_before(at(minute)))
        }
    }

    #[test]
    fn what_fails_holds_its_own_symbol_from_the_fault_on_and_says_why() {
        let desk = Desk::new();
        desk.fail(Severity::Error);
        let told = desk.on("ES", 0).expect("held");
        assert!(told.contains("complete.session:futures_snapshots:ES") && told.contains("3 missing slots"), "{told}");
        assert_eq!((desk.on("NQ", 0), desk.on("ES", -15)), (None, None));
    }

    #[test]
    fn a_warning_a_pass_a_mute_and_a_milder_action_hold_nothing() {
        let mut desk = Desk::new();
        desk.fail(Severity::Warn);
        assert_eq!(desk.on("ES", 0), None, "a warning");
        desk.fail(Severity::Error);
        assert!(desk.on("ES", 0).is_some());
        let (pattern, reason) = (key().check, "known".to_owned());
        let mute = Mute { pattern, reason, muted_at: at(1), until: at(10) };
        desk.ledger.mute(&mute).expect("muted");
        assert_eq!(desk.on("ES", 0), None, "muted");
        desk.ledger.unmute(&mute.pattern, at(2)).expect("unmuted");
        desk.config.quality.checks_mut().get_mut("complete.session").expect("a check").action = Action::Alert;
        assert_eq!(desk.on("ES", 0), None, "it is told only");
        desk.config = Config::default();
        assert!(desk.on("ES", 0).is_some());
        desk.see(Observation::passed(key()), 3);
        assert_eq!(desk.on("ES", 0), None, "found whole once");
    }
}
