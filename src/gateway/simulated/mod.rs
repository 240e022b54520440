//! A simulated gateway: a TCP server that speaks the TWS wire protocol of the protobuf era (server versions 213 to 226).
//!
//! The unmodified production client and IBKR's own clients run against it. Market data only: contract details, quotes
//! as snapshot and stream, historical bars and schedules. Prices come from a [`Tape`], time from a [`SimulatedClock`],
//! and what goes wrong from a list of [`Fault`]s. It listens on 127.0.0.1 alone, and its account begins with `SIM`.
//!
//! ```text
//! server ──> connection ──> requests/* ──> tape
//!                │              │
//!            delivery        messages, frame
//! ```

mod clock;
mod config;
mod connection;
mod counts;
mod delivery;
mod fault;
mod fault_book;
mod fault_kind;
mod frame;
mod handshake;
mod hours;
mod instrument;
mod messages;
mod requests;
mod server;
mod tape;

pub use clock::{Now, SimulatedClock};
pub use config::{ACCOUNT_PREFIX, SimulatedConfig};
pub use counts::RequestCounts;
pub use fault::{Fault, FaultError};
pub use fault_kind::{FaultKind, Field, HistoryRefusal, RequestKind, fault_kinds};
pub use server::{SimulatedError, SimulatedGateway};
pub use tape::{RecordedTape, SyntheticTape, Tape, TapeError};
