//! Looks once a minute whether the ledger still is where it was, and takes up what stands in its place.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Daemon, mark_started};
use crate::alert::{Facts, Looker, Observation};
use crate::job::chain;
use crate::state::{IncidentKey, Ledger, Severity, Standing};

/// The ledger was deleted, replaced or overwritten under the daemon.
const LEDGER_LOST: &str = "ledger.lost";

/// Between two looks, by either clock.
const INTERVAL: Duration = Duration::from_secs(55);

/// Looks after which the incident is told to be over, as often as any policy wants it.
const NUM_PASSES: u8 = 10;

/// When the ledger was looked at, and what is still to be told of it.
#[derive(Debug)]
pub(super) struct LedgerWatch {
    last: (DateTime<Utc>, Instant),
    passes_left: u8,
}

impl LedgerWatch {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self { last: (now, Instant::now()), passes_left: 0 }
    }

    /// Whether it is time to look; then the next look is later.
    fn is_due(&mut self, now: DateTime<Utc>) -> bool {
        let (last, began) = self.last;
        let has_passed = (now - last).abs().to_std().unwrap_or(INTERVAL) >= INTERVAL || began.elapsed() >= INTERVAL;
        if has_passed {
            self.last = (now, Instant::now());
        }
        has_passed
    }
}

impl Daemon {
    /// Looks after the ledger, once a minute.
    pub(super) fn watch_ledger(&mut self, now: DateTime<Utc>) {
        if !self.ledger_watch.is_due(now) {
            return;
        }
        let Some(ledger) = self.environment.ledger().cloned() else { return self.open_ledger(now) };
        match ledger.standing() {
            Ok(Standing::InPlace) => {
                self.book.note_pauses(now);
                if self.ledger_watch.passes_left > 0 {
                    self.ledger_watch.passes_left -= 1;
                    self.observe_ledger(Observation::passed(key()), now);
                }
            }
            Ok(standing) => self.take_up_ledger(&ledger, standing, now),
            Err(error) => tracing::warn!(error = %chain(&error), "whether the ledger is in place is not known"),
        }
    }

    /// Goes on with the ledger that stands there now, or with a new one.
    fn take_up_ledger(&mut self, ledger: &Ledger, standing: Standing, now: DateTime<Utc>) {
        let what = standing.as_str();
        if standing != Standing::Lost {
            let path = ledger.path().display();
            tracing::error!(%path, "the ledger was {what} while the daemon runs: what was recorded in it since is lost");
        }
        if let Err(error) = ledger.take_up_again() {
            return tracing::error!(error = %chain(&error), "what stands in the ledger's place cannot be used; jobs go on");
        }
        self.go_on_with(ledger, now);
        self.ledger_watch.passes_left = NUM_PASSES;
        self.observe_ledger(Observation::failed(key(), Severity::Critical, facts(what)), now);
    }

    /// A ledger that could not be opened at the start.
    fn open_ledger(&mut self, now: DateTime<Utc>) {
        match self.environment.open_ledger_late() {
            Ok(Some(ledger)) => {
                self.book.take_ledger(ledger.clone());
                self.alarm = super::Alarm::of(&self.environment);
                self.go_on_with(&ledger, now);
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(error = %chain(&error), "the ledger still cannot be opened"),
        }
    }

    fn go_on_with(&mut self, ledger: &Ledger, now: DateTime<Utc>) {
        mark_started(ledger, &self.run_id, now);
        self.book.enter_pauses(now);
        tracing::warn!(path = %ledger.path().display(), "the ledger is taken up, runs are recorded again");
    }

    fn observe_ledger(&mut self, observation: Observation, now: DateTime<Utc>) {
        let looker = Looker { job: "serve".to_owned(), run_id: self.run_id.clone(), slot: now };
        self.alarm.observe(&looker, &[observation], now);
    }
}

fn key() -> IncidentKey {
    IncidentKey::new(LEDGER_LOST, "", "ledger")
}

fn facts(what: &str) -> Facts {
    Facts {
        observed: format!("the ledger was {what} while the daemon was running"),
        expected: "only jobs writes to the ledger, and nobody moves it while jobs run".to_owned(),
        done:
            "the daemon goes on with the ledger that stands there now, or with a new one; pauses in force were entered \
               into it; the tables are not touched"
                .to_owned(),
        next: vec!["jobs status".to_owned(), "jobs history -n 20".to_owned(), "jobs logs serve".to_owned()],
        runbook:
            "What was recorded since the copy was made is lost: runs, incidents, mails that waited. To put a copy \
                  back, stop the daemon first."
                .to_owned(),
        ..Facts::default()
    }
}
