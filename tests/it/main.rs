//! The real binary against the real wire protocol and real tables, each test in a folder of its own.

#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that cannot go on must fail")]

mod alert;
mod bad_input;
mod calendar;
mod capture;
mod compaction;
mod defects;
mod demo;
mod doctor;
mod faults;
mod fill;
mod full_disk;
mod gateway;
mod kill;
mod ledger;
mod logs;
mod mail;
mod manual;
mod monitor;
mod mornings;
mod outage;
mod output;
mod pause;
mod places;
mod quality;
mod query;
mod recipients;
mod recorded;
mod recorded_quality;
mod report;
mod schedule;
mod serve;
mod shell;
mod signal;
mod simulate;
mod status;
mod support;
mod table_import;
mod table_restore;
mod table_verify;
mod terminal;
mod thread;
