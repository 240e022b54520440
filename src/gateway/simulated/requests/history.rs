//! History: bars, schedules, and the time of the first bar.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::calendar::{Session, to_new_york};
use crate::market::{Bar, Instrument};

use super::super::fault_kind::{FaultKind, HistoryRefusal};
use super::super::frame::frame;
use super::super::hours::Venue;
use super::super::messages::{
    HeadTimestamp, HeadTimestampRequest, HistoricalBar, HistoricalData, HistoricalDataEnd, HistoricalDataRequest,
    HistoricalSchedule, ScheduleSession, reply_kind,
};
use super::super::tape::{intraday, whole};
use super::contracts::Catalogue;
use super::market_data::refusal;
use super::span::{Size, duration, end_at, size, start_at};
use super::{Asked, NO_DEFINITION};

/// Sessions of intraday bars in one answer: two years, so that an answer stays below the largest frame.
const MAX_INTRADAY_SESSIONS: usize = 520;

/// How late history is where its newest minutes are not subscribed.
const DELAY_SECONDS: i64 = 15 * 60;

/// What the bars of a request are made of.
struct Query {
    instrument: Instrument,
    from: DateTime<Utc>,
    end: DateTime<Utc>,
    regular_only: bool,
}

/// Why a request gets an error instead of an answer.
type Refusal = (i32, String);

impl Catalogue {
    /// Answers a request for bars or for a schedule.
    pub(in super::super) fn history(&self, asked: &Asked, request: &HistoricalDataRequest) -> Vec<Bytes> {
        let answer = self.query(asked, request).and_then(|query| match request.what_to_show.as_deref() {
            Some("SCHEDULE") => Ok(vec![self.schedule(asked, &query)]),
            _ => self.bars_answer(asked, request, &query),
        });
        answer.unwrap_or_else(|(code, text)| vec![asked.error(code, &text)])
    }

    /// Answers a request for the time of the first bar.
    pub(in super::super) fn head_timestamp(&self, asked: &Asked, request: &HeadTimestampRequest) -> Vec<Bytes> {
        let found = self.find_one(&request.contract.clone().unwrap_or_default(), asked.now);
        let Some(found) = found else { return vec![asked.error(NO_DEFINITION.0, NO_DEFINITION.1)] };
        if let Some((code, text)) = asked.struck.find(|fault| history_refusal(fault).or_else(|| refusal(fault, ""))) {
            return vec![asked.error(code, &text)];
        }
        let Some(mut head) = self.tape.head(&self.hours, &found.instrument) else {
            return vec![asked.error(162, &query_error("HMDS query returned no data"))];
        };
        if request.use_rth.unwrap_or_default() {
            let sessions =
                self.hours.overlapping(Venue::of(&found.instrument), head, head + chrono::TimeDelta::days(7));
            head =
                sessions.iter().find_map(|s| s.regular.filter(|r| r.close > head)).map_or(head, |r| head.max(r.open));
        }
        let answer = HeadTimestamp { req_id: Some(asked.reply_id), head_timestamp: Some(head.timestamp().to_string()) };
        vec![frame(reply_kind::HEAD_TIMESTAMP, &answer)]
    }

    fn query(&self, asked: &Asked, request: &HistoricalDataRequest) -> Result<Query, Refusal> {
        let invalid = |what: &str| (321, format!("Error validating request.-'bK' : cause - {what}"));
        let found = self.find_one(&request.contract.clone().unwrap_or_default(), asked.now);
        let found = found.ok_or_else(|| (NO_DEFINITION.0, NO_DEFINITION.1.to_owned()))?;
        if let Some(refused) = asked.struck.find(|fault| history_refusal(fault).or_else(|| refusal(fault, ""))) {
            return Err(refused);
        }
        let end_text = request.end_date_time.as_deref().unwrap_or_default();
        if found.continuous && !end_text.is_empty() {
            return Err((10339, "Setting end date/time for continuous future security type is not allowed".to_owned()));
        }
        let end = end_at(end_text, asked.now).ok_or_else(|| invalid("Historical data end date/time is not valid"))?;
        let end = end.min(asked.now);
        let back = duration(request.duration.as_deref().unwrap_or_default());
        let back = back.ok_or_else(|| invalid("Historical data duration is not valid"))?;
        let from = start_at(&self.hours, Venue::of(&found.instrument), end, back);
        Ok(Query { instrument: found.instrument, from, end, regular_only: request.use_rth.unwrap_or_default() })
    }

