//! Text from outside made fit for a terminal and a log: what could move a cursor, change a colour, hide or turn round what
//! stands beside it is shown by its code.
//!
//! A gateway, a ledger, a log file or an environment may hold anything. Whatever prints text to a terminal passes it
//! through here: `cli/output.rs` for stdout and errors, `telemetry.rs` for logs.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character does something to what stands beside it: controls, line and paragraph separators, marks and
/// overrides of direction, characters without width, tags.
#[must_use]
pub fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// The text with each such character as its code, `\u001b`, but for line feeds and tabs. The codes are those of JSON, so
/// that a line of JSON stays the same document.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    escaped_but(text, |c| matches!(c, '\n' | '\t'))
}

/// The same as one line: line feeds are codes as well.
#[must_use]
pub fn escaped_line(text: &str) -> Cow<'_, str> {
    escaped_but(text, |c| c == '\t')
}

fn escaped_but(text: &str, is_kept: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_to_go = |c: char| is_unfit(c) && !is_kept(c);
    if !text.contains(is_to_go) {
        return Cow::Borrowed(text);
    }
    let mut fit = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if !is_to_go(c) => fit.push(c),
            '\n' => fit.push_str("\\n"),
            '\r' => fit.push_str("\\r"),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(fit, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(fit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_by_its_code() {
        assert_eq!(escaped("a\u{1b}[2Jb"), "a\\u001b[2Jb");
        assert_eq!(escaped("a\r\nb\tc\u{7}\u{7f}\u{9b}"), "a\\r\nb\tc\\u0007\\u007f\\u009b");
        assert_eq!(escaped("ES\u{202e}\u{2066}\u{200b}\u{feff}x"), "ES\\u202e\\u2066\\u200b\\ufeffx");
        assert_eq!(escaped("\u{e0041}"), "\\udb40\\udc41");
        assert_eq!(escaped_line("a\nb"), "a\\nb");
    }

    #[test]
    fn words_of_any_language_stay_as_they_are() {
        for text in ["", "ES 2026-11-18: 4 of 276", "Größe — 价格 ↑ ½ 🙂", "─┼─"] {
            assert!(matches!(escaped(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_unfit_is_left_and_json_stays_the_same_document(text in any::<String>()) {
            prop_assert!(!escaped_line(&text).chars().any(|c| is_unfit(c) && c != '\t'));
            let line = serde_json::to_string(&text).expect("JSON");
            let again: String = serde_json::from_str(&escaped(&line)).expect("still JSON");
            prop_assert_eq!(again, text);
        }
    }
}
