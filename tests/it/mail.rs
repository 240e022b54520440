//! Mail by the real program: to a mail server of our own on 127.0.0.1, to one with TLS and a login where Python has it,
//! and to files.

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Desk, Ended, ended, text};

#[path = "../../benches/mail_proof/fake_smtp.rs"]
pub(crate) mod fake_smtp;

use fake_smtp::{FakeSmtp, Manner};

/// A desk whose mail goes to a port of this machine in the clear.
fn desk_with(port: u16, to: &str, more: &str) -> Desk {
    let desk = Desk::bare();
    desk.configure(&format!(
        "mail:\n  kind: smtp\n  from: jobs <jobs@example.com>\n  to: [{to}]\n  host_name: desk\n  smtp: {{ host: 127.0.0.1, port: {port}, timeout_seconds: 2, {more} }}\n"
    ));
    desk
}

fn unit_failed(desk: &Desk, unit: &str) -> Ended {
    let mut command = desk.command(&["alert", "unit-failed", unit]);
    command.env("PATH", desk.path()).env("MONITOR_SERVICE_RESULT", "exit-code").env("MONITOR_EXIT_STATUS", "1");
    ended(&mut command)
}

fn mails_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("new")).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("a mail")).collect()
}

#[test]
fn a_failed_unit_is_mailed_once_and_listed() {
    let server = FakeSmtp::start(Manner::Kind);
    let desk = desk_with(server.port, "desk@example.com", "tls: none");
    let told = unit_failed(&desk, "jobs.service").succeeded();
    assert!(told.stdout.contains(&format!("mail: sent to 127.0.0.1:{}", server.port)), "{told:#?}");
    let mail = &server.received()[0];
    assert_eq!(mail.header("Subject"), "[jobs] CRITICAL unit.failed jobs.service");
    assert_eq!(mail.header("Message-ID"), "<jobs.1.1@desk>");
    assert_eq!([mail.header("Importance"), mail.header("Auto-Submitted")], ["high", "auto-generated"]);
    assert_eq!(mail.to, ["desk@example.com"]);
    let again = unit_failed(&desk, "jobs.service").succeeded();
    assert!(again.stdout.contains("mail: none: it was told before"), "{again:#?}");
    assert_eq!(server.received().len(), 1);
    let listed = desk.jobs(&["alert", "list", "--format", "jsonl"]).succeeded().lines();
    assert_eq!(text(&listed[0], "key"), "unit.failed::jobs.service");
    assert_eq!([&listed[0]["num_failures"], &listed[0]["num_mails"]], [2, 1]);
    let shown = desk.jobs(&["alert", "list"]).succeeded().stdout;
    assert!(shown.contains("unit.failed::jobs.service") && shown.contains("mails: 1 sent, 0 waiting"), "{shown}");
}

#[test]
fn what_is_muted_is_counted_and_not_mailed() {
    let server = FakeSmtp::start(Manner::Kind);
    let desk = desk_with(server.port, "desk@example.com", "tls: none");
    let mute = |key: &str| desk.jobs(&["alert", "mute", key, "--for", "2h", "--reason", "maintenance"]);
    let told = mute("unit.failed").succeeded().stdout;
    assert!(told.starts_with("unit.failed is muted until ") && told.contains("maintenance"), "{told}");
    unit_failed(&desk, "jobs.service").succeeded();
    assert_eq!(server.received(), []);
    let listed = desk.jobs(&["alert", "list"]).succeeded().stdout;
    assert!(!listed.contains("zzz"), "{listed}");
    assert!(listed.contains("muted: unit.failed until ") && listed.contains("critical"), "{listed}");
    assert!(mute("1").succeeded().stdout.starts_with("unit.failed::jobs.service is muted"));
    assert_eq!(mute("99").code, 2);
    for (key, meant) in [
        ("unit.faild", "did you mean unit.failed?"),
        ("complete.sesion:futures_snapshots:ES", "did you mean complete.session?"),
        ("complete.session:futures_snapshot", "did you mean futures_snapshots?"),
        ("complete.session:futures_snapshots:RTTY", "did you mean RTY?"),
        ("zzz", "there is no check zzz"),
    ] {
        let refused = mute(key);
        assert!(refused.code == 2 && refused.stderr.contains(meant), "{key}: {refused:#?}");
    }
    mute("complete.session:futures_snapshots:ES").succeeded();
    assert_eq!(desk.jobs(&["alert", "mute", "x", "--for", "soon", "--reason", "y"]).code, 2);
    for key in ["unit.failed", "1"] {
        assert!(desk.jobs(&["alert", "unmute", key]).succeeded().stdout.contains("is told again"));
    }
    unit_failed(&desk, "jobs.service").succeeded();
    let mail = &server.received()[0];
    assert!(mail.text.contains("1 mail held back before"), "{}", mail.text);
}

