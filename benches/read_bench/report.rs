//! The figures of a run, as a table beside ours and as JSON.

use serde::Serialize;
use serde_json::json;

use super::ours::OURS;
use super::timing::Timing;

/// Whose figure of what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figure<'a> {
    pub(crate) engine: &'a str,
    /// What the engine does to keep a write through a power cut; empty for reads.
    pub(crate) durable: &'a str,
    pub(crate) layout: &'a str,
    pub(crate) operation: &'a str,
}

/// One measured operation.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) operation: String,
    pub(crate) layout: String,
    pub(crate) engine: String,
    pub(crate) durable: String,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) rounds: usize,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) lines: Vec<Line>,
}

impl Report {
    /// Takes in a figure.
    pub(crate) fn note(&mut self, figure: Figure<'_>, timing: Timing) {
        let Figure { engine, durable, layout, operation } = figure;
        self.lines.push(Line {
            operation: operation.to_owned(),
            layout: layout.to_owned(),
            engine: engine.to_owned(),
            durable: durable.to_owned(),
            p50_ms: timing.p50_ms,
            p99_ms: timing.p99_ms,
            rounds: timing.rounds,
        });
    }

    /// The time of an operation by an engine over a layout.
    pub(crate) fn p50_ms(&self, engine: &str, layout: &str, operation: &str) -> Option<f64> {
        let is_it = |line: &&Line| line.engine == engine && line.layout == layout && line.operation == operation;
        self.lines.iter().find(is_it).map(|line| line.p50_ms)
    }

    /// Prints the figures, those of one operation over one layout side by side, the quickest first.
    pub(crate) fn print(&self) {
        let mut lines = self.lines.clone();
        lines.sort_by(|a, b| {
            let order = (&a.operation, &a.layout).cmp(&(&b.operation, &b.layout));
            order.then(a.p50_ms.total_cmp(&b.p50_ms))
        });
        let together = |a: &Line, b: &Line| (&a.operation, &a.layout) == (&b.operation, &b.layout);
        for group in lines.chunk_by(together) {
            let Some(first) = group.first() else { continue };
            println!("\n{} / {}", first.operation, first.layout);
            println!("  {:<46} {:>10} {:>10} {:>8} {:>7}  durable", "", "p50 ms", "p99 ms", "x ours", "rounds");
            let ours = self.p50_ms(OURS, &first.layout, &first.operation);
            for line in group {
                let ratio = ours.map_or_else(String::new, |ours| format!("{:.2}", line.p50_ms / ours));
                println!(
                    "  {:<46} {:>10.3} {:>10.3} {ratio:>8} {:>7}  {}",
                    line.engine, line.p50_ms, line.p99_ms, line.rounds, line.durable
                );
            }
        }
    }

    /// The figures for another program.
    pub(crate) fn json(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        format!("{:#}\n", json!({ "cores": cores, "figures": self.lines }))
    }
}
