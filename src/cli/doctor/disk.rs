//! The check of the space left for state, lake and logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::lake::Lake;

use super::check::{Finding, Grade};

/// Below this a run may fail at any time.
const LEAST_BYTES: u64 = 500 << 20;

/// Below this somebody should make room.
const FEW_BYTES: u64 = 5 << 30;

/// The same as a share of the whole.
const FEW_PERCENT: u64 = 10;

const GIBIBYTE: u64 = 1 << 30;

/// Looks at each file system once.
pub(super) fn disk(config: &Config) -> Finding {
    let lake = Lake::reader(&config.lake).map(|lake| lake.root().to_path_buf());
    let folders =
        [("state", Some(config.paths.state.clone())), ("lake", lake.ok()), ("logs", Some(config.paths.logs.clone()))];
    let mut disks: BTreeMap<u64, (Vec<&str>, Space)> = BTreeMap::new();
    let mut grade = Grade::Ok;
    let mut told = Vec::new();
    for (name, folder) in folders {
        let Some(folder) = folder.as_deref().and_then(existing) else { continue };
        match rustix::fs::statvfs(&folder) {
            Ok(found) => {
                let space = Space { free: found.f_bavail * found.f_frsize, total: found.f_blocks * found.f_frsize };
                disks.entry(found.f_fsid).or_insert_with(|| (Vec::new(), space)).0.push(name);
            }
            Err(error) => {
                grade = Grade::Fail;
                told.push(format!("{name}: {error}"));
            }
        }
    }
    for (names, space) in disks.into_values() {
        grade = worse(grade, space.grade());
        told.push(format!("{}: {}", names.join(", "), space.told()));
    }
    let remedy = "make room, or give paths.state, lake.uri or paths.logs a larger disk".to_owned();
    Finding { grade, found: told.join("; "), remedy: Some(remedy).filter(|_| grade != Grade::Ok) }
}

/// The folder, or the nearest one above it that is there.
pub(super) fn existing(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let found = absolute.ancestors().find(|path| path.exists())?;
    // As it was named, where it is itself there.
    Some(if found == absolute { path.to_path_buf() } else { found.to_path_buf() })
}

fn worse(one: Grade, other: Grade) -> Grade {
    match (one, other) {
        (Grade::Fail, _) | (_, Grade::Fail) => Grade::Fail,
        (Grade::Warn, _) | (_, Grade::Warn) => Grade::Warn,
        _ => Grade::Ok,
    }
}

/// The space of a file system, in bytes.
#[derive(Debug, Clone, Copy)]
struct Space {
    free: u64,
    total: u64,
}

impl Space {
    fn percent(self) -> u64 {
        self.free.saturating_mul(100).checked_div(self.total).unwrap_or(0)
    }

    fn grade(self) -> Grade {
        match self.free {
            free if free < LEAST_BYTES => Grade::Fail,
            free if free < FEW_BYTES || self.percent() < FEW_PERCENT => Grade::Warn,
            _ => Grade::Ok,
        }
    }

    fn told(self) -> String {
        let tenths = self.free.saturating_mul(10) / GIBIBYTE;
        format!("{}.{} GiB free, {} % of {} GiB", tenths / 10, tenths % 10, self.percent(), self.total / GIBIBYTE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_room_is_warned_of_and_hardly_any_fails() {
        let space = |free, total| Space { free, total };
        assert_eq!(space(60 * GIBIBYTE, 100 * GIBIBYTE).grade(), Grade::Ok);
        assert_eq!(space(9 * GIBIBYTE, 100 * GIBIBYTE).grade(), Grade::Warn);
        assert_eq!(space(4 * GIBIBYTE, 10 * GIBIBYTE).grade(), Grade::Warn);
        assert_eq!(space(LEAST_BYTES - 1, 10 * GIBIBYTE).grade(), Grade::Fail);
        assert_eq!(space(GIBIBYTE + GIBIBYTE / 2, 10 * GIBIBYTE).told(), "1.5 GiB free, 15 % of 10 GiB");
        assert_eq!(space(0, 0).grade(), Grade::Fail);
    }
}
