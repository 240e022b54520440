//! Client ids: a range leased through the lock folder, so that two of our processes never fight over one.

use std::path::Path;

use crate::exclusive::{self, Exclusive, Hold};

use super::{GatewayConfig, GatewayError};

/// A leased API client id. The lease ends when this is dropped, or with the process.
#[derive(Debug)]
pub(super) struct ClientIdLease {
    pub(super) id: i32,
    _held: Hold,
}

/// Leases the first free id of the range that is not among the refused ones.
pub(super) fn lease(locks: &Path, config: &GatewayConfig, refused: &[i32]) -> Result<ClientIdLease, GatewayError> {
    let (first, last) = (config.client_id_first, config.client_id_first + config.client_id_count - 1);
    for id in (first..=last).filter(|id| !refused.contains(id)) {
        let path = locks.join(format!("client-id-{id}.lock"));
        if let Exclusive::Held(held) = exclusive::take(&path).map_err(|source| unusable(locks, source))? {
            return Ok(ClientIdLease { id, _held: held });
        }
    }
    Err(GatewayError::NoClientId { first, last })
}

fn unusable(locks: &Path, source: std::io::Error) -> GatewayError {
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
    fn without_a_lock_folder_two_leases_are_two_ids_as_well() {
        let locks = Path::new("/proc/frontmonth-lease-tests");
        let leases: Vec<ClientIdLease> = (0..2).map(|_| lease(locks, &config(2), &[]).expect("free")).collect();
        assert_eq!(leases.iter().map(|lease| lease.id).collect::<Vec<_>>(), [7, 8]);
        assert!(lease(locks, &config(2), &[]).is_err());
    }

    #[test]
    fn a_refused_id_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(lease(folder.path(), &config(3), &[7, 8]).expect("free").id, 9);
    }
}
