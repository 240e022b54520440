//! Mutes: what is not to be mailed for a while, and why.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};
use serde::Serialize;

use super::stamp::Stamp;
use super::{IncidentKey, Ledger, LedgerError, bounded};

/// A mute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mute {
    /// The leading parts of the keys that are meant, with colons between them: `complete.session:futures_snapshots`.
    pub pattern: String,
    /// Why.
    pub reason: String,
    /// When it was asked for.
    pub muted_at: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
}

impl Mute {
    /// Whether it is about this key at this instant.
    #[must_use]
    pub fn covers(&self, key: &IncidentKey, now: DateTime<Utc>) -> bool {
        let key = key.to_string();
        let rest = key.strip_prefix(self.pattern.trim_end_matches(':'));
        now < self.until && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }

    pub(super) fn all(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<Vec<Self>> {
        let read = |row: &Row<'_>| {
            let (Stamp(muted_at), Stamp(until)) = (row.get("muted_at")?, row.get("until")?);
            Ok(Self { pattern: row.get("pattern")?, reason: row.get("reason")?, muted_at, until })
        };
        let sql = "SELECT * FROM mutes WHERE until > ?1 ORDER BY pattern";
        connection.prepare_cached(sql)?.query_map([Stamp(now)], read)?.collect()
    }
}

impl Ledger {
    /// Mutes what a pattern names; an earlier mute of the same pattern is replaced.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn mute(&self, mute: &Mute) -> Result<(), LedgerError> {
        self.write("mute alerts in", |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO mutes (pattern, reason, muted_at, until) VALUES (?1, ?2, ?3, ?4)",
                (&mute.pattern, bounded(&mute.reason), Stamp(mute.muted_at), Stamp(mute.until)),
            )?;
            Ok(())
        })
    }

    /// Ends a mute; tells whether there was one.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn unmute(&self, pattern: &str, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        self.write("unmute alerts in", |transaction| {
            let was = Mute::all(transaction, now)?.iter().any(|mute| mute.pattern == pattern);
            transaction.execute("DELETE FROM mutes WHERE pattern = ?1", [pattern])?;
            Ok(was)
        })
    }

    /// What is muted at an instant.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn mutes(&self, now: DateTime<Utc>) -> Result<Vec<Mute>, LedgerError> {
        self.read("read", |connection| Mute::all(connection, now))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::fixtures::{NOW, ledger};
    use super::*;

    fn mute(pattern: &str) -> Mute {
        Mute { pattern: pattern.into(), reason: "roll week".into(), muted_at: NOW, until: NOW + TimeDelta::hours(2) }
    }

    #[test]
    fn a_pattern_covers_whole_parts_of_a_key_until_its_time() {
        let key = IncidentKey::new("complete.session", "futures_snapshots", "ES").of_session("2026-11-20");
        for pattern in
            ["complete.session", "complete.session:", "complete.session:futures_snapshots:ES", &key.to_string()]
        {
            assert!(mute(pattern).covers(&key, NOW), "{pattern}");
        }
        for pattern in ["complete", "complete.session:futures", "complete.session:futures_snapshots:E", "ES"] {
            assert!(!mute(pattern).covers(&key, NOW), "{pattern}");
        }
        assert!(!mute("complete.session").covers(&key, NOW + TimeDelta::hours(2)), "it is over");
    }

    #[test]
    fn a_mute_is_replaced_ended_and_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let ledger = ledger(&folder);
        ledger.mute(&Mute { reason: "first".into(), ..mute("a") }).expect("noted");
        ledger.mute(&mute("a")).expect("replaced");
        ledger.mute(&mute("b")).expect("noted");
        assert_eq!(ledger.mutes(NOW).expect("readable"), [mute("a"), mute("b")]);
        assert!(ledger.unmute("a", NOW).expect("noted") && !ledger.unmute("a", NOW).expect("noted"));
        assert_eq!(ledger.mutes(NOW + TimeDelta::hours(2)).expect("readable"), []);
    }
}
