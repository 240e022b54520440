//! The proof of `benches/crashes.rs` with a few kills.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a proof that cannot run has to say why and stop")]

use std::process::ExitCode;

#[path = "../benches/crash_proof/mod.rs"]
mod crash_proof;

fn main() -> ExitCode {
    crash_proof::run(20)
}
