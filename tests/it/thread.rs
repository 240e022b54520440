//! The mails of an incident as a person gets them: one thread that says all there is, over TLS with a login, whatever
//! becomes of the mail server in between. Python's own library reads them, which shares nothing with the program.

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use frontmonth::alert::{Delivery, Looker, MailConfig, MailRoute, Reach, SendErrorClass, SmtpConfig, TlsMode};
use frontmonth::calendar::Slot;
use frontmonth::clock::{ManualClock, SharedClock};
use frontmonth::config::Config;
use frontmonth::job::{Looked, alerts, calendars, outbox, seen_by_checks};
use frontmonth::market::Source;
use frontmonth::quality::{Action, CheckRun, FUTURES_TABLE, Finding, Row, Severity, Status};
use frontmonth::state::{IncidentKey, Ledger};
use serde_json::Value;
use tempfile::TempDir;

use crate::mail::Sink;
use crate::support::text;

/// When the checks look first: half an hour after the close of NYSE, 16:30 in New York.
const FOUND: &str = "2026-11-18T21:30:00Z";

/// The run that looks.
const RUN_ID: &str = "5f0c1e9a7b21";

/// How long one round of sending may take: far more than it does.
const PATIENCE: Duration = Duration::from_secs(30);

const SUBJECT: &str = "[jobs] ERROR complete.session ES";

const MUTE: &str = "jobs alert mute complete.session:futures_snapshots:ES --for 2h --reason \"I know\"";

/// Above this mail programs cut a page off.
const MAX_HTML_BYTES: u64 = 102 << 10;

/// What the text of every mail about a failure has to say, as lines or parts of them.
const SAID: [&str; 18] = [
    "Check:        complete.session",
    "Table:        futures_snapshots",
    "Subject:      ES",
    "Session:      2026-11-16 to 2026-11-18",
    "Window:       Mon 2026-11-16 11:05 ET (16:05 UTC) to Wed 2026-11-18 11:20 ET (16:20 UTC)",
    "Observed:     4 of 276 slots missing",
    "Expected:     every slot of the session is there",
    "Threshold:    below 3 missing slots",
    "Bad rows:     12 of 828 (1.4%)",
    "Since:        Wed 2026-11-18 16:30 ET (21:30 UTC), ",
    "Held jobs:    signals, rules",
    "Done:         the finding stands in quality_findings",
    "2026-11-17T16:05:00Z  error     4 of 276 slots missing  2026-11-17T16:05:00Z to 2026-11-17T16:20:00Z",
    "Chart: ES last, around complete.session ES; 1 value missing",
    "Run:          5f0c1e9a7b21 of quality, slot Wed 2026-11-18 16:30 ET (21:30 UTC)",
    "Host:         desk, version ",
    "  jobs run backfill --from 2026-11-16 --to 2026-11-18 --symbols ES",
    "  jobs logs quality -n 50",
];

/// What the page says of it too.
const SHOWN: [&str; 6] = [
    "4 of 276 slots missing",
    "Mon 2026-11-16 11:05 ET (16:05 UTC) to Wed 2026-11-18 11:20 ET (16:20 UTC)",
    "signals, rules",
    "2026-11-17T16:05:00Z to 2026-11-17T16:20:00Z",
    "5f0c1e9a7b21 of quality",
    "jobs run backfill",
];

/// Reads mails and tells each as one line of JSON: headers, parts, and whatever is wrong with its form.
const READER: &str = r#"
import email, json, sys
from email import policy

def part(of):
    told = {"type": of.get_content_type(), "cid": str(of["Content-ID"] or "")}
    if of.is_multipart():
        return dict(told, parts=[part(one) for one in of.iter_parts()])
    body = of.get_payload(decode=True)
    text = of.get_content() if of.get_content_maintype() == "text" else ""
    return dict(told, bytes=len(body), begins=body[:8].hex(), text=text)

for path in sys.argv[1:]:
    with open(path, "rb") as file:
        mail = email.message_from_binary_file(file, policy=policy.default)
    print(json.dumps({
        "headers": {name: str(value) for name, value in mail.items()},
        "body": part(mail),
        "defects": [str(defect) for one in mail.walk() for defect in one.defects],
    }))
"#;

/// A ledger with its incidents, and a password for the mail server.
struct Post {
    folder: TempDir,
    ledger: Ledger,
}

