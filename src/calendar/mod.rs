//! Exchange calendars: when CME equity-index futures and NYSE trade, on which slots, and which contract leads.
//!
//! Pure: no I/O, no clock, nothing of the rest of the crate. An instant is always given, never read. Zones end here: the
//! rest of the crate sees `DateTime<Utc>`, civil dates that name a session, and text for display.
//!
//! The answer to "is it open" comes from three layers, the first that knows the day wins:
//!
//! 1. the operator's overrides ([`DayOverride`]);
//! 2. the tables embedded in the crate (`tables/*.csv`), authoritative inside [`Calendar::coverage`], which list every
//!    special day one by one;
//! 3. the rules (`rules.rs`), from the end of the tables to the end of 2099, marked provisional.
//!
//! A day without an entry follows the weekly pattern of its time (`pattern.rs`). A day before the table is an error.

mod adjacent;
mod civil;
mod day_override;
mod error;
mod exchange;
mod expiry;
mod holiday;
mod id;
mod lookup;
mod month_index;
mod named_zone;
#[cfg(test)]
mod odd_days;
mod overridden;
mod pattern;
mod roll;
mod rules;
mod segment;
mod session;
mod slot;
mod special;
mod table;
mod zone;

pub use day_override::{DayOverride, OverrideProblem, SegmentOverride};
pub use error::CalendarError;
pub use exchange::Calendar;
pub use expiry::ContractMonth;
pub use id::CalendarId;
pub use named_zone::Zone;
pub use roll::{RollRule, lead_month, roll_at, roll_date};
pub use segment::Segment;
pub use session::{DayKind, Session, TradingDay};
pub use slot::{SLOT_MINUTES, Slot};
pub use zone::{chicago, new_york, parse_instant, to_new_york};
