//! What each symbol's made-up prices are made of: its index, its share of the market's moves, its volume.
//!
//! Levels and volumes are round numbers of the years around 2025; nothing is taken from market data.

/// Deviation of the market's daily moves, as a fraction.
pub(super) const MARKET_DEVIATION: f64 = 0.009;

/// Index futures stand above their index by this much a year: interest less dividends.
pub(super) const CARRY_PER_YEAR: f64 = 0.032;

/// The index under an instrument.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IndexProfile {
    /// Name, and key of its own noise.
    pub(super) name: String,
    /// The level it wavers around.
    pub(super) level: f64,
    /// How strongly it follows the market.
    pub(super) beta: f64,
    /// Deviation of the daily moves that are its own.
    pub(super) own_deviation: f64,
}

/// A future or an ETF on an index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    /// Its index.
    pub(super) index: IndexProfile,
    /// Price as a fraction of the index.
    pub(super) ratio: f64,
    /// Contracts or shares of a normal session, all months together.
    pub(super) session_volume: f64,
    /// Open interest of all months together.
    pub(super) open_interest: f64,
}

const INDICES: [(&str, f64, f64, f64); 4] = [
    ("ES", 6_000.0, 1.0, 0.0025),
    ("NQ", 21_500.0, 1.2, 0.006),
    ("RTY", 2_300.0, 1.15, 0.008),
    ("YM", 43_000.0, 0.9, 0.0035),
];

/// Symbol, its index, ratio to it, session volume, open interest.
const SYMBOLS: [(&str, &str, f64, f64, f64); 11] = [
    ("ES", "ES", 1.0, 1_500_000.0, 2_100_000.0),
    ("NQ", "NQ", 1.0, 600_000.0, 270_000.0),
    ("RTY", "RTY", 1.0, 200_000.0, 450_000.0),
    ("YM", "YM", 1.0, 150_000.0, 90_000.0),
    ("MES", "ES", 1.0, 1_200_000.0, 160_000.0),
    ("MNQ", "NQ", 1.0, 1_300_000.0, 130_000.0),
    ("M2K", "RTY", 1.0, 90_000.0, 40_000.0),
    ("SPY", "ES", 1.0 / 10.0, 70_000_000.0, 0.0),
    ("QQQ", "NQ", 1.0 / 41.0, 45_000_000.0, 0.0),
    ("IWM", "RTY", 1.0 / 10.0, 30_000_000.0, 0.0),
    ("DIA", "YM", 1.0 / 100.0, 3_500_000.0, 0.0),
];

/// The profile of a symbol; an unknown one is an index of its own, at a level that its name decides.
pub(super) fn profile(symbol: &str) -> Profile {
    let known = SYMBOLS.iter().find(|(name, ..)| *name == symbol);
    let row = known.and_then(|row| Some((row, INDICES.iter().find(|(name, ..)| *name == row.1)?)));
    match row {
        Some((&(_, _, ratio, session_volume, open_interest), &(name, level, beta, own_deviation))) => Profile {
            index: IndexProfile { name: name.to_owned(), level, beta, own_deviation },
            ratio,
            session_volume,
            open_interest,
        },
        None => Profile {
            index: IndexProfile {
                name: symbol.to_owned(),
                level: 100.0 + symbol.bytes().fold(0.0, |sum, byte| sum * 3.0 + f64::from(byte)) % 4_000.0,
                beta: 1.0,
                own_deviation: 0.006,
            },
            ratio: 1.0,
            session_volume: 100_000.0,
            open_interest: 50_000.0,
        },
    }
}

/// How much is traded in the minutes around a New York minute of the day, against the average of the regular session's
/// quietest: U-shaped by day, thin at night.
pub(super) fn volume_shape(minute: f64) -> f64 {
    regular_shape(minute).unwrap_or_else(|| by_hour(minute, [0.06, 0.16, 0.5, 0.25]))
}

/// The same for the variance of prices: nights are thin in volume, less so in moves.
pub(super) fn variance_shape(minute: f64) -> f64 {
    regular_shape(minute).map_or_else(|| by_hour(minute, [0.15, 0.3, 0.7, 0.3]), |shape| 0.7 * shape)
}

/// Sum of [`volume_shape`] over the five-minute bars of a normal session of the futures.
pub(super) const SESSION_SHAPE: f64 = 142.0;

/// The same over the regular session alone, where ETFs trade.
pub(super) const REGULAR_SHAPE: f64 = 117.0;

/// From 09:30 to 16:00.
fn regular_shape(minute: f64) -> Option<f64> {
    let from_middle = (minute - 765.0) / 195.0;
    (from_middle.abs() <= 1.0).then_some(1.0 + 1.5 * from_middle * from_middle)
}

/// Asia, Europe, the hour of the news before the opening, the hour after the close.
fn by_hour(minute: f64, [asia, europe, news, evening]: [f64; 4]) -> f64 {
    match minute {
        m if !(180.0..1_080.0).contains(&m) => asia,
        m if m < 510.0 => europe,
        m if m < 570.0 => news,
        _ => evening,
    }
}

/// Which part of a root's volume a contract has, by the days to its expiry: it leads for a quarter, and hands over in
/// the week before it expires.
pub(super) fn volume_share(days_to_expiry: f64) -> f64 {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    0.001 + 0.985 * logistic((days_to_expiry - 5.5) / 0.8) * logistic((97.5 - days_to_expiry) / 0.8)
}

/// The same for the open interest, which moves earlier and more slowly.
pub(super) fn open_interest_share(days_to_expiry: f64) -> f64 {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    0.004 + 0.93 * logistic((days_to_expiry - 5.0) / 2.0) * logistic((98.0 - days_to_expiry) / 2.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_sum_to_their_constants() {
        let bar_ends =
            |from: i32, to: i32| (0..).map(move |i| f64::from(from + 5 * i)).take_while(move |m| *m < f64::from(to));
        let regular: f64 = bar_ends(570, 960).map(|m| volume_shape(m + 2.5)).sum();
        let night: f64 = bar_ends(0, 570)
            .chain(bar_ends(960, 1_020))
            .chain(bar_ends(1_080, 1_440))
            .map(|m| volume_shape(m + 2.5))
            .sum();
        assert!((regular - REGULAR_SHAPE).abs() < 1.5, "{regular}");
        assert!((regular + night - SESSION_SHAPE).abs() < 3.0, "{}", regular + night);
    }

    #[test]
    fn one_contract_leads_and_hands_over_before_it_expires() {
        assert!(volume_share(60.0) > 0.95 && volume_share(2.0) < 0.05 && volume_share(150.0) < 0.05);
        assert!(volume_share(93.0) > 0.9, "the next one has taken over");
    }

    #[test]
    fn micros_and_etfs_follow_their_index() {
        assert_eq!(profile("MES").index, profile("ES").index);
        assert_eq!(profile("QQQ").index.name, "NQ");
        assert!(profile("XYZ").index.level >= 100.0);
    }
}
