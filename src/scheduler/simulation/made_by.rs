//! What a simulation's folder was made by, noted in the folder, so that nobody goes on in it by something else unawares.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Staging;

const FILE: &str = "made_by.json";

/// A staging as a person may read and compare it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MadeBy {
    tape: String,
    faults: Vec<String>,
}

impl MadeBy {
    pub(super) fn of(staging: &Staging) -> Self {
        let faults = staging.faults.iter().map(ToString::to_string).collect();
        Self { tape: staging.tape.to_string(), faults }
    }

    /// The note in the folder; none where it is missing, as in folders older than the note, or cannot be understood.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub(super) fn read(root: &Path) -> io::Result<Option<Self>> {
        match fs::read(root.join(FILE)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Notes it in one piece, whenever this is killed.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub(super) fn write(&self, root: &Path) -> io::Result<()> {
        let staged = root.join(format!(".{FILE}"));
        fs::write(&staged, serde_json::to_vec_pretty(self)?)?;
        fs::rename(staged, root.join(FILE))
    }

    /// What to tell where the folder was made by something else, or nobody knows by what.
    pub(super) fn differs(&self, then: Option<&Self>, root: &Path) -> String {
        let root = root.display();
        let how = then.map_or_else(
            || format!("the simulation in {root} does not tell by which tape and faults it was made"),
            |then| format!("the simulation in {root} was made by {then}"),
        );
        format!("{how}, and this one goes by {self}: begin anew with --fresh, or give lake.uri another folder")
    }
}

impl fmt::Display for MadeBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.as_slice() {
            [] => write!(f, "the tape {}, without faults", self.tape),
            faults => write!(f, "the tape {}, with the faults {}", self.tape, faults.join(" ")),
        }
    }
}
