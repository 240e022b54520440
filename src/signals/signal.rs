//! The signal of an ETF.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::calendar::Slot;
use crate::market::Symbol;

/// Up, down or neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Down.
    Bearish,
    /// Neither.
    Neutral,
    /// Up.
    Bullish,
}

impl Side {
    /// The side of a number, by its sign; 0 and no number are neutral.
    #[must_use]
    pub fn of(number: f64) -> Self {
        if number > 0.0 {
            Self::Bullish
        } else if number < 0.0 {
            Self::Bearish
        } else {
            Self::Neutral
        }
    }

    /// +1, 0 or -1.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Self::Bearish => -1.0,
            Self::Neutral => 0.0,
            Self::Bullish => 1.0,
        }
    }

    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Bearish => Self::Bullish,
            Self::Neutral => Self::Neutral,
            Self::Bullish => Self::Bearish,
        }
    }
}

/// Where the future stands against the last close of its ETF.
pub type Sentiment = Side;

/// What the changes of the future vote for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// All three down, the day by much.
    StrongSell,
    /// Two of three down.
    Sell,
    /// Neither.
    Hold,
    /// Two of three up.
    Buy,
    /// All three up, the day by much.
    StrongBuy,
}

impl SignalKind {
    /// From -1 (strong sell) to 1 (strong buy) in steps of a half.
    #[must_use]
    pub fn strength(self) -> f64 {
        match self {
            Self::StrongSell => -1.0,
            Self::Sell => -0.5,
            Self::Hold => 0.0,
            Self::Buy => 0.5,
            Self::StrongBuy => 1.0,
        }
    }

    /// Up, down or neither.
    #[must_use]
    pub fn side(self) -> Side {
        Side::of(self.strength())
    }

    /// Whether it is one of the two strong ones.
    #[must_use]
    pub fn is_strong(self) -> bool {
        matches!(self, Self::StrongBuy | Self::StrongSell)
    }
}

/// Gives an enum its word in columns, and finds it again by that word.
macro_rules! words {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// The word as columns carry it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    other => Err(format!("'{other}' is none of {}", [$($text),+].join(", "))),
                }
            }
        }
    };
}

words!(Side { Bearish = "bearish", Neutral = "neutral", Bullish = "bullish" });
words!(SignalKind {
    StrongSell = "strong_sell",
    Sell = "sell",
    Hold = "hold",
    Buy = "buy",
    StrongBuy = "strong_buy",
});

/// What the futures say of an ETF at an instant. Futures in index points, the ETF in US dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FuturesSignal {
    /// The ETF.
    pub symbol: Symbol,
    /// The future that speaks for it.
    pub futures_symbol: Symbol,
    /// The instant it is about: nothing later was known.
    pub as_of: DateTime<Utc>,
    /// The newest row used.
    pub timestamp: Slot,
    /// Where the future stands against the ETF's last close.
    pub sentiment: Sentiment,
    /// What its changes vote for.
    pub signal: SignalKind,
    /// How far the numbers can be relied on, 0 to 1. It holds nothing of past accuracy.
    pub confidence: f64,
    /// The newest price.
    pub futures_price: f64,
    /// The ETF's price, where it trades.
    pub spot_price: Option<f64>,
    /// Future less index in points; without a feed of the index what the future has gained on the ETF since the last close, in
    /// points of the index, where the ETF trades.
    pub basis: Option<f64>,
    /// Change over an hour.
    pub change_1h: Option<f64>,
    /// Change over four hours.
    pub change_4h: Option<f64>,
    /// Change over 24 hours.
    pub change_daily: Option<f64>,
    /// (last - first)/first over the lookback, a fraction.
    pub momentum: f64,
    /// Measured skill out of sample, 0 to 1; none while it is not known.
    pub predictive_value: Option<f64>,
    /// The numbers in words.
    pub reasoning: String,
    /// Local symbol of the contract.
    pub contract: String,
    /// The daily change in standard deviations of the last sessions; none where there are too few.
    pub deviations: Option<f64>,
    /// What the future has gained on the ETF since the last close, in bp, a diagnostic.
    pub basis_change_bp: Option<f64>,
    /// Price of the contract at the last close of the ETF.
    pub futures_close: f64,
    /// The last close of the ETF.
    pub spot_close: Option<f64>,
    /// What has gone ex since that close, US dollars; none where it is not known.
    pub dividend: Option<f64>,
    /// Why the ETF's price gives no basis, where it trades and gives none.
    pub basis_withheld: Option<String>,
}

impl FuturesSignal {
    /// Whether it is to buy.
    #[must_use]
    pub fn is_bullish(&self) -> bool {
        self.signal.side() == Side::Bullish
    }

    /// Whether it is to sell.
    #[must_use]
    pub fn is_bearish(&self) -> bool {
        self.signal.side() == Side::Bearish
    }

    /// From -1 (strong sell) to 1 (strong buy) in steps of a half.
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.signal.strength()
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    const KINDS: [SignalKind; 5] =
        [SignalKind::StrongSell, SignalKind::Sell, SignalKind::Hold, SignalKind::Buy, SignalKind::StrongBuy];

    #[test]
    fn strength_goes_from_minus_one_to_one_and_tells_the_side() {
        assert_eq!(KINDS.map(SignalKind::strength), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        for kind in KINDS {
            assert_eq!(kind.side().sign(), kind.strength().signum() * f64::from(u8::from(kind != SignalKind::Hold)));
        }
    }

    #[test]
    fn every_word_is_read_back() {
        for kind in KINDS {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for side in [Side::Bearish, Side::Neutral, Side::Bullish] {
            assert_eq!(side.to_string().parse(), Ok(side));
            assert_eq!(side.opposite().opposite(), side);
        }
        assert!("up".parse::<Side>().expect_err("no side").contains("bearish, neutral, bullish"));
    }
}
