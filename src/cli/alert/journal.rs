//! The newest lines of a unit's journal, by journalctl; bounded in time and size.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::words::one_line;

/// Lines that are told.
const NUM_LINES: usize = 20;

/// How long journalctl may take: a journal of many gigabytes on a slow disk must not hold up the alert.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes that are read: 20 lines of any sensible length.
const MAX_BYTES: u64 = 256 * 1024;

/// The newest lines, oldest first; none where there is no journalctl, no journal, or no answer in time.
pub(super) async fn newest_lines(unit: &OsStr) -> Option<Vec<String>> {
    let text = timeout(PATIENCE, read(unit)).await.ok().flatten()?;
    Some(lines(&text)).filter(|lines| !lines.is_empty())
}

/// What journalctl prints. It is ended when this is given up, or when it prints too much.
async fn read(unit: &OsStr) -> Option<String> {
    let mut of_unit = OsStr::new("--unit=").to_owned();
    of_unit.push(unit);
    let mut command = Command::new("journalctl");
    command.arg(of_unit).args(["--quiet", "--no-pager", "--output=short-iso"]).arg(format!("--lines={NUM_LINES}"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().ok()?;
    let mut text = Vec::new();
    child.stdout.take()?.take(MAX_BYTES).read_to_end(&mut text).await.ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn lines(text: &str) -> Vec<String> {
    let all: Vec<String> = text.lines().map(one_line).collect();
    all.into_iter().rev().take(NUM_LINES).rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_lines_are_told_each_of_bounded_length() {
        let text: Vec<String> = (0..30).map(|n| format!("line {n} {}", "x".repeat(1_000))).collect();
        let told = lines(&text.join("\n"));
        assert_eq!(told.len(), NUM_LINES);
        assert!(told[0].starts_with("line 10 ") && told[19].starts_with("line 29 "));
        assert!(told.iter().all(|line| line.chars().count() <= 301));
    }
}
