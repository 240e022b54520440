//! Why a slot is where it is, in words: `2026-11-27 13:20 ET (nyse.close 13:00 early close + 20m)`.

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::anchor::{Anchor, Anchored, Point};
use super::duration::signed;
use super::occurrence::{Cause, Occurrence};
use super::schedule::{Rule, Timing};
use crate::calendar::{DayKind, to_new_york};

/// The reason of a slot that the daemon's start gives.
pub(super) const ON_START: &str = "start of the daemon";

impl Occurrence<'_> {
    /// Why the rule comes round just then.
    pub(super) fn reason(&self) -> String {
        match (&self.rule.timing, &self.cause) {
            (Timing::Every { step, during }, _) => {
                let conditions = self.rule.conditions();
                let slot = format!("{} slot of {during}", grid(*step));
                if conditions.is_empty() { slot } else { format!("{slot} ({})", conditions.join(", ")) }
            }
            (Timing::After(job), Cause::After(upstream)) => after(job, &upstream.reason()),
            (Timing::At(anchored), cause) => self.because(anchor(anchored, cause, self.at)),
            (Timing::Cron(line), Cause::Cron { local }) => {
                let is_moved = line.zone().wall_clock(self.at) != *local;
                let told = if is_moved {
                    format!("{line}, {} does not exist", local.format("%H:%M"))
                } else {
                    line.to_string()
                };
                self.because(told)
            }
            _ => eastern(self.at),
        }
    }

    fn because(&self, what: String) -> String {
        let mut parts = vec![what];
        parts.extend(self.rule.conditions());
        format!("{} ({})", eastern(self.at), parts.join(", "))
    }
}

impl Rule {
    /// What narrows it, in words.
    fn conditions(&self) -> Vec<String> {
        let narrowing = self.narrowing.iter().map(ToString::to_string);
        narrowing.chain(self.only_if_open.iter().map(|calendar| format!("{calendar} is open"))).collect()
    }
}

/// The reason of a slot that follows another job's.
pub(super) fn after(job: &str, reason: &str) -> String {
    format!("after {job}: {reason}")
}

/// `2026-11-27 13:20 ET`.
pub(super) fn eastern(at: DateTime<Utc>) -> String {
    let local = to_new_york(at);
    let form = if local.second() == 0 { "%Y-%m-%d %H:%M ET" } else { "%Y-%m-%d %H:%M:%S ET" };
    local.format(form).to_string()
}

/// `nyse.close 13:00 early close + 20m`; the day as well where it is another than the slot's.
fn anchor(anchored: &Anchored, cause: &Cause, slot: DateTime<Utc>) -> String {
    let (anchor_at, remark) = match (&anchored.anchor, cause) {
        (Anchor::Session { point, .. }, Cause::Session { anchor_at, kind, provisional }) => {
            let odd = match (point, kind) {
                (Point::Close, DayKind::EarlyClose) => " early close",
                (Point::Open | Point::Reopen, DayKind::LateOpen) => " late open",
                _ => "",
            };
            (*anchor_at, format!("{odd}{}", if *provisional { " provisional" } else { "" }))
        }
        (Anchor::Expiry { root }, Cause::Contract { anchor_at, month }) => {
            (*anchor_at, format!(" of {}", month.local_symbol(root)))
        }
        (Anchor::Roll { root }, Cause::Contract { anchor_at, month }) => {
            (*anchor_at, format!(" {} to {}", month.local_symbol(root), month.next().local_symbol(root)))
        }
        _ => (slot, String::new()),
    };
    let (at, slot) = (to_new_york(anchor_at), to_new_york(slot));
    let form = if at.date_naive() == slot.date_naive() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let offset = match anchored.offset {
        none if none == TimeDelta::zero() => String::new(),
        offset => format!(" {}", signed(offset)),
    };
    format!("{} {}{remark}{offset}", anchored.anchor, at.format(form))
}

/// `5-minute` or `hourly`.
fn grid(step: TimeDelta) -> String {
    match step.num_minutes() {
        60 => "hourly".to_owned(),
        minutes => format!("{minutes}-minute"),
    }
}