    fn bars_answer(
        &self,
        asked: &Asked,
        request: &HistoricalDataRequest,
        query: &Query,
    ) -> Result<Vec<Bytes>, Refusal> {
        let setting = request.bar_size_setting.as_deref().unwrap_or_default();
        let invalid = |what: &str| (321, format!("Error validating request.-'bK' : cause - {what}"));
        let size = size(setting).ok_or_else(|| invalid("Historical data bar size setting is invalid"))?;
        let mut bars = self.bars(query, size, asked.now).map_err(invalid)?;
        if asked.struck.has(FaultKind::BarsMissing) {
            bars = bars.into_iter().zip(1..).filter(|(_, number)| number % 7 != 0).map(|(bar, _)| bar).collect();
        }
        if asked.struck.has(FaultKind::HistoryCut) {
            cut(&mut bars, asked.now);
        }
        if let Some(bar) = bars.first_mut().filter(|_| asked.struck.has(FaultKind::Unreadable)) {
            bar.date = Some("yesterday".to_owned());
        }
        if bars.is_empty() {
            return Err((162, query_error("HMDS query returned no data")));
        }
        let bars = frame(reply_kind::HISTORICAL_DATA, &HistoricalData { req_id: Some(asked.reply_id), bars });
        let end = HistoricalDataEnd {
            req_id: Some(asked.reply_id),
            start_date_str: Some(stamp(query.from)),
            end_date_str: Some(stamp(query.end)),
        };
        let end = frame(reply_kind::HISTORICAL_DATA_END, &end);
        let mut frames = if asked.struck.has(FaultKind::MarkerFirst) { vec![end, bars] } else { vec![bars, end] };
        if asked.struck.has(FaultKind::HistoryReconnected) {
            let text = "Historical Market Data Service query message:HMDS server connection was successful.";
            frames.insert(0, asked.error(165, text));
        }
        if asked.struck.has(FaultKind::HistoryCut) {
            let text = "Up-to-the-second historical data requires additional subscription for the API.";
            frames.insert(0, asked.error(2188, text));
        }
        Ok(frames)
    }

    fn bars(&self, query: &Query, size: Size, now: DateTime<Utc>) -> Result<Vec<HistoricalBar>, &'static str> {
        let sessions = self.hours.overlapping(Venue::of(&query.instrument), query.from, query.end);
        if size != Size::Day && sessions.len() > MAX_INTRADAY_SESSIONS {
            return Err("Time length exceeds max. for this bar size");
        }
        let mut bars = Vec::new();
        for session in &sessions {
            let mut fine = self.tape.session_bars(&self.hours, &query.instrument, (session, now));
            if query.regular_only {
                let regular = session.regular;
                fine.retain(|b| regular.is_some_and(|r| r.open <= b.start && b.end <= r.close));
            }
            match size {
                // A day is told as a whole, wherever in it the request begins.
                Size::Day => {
                    bars.extend(
                        whole(&fine).map(|bar| on_the_wire(&bar, session.day.date().format("%Y%m%d").to_string())),
                    );
                }
                Size::Seconds(seconds) => {
                    let regular = session.regular.filter(|_| query.regular_only);
                    let joined = intraday(&fine, seconds, regular.map_or(session.open(), |regular| regular.open));
                    let told = joined.into_iter().filter(|b| b.start >= query.from && b.start < query.end);
                    bars.extend(told.map(|bar| on_the_wire(&bar, bar.start.timestamp().to_string())));
                }
            }
        }
        Ok(bars)
    }

    fn schedule(&self, asked: &Asked, query: &Query) -> Bytes {
        let zone = Venue::of(&query.instrument).zone();
        let local = |at: DateTime<Utc>| Some(at.with_timezone(&zone).format("%Y%m%d-%H:%M:%S").to_string());
        let told = |session: &Session| {
            let whole_session = (session.open(), session.close());
            let (open, close) =
                if query.regular_only { session.regular.map(|r| (r.open, r.close))? } else { whole_session };
            let ref_date = Some(session.day.date().format("%Y%m%d").to_string());
            Some(ScheduleSession { start: local(open), end: local(close), ref_date })
        };
        let sessions: Vec<ScheduleSession> = self
            .hours
            .overlapping(Venue::of(&query.instrument), query.from, query.end)
            .iter()
            .filter_map(told)
            .collect();
        let schedule = HistoricalSchedule {
            req_id: Some(asked.reply_id),
            start: sessions.first().map_or_else(|| local(query.from), |s| s.start.clone()),
            end: sessions.last().map_or_else(|| local(query.end), |s| s.end.clone()),
            time_zone: Some(zone.name().to_owned()),
            sessions,
        };
        frame(reply_kind::HISTORICAL_SCHEDULE, &schedule)
    }
}

