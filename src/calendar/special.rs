//! Special days: what one day does to the weekly pattern.

use super::DayKind;
use super::pattern::WallSegment;

/// A day that differs from the weekly pattern, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpecialDay {
    pub(super) hours: SpecialHours,
    pub(super) reason: &'static str,
}

/// What a special day does, in minutes of the exchange's wall clock; what is absent stays as the pattern has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpecialHours {
    /// No session.
    Closed,
    /// A session with another open, another close, or both.
    Open { open: Option<i32>, close: Option<i32> },
}

impl SpecialHours {
    /// A session that ends at `minute` and opens as usual.
    pub(super) const fn closes_at(minute: i32) -> Self {
        SpecialHours::Open { open: None, close: Some(minute) }
    }
}

/// The segments of one session on the wall clock, and how they differ from the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DayHours {
    pub(super) segments: Vec<WallSegment>,
    pub(super) kind: DayKind,
}

impl DayHours {
    /// The pattern as it is; none where it has no segment (a weekend).
    pub(super) fn usual(pattern: &[WallSegment]) -> Option<Self> {
        (!pattern.is_empty()).then(|| DayHours { segments: pattern.to_vec(), kind: DayKind::Normal })
    }

    /// The pattern with the special hours put over it; none if the day is closed or no trading time is left.
    ///
    /// The first segment left opens at the special open, the last closes at the special close; halts in between stay.
    pub(super) fn special(pattern: &[WallSegment], hours: SpecialHours) -> Option<Self> {
        let SpecialHours::Open { open, close } = hours else {
            return None;
        };
        let usual = whole(pattern);
        let open = open.or_else(|| usual.map(|usual| usual.open))?;
        let close = close.or_else(|| usual.map(|usual| usual.close))?;
        let whole = WallSegment { open, close };
        (open < close).then(|| DayHours { segments: between(pattern, whole), kind: kind(usual, whole) })
    }

    /// Segments given one by one, in order and at least one.
    pub(super) fn of_segments(pattern: &[WallSegment], segments: Vec<WallSegment>) -> Self {
        let kind = whole(&segments).map_or(DayKind::Normal, |given| kind(whole(pattern), given));
        DayHours { segments, kind }
    }
}

/// From the first open to the last close.
pub(super) fn whole(segments: &[WallSegment]) -> Option<WallSegment> {
    segments.first().zip(segments.last()).map(|(first, last)| WallSegment { open: first.open, close: last.close })
}

/// How a day differs from its pattern, if that has hours.
fn kind(usual: Option<WallSegment>, given: WallSegment) -> DayKind {
    match usual {
        Some(usual) if given.close < usual.close => DayKind::EarlyClose,
        Some(usual) if given.open > usual.open => DayKind::LateOpen,
        _ => DayKind::Normal,
    }
}

/// The segments of the pattern that lie in `window`, stretched or cut to fill it from end to end.
fn between(pattern: &[WallSegment], window: WallSegment) -> Vec<WallSegment> {
    let overlaps = |segment: &&WallSegment| segment.open < window.close && segment.close > window.open;
    let mut segments: Vec<_> = pattern.iter().filter(overlaps).copied().collect();
    if segments.is_empty() {
        segments.push(window);
    }
    if let Some(first) = segments.first_mut() {
        first.open = window.open;
    }
    if let Some(last) = segments.last_mut() {
        last.close = window.close;
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::super::CalendarId;
    use super::super::civil::ymd;
    use super::super::pattern::{hm, weekly_pattern};
    use super::*;

    fn halted() -> &'static [WallSegment] {
        weekly_pattern(CalendarId::CmeEquity, ymd(2020, 12, 24))
    }

    fn hours(open: Option<i32>, close: Option<i32>) -> DayHours {
        DayHours::special(halted(), SpecialHours::Open { open, close }).unwrap()
    }

    #[test]
    fn an_early_close_drops_the_segment_after_the_halt() {
        let early = hours(None, Some(hm(12, 15)));
        assert_eq!(early.segments, [WallSegment { open: -hm(7, 0), close: hm(12, 15) }]);
        assert_eq!(early.kind, DayKind::EarlyClose);
    }

    #[test]
    fn a_late_open_keeps_the_halt() {
        let late = hours(Some(hm(5, 0)), None);
        assert_eq!(late.segments, [WallSegment { open: hm(5, 0), close: hm(15, 15) }, halted()[1]]);
        assert_eq!(late.kind, DayKind::LateOpen);
    }

    #[test]
    fn longer_hours_stretch_the_ends() {
        let long = hours(Some(-hm(8, 0)), Some(hm(16, 30)));
        assert_eq!(long.segments.iter().map(|s| (s.open, s.close)).collect::<Vec<_>>(), [(-480, 915), (930, 990)]);
        assert_eq!(long.kind, DayKind::Normal);
    }

    #[test]
    fn hours_without_a_minute_of_trading_are_no_session() {
        let impossible = SpecialHours::Open { open: Some(600), close: Some(600) };
        assert_eq!(DayHours::special(halted(), impossible), None);
        assert_eq!(DayHours::special(&[], SpecialHours::closes_at(600)), None);
        assert_eq!(DayHours::special(halted(), SpecialHours::Closed), None);
    }
}
