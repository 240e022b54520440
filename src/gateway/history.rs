//! History: trade bars of one contract, paced, filed under their end, and only such as are over.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ibapi::market_data::TradingHours;
use ibapi::market_data::historical::{self, BarTimestamp, Duration as BarDuration, WhatToShow};

use crate::market::{Bar, BarSize, Instrument};
use crate::telemetry::overhear;

use super::connect::to_utc;
use super::contracts::wire_contract;
use super::ib::IbGateway;
use super::notices::Reported;
use super::upstream::FarmKind;
use super::{BarRequest, Gateway, GatewayError};

/// How late history may be where the newest minutes are not subscribed: twice the delay of the exchanges.
const UNSUBSCRIBED: TimeDelta = TimeDelta::minutes(30);

/// The longest time that one request asks for: of longer ones the gateway gives the newest part.
const LONGEST_DAYS: i64 = 365;

/// Days that a request reaches beyond its first bar, since the gateway counts them back from the end.
const MARGIN_DAYS: i64 = 2;

/// Fetches the bars of a request that are over, in as many requests as their time needs; none where the gateway has no data.
pub(super) async fn bars(gateway: &IbGateway, request: &BarRequest) -> Result<Vec<Bar>, GatewayError> {
    let mut bars = Vec::new();
    for part in parts(request) {
        let _turn = gateway.pacer.turn(&part).await?;
        let now = gateway.now().await?;
        match fetch(gateway, &part, now).await {
            Ok(of_part) => bars.extend(of_part),
            Err(error) if error.is_no_data() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bars)
}

/// Cuts a request into parts that the gateway answers whole, in order of time.
fn parts(request: &BarRequest) -> Vec<BarRequest> {
    let longest = TimeDelta::days(LONGEST_DAYS - MARGIN_DAYS);
    let mut parts = Vec::new();
    let mut after = request.after;
    while request.until - after > longest {
        let until = after + longest;
        parts.push(BarRequest { after, until, ..request.clone() });
        after = until;
    }
    parts.push(BarRequest { after, ..request.clone() });
    parts
}

async fn fetch(gateway: &IbGateway, request: &BarRequest, now: DateTime<Utc>) -> Result<Vec<Bar>, GatewayError> {
    let operation = || format!("history of {}", request.instrument.name());
    let mut contract = wire_contract(&request.instrument);
    contract.include_expired = is_expired(&request.instrument, now);
    let waited = gateway.endpoint.history_timeout;
    let asked = gateway
        .connection
        .client
        .historical_data(&contract, wire_size(request.size))
        .what_to_show(WhatToShow::Trades)
        .trading_hours(trading_hours(&request.instrument))
        .duration(covering(request))
        .ending(to_wire(request.until.min(now)))
        .fetch();
    // The library prints a notice that comes beside the bars, and gives it to nobody.
    let (answered, printed) = overhear(tokio::time::timeout(waited, asked)).await;
    let data = match answered {
        Ok(Ok(data)) => data,
        Ok(Err(ibapi::Error::Timeout)) | Err(_) => {
            return Err(gateway.timed_out(operation(), waited, FarmKind::History));
        }
        Ok(Err(source)) => return Err(gateway.failed(operation(), source, FarmKind::History)),
    };
    let is_cut = printed.iter().filter_map(|line| Reported::parse(line)).any(|notice| notice.cuts_history());
    // A day is told by its date: which of them is over, its session's close says, and who asks knows that.
    let is_over = |bar: &Bar| match request.size {
        BarSize::Day => request.after <= bar.start && bar.start < request.until,
        BarSize::FiveMinutes | BarSize::Hour => request.after < bar.end && bar.end <= request.until && bar.end <= now,
    };
    let mut bars: Vec<Bar> = data.bars.iter().filter_map(|bar| read(bar, request.size)).filter(is_over).collect();
    bars.sort_by_key(|bar| bar.end);
    bars.dedup_by_key(|bar| bar.end);
    if is_cut {
        let newest = data.bars.iter().filter_map(|bar| read(bar, request.size)).map(|bar| bar.end).max();
        leave_out_cut(&mut bars, newest, now);
        let of = request.instrument.name();
        let newest = newest.map(|end| end.to_rfc3339());
        tracing::warn!(
            of,
            newest,
            "history without its newest minutes, which need a further subscription at IBKR: the newest bar is left out where it may be cut"
        );
    }
    Ok(bars)
}

/// Leaves out the newest bar of an answer whose newest minutes are not subscribed: it ends where the subscription does. Only
/// what is older than any delay is whole.
fn leave_out_cut(bars: &mut Vec<Bar>, newest: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    bars.retain(|bar| Some(bar.end) < newest || now - bar.end >= UNSUBSCRIBED);
}

fn is_expired(instrument: &Instrument, now: DateTime<Utc>) -> bool {
    matches!(instrument, Instrument::Future(future) if future.expiry < now.date_naive())
}

/// Futures with their night; ETFs in regular hours, as their slots are.
fn trading_hours(instrument: &Instrument) -> TradingHours {
    match instrument {
        Instrument::Future(_) => TradingHours::Extended,
        Instrument::Etf(_) => TradingHours::Regular,
    }
}

/// The duration to ask for. The gateway counts trading days back from the end, so as many calendar days always cover.
fn covering(request: &BarRequest) -> BarDuration {
    let days = (request.until - request.after).num_days() + MARGIN_DAYS;
    BarDuration::days(i32::try_from(days.clamp(1, LONGEST_DAYS)).unwrap_or(1))
}

fn wire_size(size: BarSize) -> historical::BarSize {
    match size {
        BarSize::FiveMinutes => historical::BarSize::Min5,
        BarSize::Hour => historical::BarSize::Hour,
        BarSize::Day => historical::BarSize::Day,
    }
}

/// The end of a request travels in whole seconds.
fn to_wire(at: DateTime<Utc>) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(at.timestamp()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// Reads a bar; none where its prices are not above 0. Absent numbers travel as 0.
fn read(bar: &historical::Bar, size: BarSize) -> Option<Bar> {
    let start = match bar.date {
        BarTimestamp::DateTime(at) => to_utc(at)?,
        BarTimestamp::Date(day) => {
            let date = NaiveDate::from_ymd_opt(day.year(), u32::from(u8::from(day.month())), u32::from(day.day()))?;
            date.and_hms_opt(0, 0, 0)?.and_utc()
        }
    };
    let prices = [bar.open, bar.high, bar.low, bar.close];
    if !prices.iter().all(|price| price.is_finite() && *price > 0.0) {
        return None;
    }
    let length = size.duration().unwrap_or(TimeDelta::days(1));
    Some(Bar {
        start,
        end: start + length,
        open: bar.open,
        high: bar.high,
        low: bar.low,
        close: bar.close,
        volume: volume(bar.volume),
    })
}

/// A volume of 0 stays 0 in a bar: nothing traded at a new price is a fact, and an unset one cannot be told from it.
#[expect(clippy::cast_possible_truncation, reason = "checked to be a whole number of contracts")]
fn volume(value: f64) -> Option<i64> {
    (value.is_finite() && (0.0..9e15).contains(&value)).then_some(value.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{EtfContract, EtfSpec};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn left(newest: i64, now: i64) -> Vec<i64> {
        let bar =
            |end| Bar { start: at(end - 5), end: at(end), open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: Some(1) };
        let mut bars: Vec<Bar> = [90, 95, 100].map(bar).to_vec();
        leave_out_cut(&mut bars, Some(at(newest)), at(now));
        bars.iter().map(|bar| (bar.end - DateTime::UNIX_EPOCH).num_minutes()).collect()
    }

    #[test]
    fn the_newest_bar_is_left_out_unless_it_is_older_than_any_delay() {
        assert_eq!(left(100, 104), [90, 95]);
        assert_eq!(left(105, 104), [90, 95, 100], "the cut one is not over and was left out before");
        assert_eq!(left(100, 130), [90, 95, 100]);
    }

    fn request(after: &str, until: &str) -> BarRequest {
        let spec = EtfSpec { primary_exchange: "ARCA".to_owned(), tick: 0.01, currency: "USD".to_owned() };
        let instrument = Instrument::Etf(EtfContract { symbol: "SPY".parse().expect("a symbol"), spec });
        let at = |text: &str| text.parse().expect("an instant");
        BarRequest { instrument, after: at(after), until: at(until), size: BarSize::Day }
    }

    #[test]
    fn three_years_are_asked_for_in_parts_that_meet_and_none_is_longer_than_a_year() {
        let whole = request("2023-11-01T00:00:00Z", "2026-11-20T00:00:00Z");
        let parts = parts(&whole);
        assert_eq!(parts.len(), 4);
        assert_eq!((parts[0].after, parts[3].until), (whole.after, whole.until));
        assert!(parts.windows(2).all(|pair| pair[0].until == pair[1].after), "{parts:?}");
        assert!(parts.iter().all(|part| (part.until - part.after).num_days() + MARGIN_DAYS <= LONGEST_DAYS));
    }

    #[test]
    fn a_short_request_stays_one() {
        let short = request("2026-11-01T00:00:00Z", "2026-11-20T00:00:00Z");
        assert_eq!(parts(&short), [short]);
    }
}