impl Post {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let password = folder.path().join("password");
        std::fs::write(&password, "s3cret\n").expect("a file");
        std::fs::set_permissions(&password, Permissions::from_mode(0o600)).expect("its mode");
        let ledger = Ledger::open(&folder.path().join("jobs.db")).expect("a ledger");
        Self { folder, ledger }
    }

    /// The configuration whose mails go to a port of this machine, as the sink wants them.
    fn config(&self, sink: &Sink, port: u16) -> Config {
        let smtp = SmtpConfig {
            host: Some("127.0.0.1".to_owned()),
            port: Some(port),
            tls: TlsMode::Required,
            username: Some("jobs".to_owned()),
            password_file: Some(self.folder.path().join("password")),
            ca_file: Some(sink.ca_file()),
            timeout_seconds: 5,
        };
        let mail = MailConfig {
            kind: MailRoute::Smtp,
            from: Some("jobs <jobs@example.com>".to_owned()),
            to: vec!["desk@example.com".to_owned()],
            host_name: Some("desk".to_owned()),
            smtp,
            ..MailConfig::default()
        };
        Config { mail, ..Config::default() }
    }

    /// Takes in what a check came to; gives the number of mails that were queued.
    fn sees(&self, config: &Config, run: &CheckRun, now: DateTime<Utc>) -> usize {
        let open = self.ledger.open_incidents().expect("readable");
        let open: Vec<IncidentKey> = open.into_iter().map(|incident| incident.key).collect();
        let (calendars, rows) = (calendars(config).expect("calendars"), prices());
        let all = Looked { runs: slice::from_ref(run), rows: &rows, calendars: &calendars };
        let seen = seen_by_checks(all, &open, Reach::Mail);
        let looker = Looker { job: "quality".to_owned(), run_id: RUN_ID.to_owned(), slot: instant(FOUND) };
        alerts(config, self.ledger.clone()).observe(&looker, &seen, now).expect("noted")
    }

    /// Sends what is due.
    fn sends(&self, config: &Config, now: DateTime<Utc>) -> Delivery {
        let clock: SharedClock = Arc::new(ManualClock::at(now));
        let outbox = outbox(config, self.ledger.clone()).expect("addresses");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(outbox.deliver(&clock, PATIENCE)).expect("the ledger can be written")
    }
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// So many minutes after the checks looked first.
fn later(minutes: i64) -> DateTime<Utc> {
    instant(FOUND) + TimeDelta::minutes(minutes)
}

/// Four slots of a symbol that are missing in a session of November, as the check tells them.
fn gap(symbol: &str, day: &str) -> Finding {
    let slot = |text: &str| Slot::at(instant(text)).expect("a slot");
    Finding {
        check: "complete.session",
        table: FUTURES_TABLE,
        symbol: Some(symbol.parse().expect("a symbol")),
        timestamp: slot(&format!("2026-11-{day}T16:05:00Z")),
        until: slot(&format!("2026-11-{day}T16:20:00Z")),
        num_bad: 4,
        run_slot: slot(FOUND),
        severity: Severity::Error,
        observed: "4 of 276 slots missing".to_owned(),
        threshold: "every slot of the session is there (below 3 missing slots)".to_owned(),
        action: Action::Block,
        detail: format!("2026-11-{day}T16:05:00Z to 2026-11-{day}T16:20:00Z"),
    }
}

/// What the check comes to while slots of three sessions are missing, of these symbols.
fn gaps(symbols: &[&str]) -> CheckRun {
    let of_symbol = |symbol: &&str| ["16", "17", "18"].map(|day| gap(symbol, day));
    let findings = symbols.iter().flat_map(of_symbol).collect();
    CheckRun { check: "complete.session", status: Status::Fail, looked_at: 828, findings, reason: None }
}

/// What it comes to when nothing is missing any more.
fn whole() -> CheckRun {
    CheckRun { check: "complete.session", status: Status::Pass, looked_at: 828, findings: Vec::new(), reason: None }
}

/// Prices of ES around the gap of the last session, one of them unknown.
fn prices() -> Vec<Row> {
    let start = instant("2026-11-18T12:00:00Z");
    let row = |number: i32| Row {
        table: FUTURES_TABLE,
        symbol: "ES".parse().expect("a symbol"),
        at: start + TimeDelta::minutes(5) * number,
        bid: None,
        ask: None,
        last: (number != 60).then(|| 6_000.0 + f64::from(number % 7)),
        volume: None,
        open_interest: None,
        implied_vol: None,
        date: None,
        contract: Some("ESZ6".to_owned()),
        con_id: None,
        source: Source::Backfill,
        captured_at: start,
    };
    (0..100).map(row).collect()
}

/// The files of a kind that the sink has kept, in the order in which the mails came.
fn kept(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|found| found == ending)).collect();
    paths.sort();
    paths
}

/// The mails that the sink has kept, as Python reads them; there must be nothing wrong with their form.
fn read(sink: &Sink) -> Vec<Value> {
    let output = Command::new("python3").args(["-c", READER]).args(kept(&sink.mails(), "eml")).output();
    let output = output.expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let mails: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    for mail in &mails {
        assert_eq!(mail["defects"], Value::Array(Vec::new()), "{}", mail["headers"]);
    }
    mails
}

