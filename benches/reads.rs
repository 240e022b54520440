//! How long it takes to write a slot and to read rows back, beside other ways to keep the same rows, in one run.
//!
//! Makes tables of one day, one month, one year and five years of slots of three symbols with the program's own writer,
//! the year also with a last day and a last week that nobody compacted, and times the same operations by this program, by
//! the commands as whole processes, and by engines from Python over the same rows (`benches/peers.py`), which are
//! installed into a folder that is deleted again. Without pip, or with `--without-peers`, only ours are timed.
//!
//! `cargo bench --bench reads -- --out DIR` also writes the figures as JSON and their growth as a chart.

#![expect(clippy::expect_used, reason = "a bench that cannot run has to say why and stop")]

mod read_bench;

fn main() {
    read_bench::run();
}