fn on_the_wire(bar: &Bar, date: String) -> HistoricalBar {
    let middle = (bar.high + bar.low + bar.close) / 3.0;
    HistoricalBar {
        date: Some(date),
        open: Some(bar.open),
        high: Some(bar.high),
        low: Some(bar.low),
        close: Some(bar.close),
        volume: bar.volume.map(|volume| volume.to_string()),
        wap: Some(format!("{middle:.4}")),
        bar_count: bar.volume.map(|volume| i32::try_from(volume / 3).unwrap_or(i32::MAX).max(1)),
    }
}

/// `YYYYMMDD HH:MM:SS US/Eastern`, as gateways tell the span of an answer.
fn stamp(at: DateTime<Utc>) -> String {
    to_new_york(at).format("%Y%m%d %H:%M:%S US/Eastern").to_string()
}

/// Ends intraday bars where delayed data ends: the last one has five seconds of its five minutes.
fn cut(bars: &mut Vec<HistoricalBar>, now: DateTime<Utc>) {
    let reached = now.timestamp() - DELAY_SECONDS;
    let start = |bar: &HistoricalBar| bar.date.as_ref().and_then(|date| date.parse::<i64>().ok()).unwrap_or_default();
    bars.retain(|bar| start(bar) <= reached);
    if let Some(last) = bars.last_mut() {
        (last.high, last.low, last.close) = (last.open, last.open, last.open);
        last.volume = Some("1".to_owned());
    }
}

fn history_refusal(fault: FaultKind) -> Option<Refusal> {
    let why = match fault {
        FaultKind::History(why) => why,
        FaultKind::HistoryCode(166) => {
            let text =
                "Historical Market Data Service query message:Expired contract violation:contract can not expire.";
            return Some((166, text.to_owned()));
        }
        FaultKind::HistoryCode(code) => return Some((code, "No historical data query found for ticker id".to_owned())),
        _ => return None,
    };
    let text = match why {
        HistoryRefusal::Elsewhere => "Trading TWS session is connected from a different IP address",
        HistoryRefusal::Pacing => PACING_VIOLATION,
        HistoryRefusal::NoData => "HMDS query returned no data",
        HistoryRefusal::Permissions => "No market data permissions for CME FUT",
        HistoryRefusal::Cancelled => "API historical data query cancelled",
    };
    Some((162, query_error(text)))
}

/// The text behind a violation of the pacing rules.
pub(in super::super) const PACING_VIOLATION: &str = "Historical data request pacing violation";

/// A text under code 162.
pub(in super::super) fn query_error(text: &str) -> String {
    format!("Historical Market Data Service error message:{text}")
}
