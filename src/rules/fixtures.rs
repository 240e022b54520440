//! Situations for the tests of this module.

use crate::signals::{FuturesSignal, Side, SignalKind, SpotOutlook};

use super::Situation;

/// What the rules look at; by default a bullish entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    pub(super) outlook: Side,
    pub(super) sentiment: Side,
    pub(super) signal: SignalKind,
    pub(super) confidence: f64,
    pub(super) momentum: f64,
    pub(super) iv_rank: Option<f64>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            outlook: Side::Bullish,
            sentiment: Side::Bullish,
            signal: SignalKind::Buy,
            confidence: 0.8,
            momentum: 0.001,
            iv_rank: None,
        }
    }
}

impl Case {
    /// The same with up and down exchanged.
    pub(super) fn mirrored(&self) -> Self {
        let signal = match self.signal {
            SignalKind::StrongSell => SignalKind::StrongBuy,
            SignalKind::Sell => SignalKind::Buy,
            SignalKind::Hold => SignalKind::Hold,
            SignalKind::Buy => SignalKind::Sell,
            SignalKind::StrongBuy => SignalKind::StrongSell,
        };
        let (outlook, sentiment) = (self.outlook.opposite(), self.sentiment.opposite());
        Self { outlook, sentiment, signal, momentum: -self.momentum, ..self.clone() }
    }

    pub(super) fn situation(&self) -> Situation<'static> {
        let as_of = "2026-11-18T14:00:00Z".parse().expect("an instant");
        let signal = FuturesSignal {
            symbol: "SPY".parse().expect("a symbol"),
            futures_symbol: "ES".parse().expect("a symbol"),
            as_of,
            timestamp: crate::calendar::Slot::at(as_of).expect("on the grid"),
            sentiment: self.sentiment,
            signal: self.signal,
            confidence: self.confidence,
            futures_price: 6000.0,
            spot_price: None,
            basis: None,
            change_1h: None,
            change_4h: None,
            change_daily: None,
            momentum: self.momentum,
            predictive_value: None,
            reasoning: String::new(),
            contract: "ESZ6".to_owned(),
            deviations: None,
            basis_change_bp: None,
            futures_close: 6000.0,
            spot_close: None,
            dividend: None,
            basis_withheld: None,
        };
        // A test's few situations may live as long as the test.
        let signal: &'static FuturesSignal = Box::leak(Box::new(signal));
        Situation { signal, outlook: SpotOutlook::given(self.outlook), iv_rank: self.iv_rank }
    }
}

/// A rule, a case in which it fires, and for each of its gates the case in which that gate alone is shut.
pub(super) type RuleCases = (&'static str, Case, Vec<(&'static str, Case)>);

/// The cases of every rule; at each bound of a number the gate is shut.
pub(super) fn cases() -> Vec<RuleCases> {
    let bullish = Case::default();
    let bearish = bullish.mirrored();
    let contrarian = Case { outlook: Side::Bearish, signal: SignalKind::StrongBuy, momentum: 0.004, ..Case::default() };
    let momentum = Case { outlook: Side::Neutral, signal: SignalKind::Hold, momentum: -0.004, ..Case::default() };
    let entry_gates = |open: &Case| {
        let against = open.outlook.opposite();
        vec![
            ("outlook", Case { outlook: Side::Neutral, ..open.clone() }),
            ("sentiment", Case { sentiment: against, ..open.clone() }),
            ("signal", Case { signal: SignalKind::Hold, ..open.clone() }),
            ("confidence", Case { confidence: 0.5, ..open.clone() }),
        ]
    };
    vec![
        ("futures_bullish_entry", bullish.clone(), entry_gates(&bullish)),
        ("futures_bearish_entry", bearish.clone(), entry_gates(&bearish)),
        (
            "futures_contrarian_entry",
            contrarian.clone(),
            vec![
                ("signal", Case { signal: SignalKind::Buy, ..contrarian.clone() }),
                ("confidence", Case { confidence: 0.7, ..contrarian.clone() }),
                ("size of momentum", Case { momentum: 0.003, ..contrarian.clone() }),
                ("outlook", Case { outlook: Side::Bullish, ..contrarian.clone() }),
            ],
        ),
        (
            "futures_momentum_entry",
            momentum.clone(),
            vec![
                ("size of momentum", Case { momentum: -0.003, ..momentum.clone() }),
                ("confidence", Case { confidence: 0.6, ..momentum.clone() }),
            ],
        ),
    ]
}
