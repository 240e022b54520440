//! Text from outside, made fit for one line of a terminal, a log or a shell.

use crate::escape::is_unfit;

/// Characters of a text that are told.
const MAX_CHARS: usize = 300;

/// The text without control characters, so that it can neither end the line nor move the cursor, and of bounded length.
pub(super) fn one_line(text: &str) -> String {
    let clean = |c: char| if is_unfit(c) { char::REPLACEMENT_CHARACTER } else { c };
    let mut line: String = text.chars().take(MAX_CHARS).map(clean).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        line.push('…');
    }
    line
}

/// The text as one word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let line = one_line(text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._:-".contains(c);
    if !line.is_empty() && line.chars().all(is_plain) { line } else { format!("'{}'", line.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_one_line_of_bounded_length() {
        assert_eq!(one_line("a\nb\u{1b}[2Jc"), "a\u{fffd}b\u{fffd}[2Jc");
        assert_eq!(one_line("a\u{202e}b"), "a\u{fffd}b");
        assert_eq!(one_line(&"x".repeat(MAX_CHARS)).chars().count(), MAX_CHARS);
        assert_eq!(one_line(&"x".repeat(10_000)).chars().count(), MAX_CHARS + 1);
    }

    #[test]
    fn an_odd_name_stays_one_word_of_a_shell() {
        assert_eq!(quoted("jobs@snapshot.service"), "jobs@snapshot.service");
        assert_eq!(quoted(r"a\x2db.service"), r"'a\x2db.service'");
        assert_eq!(quoted("x'; rm -rf $HOME"), r"'x'\''; rm -rf $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
