//! Words for a person: times, lengths of time, and text from outside made fit for a header, a page and a terminal.

use chrono::{DateTime, TimeDelta, Utc};

use crate::calendar::to_new_york;
use crate::escape;

/// The text on one line, without anything that could end a header, move a cursor or turn the direction of writing, and
/// of so many characters at most.
pub(super) fn one_line(text: &str, max_chars: usize) -> String {
    let mut line: String = text.chars().take(max_chars).map(|c| if is_unfit(c) { ' ' } else { c }).collect();
    if text.chars().nth(max_chars).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}

/// The same where lines are kept.
pub(super) fn lines(text: &str, max_chars: usize) -> String {
    let fit = |line: &str| one_line(line, max_chars);
    one_block(text, max_chars).lines().map(fit).collect::<Vec<_>>().join("\n")
}

fn one_block(text: &str, max_chars: usize) -> String {
    text.chars().take(max_chars).collect()
}

/// What acts on a terminal or ends a header, and what is no character.
fn is_unfit(c: char) -> bool {
    escape::is_unfit(c) || matches!(u32::from(c) & 0xffff, 0xfffe | 0xffff)
}

/// An instant in New York and in UTC: `Fri 2026-11-20 10:05 ET (15:05 UTC)`.
pub(super) fn both_times(at: DateTime<Utc>) -> String {
    let local = to_new_york(at);
    let is_same_day = local.date_naive() == at.date_naive();
    let utc = at.format(if is_same_day { "%H:%M UTC" } else { "%Y-%m-%d %H:%M UTC" });
    format!("{} ({utc})", local.format("%a %Y-%m-%d %H:%M ET"))
}

/// A stretch of time in New York and in UTC.
pub(super) fn both_windows((from, to): (DateTime<Utc>, DateTime<Utc>)) -> String {
    if from == to { both_times(from) } else { format!("{} to {}", both_times(from), both_times(to)) }
}

/// A length of time by its two largest units: `35 min`, `2 h 5 min`, `3 d 4 h`.
pub(super) fn length(of: TimeDelta) -> String {
    let minutes = of.num_minutes().max(0);
    let (days, hours, rest) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (rest, "min")];
    let told: Vec<String> = parts
        .into_iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    if told.is_empty() { "under a minute".to_owned() } else { told.join(" ") }
}

/// A count and its word, with an s where it is not one.
pub(super) fn counted(count: u32, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn nothing_breaks_out_of_a_line() {
        let hostile = "ES\r\nBcc: all@example.com\u{2028}\u{202e}txt\u{1b}[2J\0\u{feff}";
        let line = one_line(hostile, 300);
        assert_eq!(line, "ES  Bcc: all@example.com  txt [2J");
        assert_eq!(one_line("abcdef", 3), "abc…");
        assert_eq!(lines("a\r\nb\u{7}c\n", 100), "a\nb c");
    }

    #[test]
    fn times_are_told_in_new_york_and_in_utc() {
        assert_eq!(both_times(at("2026-11-20T15:05:00Z")), "Fri 2026-11-20 10:05 ET (15:05 UTC)");
        assert_eq!(both_times(at("2026-11-21T02:00:00Z")), "Fri 2026-11-20 21:00 ET (2026-11-21 02:00 UTC)");
    }

    #[test]
    fn lengths_are_told_by_their_two_largest_units() {
        let told = [0, 35, 60, 125, 1_440, 4_565, 1_441].map(|minutes| length(TimeDelta::minutes(minutes)));
        assert_eq!(told, ["under a minute", "35 min", "1 h", "2 h 5 min", "1 d", "3 d 4 h", "1 d"]);
    }
}
