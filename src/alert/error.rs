//! Why a mail did not go, and what a person can do about it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

type Cause = Box<dyn Error + Send + Sync + 'static>;

/// A class of errors that is handled alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorClass {
    /// It may work later: exit code 69.
    Unavailable,
    /// The server will never take this mail.
    Refused,
    /// It works when a person has changed something: exit code 78. The mail waits.
    Misconfigured,
}

/// Why a mail did not go.
#[derive(Debug, Error)]
pub enum SendError {
    /// No connection.
    #[error(
        "the mail server {server} cannot be reached: see whether it is up, and check mail.smtp.host and mail.smtp.port"
    )]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the network said.
        #[source]
        source: Cause,
    },
    /// No answer in time.
    #[error(
        "the mail server {server} gave no answer within {seconds} s to {step}: see whether it is well, or raise mail.smtp.timeout_seconds"
    )]
    Silent {
        /// Host and port.
        server: String,
        /// Step of the talk.
        step: &'static str,
        /// The bound.
        seconds: u64,
    },
    /// No greeting in time.
    #[error(
        "the mail server {server} gave no answer within {seconds} s to the greeting: see whether it is well, or raise mail.smtp.timeout_seconds; a port that begins with TLS, as 465 does, waits for that: set mail.smtp.tls to implicit for it"
    )]
    NoGreeting {
        /// Host and port.
        server: String,
        /// The bound.
        seconds: u64,
    },
    /// What it says is not what a mail server may say.
    #[error(
        "the mail server {server} breaks the rules of SMTP ({what}), so the connection was ended: check mail.smtp.port, and mail.smtp.tls (implicit for a port that begins with TLS, as 465 does)"
    )]
    Unsound {
        /// Host and port.
        server: String,
        /// What it did.
        what: String,
    },
    /// TLS was to begin at once, and the port begins in the clear.
    #[error(
        "no TLS with the mail server {server}, which begins in the clear: set mail.smtp.tls to required for STARTTLS (usually port 587), or give the port that begins with TLS (usually 465)"
    )]
    InTheClear {
        /// Host and port.
        server: String,
    },
    /// The server asks to come again.
    #[error("the mail server {server} asks to try again later ({answer})")]
    Later {
        /// Host and port.
        server: String,
        /// Its words.
        answer: String,
    },
    /// The server refuses the mail.
    #[error("the mail server {server} refuses the mail for good ({answer}): check mail.from and mail.to")]
    Refused {
        /// Host and port.
        server: String,
        /// Its words.
        answer: String,
    },
    /// The server put the mail off for as long as it is tried.
    #[error(
        "the mail server {server} did not take the mail in time ({answer}), so it was given up: check mail.to, and see what the server waits for"
    )]
    GivenUp {
        /// Host and port.
        server: String,
        /// Its words.
        answer: String,
    },
    /// The server refuses this client.
    #[error(
        "the mail server {server} refuses to talk ({answer}): check mail.smtp.host, mail.smtp.tls and mail.smtp.username"
    )]
    Rejected {
        /// Host and port.
        server: String,
        /// Its words.
        answer: String,
    },
    /// The certificate is not trusted, or TLS fails otherwise.
    #[error(
        "no TLS with the mail server {server}: give its authority in mail.smtp.ca_file, or the name that its certificate is for in mail.smtp.host"
    )]
    Tls {
        /// Host and port.
        server: String,
        /// What TLS said.
        #[source]
        source: Cause,
    },
    /// No STARTTLS is offered.
    #[error(
        "the mail server {server} offers no STARTTLS, so nothing was sent: set mail.smtp.tls to implicit (port 465), or use another server"
    )]
    NoTls {
        /// Host and port.
        server: String,
    },
    /// The login fails.
    #[error(
        "the mail server {server} refuses the login of {username} ({answer}): check mail.smtp.username and the password; a provider with two-step login or OAuth wants an app password"
    )]
    Login {
        /// Host and port.
        server: String,
        /// The name.
        username: String,
        /// Its words.
        answer: String,
    },
    /// No login is offered that this program knows.
    #[error(
        "the mail server {server} offers no login by password (PLAIN or LOGIN): remove mail.smtp.username, or use another port"
    )]
    NoLogin {
        /// Host and port.
        server: String,
    },
    /// Logins by OAuth alone are offered.
    #[error(
        "the mail server {server} offers logins by OAuth alone ({offered}), and this program logs in by password: have the provider allow an app password for SMTP, or send through a relay that takes a password"
    )]
    OnlyOAuth {
        /// Host and port.
        server: String,
        /// The logins that it offers.
        offered: String,
    },
    /// The password cannot be had.
    #[error("no password for the mail server: {reason}")]
    Password {
        /// What is wrong, and the remedy.
        reason: String,
    },
    /// The file of authorities is unsound.
    #[error("mail.smtp.ca_file {} cannot be used: give a PEM file with certificates", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Cause,
    },
    /// The maildir cannot be written.
    #[error("cannot write the mail to the folder {}: let the user that runs jobs write it, or give mail.folder another value", folder.display())]
    Folder {
        /// The maildir.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// An address in the configuration is none, or the mail cannot be put together.
    #[error("the mail cannot be put together: check mail.from and mail.to")]
    Letter {
        /// What is wrong.
        #[source]
        source: Cause,
    },
}

impl SendError {
    /// How it is to be handled.
    #[must_use]
    pub fn class(&self) -> SendErrorClass {
        match self {
            Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::NoGreeting { .. }
            | Self::Unsound { .. }
            | Self::Later { .. } => SendErrorClass::Unavailable,
            Self::Refused { .. } | Self::GivenUp { .. } => SendErrorClass::Refused,
            Self::Rejected { .. }
            | Self::Tls { .. }
            | Self::NoTls { .. }
            | Self::Login { .. }
            | Self::NoLogin { .. }
            | Self::OnlyOAuth { .. }
            | Self::InTheClear { .. }
            | Self::Password { .. }
            | Self::Authority { .. }
            | Self::Folder { .. }
            | Self::Letter { .. } => SendErrorClass::Misconfigured,
        }
    }

    /// Whether other mails would meet the same, so that there is no point in trying them now.
    #[must_use]
    pub fn is_of_the_server(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::GivenUp { .. } | Self::Later { .. } | Self::Letter { .. })
    }
}

/// An error with everything that caused it, in one line.
pub(super) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
