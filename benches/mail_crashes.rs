//! A thousand kills between an incident and its mail: `cargo bench --bench mail_crashes -- --kills 1000`.

#![expect(clippy::expect_used, reason = "a proof that cannot run has to say why and stop")]

use std::process::ExitCode;

mod mail_proof;

fn main() -> ExitCode {
    mail_proof::run(1_000)
}
