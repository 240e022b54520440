//! `jobs quality checks`: every check, its bounds, and what the last look came to.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Value as Json, json};

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::job::JobError;
use crate::quality::{CheckSpec, all};
use crate::state::{CheckMark, Ledger, MARKS_KEPT_DAYS};
use crate::telemetry;

use super::super::output::{eastern, plain_table, print_documents, print_text, utc};
use super::super::settings::{Format, Globals};

/// Lists them.
pub(super) fn checks(globals: &Globals) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let marks = last_marks(&config)?;
    if globals.format != Format::Text {
        let documents = all().into_iter().map(|spec| document(spec, &config, marks.get(spec.id)));
        print_documents(documents.collect(), globals.format)?;
        return Ok(0);
    }
    let mut table = plain_table();
    table.set_header(["check", "holds where", "warn from", "fail from", "unit", "does", "last", "at"]);
    for spec in all() {
        let Some(settings) = config.quality.check(spec.id) else { continue };
        let step = |step: Option<f64>| step.map_or_else(|| "-".to_owned(), |step| step.to_string());
        let does = if settings.enabled { settings.action.to_string() } else { "off".to_owned() };
        let mark = marks.get(spec.id);
        table.add_row([
            spec.id.to_owned(),
            spec.title.to_owned(),
            step(settings.warn_if),
            step(settings.error_if),
            spec.unit.to_owned(),
            does,
            mark.map_or_else(|| "never".to_owned(), |mark| mark.status.as_str().to_owned()),
            mark.map_or_else(String::new, |mark| eastern(mark.looked_at)),
        ]);
    }
    print_text(&table)?;
    Ok(0)
}

/// The newest mark that each check left of itself.
pub(super) fn last_marks(config: &Config) -> Result<BTreeMap<String, CheckMark>, JobError> {
    let since = SystemClock.now() - TimeDelta::days(MARKS_KEPT_DAYS);
    let marks = match Ledger::open_to_read(&config.paths.ledger())? {
        Some(ledger) if ledger.schema_version()? >= 3 => ledger.check_marks(None, since)?,
        _ => Vec::new(),
    };
    let own = marks.into_iter().filter(|mark| mark.table.is_empty() && mark.subject.is_empty());
    // Oldest first, so that the newest stays.
    Ok(own.map(|mark| (mark.check.clone(), mark)).collect())
}

fn document(spec: &CheckSpec, config: &Config, mark: Option<&CheckMark>) -> Json {
    let settings = config.quality.check(spec.id);
    json!({
        "check": spec.id,
        "title": spec.title,
        "unit": spec.unit,
        "warn_if": settings.and_then(|settings| settings.warn_if),
        "error_if": settings.and_then(|settings| settings.error_if),
        "worst": spec.worst.as_str(),
        "action": settings.map(|settings| settings.action.as_str()),
        "enabled": settings.is_some_and(|settings| settings.enabled),
        "reason": spec.reason,
        "last": mark.map(|mark| mark.status.as_str()),
        "last_at": mark.map(|mark| utc(mark.looked_at)),
    })
}
