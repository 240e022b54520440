//! Which faults strike a request: the given ones, and how often each has matched.

use std::sync::atomic::{AtomicU32, Ordering};

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
    pub(super) fn strike(&self, request: RequestKind, symbol: Option<&Symbol>) -> Struck {
        let matching = self.entries.iter().filter(|(fault, _)| {
            fault.kind.touches(request) && fault.symbol.as_ref().is_none_or(|wanted| Some(wanted) == symbol)
        });
        let struck = matching.filter(|(fault, count)| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            number >= fault.after && fault.first.is_none_or(|first| number - fault.after < first)
        });
        Struck(struck.map(|(fault, _)| fault.kind).collect())
    }

    /// Whether the port is to refuse connections.
    pub(super) fn refuses(&self) -> bool {
        self.entries.iter().any(|(fault, _)| fault.kind == FaultKind::Refuse)
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
        let symbol: Symbol = symbol.parse().expect("a symbol");
        book.strike(RequestKind::MarketData, Some(&symbol)).has(FaultKind::MarketData(354))
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
