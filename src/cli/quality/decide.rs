//! `jobs quality release` and `jobs quality drop`: what becomes of a row that was kept apart.

use clap::Args;

use crate::calendar::{Slot, parse_instant};
use crate::clock::{Clock, SystemClock};
use crate::job::{Failure, JobError};
use crate::lake::{AsOf, KeyRange, Lake, QuarantinedRow};
use crate::market::Symbol;
use crate::telemetry;

use super::super::block_on;
use super::super::existing_lake::check_exists;
use super::super::output::{eastern, print_line, utc};
use super::super::settings::Globals;

#[derive(Debug, Args)]
pub(in super::super) struct DecideArgs {
    /// Whose row.
    symbol: Symbol,
    /// Its slot: New York time, or RFC 3339 with an offset.
    time: String,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Into its table.
    Release,
    /// It is not wanted.
    Drop,
}

/// Decides.
pub(super) fn decide(globals: &Globals, args: &DecideArgs, verdict: Verdict) -> Result<u8, JobError> {
    let loaded = globals.load(Vec::new())?;
    let config = &loaded.config;
    telemetry::start_on_stderr(globals.verbosity());
    let slot = Slot::at(parse_instant(&args.time)?)?;
    let range = KeyRange { symbols: vec![args.symbol.clone()], from: slot.instant(), to: slot.instant() };
    block_on(async {
        let lake = Lake::open(&config.lake, config.gateway.kind)?;
        check_exists(&lake, &loaded)?;
        let row = lake.quarantined(&range, &AsOf::Latest).await?.into_iter().next();
        let waits = |row: &QuarantinedRow| row.decided.is_none();
        let row = match row {
            Some(row) if waits(&row) => row,
            other => {
                let why = other.and_then(|row| row.decided).unwrap_or_else(|| "none was kept apart".to_owned());
                let told = format!("no row of {} at {} waits: {why}", args.symbol, eastern(slot.instant()));
                return Err(JobError::fail(Failure::Usage, told));
            }
        };
        if verdict == Verdict::Release && lake.release(&row).await?.added == 0 {
            let told = format!(
                "{} has a row of {} at {slot} by now: drop this one, or look at both with jobs show",
                row.table, row.symbol
            );
            return Err(JobError::fail(Failure::BadData, told));
        }
        let word = if verdict == Verdict::Release { "released" } else { "dropped" };
        let decided = Some(format!("{word} {}", utc(SystemClock.now())));
        lake.replace_quarantine(&[QuarantinedRow { decided, ..row.clone() }]).await?;
        print_line(&format!("{word}: {} {} of {}", row.symbol, eastern(slot.instant()), row.table))?;
        Ok(0)
    })
}
