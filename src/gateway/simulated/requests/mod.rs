//! What the gateway answers, one file for each kind of request: message and state in, frames out.

pub(super) mod contracts;
pub(super) mod history;
pub(super) mod market_data;
pub(super) mod pacing;
pub(super) mod span;
pub(super) mod ticks;
pub(super) mod time;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::fault_book::Struck;
use super::frame::error_frame;

/// One request on its way through the gateway.
#[derive(Debug)]
pub(super) struct Asked {
    /// The id under which it is answered.
    pub(super) reply_id: i32,
    /// Time of the gateway.
    pub(super) now: DateTime<Utc>,
    /// The faults that strike it.
    pub(super) struck: Struck,
}

impl Asked {
    /// An error that ends the request, or a notice that goes with it.
    pub(super) fn error(&self, code: i32, text: &str) -> Bytes {
        error_frame(self.reply_id, code, text, self.now.timestamp_millis())
    }
}

/// No security definition: nothing, or more than one thing, matches.
pub(super) const NO_DEFINITION: (i32, &str) = (200, "No security definition has been found for the request");
