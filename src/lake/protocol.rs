//! What tables demand of programs, and whether this one can meet it.

use super::verify::Protocol;

/// The newest version for readers this program knows.
const NEWEST_READER: i32 = 3;

/// The newest version for writers this program knows.
const NEWEST_WRITER: i32 = 7;

/// Features that tables may name: those the library reads and writes.
const FEATURES: [&str; 10] = [
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "columnMapping",
    "deletionVectors",
    "generatedColumns",
    "invariants",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
];

/// What a table demands that this program does not know.
pub(super) fn unknown(protocol: &Protocol) -> Option<String> {
    let (reader, writer) = (protocol.min_reader_version, protocol.min_writer_version);
    if reader > NEWEST_READER || writer > NEWEST_WRITER {
        return Some(format!(
            "it demands protocol ({reader}, {writer}), this program knows up to ({NEWEST_READER}, {NEWEST_WRITER})"
        ));
    }
    let unknown = protocol.features().find(|feature| !FEATURES.contains(feature))?;
    Some(format!("it demands the feature {unknown}, which this program does not know"))
}
