//! A quote as ticks, in the order of a live gateway, and what faults make of them.

use bytes::Bytes;

use super::super::fault_book::Struck;
use super::super::fault_kind::{Early, FaultKind, Field};
use super::super::frame::frame;
use super::super::messages::{TickGeneric, TickPrice, TickSize, TickString, reply_kind};
use super::super::tape::TapeQuote;

/// Tick ids of live data.
const BID: i32 = 1;
const ASK: i32 = 2;
const LAST: i32 = 4;
const HIGH: i32 = 6;
const LOW: i32 = 7;
const VOLUME: i32 = 8;
const CLOSE: i32 = 9;
const OPEN: i32 = 14;
const IMPLIED_VOL: i32 = 24;
const LAST_TIMESTAMP: i32 = 45;
const HALTED: i32 = 49;
const OPEN_INTEREST: i32 = 86;

/// Live id and its delayed twin.
const DELAYED: [(i32, i32); 10] = [
    (BID, 66),
    (ASK, 67),
    (LAST, 68),
    (HIGH, 72),
    (LOW, 73),
    (VOLUME, 74),
    (CLOSE, 75),
    (OPEN, 76),
    (LAST_TIMESTAMP, 88),
    (HALTED, 90),
];

/// How long ago yesterday's last trade was.
const YESTERDAY_SECONDS: i64 = 20 * 3_600;

/// What a size looks like that is not set.
const UNSET_SIZE: &str = "9223372036854775807";

/// Kinds of market data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) enum Feed {
    /// As it happens.
    #[default]
    Live,
    /// Live, and on a closed market the last bid and ask instead of none.
    Frozen,
    /// Late, under its own tick ids.
    Delayed,
    /// Late, and on a closed market the last bid and ask.
    DelayedFrozen,
}

impl Feed {
    /// Whether it is late.
    pub(in super::super) fn is_delayed(self) -> bool {
        matches!(self, Self::Delayed | Self::DelayedFrozen)
    }

    fn is_frozen(self) -> bool {
        matches!(self, Self::Frozen | Self::DelayedFrozen)
    }
}

/// What of a quote a request sees.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct View {
    /// Live or not.
    pub(in super::super) feed: Feed,
    /// With open interest.
    pub(in super::super) open_interest: bool,
    /// With implied volatility.
    pub(in super::super) implied_vol: bool,
}

/// One tick.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Tick {
    /// Its id.
    pub(in super::super) id: i32,
    value: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Price(f64, Option<String>),
    Size(String),
    Number(f64),
    Text(String),
}

/// The ticks of a quote as a request sees them, with the faults that struck it.
pub(in super::super) fn ticks(quote: &TapeQuote, view: View, struck: &Struck) -> Vec<Tick> {
    let mut ticks = honest(quote, view);
    struck.iter().for_each(|fault| distort(&mut ticks, fault));
    if view.feed.is_delayed() {
        ticks.retain_mut(|tick| match DELAYED.iter().find(|(live, _)| *live == tick.id) {
            Some((_, delayed)) => {
                tick.id = *delayed;
                true
            }
            None => false,
        });
    }
    ticks
}

impl Tick {
    /// The tick on the wire.
    pub(in super::super) fn frame(&self, reply_id: i32) -> Bytes {
        let (req_id, tick_type) = (Some(reply_id), Some(self.id));
        match &self.value {
            Value::Price(price, size) => {
                let (price, size, attr_mask) = (Some(*price), size.clone(), Some(0));
                frame(reply_kind::TICK_PRICE, &TickPrice { req_id, tick_type, price, size, attr_mask })
            }
            Value::Size(size) => {
                frame(reply_kind::TICK_SIZE, &TickSize { req_id, tick_type, size: Some(size.clone()) })
            }
            Value::Number(value) => {
                frame(reply_kind::TICK_GENERIC, &TickGeneric { req_id, tick_type, value: Some(*value) })
            }
            Value::Text(value) => {
                frame(reply_kind::TICK_STRING, &TickString { req_id, tick_type, value: Some(value.clone()) })
            }
        }
    }
}

