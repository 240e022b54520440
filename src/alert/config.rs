//! The configuration sections `mail` (how mails leave) and `alert` (when there is one).

use std::net::IpAddr;
use std::path::PathBuf;

use chrono::TimeDelta;
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};

use crate::gateway::TimeOfDay;

use super::quiet::DailyHours;

/// How mails leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailRoute {
    /// Each is written to a maildir, which any mail program can read.
    File,
    /// They are handed to a mail server.
    Smtp,
    /// They are kept in memory and forgotten.
    Memory,
}

/// How the connection to the mail server is kept private. There is no "if the server offers it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// STARTTLS, or nothing is sent.
    Required,
    /// TLS from the first byte.
    Implicit,
    /// None, to a server on this machine only.
    None,
}

/// The configuration section `mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// `file`, `smtp` or `memory`.
    pub kind: MailRoute,
    /// The maildir of kind `file`.
    pub folder: PathBuf,
    /// Sender, such as `jobs <jobs@example.com>`.
    pub from: Option<String>,
    /// Recipients.
    pub to: Vec<String>,
    /// Name of this machine in Message-IDs and mails. Default: its host name.
    pub host_name: Option<String>,
    /// So long after the first attempt a mail is given up for whoever has not got it.
    pub give_up_after_hours: u32,
    /// The mail server of kind `smtp`.
    pub smtp: SmtpConfig,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            kind: MailRoute::File,
            folder: PathBuf::from("data/mail"),
            from: None,
            to: Vec::new(),
            host_name: None,
            give_up_after_hours: 120,
            smtp: SmtpConfig::default(),
        }
    }
}

/// The configuration section `mail.smtp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpConfig {
    /// Name or address of the server.
    pub host: Option<String>,
    /// Its port. Default: 587, with `tls: implicit` 465, with `tls: none` 25.
    pub port: Option<u16>,
    /// `required`, `implicit` or `none`.
    pub tls: TlsMode,
    /// Name to log in with; none: no login.
    pub username: Option<String>,
    /// File with the password. Default: `smtp-password` in the folder of systemd's credentials.
    pub password_file: Option<PathBuf>,
    /// File with one more authority (PEM) whose certificates are trusted.
    pub ca_file: Option<PathBuf>,
    /// Bound of each step of the talk with the server.
    pub timeout_seconds: u64,
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            tls: TlsMode::Required,
            username: None,
            password_file: None,
            ca_file: None,
            timeout_seconds: 15,
        }
    }
}

impl MailConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.folder.as_os_str().is_empty() {
            faults.push("mail.folder is empty: give a folder, such as data/mail".to_owned());
        }
        if let Some(from) = self.from.as_deref().filter(|from| from.parse::<Mailbox>().is_err()) {
            faults.push(format!("mail.from {from:?} is no address: write for instance jobs <jobs@example.com>"));
        }
        for to in self.to.iter().filter(|to| to.parse::<Mailbox>().is_err()) {
            faults.push(format!("mail.to {to:?} is no address: write for instance [desk@example.com]"));
        }
        if let Some(name) = self.host_name.as_deref().filter(|name| !is_host_name(name)) {
            faults.push(format!(
                "mail.host_name {name:?} is no name of a machine: give letters, digits, dots and hyphens"
            ));
        }
        if !(1..=720).contains(&self.give_up_after_hours) {
            faults.push(format!("mail.give_up_after_hours is {}: give 1 to 720", self.give_up_after_hours));
        }
        faults.extend(self.smtp.faults());
        if self.kind == MailRoute::Smtp {
            faults.extend(self.missing());
        }
        faults
    }

    /// How long a mail is tried for.
    #[must_use]
    pub fn give_up_after(&self) -> TimeDelta {
        TimeDelta::hours(self.give_up_after_hours.into())
    }

    /// What a mail server cannot do without.
    fn missing(&self) -> Vec<String> {
        let needed = [
            (self.smtp.host.is_none(), "mail.smtp.host", "the mail server, such as smtp.example.com"),
            (self.from.is_none(), "mail.from", "the sender, such as jobs <jobs@example.com>"),
            (self.to.is_empty(), "mail.to", "the recipients, such as [desk@example.com]"),
        ];
        let missing = needed.into_iter().filter(|(is_missing, ..)| *is_missing);
        missing.map(|(_, key, what)| format!("{key} is missing: mail.kind smtp needs {what}")).collect()
    }
}

impl SmtpConfig {
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if let Some(host) = self.host.as_deref().filter(|host| host.is_empty() || !host.chars().all(is_of_host)) {
            faults.push(format!("mail.smtp.host {host:?} is no name or address of a machine"));
        }
        if self.port == Some(0) {
            faults.push("mail.smtp.port is 0: give 587, 465 or 25".to_owned());
        }
        if !(1..=60).contains(&self.timeout_seconds) {
            faults.push(format!("mail.smtp.timeout_seconds is {}: give 1 to 60", self.timeout_seconds));
        }
        if self.tls == TlsMode::None && self.host.as_deref().is_some_and(|host| !is_loopback(host)) {
            faults.push(
                "mail.smtp.tls none sends passwords and mails in the clear: it is for 127.0.0.1, ::1 and localhost; \
                 give required or implicit"
                    .to_owned(),
            );
        }
        if self.username.is_none() && self.password_file.is_some() {
            faults.push("mail.smtp.password_file without mail.smtp.username: give both or neither".to_owned());
        }
        faults
    }

    /// The port, with the default filled in.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            TlsMode::Required => 587,
            TlsMode::Implicit => 465,
            TlsMode::None => 25,
        })
    }
}

