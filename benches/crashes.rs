//! A thousand kills: what the lake called done is there, once, whoever was killed when.
//!
//! `cargo bench --bench crashes -- --kills 1000 --seed 1`; `CRASHES_PYTHON` may name a Python with `deltalake`, which then
//! looks too.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a proof that cannot run has to say why and stop")]

use std::process::ExitCode;

mod crash_proof;

fn main() -> ExitCode {
    crash_proof::run(1_000)
}
