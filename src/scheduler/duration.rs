//! Durations as a person writes them: `5m`, `90s`, `1h30m`.

use chrono::TimeDelta;

/// The units from large to small, and their seconds.
const UNITS: [(char, i64); 3] = [('h', 3_600), ('m', 60), ('s', 1)];

/// Longest duration that can be written: ten days.
const MAX_SECONDS: i64 = 10 * 24 * 3_600;

/// Reads a duration of up to ten days: numbers with `h`, `m`, `s`, each unit at most once and from large to small.
///
/// # Errors
/// A sentence that says how to write it.
pub fn parse_duration(text: &str) -> Result<TimeDelta, String> {
    let bad = || format!("cannot read the duration {text:?}: write it as 5m, 90s or 1h30m");
    let (mut rest, mut seconds) = (text, 0_i64);
    for (unit, factor) in UNITS {
        let num_digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (digits, after) = rest.split_at(num_digits);
        if let Some(after) = after.strip_prefix(unit) {
            let number: i64 = digits.parse().map_err(|_| bad())?;
            seconds = number.checked_mul(factor).and_then(|part| part.checked_add(seconds)).ok_or_else(bad)?;
            rest = after;
        }
    }
    if text.is_empty() || !rest.is_empty() {
        return Err(bad());
    }
    if seconds > MAX_SECONDS {
        return Err(format!("the duration {text} is longer than ten days: give at most {}h", MAX_SECONDS / 3_600));
    }
    Ok(TimeDelta::seconds(seconds))
}

/// Writes a duration as it is read, without a sign: `1h30m`, and `0s` for none.
#[must_use]
pub fn short(duration: TimeDelta) -> String {
    let mut seconds = duration.num_seconds().abs();
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if seconds >= factor {
            text.extend([(seconds / factor).to_string(), unit.to_string()]);
            seconds %= factor;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes an offset with its sign: `+ 20m`.
pub(super) fn signed(offset: TimeDelta) -> String {
    let sign = if offset < TimeDelta::zero() { '-' } else { '+' };
    format!("{sign} {}", short(offset))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        for (text, seconds) in
            [("5m", 300), ("90s", 90), ("1h30m", 5_400), ("2h5s", 7_205), ("0s", 0), ("240h", 864_000)]
        {
            assert_eq!(parse_duration(text), Ok(TimeDelta::seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "5", "m", "5 m", "5m5m", "30m1h", "-5m", "5d", "1.5h", "h5", "99999999999999999999s", "9e3s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_duration("241h"),
            Err("the duration 241h is longer than ten days: give at most 240h".to_owned())
        );
    }

    proptest! {
        #[test]
        fn a_duration_reads_back(seconds in 0..=MAX_SECONDS) {
            let duration = TimeDelta::seconds(seconds);
            prop_assert_eq!(parse_duration(&short(duration)), Ok(duration));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,12}") {
            let _ = parse_duration(&text);
        }
    }
}