fn honest(quote: &TapeQuote, view: View) -> Vec<Tick> {
    let tick = |id, value| Tick { id, value };
    let sized = |id, price: Option<(f64, i64)>| match price {
        Some((price, size)) => tick(id, Value::Price(price, Some(size.to_string()))),
        None => tick(id, Value::Price(-1.0, Some("0".to_owned()))),
    };
    let bare = |id, price: Option<f64>| price.map(|price| tick(id, Value::Price(price, None)));
    let standing = |side: Option<(f64, i64)>| side.filter(|_| quote.open_market || view.feed.is_frozen());
    let mut ticks = Vec::with_capacity(14);
    let traded_at = quote.last_trade_at.map_or(0, |at| at.timestamp());
    ticks.push(tick(LAST_TIMESTAMP, Value::Text(traded_at.to_string())));
    ticks.push(sized(LAST, quote.last));
    ticks.push(tick(HALTED, Value::Number(0.0)));
    // What the tape does not know is told to be absent, so that nobody waits for it.
    ticks.push(tick(
        VOLUME,
        Value::Size(quote.volume.map_or_else(|| UNSET_SIZE.to_owned(), |volume| volume.to_string())),
    ));
    ticks.extend(bare(HIGH, quote.high));
    ticks.extend(bare(LOW, quote.low));
    ticks.extend(bare(CLOSE, quote.prior_close));
    ticks.extend(bare(OPEN, quote.open));
    ticks.push(sized(BID, standing(quote.bid)));
    ticks.push(sized(ASK, standing(quote.ask)));
    if view.open_interest {
        ticks.push(tick(OPEN_INTEREST, Value::Size(quote.open_interest.unwrap_or(0).to_string())));
    }
    if view.implied_vol {
        ticks.push(tick(IMPLIED_VOL, Value::Number(quote.implied_vol.unwrap_or(-1.0))));
    }
    ticks
}

fn distort(ticks: &mut Vec<Tick>, fault: FaultKind) {
    match fault {
        FaultKind::Missing(field) => ticks.retain(|tick| !belongs(tick.id, field)),
        FaultKind::NegativePrices => each_price(ticks, |price, size| {
            *price = -1.0;
            *size = size.as_ref().map(|_| "0".to_owned());
        }),
        FaultKind::Nan => each_price(ticks, |price, _| *price = f64::NAN),
        FaultKind::Crossed => cross(ticks),
        FaultKind::Stale(seconds) => shift_last_trade(ticks, -seconds),
        FaultKind::ClockOff(seconds) => shift_last_trade(ticks, seconds),
        FaultKind::Halted => {
            for tick in ticks.iter_mut().filter(|tick| tick.id == HALTED) {
                tick.value = Value::Number(1.0);
            }
        }
        FaultKind::SizeZero => each_size(ticks, "0"),
        FaultKind::UnsetSizes => each_size(ticks, UNSET_SIZE),
        FaultKind::Unreadable => each_size(ticks, "many"),
        FaultKind::StampZero => {
            for tick in ticks.iter_mut().filter(|tick| tick.id == LAST_TIMESTAMP) {
                tick.value = Value::Text("0".to_owned());
            }
        }
        FaultKind::OldLast => {
            ticks.retain(|tick| tick.id != LAST_TIMESTAMP);
            for tick in ticks.iter_mut().filter(|tick| tick.id == LAST) {
                if let Value::Price(price, _) = &mut tick.value {
                    *price = (*price * 0.98).round();
                }
            }
        }
        _ => {}
    }
}

/// Makes the first ticks of a stream other than the quote that follows.
pub(in super::super) fn begin_with(ticks: &mut [Tick], fault: FaultKind) {
    let FaultKind::Early(early) = fault else { return };
    match early {
        Early::Stale => shift_last_trade(ticks, -YESTERDAY_SECONDS),
        Early::Apart => {
            let bid = ticks.iter().find(|tick| tick.id == BID).map(|tick| tick.value.clone());
            if let (Some(ask), Some(Value::Price(bid, _))) = (ticks.iter_mut().find(|tick| tick.id == ASK), bid) {
                ask.value = Value::Price(bid * 0.999, Some("1".to_owned()));
            }
        }
        Early::NoQuote => {
            for tick in ticks.iter_mut().filter(|tick| matches!(tick.id, BID | ASK)) {
                tick.value = Value::Price(-1.0, Some("0".to_owned()));
            }
        }
    }
}

/// The volume in lots of a hundred.
pub(in super::super) fn in_lots(ticks: &mut [Tick]) {
    for tick in ticks.iter_mut().filter(|tick| tick.id == VOLUME) {
        if let Value::Size(size) = &mut tick.value {
            *size = (size.parse::<i64>().unwrap_or_default() / 100).to_string();
        }
    }
}

fn belongs(id: i32, field: Field) -> bool {
    match field {
        Field::Bid => id == BID,
        Field::Ask => id == ASK,
        Field::Last => id == LAST || id == LAST_TIMESTAMP,
        Field::Volume => id == VOLUME,
        Field::OpenInterest => id == OPEN_INTEREST,
        Field::ImpliedVol => id == IMPLIED_VOL,
        Field::All => true,
        Field::End => false,
    }
}

fn each_price(ticks: &mut [Tick], mut change: impl FnMut(&mut f64, &mut Option<String>)) {
    for tick in ticks {
        if let Value::Price(price, size) = &mut tick.value {
            change(price, size);
        }
    }
}

fn each_size(ticks: &mut [Tick], text: &str) {
    for tick in ticks {
        if let Value::Price(_, Some(size)) | Value::Size(size) = &mut tick.value {
            text.clone_into(size);
        }
    }
}

