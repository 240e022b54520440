//! What is known of the way from the gateway to IBKR: the whole of it, and each data farm by kind and name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::notices::{Reported, reported_words};

/// Most notices that are kept to be put into an error.
const MAX_REPORTED: usize = 4;

/// What a data farm serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FarmKind {
    /// Quotes.
    MarketData,
    /// Historical bars.
    History,
    /// Contract details.
    Definitions,
}

impl FarmKind {
    fn name(self) -> &'static str {
        match self {
            Self::MarketData => "market data",
            Self::History => "historical data",
            Self::Definitions => "contract data",
        }
    }
}

/// What a notice reports of one farm: its kind, and whether it is broken; none where it is about no farm.
fn farm_of(code: i32) -> Option<(FarmKind, bool)> {
    match code {
        2103 => Some((FarmKind::MarketData, true)),
        2104 | 2108 => Some((FarmKind::MarketData, false)),
        2105 => Some((FarmKind::History, true)),
        2106 | 2107 => Some((FarmKind::History, false)),
        2157 => Some((FarmKind::Definitions, true)),
        2158 => Some((FarmKind::Definitions, false)),
        _ => None,
    }
}

#[derive(Debug, Default)]
struct State {
    /// The code of the notice by which the whole connection is lost.
    lost: Option<i32>,
    /// The farms that are broken, by kind and name, each with the code that said so.
    broken: BTreeMap<(FarmKind, String), i32>,
    /// Kinds of farms that were heard of at all.
    heard: Vec<FarmKind>,
    /// The newest notices that are out of the ordinary.
    reported: Vec<Reported>,
}

/// The state of the way to IBKR, shared by all requests of a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Upstream(Arc<Mutex<State>>);

impl Upstream {
    /// Takes in a notice that belongs to no request.
    pub(super) fn note(&self, code: i32, text: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let notice = Reported::new(code, text);
        match code {
            1100 | 1300 | 2110 => state.lost = Some(code),
            1101 | 1102 => {
                state.lost = None;
                if text.contains("All data farms are connected") {
                    state.broken.clear();
                }
            }
            _ => {}
        }
        if let Some((kind, is_broken)) = farm_of(code) {
            let farm = (kind, farm_name(text));
            if is_broken {
                state.broken.insert(farm, code);
            } else {
                state.broken.remove(&farm);
                // A farm that is up again is reached by the very connection that 2110 called broken.
                state.lost = state.lost.filter(|lost| *lost != 2110);
            }
            if !state.heard.contains(&kind) {
                state.heard.push(kind);
            }
        }
        if !notice.is_ordinary() && !matches!(code, 1101 | 1102) {
            state.reported.push(notice);
            let excess = state.reported.len().saturating_sub(MAX_REPORTED);
            state.reported.drain(..excess);
        }
    }

    /// Whether each kind of farm was heard of, or there is nothing to be heard because the connection is lost.
    pub(super) fn is_introduced(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.lost.is_some() || state.heard.len() == 3
    }

    /// In words, what keeps an answer of one kind from coming: the whole connection, or farms of that kind.
    pub(super) fn trouble(&self, kind: FarmKind) -> Option<String> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = state.lost {
            return Some(format!("the gateway reports no connection to IBKR (code {code})"));
        }
        let of_kind: Vec<(&str, i32)> = state
            .broken
            .iter()
            .filter(|((of, _), _)| *of == kind)
            .map(|((_, name), code)| (name.as_str(), *code))
            .collect();
        let (_, code) = *of_kind.first()?;
        let names: Vec<&str> = of_kind.iter().map(|(name, _)| *name).collect();
        Some(format!("the gateway reports the {} farm {} as broken (code {code})", kind.name(), names.join(", ")))
    }

    /// The newest notices out of the ordinary, to be put behind an error.
    pub(super) fn reported(&self) -> String {
        reported_words(&self.0.lock().unwrap_or_else(PoisonError::into_inner).reported)
    }
}

/// The name behind the last colon: `Market data farm connection is OK:usfuture`. Inactive farms have theirs behind a full stop.
fn farm_name(text: &str) -> String {
    let behind = text.rsplit_once(':').map(|(_, name)| name);
    let name = behind.or_else(|| text.rsplit_once('.').map(|(_, name)| name)).unwrap_or_default();
    Reported::new(0, name).words
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: &str = "Market data farm connection is broken:";
    const UP: &str = "Market data farm connection is OK:";

    #[test]
    fn a_farm_that_is_up_says_nothing_of_another_one() {
        let upstream = Upstream::default();
        upstream.note(2103, &format!("{BROKEN}usfuture"));
        upstream.note(2104, &format!("{UP}usfarm"));
        let trouble = upstream.trouble(FarmKind::MarketData).expect("usfuture is still down");
        assert!(trouble.contains("market data farm usfuture") && trouble.contains("code 2103"), "{trouble}");
        assert_eq!(upstream.trouble(FarmKind::History), None, "another kind");
        upstream.note(2104, &format!("{UP}usfuture"));
        assert_eq!(upstream.trouble(FarmKind::MarketData), None);
    }

    #[test]
    fn an_inactive_farm_is_not_broken() {
        let upstream = Upstream::default();
        upstream.note(2105, "HMDS data farm connection is broken:ushmds");
        upstream.note(2107, "HMDS data farm connection is inactive but should be available upon demand.ushmds");
        assert_eq!(upstream.trouble(FarmKind::History), None);
    }

    #[test]
    fn a_lost_connection_is_lost_until_it_is_restored_whatever_farms_say() {
        let upstream = Upstream::default();
        upstream.note(1100, "Connectivity between IB and Trader Workstation has been lost.");
        upstream.note(2104, &format!("{UP}usfuture"));
        let trouble = upstream.trouble(FarmKind::Definitions).expect("lost");
        assert!(trouble.contains("code 1100"), "{trouble}");
        upstream.note(1102, "Connectivity between IB and Trader Workstation has been restored - data maintained.");
        assert_eq!(upstream.trouble(FarmKind::Definitions), None);
    }

    #[test]
    fn restoring_the_connection_leaves_a_broken_farm_broken_unless_all_are_named() {
        let upstream = Upstream::default();
        upstream.note(2103, &format!("{BROKEN}usfuture"));
        upstream.note(1102, "restored - data maintained. The following farms are not connected: usfuture.");
        assert!(upstream.trouble(FarmKind::MarketData).is_some());
        upstream.note(1102, "restored - data maintained. All data farms are connected: usfuture; ushmds.");
        assert_eq!(upstream.trouble(FarmKind::MarketData), None);
    }
}
