//! Two hosts on one lake: each has a state folder of its own, with the ledger that notes what is replaced from there.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use frontmonth::clock::{Clock, SystemClock};
use frontmonth::lake::{Lake, Leaving, NotesReplaced, RowQuery};
use frontmonth::state::{Ledger, NotedRow, ReplacementNote};

use super::evidence::Line;
use super::roles::{TABLE, key_of};

/// How many there are.
pub(super) const NUM_HOSTS: i64 = 2;

/// The state folder of a process's host.
pub(super) fn state(folder: &Path, process: i64) -> PathBuf {
    folder.join(format!("host-{}", process % NUM_HOSTS))
}

/// The notes of one process.
#[derive(Debug)]
pub(super) struct Notes {
    ledger: Ledger,
    run_id: String,
    last: Mutex<Option<ReplacementNote>>,
}

impl Notes {
    /// In the ledger of a process's host.
    pub(super) fn of(folder: &Path, process: i64) -> Arc<Self> {
        let ledger = Ledger::open(&state(folder, process).join("jobs.db")).expect("a ledger");
        Arc::new(Self { ledger, run_id: format!("process-{process}"), last: Mutex::default() })
    }

    /// Marks the newest note as done.
    pub(super) fn confirm(&self) {
        if let Some(note) = self.last.lock().expect("no panic").take() {
            self.ledger.confirm_replacement(&note).expect("confirmed");
        }
    }
}

#[async_trait::async_trait]
impl NotesReplaced for Notes {
    async fn note(&self, leaving: Leaving) -> Result<(), Box<dyn Error + Send + Sync>> {
        let rows = leaving.rows.into_iter();
        let note = ReplacementNote {
            table: leaving.table.to_string(),
            run_id: self.run_id.clone(),
            base_version: leaving.base_version,
            lost_version: leaving.lost_version,
            noted_at: SystemClock.now(),
            rows: rows.map(|row| NotedRow { key: row.key, old_json: row.old_json, new_json: row.new_json }).collect(),
        };
        self.ledger.note_replacement(&note)?;
        *self.last.lock().expect("no panic") = Some(note);
        Ok(())
    }
}

/// Prices that a replacement was called done with, that stand no more, and of which neither ledger knows: each is a row
/// lost for good. Slots that a restore may have changed are left out.
pub(super) async fn without_trace(folder: &Path, lake: &Lake, lines: &[Line]) -> Vec<String> {
    let version = lake.newest_version(TABLE).await.expect("readable").unwrap_or(0);
    let standing = lake.rows(TABLE, &RowQuery::default()).await.expect("readable").by_key(TABLE);
    let ledgers: Vec<Ledger> = (0..NUM_HOSTS)
        .filter_map(|host| {
            let path = state(folder, host).join("jobs.db");
            path.exists().then(|| Ledger::open(&path).expect("a ledger"))
        })
        .collect();
    for ledger in &ledgers {
        ledger.settle_replacements(TABLE.as_str(), version, &standing).expect("settled");
    }
    let pending: BTreeSet<String> =
        ledgers.iter().flat_map(|ledger| ledger.pending_replacements(TABLE.as_str()).expect("readable")).collect();
    let restored: Vec<u64> = lines
        .iter()
        .filter_map(|line| if let Line::Restore { version } = line { Some(*version) } else { None })
        .collect();
    let mut given: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    for line in lines {
        if let Line::Done { slot, price: Some(price), version: Some(version) } = line
            && !restored.iter().any(|restored| restored < version)
        {
            given.entry(*slot).or_default().insert(*price);
        }
    }
    let mut lost = Vec::new();
    for (slot, prices) in given {
        let key = key_of(slot);
        let kept: BTreeSet<String> = ledgers
            .iter()
            .flat_map(|ledger| ledger.replaced(TABLE.as_str(), &key).expect("readable"))
            .map(|row| row.old_json)
            .chain(standing.get(&key).cloned())
            .collect();
        let is_kept = |price: i64| kept.iter().any(|json| json.contains(&format!("\"last\":{price}.0,")));
        lost.extend(
            prices
                .into_iter()
                .filter(|price| !pending.contains(&key) && !is_kept(*price))
                .map(|p| format!("{key}: {p}")),
        );
    }
    lost
}
