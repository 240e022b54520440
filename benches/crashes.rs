//! A thousand kills: what the lake called done is there, once, whoever was killed when.
//!
//! `cargo bench --bench crashes -- --kills 1000 --seed 1`, on the release build; with `--profile dev` on the other.
//! In parts, of 250 kills say: `-- --kills 250 --seed 1 --dir DIR`, as often as is wanted. Each part goes on in `DIR` and adds
//! to the counts in `DIR/counts.txt`. Printed are the seed, the kills by role, the rounds, the rows read, lost and doubled.
//! `CRASHES_PYTHON` may name a Python with `deltalake`, which then looks too. `cargo test --test crashes` is the same with a
//! few kills.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a proof that cannot run has to say why and stop")]

use std::process::ExitCode;

mod crash_proof;

fn main() -> ExitCode {
    crash_proof::run(1_000)
}
