//! A mail for several recipients of whom one is put off: who has it gets no second copy, and the other gets it or is
//! given up.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use frontmonth::alert::{Delivery, Letter, MailConfig, MailRoute, SmtpConfig, TlsMode};
use frontmonth::clock::{ManualClock, SharedClock};
use frontmonth::config::Config;
use frontmonth::job::outbox;
use frontmonth::state::{Ledger, MailKind, NewMail};

use crate::mail::fake_smtp::{FakeSmtp, Manner};

const PATIENCE: Duration = Duration::from_secs(30);

fn later(minutes: i64) -> DateTime<Utc> {
    "2026-11-18T21:30:00Z".parse::<DateTime<Utc>>().expect("an instant") + TimeDelta::minutes(minutes)
}

fn config(server: &FakeSmtp) -> Config {
    let smtp = SmtpConfig {
        host: Some("127.0.0.1".to_owned()),
        port: Some(server.port),
        tls: TlsMode::None,
        timeout_seconds: 5,
        ..SmtpConfig::default()
    };
    let mail = MailConfig {
        kind: MailRoute::Smtp,
        from: Some("jobs <jobs@example.com>".to_owned()),
        to: ["grey@example.com", "desk@example.com", "desk@example.com"].map(str::to_owned).into(),
        host_name: Some("desk".to_owned()),
        smtp,
        ..MailConfig::default()
    };
    Config { mail, ..Config::default() }
}

/// Queues the mail of this number in one thread.
fn queue(ledger: &Ledger, number: u32, at: DateTime<Utc>) {
    let message_id = format!("<jobs.1.{number}@desk>");
    let letter = Letter {
        message_id: message_id.clone(),
        follows: Vec::new(),
        subject: format!("mail {number}"),
        severity: None,
        written_at: at,
        headers: Vec::new(),
        list: "alerts.jobs.desk".to_owned(),
        text: "text".to_owned(),
        html: "<p>page</p>".to_owned(),
        pictures: Vec::new(),
    };
    let letter = serde_json::to_string(&letter).expect("JSON");
    let mail = NewMail { message_id, kind: MailKind::Alert, thread: "1".to_owned(), letter, not_before: at };
    assert!(ledger.queue_mail(&mail, at).expect("queued"));
}

fn send(ledger: &Ledger, config: &Config, now: DateTime<Utc>) -> Delivery {
    let clock: SharedClock = Arc::new(ManualClock::at(now));
    // A process of its own each time, as far as the outbox can know.
    let outbox = outbox(config, ledger.clone()).expect("addresses");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(outbox.deliver(&clock, PATIENCE)).expect("the ledger can be written")
}

fn arrived(server: &FakeSmtp) -> Vec<(String, String)> {
    let mails = server.received();
    mails.iter().map(|mail| (mail.header("Subject"), mail.to.join(" "))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(subject, to)| ((*subject).to_owned(), (*to).to_owned())).collect()
}

#[test]
fn who_was_put_off_gets_the_mails_later_in_their_order_and_nobody_gets_two() {
    let server = FakeSmtp::start(Manner::Kind);
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(&folder.path().join("jobs.db")).expect("a ledger");
    let config = config(&server);
    queue(&ledger, 1, later(0));
    let first = send(&ledger, &config, later(0));
    assert_eq!((first.num_sent, first.num_later, first.num_in_part), (0, 1, 1), "{first:?}");
    queue(&ledger, 2, later(0));
    send(&ledger, &config, later(0));
    let mut expected = pairs(&[("mail 1", "desk@example.com"), ("mail 2", "desk@example.com")]);
    assert_eq!(arrived(&server), expected, "the second does not wait for the first at another recipient");
    send(&ledger, &config, later(5));
    assert_eq!(arrived(&server), expected, "still put off");
    server.ends_greylist();
    assert_eq!(send(&ledger, &config, later(60)).num_sent, 2);
    expected.extend(pairs(&[("mail 1", "grey@example.com"), ("mail 2", "grey@example.com")]));
    assert_eq!(arrived(&server), expected);
    assert_eq!(send(&ledger, &config, later(5_000)), Delivery::default());
    assert_eq!(ledger.unreached(later(0)).expect("readable"), []);
    let bytes = server.received();
    assert_eq!(bytes[0].text, bytes[2].text, "the same mail");
}

#[test]
fn who_is_put_off_for_the_whole_time_is_given_up_and_that_is_written_down() {
    let server = FakeSmtp::start(Manner::Kind);
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(&folder.path().join("jobs.db")).expect("a ledger");
    let config = config(&server);
    queue(&ledger, 1, later(0));
    for hours in 0..119 {
        send(&ledger, &config, later(hours * 60));
    }
    assert_eq!(ledger.mail_counts().expect("readable").queued, 1);
    for hours in 119..123 {
        send(&ledger, &config, later(hours * 60));
    }
    let counts = ledger.mail_counts().expect("readable");
    assert_eq!((counts.queued, counts.sent, counts.given_up, counts.left_out), (0, 1, 0, 1));
    let left = ledger.unreached(later(0)).expect("readable");
    assert_eq!((left[0].recipient.as_str(), left[0].state.as_str()), ("grey@example.com", "given_up"));
    assert_eq!(arrived(&server), pairs(&[("mail 1", "desk@example.com")]));
}
