//! A letter as the bytes that are sent: headers, text, page and pictures. The same letter gives the same bytes.

use std::time::SystemTime;

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};

use crate::escape::escaped;
use crate::state::Severity;

use super::chart;
use super::error::SendError;
use super::letter::Letter;
use super::words::one_line;

/// Longest value of a header of ours.
const MAX_HEADER_CHARS: usize = 200;

/// Who writes to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) from: Mailbox,
    pub(super) to: Vec<Mailbox>,
}

/// The message of a letter.
pub(super) fn message(letter: &Letter, addresses: &Addresses) -> Result<Message, SendError> {
    let mut builder = Message::builder()
        .from(addresses.from.clone())
        .reply_to(addresses.from.clone())
        .date(SystemTime::from(letter.written_at))
        .message_id(Some(identifier(&letter.message_id)))
        .subject(letter.full_subject());
    for to in &addresses.to {
        builder = builder.to(to.clone());
    }
    // A thread hangs on its first mail, also where one in between was lost.
    if let Some(first) = letter.follows.first() {
        let all: Vec<String> = letter.follows.iter().map(|id| identifier(id)).collect();
        builder = builder.in_reply_to(identifier(first)).references(all.join(" "));
    }
    for (name, value) in headers(letter) {
        // lettre takes any name, with line breaks in it as well.
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if let (true, Ok(name)) = (is_name, HeaderName::new_from_ascii(name)) {
            builder = builder.raw_header(HeaderValue::new(name, one_line(&value, MAX_HEADER_CHARS)));
        }
    }
    builder.multipart(body(letter)).map_err(|source| SendError::Letter { source: source.into() })
}

/// A Message-ID without anything that could end its header.
fn identifier(id: &str) -> String {
    id.chars().filter(char::is_ascii_graphic).take(MAX_HEADER_CHARS).collect()
}

fn headers(letter: &Letter) -> Vec<(String, String)> {
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut all: Vec<(String, String)> =
        [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")].map(own).into();
    all.push(("List-Id".to_owned(), format!("<{}>", letter.list)));
    if letter.severity == Some(Severity::Critical) {
        all.push(own(("Importance", "high")));
    }
    all.extend(letter.headers.iter().cloned());
    all
}

fn body(letter: &Letter) -> MultiPart {
    let mut page =
        MultiPart::related().boundary(boundary(letter, "page")).singlepart(SinglePart::html(letter.html.clone()));
    for picture in &letter.pictures {
        // Without its picture the page still says everything.
        if let (Some(png), Ok(kind)) = (chart::png(&picture.svg), ContentType::parse("image/png")) {
            let name = format!("{}.png", picture.name);
            page = page.singlepart(Attachment::new_inline_with_name(picture.name.clone(), name).body(png, kind));
        }
    }
    let text = SinglePart::plain(escaped(&letter.text).into_owned());
    MultiPart::alternative().boundary(boundary(letter, "both")).singlepart(text).multipart(page)
}

/// A line between parts that no part holds by chance.
fn boundary(letter: &Letter, of: &str) -> String {
    let id: String = letter.message_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("=_{of}_{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        let mailbox = |text: &str| text.parse().expect("an address");
        Addresses { from: mailbox("jobs <jobs@example.com>"), to: vec![mailbox("desk@example.com")] }
    }

    fn letter() -> Letter {
        Letter {
            message_id: "<jobs.7.2@host>".into(),
            follows: vec!["<jobs.7.1@host>".into()],
            subject: "[jobs] ERROR complete.session ES".into(),
            severity: Some(Severity::Critical),
            written_at: "2026-11-20T15:05:00Z".parse().expect("an instant"),
            headers: vec![("X-Jobs-Check".into(), "complete.session".into())],
            list: "alerts.jobs.host".into(),
            text: "Text äöü\n".into(),
            html: "<p>Page</p>".into(),
            pictures: Vec::new(),
        }
    }

    fn sent(letter: &Letter) -> String {
        String::from_utf8(message(letter, &addresses()).expect("a message").formatted()).expect("ASCII")
    }

    #[test]
    fn the_headers_make_a_thread_and_ask_for_no_answer() {
        let sent = sent(&letter());
        for header in [
            "Message-ID: <jobs.7.2@host>",
            "In-Reply-To: <jobs.7.1@host>",
            "References: <jobs.7.1@host>",
            "Subject: Re: [jobs] ERROR complete.session ES",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: All",
            "List-Id: <alerts.jobs.host>",
            "Importance: high",
            "X-Jobs-Check: complete.session",
            "Reply-To: jobs <jobs@example.com>",
            "Date: Fri, 20 Nov 2026 15:05:00 +0000",
        ] {
            assert!(sent.contains(&format!("{header}\r\n")), "{header} in {sent}");
        }
        assert!(!sent.contains("Precedence"));
    }

    #[test]
    fn the_same_letter_gives_the_same_bytes() {
        assert_eq!(sent(&letter()), sent(&letter()));
    }

    #[test]
    fn nothing_from_outside_makes_a_header() {
        let evil = "x\r\nBcc: all@example.com\r\n\r\nbody\u{2028}<b>";
        let letter = Letter {
            message_id: format!("<jobs.{evil}@host>"),
            follows: vec![format!("<{evil}>")],
            subject: evil.into(),
            headers: vec![("X-Jobs-Check".into(), evil.into()), ("X-Bad\r\nBcc".into(), "all@example.com".into())],
            list: evil.into(),
            text: "ES\u{1b}[2J\u{202e}\n".into(),
            ..letter()
        };
        let sent = sent(&letter);
        let (headers, _) = sent.split_once("\r\n\r\n").expect("a body");
        assert!(!headers.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{headers}");
        assert!(sent.contains("ES\\u001b[2J\\u202e"), "{sent}");
        assert!(headers.contains("Content-Type: multipart/alternative"), "the headers go on to their end: {headers}");
    }
}
