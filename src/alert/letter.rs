//! A mail as it is queued: all that is sent, as text, so that a mail that goes again is the same one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::state::Severity;

use super::words::one_line;

/// Longest subject: mail programs show less.
const MAX_SUBJECT_CHARS: usize = 200;

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Its Message-ID with angle brackets.
    pub message_id: String,
    /// Message-IDs of the mails before it in its thread: the first and the newest. Empty: it begins one.
    pub follows: Vec<String>,
    /// Its subject, without `Re:`.
    pub subject: String,
    /// How bad; none for what is no alert.
    pub severity: Option<Severity>,
    /// When it was written.
    pub written_at: DateTime<Utc>,
    /// Further headers, by name.
    pub headers: Vec<(String, String)>,
    /// Name of the list that it belongs to, such as `alerts`.
    pub list: String,
    /// The text for those who read no HTML.
    pub text: String,
    /// The page.
    pub html: String,
    /// Pictures on the page.
    pub pictures: Vec<Picture>,
}

/// A picture on the page, which names it as `cid:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Its name on the page.
    pub name: String,
    /// The picture as SVG; what is sent is a PNG of it at twice the size.
    pub svg: String,
}

impl Letter {
    /// The subject as it is sent: with `Re:` where the mail is an answer, on one line.
    #[must_use]
    pub fn full_subject(&self) -> String {
        let subject = one_line(&self.subject, MAX_SUBJECT_CHARS);
        if self.follows.is_empty() { subject } else { format!("Re: {subject}") }
    }
}