fn header(mail: &Value, name: &str) -> String {
    text(&mail["headers"], name)
}

fn ids(mails: &[Value]) -> Vec<String> {
    mails.iter().map(|mail| header(mail, "Message-ID")).collect()
}

/// The kinds of the parts of a mail, with what stands in what.
fn form(part: &Value) -> String {
    let own = text(part, "type");
    match part["parts"].as_array() {
        Some(parts) => format!("{own}({})", parts.iter().map(form).collect::<Vec<_>>().join(", ")),
        None => own,
    }
}

/// Checks the form of a mail with a chart, and gives its text and its page.
fn opened(mail: &Value) -> (String, String) {
    let body = &mail["body"];
    assert_eq!(form(body), "multipart/alternative(text/plain, multipart/related(text/html, image/png))");
    let related = &body["parts"][1]["parts"];
    let (page, picture) = (&related[0], &related[1]);
    assert!(page["bytes"].as_u64().is_some_and(|bytes| bytes < MAX_HTML_BYTES), "{} bytes", page["bytes"]);
    assert_eq!([text(picture, "cid"), text(picture, "begins")], ["<chart>", "89504e470d0a1a0a"], "a PNG by its name");
    let html = text(page, "text");
    assert!(html.contains("src=\"cid:chart\""), "the page shows it: {html}");
    (text(&body["parts"][0], "text"), html)
}

/// A port that refuses: it was bound and let go, and nobody else is likely to take it at once.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A relay before the sink, which loses the answer to the first mail that the sink has kept; gives its port.
fn losing_relay(sink: &Sink) -> u16 {
    let (server_port, mails) = (sink.port(), sink.mails());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let loses = Arc::new(AtomicBool::new(true));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) else { return };
            let (from_client, to_server) = (client.try_clone().expect("cloned"), server.try_clone().expect("cloned"));
            let (mails, loses) = (mails.clone(), loses.clone());
            // The sink answers to a mail only after its files are there, and before that the relay has nothing to lose.
            let is_lost = move || !kept(&mails, "json").is_empty() && loses.swap(false, Ordering::SeqCst);
            // Either side may go away at any time: that is what a relay is for.
            thread::spawn(move || drop(io::copy(&mut &from_client, &mut &to_server)));
            thread::spawn(move || drop(pass_on(&server, &client, is_lost)));
        }
    });
    port
}

/// Passes the server's words on to the client, until one of them leaves or a word is to be lost.
fn pass_on(mut server: &TcpStream, mut client: &TcpStream, is_lost: impl Fn() -> bool) -> io::Result<()> {
    let mut words = [0; 4_096];
    loop {
        let length = server.read(&mut words)?;
        if length == 0 || is_lost() {
            client.shutdown(Shutdown::Both)?;
            return server.shutdown(Shutdown::Both);
        }
        client.write_all(&words[..length])?;
    }
}

#[test]
fn a_failure_its_reminder_and_its_end_are_one_thread_that_says_all_there_is() {
    let Some(sink) = Sink::start() else { return };
    let post = Post::new();
    let config = post.config(&sink, sink.port());
    let story = [(0, gaps(&["ES"]), 1), (4, gaps(&["ES"]), 1), (8, whole(), 0), (9, whole(), 1)];
    for (hours, run, num_mails) in story {
        let now = later(60 * hours);
        assert_eq!(post.sees(&config, &run, now), num_mails, "after {hours} h");
        let delivery = post.sends(&config, now);
        assert_eq!((delivery.num_sent, delivery.failure), (u32::from(num_mails > 0), None), "after {hours} h");
    }
    let mails = read(&sink);
    let [first, reminder, end] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_is_one_thread(first, reminder, end);
    for path in kept(&sink.mails(), "json") {
        let facts: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON");
        assert_eq!([text(&facts, "tls"), text(&facts, "user")], ["starttls", "jobs"]);
    }
    for mail in [first, reminder] {
        let (told, html) = opened(mail);
        for part in SAID.into_iter().chain([MUTE]) {
            assert!(told.contains(part), "{part} in\n{told}");
        }
        for part in SHOWN {
            assert!(html.contains(part), "{part} in\n{html}");
        }
    }
    let heads = |mail: &Value| opened(mail).0.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(heads(first), ["NEW · ERROR · complete.session ES", "It failed: 4 of 276 slots missing"]);
    let still = "It still fails after 4 h, 2 failures: 4 of 276 slots missing";
    assert_eq!(heads(reminder), ["STILL FAILING · ERROR · complete.session ES", still]);
    assert_eq!(heads(end), ["RESOLVED · ERROR · complete.session ES", "RESOLVED after 9 h, 2 failures"]);
    assert!(!opened(end).0.contains("jobs alert mute complete.session"), "there is nothing to mute any more");
}

