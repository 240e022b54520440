//! Why rows of another program cannot be taken in.

use std::path::PathBuf;

use thiserror::Error;

use crate::lake::LakeError;
use crate::lake::error::Cause;

/// Why an import could not begin, or did not end.
#[derive(Debug, Error)]
pub enum ImportError {
    /// There is nothing to read.
    #[error(
        "{} is no table to take rows from: give the folder of a Delta table, a Parquet file, or a folder of Parquet files",
        path.display()
    )]
    NotATable {
        /// What was given.
        path: PathBuf,
    },
    /// It is a file of another kind, such as CSV.
    #[error(
        "{} is {kind}, and rows are imported from a Delta table or from Parquet: write it as Parquet first, for example with \
         polars: pl.read_csv(FILE, try_parse_dates=True).write_parquet(\"rows.parquet\")",
        path.display()
    )]
    NotParquet {
        /// What was given.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// It lies where the rows are to go.
    #[error("{} lies in the lake itself: move it out of {} first, then import it from there", path.display(), root.display())]
    WithinLake {
        /// What was given.
        path: PathBuf,
        /// The folder of the lake.
        root: PathBuf,
    },
    /// This program made it.
    #[error(
        "the table {} was made by this program: bring it back by jobs table restore --from, with the folder of its lake",
        path.display()
    )]
    Own {
        /// Folder of the table.
        path: PathBuf,
    },
    /// It lacks a column without which no row can be told.
    #[error("{} has no column {column} (it has {found}): a row needs symbol, timestamp and last", path.display())]
    MissingColumn {
        /// What was given.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// Those it has, comma separated.
        found: String,
    },
    /// A column is of a type that cannot be read as what it should be.
    #[error("{}: column {column} is of type {found}: write the table anew with {wanted}", path.display())]
    ColumnType {
        /// What was given.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// Its type.
        found: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// Nobody says of which zone its times are.
    #[error(
        "the timestamps of {} have no time zone: say which by --zone America/New_York, --zone UTC or another IANA name",
        path.display()
    )]
    NoZone {
        /// What was given.
        path: PathBuf,
    },
    /// A zone was given for times that have one.
    #[error("the timestamps of {} have a time zone of their own: leave --zone away", path.display())]
    ZoneGiven {
        /// What was given.
        path: PathBuf,
    },
    /// It is made in a way that is not followed here.
    #[error("the table {} cannot be read here: {reason}; have the program that made it write a plain copy", path.display())]
    Unsupported {
        /// Folder of the table.
        path: PathBuf,
        /// What is not followed.
        reason: String,
    },
    /// It is damaged.
    #[error(
        "the table {} is damaged, nothing more was taken in: {what}; repair it with the program that made it, then import it again",
        path.display()
    )]
    Damaged {
        /// What was given.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// A file of it could not be read.
    #[error("cannot read {}, nothing more was taken in: repair or remove it, then import again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the layers below said.
        #[source]
        source: Cause,
    },
    /// The lake refused.
    #[error(transparent)]
    Lake(#[from] LakeError),
}
