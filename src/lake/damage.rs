//! What to make of a damaged table: it is told what is wrong and what to do, and nothing of it is deleted.
//!
//! The library opens a table whose log has an empty entry as if nothing were missing, and refuses other damage in its own
//! words. Both are looked into here, the one at each opening, by a look at the names of the last entries only.

use std::path::Path;

use deltalake::DeltaTable;

use super::LakeError;
use super::protocol;
use super::schema::CHECKPOINT_INTERVAL;
use super::verify::{Fault, LogState, Protocol, outer_fault, remedy_of_torn};

/// The error of opening a table in the words of its log, where that tells more.
pub(super) fn explained(path: &Path, error: LakeError) -> LakeError {
    let Ok(state) = LogState::read(path) else { return error };
    if let Some(reason) = state.protocol.as_ref().and_then(protocol::unknown) {
        return LakeError::NewerProtocol { path: path.to_path_buf(), reason };
    }
    state.faults.first().map_or(error, |fault| damaged(path, fault))
}

/// The error of reading the files of a table's newest version, where one of them is missing or cut off. Those of an older
/// version may be gone as they should.
pub(super) fn explained_read((path, version): (&Path, Option<u64>), error: LakeError) -> LakeError {
    if !matches!(error, LakeError::Storage { .. }) {
        return error;
    }
    let Ok(state) = LogState::read(path) else { return error };
    if version.is_some() && version != state.version {
        return error;
    }
    let fault = state.active.values().find_map(|file| outer_fault(path, file));
    fault.map_or(error, |fault| damaged(path, &fault))
}

/// Refuses a table that has lost an entry without the library's noticing, or that demands a newer program.
pub(super) fn check_opened(path: &Path, table: &DeltaTable) -> Result<(), LakeError> {
    check_protocol(path, table)?;
    let (log, newest) = (path.join("_delta_log"), table.version().unwrap_or(0));
    for version in (newest.saturating_sub(2 * CHECKPOINT_INTERVAL)..=newest).rev() {
        if log.join(format!("{version:020}.checkpoint.parquet")).exists() {
            break;
        }
        let entry = log.join(format!("{version:020}.json"));
        if entry.metadata().is_ok_and(|file| file.len() == 0) {
            let what = format!("the entry {} of its log is empty, so what it wrote is missing", entry.display());
            let remedy = remedy_of_torn(version, newest);
            return Err(LakeError::Damaged { path: path.to_path_buf(), what, remedy });
        }
    }
    Ok(())
}

fn check_protocol(path: &Path, table: &DeltaTable) -> Result<(), LakeError> {
    let snapshot = table.snapshot().map_err(|error| LakeError::storage("open", path, error))?;
    let told = serde_json::to_value(snapshot.protocol()).and_then(serde_json::from_value::<Protocol>);
    match told.ok().as_ref().and_then(protocol::unknown) {
        Some(reason) => Err(LakeError::NewerProtocol { path: path.to_path_buf(), reason }),
        None => Ok(()),
    }
}

/// Refuses to delete anything of a table that is not whole: what it lost may be in what would be deleted.
pub(super) fn check_whole(path: &Path) -> Result<(), LakeError> {
    let state = LogState::read(path).map_err(|error| LakeError::storage("read", path, error))?;
    let of_files = || state.active.values().find_map(|file| outer_fault(path, file));
    match state.faults.first().cloned().or_else(of_files) {
        Some(fault) => Err(damaged(path, &fault)),
        None => Ok(()),
    }
}

fn damaged(path: &Path, fault: &Fault) -> LakeError {
    let what = format!("{}: {}", fault.path.display(), fault.what);
    LakeError::Damaged { path: path.to_path_buf(), what, remedy: fault.remedy.clone() }
}
