//! A process that opens incidents and mails them is killed again and again. What must hold: no incident without its
//! mail, and no mail twice but the one that was in hand at a kill, which is then the same mail, byte by byte.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chrono::TimeDelta;
use frontmonth::alert::{
    AlertConfig, Alerts, Facts, Looker, MailConfig, MailRoute, Mailer, Observation, Origin, Outbox, Policy, SmtpConfig,
    TlsMode,
};
use frontmonth::clock::{Clock, ManualClock, SharedClock, SystemClock};
use frontmonth::state::{IncidentKey, Ledger, MailCounts, Severity};

#[expect(dead_code, reason = "the tests of the program use more of it")]
mod fake_smtp;

use fake_smtp::{FakeSmtp, Manner, Received};

/// Longest time that a process lives after it has begun, in microseconds.
const LONGEST_LIFE_MICROS: u64 = 60_000;

/// Kills so many times unless `--kills N` says otherwise.
pub(crate) fn run(default_kills: u32) -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, ledger, port] = arguments.as_slice()
        && role == "writer"
    {
        write_until_killed(Path::new(ledger), port.parse().expect("a port"));
    }
    let named = arguments.iter().position(|word| word == "--kills").and_then(|at| arguments.get(at + 1));
    let kills = named.map_or(default_kills, |number| number.parse().expect("a number of kills"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("jobs.db");
    let server = FakeSmtp::start(Manner::Kind);
    drop(Ledger::open(&path).expect("made"));
    for number in 0..u64::from(kills) {
        let mut writer = writer(&path, server.port);
        // Spread over the life of a process without any pattern of the loop's own.
        thread::sleep(Duration::from_micros(number.wrapping_mul(7_919_317) % LONGEST_LIFE_MICROS));
        writer.kill().expect("killed");
        writer.wait().expect("its end");
    }
    judge(&path, &server, kills);
    ExitCode::SUCCESS
}

fn writer(ledger: &Path, port: u16) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("writer").arg(ledger).arg(port.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it has begun");
    child
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn origin() -> Origin {
    Origin::here(Some("desk"), &[], &())
}

fn outbox(ledger: &Ledger, port: u16) -> Outbox {
    let smtp = SmtpConfig {
        host: Some("127.0.0.1".to_owned()),
        port: Some(port),
        tls: TlsMode::None,
        timeout_seconds: 5,
        ..SmtpConfig::default()
    };
    let to = vec!["desk@example.com".to_owned()];
    let from = Some("jobs@example.com".to_owned());
    let config = MailConfig { kind: MailRoute::Smtp, from, to, smtp, ..MailConfig::default() };
    Outbox::new(ledger.clone(), Mailer::new(&config, &origin()).expect("addresses"))
}

/// Opens one incident after the other and mails it.
fn write_until_killed(path: &Path, port: u16) -> ! {
    let ledger = Ledger::open(path).expect("opened");
    let policy = Policy { hourly_cap: usize::MAX, ..Policy::new(&AlertConfig::default(), None) };
    let (alerts, outbox) = (Alerts::new(ledger.clone(), policy, origin()), outbox(&ledger, port));
    let clock: SharedClock = Arc::new(SystemClock);
    println!("begun");
    loop {
        let now = clock.now();
        let key = IncidentKey::new("proof", "", &format!("{}-{}", std::process::id(), now.timestamp_micros()));
        let seen = Observation::failed(key, Severity::Error, Facts::default());
        let looker = Looker { job: "proof".to_owned(), run_id: "proof".to_owned(), slot: now };
        alerts.observe(&looker, &[seen], now).expect("noted");
        runtime().block_on(outbox.deliver(&clock, Duration::from_secs(1))).expect("delivered");
    }
}

/// Sends the rest, when all leases have run out, and compares.
fn judge(path: &Path, server: &FakeSmtp, kills: u32) {
    let ledger = Ledger::open(path).expect("opened");
    ledger.integrity_check().expect("sound");
    let waiting = ledger.mail_counts().expect("readable").queued;
    let later: SharedClock = Arc::new(ManualClock::at(SystemClock.now() + TimeDelta::days(1)));
    runtime().block_on(outbox(&ledger, server.port).deliver(&later, Duration::from_mins(5))).expect("delivered");
    let incidents = ledger.open_incidents().expect("readable");
    let mut by_id: BTreeMap<String, Vec<Received>> = BTreeMap::new();
    for mail in server.received() {
        by_id.entry(mail.header("Message-ID")).or_default().push(mail);
    }
    let counts = ledger.mail_counts().expect("readable");
    let sent = u32::try_from(incidents.len()).expect("few");
    assert_eq!(counts, MailCounts { sent, ..MailCounts::default() }, "one mail an incident, and all sent");
    assert_eq!(by_id.len(), incidents.len(), "one Message-ID an incident");
    for incident in &incidents {
        assert!(by_id.contains_key(incident.first_mail.as_deref().expect("told")), "no mail for {incident:?}");
    }
    let mut twice = 0;
    for mails in by_id.values() {
        twice += mails.len() - 1;
        assert!(mails.iter().all(|mail| Some(mail) == mails.first()), "the same Message-ID, another mail: {mails:?}");
    }
    assert!(twice <= kills as usize, "{twice} mails twice after {kills} kills");
    println!(
        "{kills} kills: {} incidents, {} mails received, {twice} of them twice, {waiting} had to wait for the next sender",
        incidents.len(),
        server.received().len()
    );
}
