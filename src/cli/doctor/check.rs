//! A check: what was found, how bad it is, and what to do; each within a bound of its own, and none brings down another.

use std::error::Error;
use std::time::Duration;

use serde::Serialize;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use crate::job::chain;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    Ok,
    Warn,
    Fail,
}

impl Grade {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) grade: Grade,
    pub(super) found: String,
    /// What to do; none where nothing is to be done, or what was found says it.
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(found: impl Into<String>) -> Self {
        Self { grade: Grade::Ok, found: found.into(), remedy: None }
    }

    pub(super) fn warn(found: impl Into<String>, remedy: &str) -> Self {
        Self { grade: Grade::Warn, found: found.into(), remedy: Some(remedy.to_owned()) }
    }

    pub(super) fn fail(found: impl Into<String>, remedy: &str) -> Self {
        Self { grade: Grade::Fail, ..Self::warn(found, remedy) }
    }

    /// An error of this program, whose message says what to do.
    pub(super) fn failed(error: &dyn Error) -> Self {
        Self { grade: Grade::Fail, found: chain(error), remedy: None }
    }
}

/// A check by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    #[serde(flatten)]
    pub(super) finding: Finding,
}

/// Checks that have begun.
pub(super) struct Underway {
    names: Vec<&'static str>,
    bound: Duration,
    findings: JoinHandle<Vec<Finding>>,
}

/// Begins a check that blocks its thread.
pub(super) fn blocking(
    name: &'static str,
    bound: Duration,
    work: impl FnOnce() -> Finding + Send + 'static,
) -> Underway {
    Underway { names: vec![name], bound, findings: tokio::task::spawn_blocking(|| vec![work()]) }
}

/// Begins checks that wait for something, in the order of their names.
pub(super) fn asking(
    names: &[&'static str],
    bound: Duration,
    work: impl Future<Output = Vec<Finding>> + Send + 'static,
) -> Underway {
    Underway { names: names.to_vec(), bound, findings: tokio::spawn(work) }
}

impl Underway {
    /// What came of them; one that does not end, or that crashes, is told as such.
    pub(super) async fn checks(self) -> Vec<Check> {
        let findings = match timeout(self.bound, self.findings).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(error)) => vec![crashed(&error)],
            Err(_) => vec![Finding::fail(
                format!("the check did not end within {} s", self.bound.as_secs()),
                "see whether the disk or the machine it looks at hangs",
            )],
        };
        self.names.into_iter().zip(findings).map(|(name, finding)| Check { name, finding }).collect()
    }
}

fn crashed(error: &JoinError) -> Finding {
    Finding::fail(
        format!("the check itself crashed ({error})"),
        "this is a bug, please report it; the other checks stand",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_check_that_crashes_or_hangs_is_told_and_the_others_stand() {
        let bound = Duration::from_millis(20);
        let crash = asking(&["one"], bound, async { panic!("on purpose") });
        let hang = asking(&["two"], bound, std::future::pending());
        let sound = blocking("three", Duration::from_mins(1), || Finding::ok("sound"));
        let mut told = Vec::new();
        for underway in [crash, hang, sound] {
            told.extend(underway.checks().await);
        }
        assert_eq!(
            told.iter().map(|check| check.finding.grade).collect::<Vec<_>>(),
            [Grade::Fail, Grade::Fail, Grade::Ok]
        );
        assert!(told[0].finding.found.contains("on purpose"), "{told:?}");
        assert!(told[1].finding.found.contains("did not end"), "{told:?}");
    }
}