#[test]
fn a_test_says_exactly_what_is_wrong() {
    let told = |manner, to: &str, more: &str| {
        let server = FakeSmtp::start(manner);
        (desk_with(server.port, to, more).jobs(&["alert", "test"]), server)
    };
    let (sent, server) = told(Manner::Kind, "desk@example.com", "tls: none");
    assert!(sent.succeeded().stdout.contains("a test mail for desk@example.com was taken"));
    assert_eq!(server.received().len(), 1);
    let cases = [
        (Manner::Kind, "grey@example.com", "tls: none", 69, "asks to try again later (451 4.7.1 try again later)"),
        (
            Manner::Kind,
            "reject@example.com",
            "tls: none",
            78,
            "refuses the mail for good (550 5.1.1 no such user): check",
        ),
        (Manner::Mute, "desk@example.com", "tls: none", 69, "gave no answer within 2 s to the greeting"),
        (Manner::Slow, "desk@example.com", "tls: none", 69, "gave no answer within 8 s to the whole mail"),
        (Manner::Mute, "desk@example.com", "tls: required", 69, "set mail.smtp.tls to implicit"),
        (Manner::Kind, "grey@example.com", "tls: none", 69, "a test mail is not kept"),
        (Manner::Kind, "desk@example.com", "tls: implicit", 78, "begins in the clear: set mail.smtp.tls to required"),
        (Manner::Kind, "desk@example.com", "tls: required", 78, "offers no STARTTLS, so nothing was sent"),
        (Manner::Kind, "desk@example.com", "tls: none, username: jobs", 78, "no password for the mail server"),
    ];
    for (manner, to, more, code, words) in cases {
        let (ended, server) = told(manner, to, more);
        assert_eq!(ended.code, code, "{words}: {ended:#?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:#?}");
        assert_eq!(server.received(), []);
        assert!(ended.took < Duration::from_secs(30), "{words}: {:?}", ended.took);
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let dead = desk_with(nobody, "desk@example.com", "tls: none").jobs(&["alert", "test"]);
    assert_eq!(dead.code, 69, "{dead:#?}");
    assert!(dead.stderr.contains("cannot be reached: see whether it is up"), "{dead:#?}");
}

#[test]
fn a_recipient_that_is_refused_keeps_the_others_from_nothing() {
    let server = FakeSmtp::start(Manner::Kind);
    let desk = desk_with(server.port, "reject@example.com, desk@example.com", "tls: none");
    let told = desk.jobs(&["alert", "test"]).succeeded();
    assert!(told.stdout.contains("refused: reject@example.com (550 5.1.1 no such user)"), "{told:#?}");
    assert_eq!(server.received()[0].to, ["desk@example.com"]);
}

#[test]
fn a_server_with_logins_by_oauth_alone_is_named_and_what_to_do() {
    let server = FakeSmtp::start(Manner::OAuth);
    let desk = desk_with(server.port, "desk@example.com", "tls: none, username: jobs, password_file: password");
    let path = desk.path().join("password");
    std::fs::write(&path, "s3cret\n").expect("a file");
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
    let told = desk.jobs(&["alert", "test"]);
    assert_eq!(told.code, 78, "{told:#?}");
    assert!(told.stderr.contains("by OAuth alone (XOAUTH2, OAUTHBEARER)"), "{told:#?}");
    assert_eq!(server.received(), []);
}

#[test]
fn a_recipient_that_is_put_off_keeps_the_others_from_nothing() {
    let server = FakeSmtp::start(Manner::Kind);
    let desk = desk_with(server.port, "grey@example.com, desk@example.com, reject@example.com", "tls: none");
    let told = unit_failed(&desk, "jobs.service").succeeded().stdout;
    assert!(told.contains("mail: sent to 127.0.0.1:") && told.contains("but not to everybody"), "{told}");
    assert_eq!(server.received().iter().map(|mail| mail.to.clone()).collect::<Vec<_>>(), [["desk@example.com"]]);
    let listed = desk.jobs(&["alert", "list"]).succeeded().stdout;
    for part in [
        "mails: 0 sent, 1 waiting, 0 refused, 0 given up",
        "to grey@example.com waits after 1 attempts, again ",
        "to reject@example.com was refused for good ",
        "a mail waits because: the mail server 127.0.0.1:",
        "asks to try again later (451",
        ": 451 4.7.1 try again later",
        ": 550 5.1.1 no such user",
    ] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    let checked = desk.jobs(&["doctor"]).stdout;
    assert!(
        checked.contains("1 mails wait for 127.0.0.1") && checked.contains("1 recipients will not get"),
        "{checked}"
    );
    let test = desk.jobs(&["alert", "test"]).succeeded().stdout;
    assert!(test.contains("put off: grey@example.com (451 4.7.1 try again later): a test mail is not kept"), "{test}");
}

#[test]
fn a_mail_that_does_not_go_is_kept_or_refused_and_the_alert_succeeds() {
    let server = FakeSmtp::start(Manner::Kind);
    for (to, words, state) in [
        ("grey@example.com", "mail: queued: the mail server", "0 sent, 1 waiting, 0 refused"),
        ("reject@example.com", "refuses the mail for good", "0 sent, 0 waiting, 1 refused"),
    ] {
        let desk = desk_with(server.port, to, "tls: none");
        let told = unit_failed(&desk, "jobs@snapshot.service").succeeded();
        assert!(told.stdout.contains(words), "{told:#?}");
        let listed = desk.jobs(&["alert", "list"]).succeeded().stdout;
        assert!(listed.contains(state), "{listed}");
    }
}

#[test]
fn without_a_mail_server_a_mail_is_a_file_that_any_mail_program_reads() {
    let desk = Desk::bare();
    unit_failed(&desk, "jobs\r\nBcc: all@example.com.service").succeeded();
    let mails = mails_in(&desk.path().join("data/mail"));
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    let (headers, body) = mail.split_once("\r\n\r\n").expect("a body");
    assert!(headers.contains("Content-Type: multipart/alternative") && !headers.contains("\nBcc"), "{headers}");
    assert!(body.contains("text/plain") && body.contains("text/html"), "{body}");
}

/// The alert of a daemon that ended because of a faulty configuration still finds the mail server in it.
#[test]
fn a_faulty_configuration_does_not_keep_the_alert_from_being_mailed() {
    let server = FakeSmtp::start(Manner::Kind);
    let desk = desk_with(server.port, "desk@example.com", "tls: none");
    let path = desk.path().join("jobs.yaml");
    let sound = std::fs::read_to_string(&path).expect("a file");
    desk.configure(&format!("gatewy: {{}}\n{sound}"));
    let told = unit_failed(&desk, "jobs.service").succeeded();
    assert!(told.stdout.contains(", without a record"), "{told:#?}");
    assert!(server.received()[0].text.contains("gatewy"), "{:?}", server.received());
    assert!(!desk.path().join("state").exists(), "a folder that nobody named was made");
}

#[test]
fn a_damaged_ledger_does_not_keep_the_alert_from_being_mailed() {
    let server = FakeSmtp::start(Manner::Kind);
    let desk = desk_with(server.port, "desk@example.com", "tls: none");
    std::fs::create_dir(desk.path().join("state")).expect("a folder");
    std::fs::write(desk.path().join("state/jobs.db"), "no database ".repeat(200)).expect("a file");
    let told = unit_failed(&desk, "jobs.service").succeeded();
    assert!(told.stdout.contains(", without a record") && told.stderr.contains("is damaged"), "{told:#?}");
    assert_eq!(server.received().len(), 1);
}

/// The mail server in Python with STARTTLS, TLS and a login; none where Python, its package or the script is missing.
pub(crate) struct Sink {
    child: Child,
    told: Value,
    folder: tempfile::TempDir,
}

impl Sink {
    pub(crate) fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script =
            std::env::var_os("MAILSINK").map_or_else(|| root.join("../shared/tools/mailsink.py"), PathBuf::from);
        let python = python_with_aiosmtpd().filter(|_| script.exists());
        let Some(python) = python else {
            println!("skipped: no mail server with TLS (mailsink.py, and a Python that can have aiosmtpd)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(python);
        command.arg(script).args([
            "--dir",
            "mails",
            "--tls-dir",
            "tls",
            "--make-cert",
            "--port",
            "0",
            "--tls-port",
            "0",
        ]);
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("its ports");
        Some(Self { child, told: serde_json::from_str(&line).expect("JSON"), folder })
    }

    /// Its port with STARTTLS.
    pub(crate) fn port(&self) -> u16 {
        self.port_of("port")
    }

    /// The file of the authority of its certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        PathBuf::from(text(&self.told, "ca"))
    }

    /// The folder in which it keeps each mail as two files, one with what was sent and one with how it came.
    pub(crate) fn mails(&self) -> PathBuf {
        self.folder.path().join("mails")
    }

    fn port_of(&self, name: &str) -> u16 {
        self.told[name].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port")
    }

    /// A desk that sends to it, with this password and these keys.
    fn desk(&self, port: &str, (password, more): (&str, &str)) -> Desk {
        let port = self.port_of(port);
        let desk = desk_with(port, "desk@example.com", &format!("username: jobs, password_file: password, {more}"));
        let path = desk.path().join("password");
        std::fs::write(&path, format!("{password}\n")).expect("a file");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("its mode");
        desk
    }

    fn authority(&self) -> String {
        format!("ca_file: {}", text(&self.told, "ca"))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python of a folder of the system's temporary one, made once, with the package in it.
fn python_with_aiosmtpd() -> Option<PathBuf> {
    let venv = std::env::temp_dir().join("frontmonth-mailsink-venv");
    let python = venv.join("bin/python");
    let has_it = |python: &Path| {
        let asked = Command::new(python).args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    if has_it(&python) {
        return Some(python);
    }
    let succeeds = |command: &mut Command| {
        let run = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    let made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv))
        && succeeds(Command::new(venv.join("bin/pip")).args([
            "install",
            "--timeout",
            "10",
            "--retries",
            "1",
            "aiosmtpd==1.4.6",
        ]));
    (made && has_it(&python)).then_some(python)
}

#[test]
fn tls_and_login_are_as_configured_or_nothing_is_sent() {
    let Some(sink) = Sink::start() else { return };
    let starttls = format!("tls: required, {}", sink.authority());
    let implicit = format!("tls: implicit, {}", sink.authority());
    sink.desk("port", ("s3cret", &starttls)).jobs(&["alert", "test"]).succeeded();
    sink.desk("tls_port", ("s3cret", &implicit)).jobs(&["alert", "test"]).succeeded();
    let kept = |number: u32| {
        let path = sink.folder.path().join(format!("mails/{number:04}.json"));
        serde_json::from_str::<Value>(&std::fs::read_to_string(path).expect("a mail")).expect("JSON")
    };
    assert_eq!([text(&kept(1), "tls"), text(&kept(2), "tls")], ["starttls", "implicit"]);
    assert_eq!(text(&kept(1), "user"), "jobs");
    let cases = [
        ("port", "wrong", starttls.as_str(), "refuses the login of jobs (535"),
        ("port", "s3cret", "tls: required", "give its authority in mail.smtp.ca_file"),
        ("tls_port", "s3cret", "tls: implicit", "give its authority in mail.smtp.ca_file"),
        ("port", "s3cret", implicit.as_str(), "no TLS with the mail server"),
        ("port", "s3cret", implicit.as_str(), "begins in the clear: set mail.smtp.tls to required"),
    ];
    for (port, password, more, words) in cases {
        let ended = sink.desk(port, (password, more)).jobs(&["alert", "test"]);
        assert_eq!(ended.code, 78, "{words}: {ended:#?}");
        assert!(ended.stderr.contains(words), "{words}: {ended:#?}");
        assert!(!ended.stderr.contains("s3cret") && !ended.stderr.contains("wrong:"), "{ended:#?}");
    }
    let silent = sink.desk("tls_port", ("s3cret", &starttls)).jobs(&["alert", "test"]);
    assert_eq!(silent.code, 69, "{silent:#?}");
    assert!(silent.stderr.contains("set mail.smtp.tls to implicit"), "{silent:#?}");
    assert!(!sink.folder.path().join("mails/0003.json").exists(), "something was sent after all");
}
