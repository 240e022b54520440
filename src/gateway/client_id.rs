//! Client ids: a range leased through the lock folder, so that two of our processes never fight over one.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use super::{GatewayConfig, GatewayError};

/// A leased API client id. The lease ends when this is dropped, or with the process.
#[derive(Debug)]
pub(super) struct ClientIdLease {
    pub(super) id: i32,
    _held: File,
}

/// Leases the first free id of the range that is not among the refused ones.
pub(super) fn lease(locks: &Path, config: &GatewayConfig, refused: &[i32]) -> Result<ClientIdLease, GatewayError> {
    let (first, last) = (config.client_id_first, config.client_id_first + config.client_id_count - 1);
    for id in (first..=last).filter(|id| !refused.contains(id)) {
        if let Some(held) = try_lock(locks, id).map_err(|source| unusable(locks, source))? {
            return Ok(ClientIdLease { id, _held: held });
        }
    }
    Err(GatewayError::NoClientId { first, last })
}

fn try_lock(locks: &Path, id: i32) -> std::io::Result<Option<File>> {
    fs::create_dir_all(locks)?;
    let path = locks.join(format!("client-id-{id}.lock"));
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

pub(super) fn unusable(locks: &Path, source: std::io::Error) -> GatewayError {
    GatewayError::Locks { path: locks.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(count: i32) -> GatewayConfig {
        GatewayConfig { client_id_first: 7, client_id_count: count, ..GatewayConfig::default() }
    }

    #[test]
    fn two_leases_are_two_ids_and_a_dropped_one_is_free_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = lease(folder.path(), &config(2), &[]).expect("free");
        let second = lease(folder.path(), &config(2), &[]).expect("free");
        assert_eq!((first.id, second.id), (7, 8));
        assert!(matches!(lease(folder.path(), &config(2), &[]), Err(GatewayError::NoClientId { first: 7, last: 8 })));
        drop(first);
        assert_eq!(lease(folder.path(), &config(2), &[]).expect("free").id, 7);
    }

    #[test]
    fn a_refused_id_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(lease(folder.path(), &config(3), &[7, 8]).expect("free").id, 9);
    }
}
