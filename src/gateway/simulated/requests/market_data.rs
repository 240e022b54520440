//! Market data: snapshots, and streams that are told what changed until they are cancelled.

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::market::Instrument;

use super::super::fault_book::Struck;
use super::super::fault_kind::{FaultKind, Field};
use super::super::frame::frame;
use super::super::instrument::tick_of;
use super::super::messages::{MarketDataRequest, MarketDataType, RequestId, TickReqParams, reply_kind};
use super::contracts::Catalogue;
use super::ticks::{Feed, Tick, View, begin_with, in_lots, ticks};
use super::{Asked, NO_DEFINITION};

/// How late delayed data is.
const DELAY_MINUTES: i64 = 15;

/// An open market data line.
#[derive(Debug)]
pub(in super::super) struct Stream {
    /// The id under which ticks are sent.
    pub(in super::super) reply_id: i32,
    instrument: Instrument,
    view: View,
    struck: Struck,
    sent: Vec<Tick>,
}

/// The frames of an answer, and the line it leaves open.
#[derive(Debug, Default)]
pub(in super::super) struct MarketDataAnswer {
    pub(in super::super) frames: Vec<Bytes>,
    pub(in super::super) stream: Option<Stream>,
}

impl Catalogue {
    /// Answers a request for market data of a kind (1 live, 2 frozen, 3 delayed, 4 delayed and frozen).
    pub(in super::super) fn market_data(
        &self,
        asked: &Asked,
        request: &MarketDataRequest,
        kind: i32,
    ) -> MarketDataAnswer {
        let snapshot = request.snapshot.unwrap_or_default();
        let generic = request.generic_tick_list.as_deref().unwrap_or_default();
        let only = |frame| MarketDataAnswer { frames: vec![frame], stream: None };
        if snapshot && !generic.is_empty() {
            let text = "Error validating request.-'bW' : cause - Snapshot market data subscription is not applicable to generic ticks";
            return only(asked.error(321, text));
        }
        let query = request.contract.clone().unwrap_or_default();
        let found = self.find_one(&query, asked.now).filter(|m| !m.continuous);
        let Some(found) = found else { return only(asked.error(NO_DEFINITION.0, NO_DEFINITION.1)) };
        if let Some(text) = asked.struck.find(|fault| refusal(fault, found.instrument.symbol().as_str())) {
            return only(asked.error(text.0, &text.1));
        }
        let wants = |tick: &str| generic.split(',').any(|wanted| wanted.trim() == tick);
        let delayed = asked.struck.has(FaultKind::Delayed);
        let feed = match (delayed, kind == 2 || kind == 4) {
            (false, false) => Feed::Live,
            (false, true) => Feed::Frozen,
            (true, false) => Feed::Delayed,
            (true, true) => Feed::DelayedFrozen,
        };
        let view = View { feed, open_interest: wants("588") && !delayed, implied_vol: wants("106") && !delayed };
        let mut frames = Vec::new();
        if delayed {
            let text = "Requested market data is not subscribed. Displaying delayed market data.";
            frames.push(asked.error(10167, text));
            if !generic.is_empty() {
                frames.push(asked.error(2187, "Generic ticks are not available on delayed market data"));
            }
        }
        let mut stream = Stream {
            reply_id: asked.reply_id,
            instrument: found.instrument,
            view,
            struck: asked.struck.clone(),
            sent: Vec::new(),
        };
        frames.extend(stream.preamble());
        frames.extend(stream.changes(self, asked.now));
        if !snapshot {
            return MarketDataAnswer { frames, stream: Some(stream) };
        }
        if !asked.struck.has(FaultKind::Missing(Field::End)) {
            frames.push(frame(reply_kind::TICK_SNAPSHOT_END, &RequestId { req_id: Some(asked.reply_id) }));
        }
        MarketDataAnswer { frames, stream: None }
    }
}

impl Stream {
    /// The ticks that are not as they were when last sent.
    pub(in super::super) fn changes(&mut self, catalogue: &Catalogue, now: DateTime<Utc>) -> Vec<Bytes> {
        let at = if self.view.feed.is_delayed() { now - TimeDelta::minutes(DELAY_MINUTES) } else { now };
        let quote = catalogue.tape.quote(&catalogue.hours, &self.instrument, at);
        let mut ticks = ticks(&quote, self.view, &self.struck);
        if self.sent.is_empty() {
            self.struck.iter().for_each(|fault| begin_with(&mut ticks, fault));
        }
        if self.struck.has(FaultKind::Lots) && matches!(self.instrument, Instrument::Etf(_)) {
            in_lots(&mut ticks);
        }
        let changed =
            ticks.iter().filter(|tick| !self.sent.contains(tick)).map(|tick| tick.frame(self.reply_id)).collect();
        self.sent = ticks;
        changed
    }

    fn preamble(&self) -> [Bytes; 2] {
        let req_id = Some(self.reply_id);
        let kind = match self.view.feed {
            Feed::Live => 1,
            Feed::Frozen => 2,
            Feed::Delayed => 3,
            Feed::DelayedFrozen => 4,
        };
        let parameters = TickReqParams {
            req_id,
            min_tick: Some(tick_of(&self.instrument).to_string()),
            bbo_exchange: Some("9c0001".to_owned()),
            snapshot_permissions: Some(if self.view.feed.is_delayed() { 0 } else { 3 }),
        };
        [
            frame(reply_kind::MARKET_DATA_TYPE, &MarketDataType { req_id, market_data_type: Some(kind) }),
            frame(reply_kind::TICK_REQ_PARAMS, &parameters),
        ]
    }
}

/// The error or advisory that a fault gives instead of data.
pub(super) fn refusal(fault: FaultKind, symbol: &str) -> Option<(i32, String)> {
    let FaultKind::MarketData(code) = fault else { return None };
    let text = match code {
        321 => "Error validating request.-'bW' : cause - the API interface is currently in Read-Only mode",
        354 => "Requested market data is not subscribed.",
        420 => "Invalid Real-time Query: no market data permissions",
        10089 => {
            "Requested market data requires additional subscription for API. See link in 'Market Data Connections' dialog for more details."
        }
        10168 => "Requested market data is not subscribed. Delayed market data is not enabled.",
        10197 => "No market data during competing live session",
        _ => NO_DEFINITION.1,
    };
    Some((code, if code == 10089 { format!("{text}{symbol}") } else { text.to_owned() }))
}
