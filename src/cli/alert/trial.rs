//! `jobs alert test`: one mail by the way that is configured.

use serde_json::json;

use crate::alert::{Looker, SendError, Setting, test_letter};
use crate::clock::{Clock, SystemClock};
use crate::job::{Failure, JobError, mailer, origin, policy};
use crate::state::{Receipt, RecipientState};
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
    let receipts = block_on(async { mailer.send(&letter).await.map_err(untaken) })?;
    let destination = mailer.destination();
    if globals.format != Format::Text {
        let (refused, put_off) =
            (addresses(&receipts, RecipientState::Refused), addresses(&receipts, RecipientState::Queued));
        let document = json!({
            "schema": 1, "sent": true, "destination": destination, "message_id": letter.message_id,
            "recipients": config.mail.to, "refused": refused, "put_off": put_off,
        });
        print_document(&document, globals.format)?;
        return Ok(0);
    }
    print_line(&format!("a test mail for {} was taken by {destination}: {}", origin.recipients, letter.message_id))?;
    let refused = addresses(&receipts, RecipientState::Refused);
    refused.iter().try_for_each(|one| print_line(&format!("refused: {one}: check mail.to")))?;
    let put_off = addresses(&receipts, RecipientState::Queued);
    put_off.iter().try_for_each(|one| print_line(&format!("put off: {one}: {NOT_KEPT}"))).map(|()| 0)
}

/// Unlike an alert a test is not in the outbox.
const NOT_KEPT: &str = "a test mail is not kept and not sent again; run jobs alert test again later";

/// A server that asks to come again gets this mail no more.
fn untaken(error: SendError) -> JobError {
    match &error {
        SendError::Later { .. } => JobError::retry(Failure::Unavailable, format!("{error}: {NOT_KEPT}")),
        _ => error.into(),
    }
}

/// Those that the mail stands so at, with the words of the server.
fn addresses(receipts: &[Receipt], state: RecipientState) -> Vec<String> {
    let told = |one: &Receipt| format!("{} ({})", one.recipient, one.reason.as_deref().unwrap_or_default());
    receipts.iter().filter(|one| one.state == state).map(told).collect()
}
