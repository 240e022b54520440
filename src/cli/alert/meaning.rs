//! How a unit ended, as systemd tells it to the unit of its `OnFailure=`, and what that means.

use std::ffi::OsString;

use serde::Serialize;

use crate::job::Failure;

use super::words::one_line;

/// How a unit ended; each part as systemd wrote it, where it did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(super) struct Ending {
    /// `exit-code`, `signal`, `watchdog`, `timeout` ...
    pub(super) service_result: Option<String>,
    /// `exited`, `killed` or `dumped`.
    pub(super) exit_code: Option<String>,
    /// The exit status, or the name of the signal.
    pub(super) exit_status: Option<String>,
    /// Which of the unit's runs.
    pub(super) invocation_id: Option<String>,
}

impl Ending {
    /// Reads it from the variables that systemd sets.
    pub(super) fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let read = |name| Some(one_line(&variable(name)?.to_string_lossy())).filter(|value| !value.is_empty());
        Self {
            service_result: read("MONITOR_SERVICE_RESULT"),
            exit_code: read("MONITOR_EXIT_CODE"),
            exit_status: read("MONITOR_EXIT_STATUS"),
            invocation_id: read("MONITOR_INVOCATION_ID"),
        }
    }

    /// The exit code, if the main process ended by itself.
    pub(super) fn exit_code(&self) -> Option<u8> {
        let exited = self.exit_code.as_deref().is_none_or(|code| code == "exited");
        self.exit_status.as_ref().filter(|_| exited)?.parse().ok()
    }

    /// The parts that are known, with their names.
    pub(super) fn told(&self) -> Vec<(&'static str, &str)> {
        let parts = [
            ("service result", &self.service_result),
            ("exit code", &self.exit_code),
            ("exit status", &self.exit_status),
            ("invocation id", &self.invocation_id),
        ];
        parts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// What it means, in words.
    pub(super) fn meaning(&self) -> String {
        let by_itself = || self.exit_code().map(exit_words);
        let status = self.exit_status.as_deref().unwrap_or("unknown");
        match self.service_result.as_deref() {
            Some("watchdog") => "it hung: its scheduler gave no sign of life, so the watchdog ended it".to_owned(),
            Some("timeout") => "it took longer to start or to stop than the unit allows".to_owned(),
            Some("oom-kill") => "it used more memory than the machine or the unit has".to_owned(),
            Some("protocol") => "it ended before it told that it was ready".to_owned(),
            Some("start-limit-hit") => "it failed so often that it is not started any more".to_owned(),
            Some("resources") => {
                "systemd could not give it what the unit asks for, such as a folder or a credential".to_owned()
            }
            Some("signal" | "core-dump") => {
                format!("it was ended by the signal {status}: killed from outside, or crashed")
            }
            Some("exit-code") | None => by_itself().unwrap_or_else(|| "how it ended is not known".to_owned()),
            Some(other) => by_itself().unwrap_or_else(|| format!("systemd calls it {other}")),
        }
    }
}

fn exit_words(code: u8) -> String {
    let words = [
        (Failure::Failed, "it failed"),
        (Failure::Usage, "the command line of the unit is wrong"),
        (Failure::BadData, "bad data, every row was rejected"),
        (Failure::Unavailable, "the gateway or the mail server is down or gives no data"),
        (Failure::Panicked, "it panicked, which is a bug: please report it"),
        (Failure::Locked, "the lock is held: another daemon or another run of the job is at work"),
        (Failure::Misconfigured, "the configuration is wrong, so it is not started again"),
        (Failure::TimedOut, "it took longer than its timeout"),
        (Failure::Interrupted, "it was interrupted"),
        (Failure::Terminated, "it was told to end"),
    ];
    let known = words.iter().find(|(failure, _)| failure.exit_code() == code);
    match (known, code) {
        (Some((_, words)), _) => format!("exit {code}: {words}"),
        (None, 200..=245) => format!("exit {code}: systemd could not start it as the unit says, see systemd.exec(5)"),
        (None, _) => format!("exit {code}: not a code of this program"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(result: &str, code: &str, status: &str) -> Ending {
        let given = [("MONITOR_SERVICE_RESULT", result), ("MONITOR_EXIT_CODE", code), ("MONITOR_EXIT_STATUS", status)];
        Ending::from_environment(|name| {
            given.iter().find(|(given, value)| *given == name && !value.is_empty()).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn each_way_to_end_has_its_words() {
        let cases = [
            (("exit-code", "exited", "78"), "exit 78: the configuration is wrong"),
            (("exit-code", "exited", "75"), "exit 75: the lock is held"),
            (("exit-code", "exited", "217"), "systemd could not start it"),
            (("exit-code", "exited", "3"), "not a code of this program"),
            (("watchdog", "killed", "ABRT"), "it hung"),
            (("signal", "killed", "KILL"), "the signal KILL"),
            (("start-limit-hit", "", ""), "not started any more"),
            (("something-new", "", ""), "systemd calls it something-new"),
            (("", "", ""), "not known"),
            (("", "", "69"), "exit 69: the gateway"),
        ];
        for ((result, code, status), words) in cases {
            let meaning = ending(result, code, status).meaning();
            assert!(meaning.contains(words), "{result} {code} {status}: {meaning}");
        }
    }

    #[test]
    fn a_signal_is_no_exit_code_even_if_it_looks_like_one() {
        assert_eq!(ending("signal", "killed", "9").exit_code(), None);
        assert_eq!(ending("exit-code", "exited", "9000").exit_code(), None);
        assert_eq!(ending("exit-code", "exited", "78").exit_code(), Some(78));
    }
}