/// Exchanges the prices of bid and ask; equal ones are moved apart.
fn cross(ticks: &mut [Tick]) {
    let price = |ticks: &[Tick], id| {
        ticks
            .iter()
            .find(|t| t.id == id)
            .and_then(|t| if let Value::Price(price, _) = t.value { Some(price) } else { None })
    };
    let (Some(bid), Some(ask)) = (price(ticks, BID), price(ticks, ASK)) else { return };
    for tick in ticks {
        match (tick.id, &mut tick.value) {
            (BID, Value::Price(price, _)) => *price = ask,
            (ASK, Value::Price(price, _)) => *price = bid,
            _ => {}
        }
    }
}

fn shift_last_trade(ticks: &mut [Tick], seconds: i64) {
    for tick in ticks.iter_mut().filter(|tick| tick.id == LAST_TIMESTAMP) {
        if let Value::Text(text) = &mut tick.value {
            *text = (text.parse().unwrap_or(0_i64) + seconds).to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fault_book::FaultBook;
    use super::super::super::fault_kind::RequestKind;
    use super::*;

    fn quote() -> TapeQuote {
        TapeQuote {
            open_market: true,
            bid: Some((10.0, 3)),
            ask: Some((10.25, 4)),
            last: Some((10.25, 1)),
            volume: Some(900),
            open_interest: Some(5),
            last_trade_at: "2026-11-20T15:00:00Z".parse().ok(),
            ..TapeQuote::default()
        }
    }

    #[test]
    fn of_a_contract_without_a_price_everything_is_told_to_be_absent() {
        let view = View { open_interest: true, implied_vol: true, ..View::default() };
        let ids: Vec<i32> = honest(&TapeQuote::default(), view).iter().map(|tick| tick.id).collect();
        for id in [BID, ASK, LAST, LAST_TIMESTAMP, VOLUME, OPEN_INTEREST, IMPLIED_VOL] {
            assert_eq!(ids.iter().filter(|own| **own == id).count(), 1, "{id} in {ids:?}");
        }
    }

    fn with(fault: &str) -> Vec<Tick> {
        let book = FaultBook::new(vec![fault.parse().expect("a fault")]);
        ticks(&quote(), View::default(), &book.strike(chrono::DateTime::UNIX_EPOCH, RequestKind::MarketData, None))
    }

    fn of(ticks: &[Tick], id: i32) -> Option<Value> {
        ticks.iter().find(|t| t.id == id).map(|t| t.value.clone())
    }

    #[test]
    fn ticks_come_in_the_order_of_a_live_gateway() {
        let ids: Vec<i32> = ticks(&quote(), View::default(), &Struck::default()).iter().map(|t| t.id).collect();
        assert_eq!(ids, [LAST_TIMESTAMP, LAST, HALTED, VOLUME, BID, ASK]);
    }

    #[test]
    fn what_was_asked_for_and_is_unknown_is_told_to_be_absent() {
        let view = View { open_interest: true, implied_vol: true, ..View::default() };
        let told = ticks(&TapeQuote { open_interest: None, ..quote() }, view, &Struck::default());
        assert_eq!(of(&told, OPEN_INTEREST), Some(Value::Size("0".to_owned())));
        assert_eq!(of(&told, IMPLIED_VOL), Some(Value::Number(-1.0)));
    }

    #[test]
    fn a_closed_market_has_no_bid_but_a_last() {
        let closed = TapeQuote { open_market: false, ..quote() };
        let live = ticks(&closed, View::default(), &Struck::default());
        assert_eq!(of(&live, BID), Some(Value::Price(-1.0, Some("0".to_owned()))));
        assert_eq!(of(&live, LAST), Some(Value::Price(10.25, Some("1".to_owned()))));
        let frozen = ticks(&closed, View { feed: Feed::Frozen, ..View::default() }, &Struck::default());
        assert_eq!(of(&frozen, BID), Some(Value::Price(10.0, Some("3".to_owned()))));
    }

    #[test]
    fn delayed_data_has_its_own_ids_and_no_open_interest() {
        let view = View { feed: Feed::Delayed, open_interest: true, ..View::default() };
        let ids: Vec<i32> = ticks(&quote(), view, &Struck::default()).iter().map(|t| t.id).collect();
        assert_eq!(ids, [88, 68, 90, 74, 66, 67]);
    }

    #[test]
    fn each_fault_touches_its_part() {
        assert_eq!(of(&with("missing:bid"), BID), None);
        assert_eq!(of(&with("crossed"), BID), Some(Value::Price(10.25, Some("3".to_owned()))));
        assert_eq!(of(&with("halted"), HALTED), Some(Value::Number(1.0)));
        assert_eq!(of(&with("size-zero"), VOLUME), Some(Value::Size("0".to_owned())));
        assert_eq!(of(&with("stale:60"), LAST_TIMESTAMP), Some(Value::Text("1795186740".to_owned())));
        assert!(with("missing:all").is_empty());
        let Some(Value::Price(price, _)) = of(&with("nan"), LAST) else { panic!("a price") };
        assert!(price.is_nan());
    }
}