/// The configuration section `alert`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertConfig {
    /// An incident that goes on is told again after this time.
    pub repeat_interval_hours: u32,
    /// Passes in a row after which an incident is over.
    pub passes_to_resolve: u32,
    /// A failure so soon after the end is the same incident, which is then said to flap.
    pub flapping_window_minutes: u32,
    /// More mails than this of one run become one.
    pub digest_above: usize,
    /// Most mails in an hour; the rest is summed up when the hour is over.
    pub hourly_cap: usize,
    /// Start of the hours in which warnings wait, New York time.
    pub quiet_from: Option<TimeOfDay>,
    /// End of those hours, New York time.
    pub quiet_until: Option<TimeOfDay>,
}

impl Default for AlertConfig {
    fn default() -> Self {
        Self {
            repeat_interval_hours: 4,
            passes_to_resolve: 2,
            flapping_window_minutes: 60,
            digest_above: 5,
            hourly_cap: 20,
            quiet_from: None,
            quiet_until: None,
        }
    }
}

impl AlertConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let bounds = [
            ("repeat_interval_hours", self.repeat_interval_hours, 168),
            ("passes_to_resolve", self.passes_to_resolve, 100),
            ("flapping_window_minutes", self.flapping_window_minutes, 1_440),
            ("digest_above", count(self.digest_above), 100),
            ("hourly_cap", count(self.hourly_cap), 1_000),
        ];
        let outside = bounds.into_iter().filter(|(_, value, most)| *value == 0 || value > most);
        let mut faults: Vec<String> =
            outside.map(|(key, value, most)| format!("alert.{key} is {value}: give 1 to {most}")).collect();
        if self.quiet_from.is_some() != self.quiet_until.is_some() {
            faults.push("alert.quiet_from and alert.quiet_until go together: give both or neither".to_owned());
        }
        faults
    }

    /// The hours in which warnings wait.
    #[must_use]
    pub fn quiet_hours(&self) -> Option<DailyHours> {
        Some(DailyHours { from: self.quiet_from?.0, until: self.quiet_until?.0 })
    }

    /// After which an incident that goes on is told again.
    #[must_use]
    pub fn repeat_interval(&self) -> TimeDelta {
        TimeDelta::hours(self.repeat_interval_hours.into())
    }

    /// How soon after the end a failure is the same incident.
    #[must_use]
    pub fn flapping_window(&self) -> TimeDelta {
        TimeDelta::minutes(self.flapping_window_minutes.into())
    }
}

/// Whether a name may stand in a Message-ID and in a header.
pub(super) fn is_host_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    !name.is_empty() && name.len() <= 253 && name.chars().all(is_plain) && !name.starts_with(['.', '-'])
}

fn is_of_host(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_')
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smtp() -> MailConfig {
        MailConfig {
            kind: MailRoute::Smtp,
            from: Some("jobs <jobs@example.com>".to_owned()),
            to: vec!["desk@example.com".to_owned()],
            smtp: SmtpConfig { host: Some("smtp.example.com".to_owned()), ..SmtpConfig::default() },
            ..MailConfig::default()
        }
    }

    #[test]
    fn the_defaults_are_sound_and_so_is_a_mail_server() {
        assert_eq!(MailConfig::default().faults(), [""; 0]);
        assert_eq!(AlertConfig::default().faults(), [""; 0]);
        assert_eq!(smtp().faults(), [""; 0]);
        assert_eq!([TlsMode::Required, TlsMode::Implicit, TlsMode::None].map(port_of), [587, 465, 25]);
    }

    fn port_of(tls: TlsMode) -> u16 {
        SmtpConfig { tls, ..SmtpConfig::default() }.port()
    }

    #[test]
    fn every_fault_of_a_mail_server_comes_at_once() {
        let config = MailConfig {
            kind: MailRoute::Smtp,
            from: Some("nobody\r\nBcc: all@example.com".to_owned()),
            host_name: Some("a b".to_owned()),
            give_up_after_hours: 0,
            smtp: SmtpConfig { port: Some(0), timeout_seconds: 0, ..SmtpConfig::default() },
            ..MailConfig::default()
        };
        let told = config.faults().join("\n");
        for key in [
            "mail.from \"nobody\\r\\n",
            "mail.host_name",
            "mail.give_up_after_hours",
            "mail.smtp.port",
            "mail.smtp.timeout",
            "mail.smtp.host is missing",
            "mail.to is missing",
        ] {
            assert!(told.contains(key), "{key} in {told}");
        }
    }

    #[test]
    fn nothing_is_sent_in_the_clear_but_on_this_machine() {
        let faults = |host: &str| {
            let mut config = smtp();
            config.smtp = SmtpConfig { host: Some(host.to_owned()), tls: TlsMode::None, ..config.smtp };
            config.faults()
        };
        for host in ["127.0.0.1", "127.0.0.53", "::1", "localhost"] {
            assert_eq!(faults(host), [""; 0], "{host}");
        }
        for host in ["10.0.0.1", "smtp.example.com", "localhost.example.com", "127.0.0.1.example.com"] {
            assert!(faults(host).join("").contains("in the clear"), "{host}");
        }
    }

    #[test]
    fn bounds_of_alerts_bind() {
        let config = AlertConfig { hourly_cap: 0, passes_to_resolve: 1_000, ..AlertConfig::default() };
        assert_eq!(config.faults().len(), 2, "{:?}", config.faults());
        let half = AlertConfig { quiet_from: "22:00".parse().ok(), ..AlertConfig::default() };
        assert!(half.faults().join("").contains("go together"));
    }
}