fn assert_is_one_thread(first: &Value, reminder: &Value, end: &Value) {
    let mails = [first, reminder, end];
    assert_eq!(mails.map(|mail| header(mail, "Message-ID")), [1, 2, 3].map(|n| format!("<jobs.1.{n}@desk>")));
    assert!(first["headers"]["In-Reply-To"].is_null() && first["headers"]["References"].is_null(), "{first}");
    let follows = |mail| [header(mail, "In-Reply-To"), header(mail, "References")];
    assert_eq!(follows(reminder), ["<jobs.1.1@desk>", "<jobs.1.1@desk>"]);
    assert_eq!(follows(end), ["<jobs.1.1@desk>", "<jobs.1.1@desk> <jobs.1.2@desk>"]);
    let again = format!("Re: {SUBJECT}");
    assert_eq!(mails.map(|mail| header(mail, "Subject")), [SUBJECT, again.as_str(), again.as_str()]);
    assert_eq!(mails.map(|mail| header(mail, "X-Jobs-State")), ["new", "still failing", "resolved"]);
    for mail in mails {
        let own = ["From", "Reply-To", "To", "Auto-Submitted", "List-Id", "X-Jobs-Incident", "X-Jobs-Run-Id"];
        let address = "jobs <jobs@example.com>";
        let expected = [address, address, "desk@example.com", "auto-generated", "<alerts.jobs.desk>", "1", RUN_ID];
        assert_eq!(own.map(|name| header(mail, name)), expected);
    }
}

#[test]
fn a_mail_server_that_is_down_for_hours_loses_nothing_and_gets_nothing_twice() {
    let Some(sink) = Sink::start() else { return };
    let post = Post::new();
    let down = post.config(&sink, closed_port());
    let both = ["ES", "NQ"];
    let mut num_failures = 0;
    for minutes in (0..=350).step_by(10) {
        let seen = match minutes {
            0 => Some(gaps(&["ES"])),
            60 | 240 => Some(gaps(&both)),
            300 | 350 => Some(whole()),
            _ => None,
        };
        if let Some(run) = seen {
            post.sees(&down, &run, later(minutes));
        }
        let delivery = post.sends(&down, later(minutes));
        assert_eq!((delivery.num_sent, delivery.num_refused), (0, 0), "after {minutes} min: {delivery:?}");
        if let Some((class, error)) = delivery.failure {
            assert_eq!(class, SendErrorClass::Unavailable, "{error}");
            num_failures += 1;
        }
    }
    println!("{num_failures} attempts met a closed port");
    assert!(num_failures >= 8, "{num_failures} attempts");
    // Each as it was told: both begin, ES goes on, both end.
    let told = ["<jobs.1.1@desk>", "<jobs.2.1@desk>", "<jobs.1.2@desk>", "<jobs.1.3@desk>", "<jobs.2.2@desk>"];
    let waiting = post.ledger.queued_mails().expect("readable");
    assert_eq!(waiting.iter().map(|mail| mail.message_id.as_str()).collect::<Vec<_>>(), told);
    // The longest pause between two attempts is an hour, so that everything is due an hour later.
    let up = post.config(&sink, sink.port());
    assert_eq!(post.sends(&up, later(410)), Delivery { num_sent: 5, ..Delivery::default() });
    assert_eq!(post.sends(&up, later(2_000)), Delivery::default(), "nothing is left");
    let mails = read(&sink);
    assert_eq!(ids(&mails), told);
    assert_eq!(header(&mails[0], "Date"), "Wed, 18 Nov 2026 21:30:00 +0000", "of when it was seen");
}

#[test]
fn a_mail_whose_answer_was_lost_goes_again_as_the_same_mail() {
    let Some(sink) = Sink::start() else { return };
    let post = Post::new();
    let config = post.config(&sink, losing_relay(&sink));
    assert_eq!(post.sees(&config, &gaps(&["ES"]), later(0)), 1);
    let lost = post.sends(&config, later(0));
    assert_eq!((lost.num_sent, lost.num_later), (0, 1), "{lost:?}");
    assert_eq!(kept(&sink.mails(), "eml").len(), 1, "the server has it, and the program cannot know");
    assert_eq!(post.sends(&config, later(1)), Delivery { num_sent: 1, ..Delivery::default() });
    assert_eq!(post.sends(&config, later(2_000)), Delivery::default(), "the answer came");
    let copies: Vec<Vec<u8>> =
        kept(&sink.mails(), "eml").iter().map(|path| std::fs::read(path).expect("a mail")).collect();
    assert_eq!(copies.len(), 2);
    assert!(copies[0] == copies[1], "another mail under the same name");
    assert_eq!(ids(&read(&sink)), ["<jobs.1.1@desk>"; 2], "which a mail program shows once");
}
