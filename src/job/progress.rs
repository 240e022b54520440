//! Progress of a long run, for whoever watches.

/// Is told how far a run has come.
pub trait Progress: Send + Sync {
    /// A part of the work begins: how many units, of what.
    fn begin(&self, total: u64, what: &str);

    /// So many units are done.
    fn advance(&self, units: u64);

    /// What is being worked on now.
    fn note(&self, _what: &str) {}

    /// The part is over.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _total: u64, _what: &str) {}

    fn advance(&self, _units: u64) {}

    fn end(&self) {}
}
