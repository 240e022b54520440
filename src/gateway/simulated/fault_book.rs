//! Which faults strike a request: the given ones, and how often each has matched.

use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};

use crate::market::Symbol;

use super::fault::Fault;
use super::fault_kind::{FaultKind, RequestKind};

/// The faults of a gateway with their counts.
#[derive(Debug)]
pub(super) struct FaultBook {
    entries: Vec<(Fault, AtomicU32)>,
}

impl FaultBook {
    /// A book of faults that have not matched yet.
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self { entries: faults.into_iter().map(|fault| (fault, AtomicU32::new(0))).collect() }
    }

    /// The faults that strike one request; each matching one counts it, so ask once a request.
    pub(super) fn strike(&self, now: DateTime<Utc>, request: RequestKind, symbol: Option<&Symbol>) -> Struck {
        let matching = self.entries.iter().filter(|(fault, _)| {
            fault.is_due(now)
                && fault.kind.touches(request)
                && fault.symbol.as_ref().is_none_or(|wanted| Some(wanted) == symbol)
        });
        let struck = matching.filter(|(fault, count)| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            number >= fault.after && fault.first.is_none_or(|first| number - fault.after < first)
        });
        Struck(struck.map(|(fault, _)| fault.kind).collect())
    }

    /// Whether the port is to refuse connections at all times; in a time of its own the fault closes them at once.
    pub(super) fn refuses(&self) -> bool {
        let is_always = |fault: &Fault| fault.from.is_none() && fault.until.is_none();
        self.entries.iter().any(|(fault, _)| fault.kind == FaultKind::Refuse && is_always(fault))
    }
}

/// The faults that strike one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Struck(Vec<FaultKind>);

impl Struck {
    /// Whether a fault is among them.
    pub(super) fn has(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = FaultKind> + '_ {
        self.0.iter().copied()
    }

    /// What the first one that fits has to say.
    pub(super) fn find<T>(&self, pick: impl Fn(FaultKind) -> Option<T>) -> Option<T> {
        self.iter().find_map(pick)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(faults: &[&str]) -> FaultBook {
        FaultBook::new(faults.iter().map(|f| f.parse().expect("a fault")).collect())
    }

    fn hits(book: &FaultBook, symbol: &str) -> bool {
        hits_at(book, symbol, "2026-11-18T16:00:00Z")
    }

    fn hits_at(book: &FaultBook, symbol: &str, now: &str) -> bool {
        let symbol: Symbol = symbol.parse().expect("a symbol");
        let now = now.parse().expect("an instant");
        book.strike(now, RequestKind::MarketData, Some(&symbol)).has(FaultKind::MarketData(354))
    }

    #[test]
    fn a_fault_of_a_time_strikes_in_it_only_and_counts_nothing_outside() {
        let book = book(&["354@first=2,from=2026-11-18T16:00Z,until=2026-11-18T19:00Z"]);
        let times = ["15:59:59", "16:00:00", "18:59:59", "18:59:59", "19:00:00"];
        let struck = times.map(|time| hits_at(&book, "ES", &format!("2026-11-18T{time}Z")));
        assert_eq!(struck, [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_waits_strikes_and_is_over() {
        let book = book(&["354@after=1,first=2"]);
        assert_eq!([(); 5].map(|()| hits(&book, "ES")), [false, true, true, false, false]);
    }

    #[test]
    fn a_fault_of_a_symbol_leaves_the_others_alone() {
        let book = book(&["354@symbol=NQ,first=1"]);
        assert_eq!(["ES", "NQ", "NQ"].map(|s| hits(&book, s)), [false, true, false]);
    }

    #[test]
    fn a_fault_of_history_leaves_market_data_alone() {
        assert!(!hits(&book(&["162:nodata"]), "ES"));
    }
}
