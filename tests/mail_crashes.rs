//! The proof of `benches/mail_crashes.rs` with a few kills.

#![expect(clippy::expect_used, reason = "a proof that cannot run has to say why and stop")]

use std::process::ExitCode;

#[path = "../benches/mail_proof/mod.rs"]
mod mail_proof;

fn main() -> ExitCode {
    mail_proof::run(20)
}
