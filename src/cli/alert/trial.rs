//! `jobs alert test`: one mail by the way that is configured.

use serde_json::json;

use crate::alert::{Looker, Setting, test_letter};
use crate::clock::{Clock, SystemClock};
use crate::job::{JobError, mailer, origin, policy};
use crate::telemetry;

use super::super::block_on;
use super::super::output::{print_document, print_line};
use super::super::settings::{Format, Globals};

/// Sends it.
pub(super) fn send_one(globals: &Globals) -> Result<u8, JobError> {
    let config = globals.load(Vec::new())?.config;
    telemetry::start_on_stderr(globals.verbosity());
    let now = SystemClock.now();
    let (policy, origin) = (policy(&config), origin(&config));
    let looker = Looker { job: "alert".to_owned(), run_id: "test".to_owned(), slot: now };
    let letter = test_letter(Setting { policy: &policy, origin: &origin, looker: &looker, now });
    let mailer = mailer(&config)?;
    let refused = block_on(async { Ok(mailer.send(&letter).await?) })?;
    let destination = mailer.destination();
    if globals.format != Format::Text {
        let document = json!({
            "schema": 1, "sent": true, "destination": destination, "message_id": letter.message_id,
            "recipients": config.mail.to, "refused": refused,
        });
        print_document(&document, globals.format)?;
        return Ok(0);
    }
    print_line(&format!("a test mail for {} was taken by {destination}: {}", origin.recipients, letter.message_id))?;
    refused.iter().try_for_each(|one| print_line(&format!("refused: {one}: check mail.to"))).map(|()| 0)
}
