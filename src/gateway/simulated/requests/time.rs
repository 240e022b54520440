//! The small answers: the gateway's time, its accounts, the next order id.

use bytes::Bytes;

use super::super::fault_kind::FaultKind;
use super::super::frame::frame;
use super::super::messages::{CurrentTime, ManagedAccounts, NextValidId, reply_kind};
use super::Asked;

/// The gateway's time in seconds.
pub(in super::super) fn current_time(asked: &Asked) -> Bytes {
    frame(reply_kind::CURRENT_TIME, &CurrentTime { current_time: Some(asked.now.timestamp() + off_by(asked)) })
}

/// The gateway's time in milliseconds.
pub(in super::super) fn current_time_in_millis(asked: &Asked) -> Bytes {
    let current_time = Some(asked.now.timestamp_millis() + off_by(asked) * 1_000);
    frame(reply_kind::CURRENT_TIME_IN_MILLIS, &CurrentTime { current_time })
}

/// The accounts of the session: one, which tells that the gateway is simulated.
pub(in super::super) fn managed_accounts(account: &str) -> Bytes {
    frame(reply_kind::MANAGED_ACCOUNTS, &ManagedAccounts { accounts_list: Some(account.to_owned()) })
}

/// The first order id; nothing here takes an order.
pub(in super::super) fn next_valid_id() -> Bytes {
    frame(reply_kind::NEXT_VALID_ID, &NextValidId { order_id: Some(1) })
}

fn off_by(asked: &Asked) -> i64 {
    asked.struck.find(|fault| if let FaultKind::ClockOff(seconds) = fault { Some(seconds) } else { None }).unwrap_or(0)
}
