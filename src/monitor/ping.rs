//! Pings of a dead man's switch: the monitor at the other end tells a person when one does not come.
//!
//! The addresses are those of Healthchecks: `URL/start` as a run begins, `URL` when it came to a good end, `URL/fail` when
//! it did not; `rid` ties the two together. `URL/log` is noted and changes no state: it proves the way. What goes wrong
//! here is a warning: no run fails for its monitor's sake.
//!
//! Heard is a ping whose answer is a success with no word of the contrary: a redirect goes elsewhere, and Healthchecks
//! answers 200 with `OK (not found)` or `OK (rate limited)` to what it drops.

use std::time::Duration;

use thiserror::Error;
use url::Url;
use uuid::Uuid;

use super::MonitorConfig;

/// What is told of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// It begins.
    Start,
    /// It came to a good end, or had nothing to do.
    Success,
    /// It did not.
    Fail,
    /// Nothing: a note that changes no state.
    Log,
}

/// Why a ping was not heard.
#[derive(Debug, Error)]
pub enum PingError {
    /// There is no answer.
    #[error("the monitor cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is no success.
    #[error("the monitor answers {0}: check the URL of the check")]
    Status(u16),
    /// The answer is a redirect.
    #[error("the monitor answers {0}, a redirect, which is not followed: give the URL that it leads to")]
    Redirect(u16),
    /// The answer says that the ping was dropped.
    #[error("the monitor dropped the ping ({0:?}): check the URL of the check, and how often it is pinged")]
    Dropped(String),
}

/// Most of an answer that is read, bytes.
const MAX_ANSWER_BYTES: usize = 1_024;

/// What an answer says of a ping that was dropped.
const DROPPED: [&str; 2] = ["not found", "rate limited"];

/// Longest text sent along, bytes: the monitor keeps the beginning of it.
const LONGEST_BODY: usize = 2_000;

/// Tells of one run.
#[derive(Debug, Clone)]
pub struct Pinger {
    job: String,
    url: Url,
    rid: Uuid,
    client: reqwest::Client,
}

impl Pinger {
    /// For a run of the job; none where nobody wants to be told of it.
    #[must_use]
    pub fn of(config: &MonitorConfig, job: &str) -> Option<Self> {
        let url = Url::parse(config.ping.get(job)?).ok()?;
        let timeout = Duration::from_secs(config.ping_timeout_seconds);
        // The address is a secret of sorts: it must not follow a redirect to somebody else.
        let builder = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none());
        let told = |error: &reqwest::Error| tracing::warn!(job, %error, "the monitor cannot be pinged");
        let client = builder.build().inspect_err(told).ok()?;
        Some(Self { job: job.to_owned(), url, rid: Uuid::new_v4(), client })
    }

    /// Tells it, with a few words for whoever looks; whether it was heard.
    pub async fn tell(&self, signal: Signal, words: &str) -> bool {
        match self.ping(signal, words).await {
            Ok(()) => true,
            Err(error) => {
                let error = chained(&error);
                tracing::warn!(job = self.job, ?signal, error, "the monitor was not reached by a ping");
                false
            }
        }
    }

    /// Sends one ping.
    ///
    /// # Errors
    /// Where it was not heard. No error holds the URL, which is a secret of sorts.
    pub async fn ping(&self, signal: Signal, words: &str) -> Result<(), PingError> {
        let unreachable = |error: reqwest::Error| PingError::Unreachable(error.without_url());
        let url = address(&self.url, signal, self.rid);
        let body: String = words.chars().take(LONGEST_BODY).collect();
        let mut answer = self.client.post(url).body(body).send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_redirection() {
            return Err(PingError::Redirect(status.as_u16()));
        }
        if !status.is_success() {
            return Err(PingError::Status(status.as_u16()));
        }
        let mut bytes = Vec::new();
        while bytes.len() < MAX_ANSWER_BYTES
            && let Some(chunk) = answer.chunk().await.map_err(unreachable)?
        {
            bytes.extend_from_slice(&chunk);
        }
        bytes.truncate(MAX_ANSWER_BYTES);
        heard(&String::from_utf8_lossy(&bytes))
    }
}

/// Whether an answer of a monitor says that it heard.
fn heard(answer: &str) -> Result<(), PingError> {
    let words = answer.to_lowercase();
    if DROPPED.iter().any(|word| words.contains(word)) {
        return Err(PingError::Dropped(answer.trim().chars().take(100).collect()));
    }
    Ok(())
}

/// An error with its causes.
fn chained(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn address(url: &Url, signal: Signal, rid: Uuid) -> Url {
    let mut url = url.clone();
    let ending = match signal {
        Signal::Start => Some("start"),
        Signal::Success => None,
        Signal::Fail => Some("fail"),
        Signal::Log => Some("log"),
    };
    if let (Some(ending), Ok(mut path)) = (ending, url.path_segments_mut()) {
        path.pop_if_empty().push(ending);
    }
    url.query_pairs_mut().append_pair("rid", &rid.to_string());
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_those_that_healthchecks_knows() {
        let of = |url: &str, signal| address(&url.parse().expect("a URL"), signal, Uuid::nil()).to_string();
        let rid = "rid=00000000-0000-0000-0000-000000000000";
        assert_eq!(of("https://hc-ping.com/one", Signal::Start), format!("https://hc-ping.com/one/start?{rid}"));
        assert_eq!(of("https://hc-ping.com/one/", Signal::Fail), format!("https://hc-ping.com/one/fail?{rid}"));
        let keyed = of("https://monitor.example/ping/key?create=1", Signal::Success);
        assert_eq!(keyed, format!("https://monitor.example/ping/key?create=1&{rid}"));
    }

    #[test]
    fn a_ping_that_was_dropped_was_not_heard() {
        for answer in ["OK", "", "Accepted\n"] {
            assert!(heard(answer).is_ok(), "{answer:?}");
        }
        for answer in ["OK (not found)", "OK (rate limited)\n", "Not Found"] {
            let told = heard(answer).expect_err("dropped").to_string();
            assert!(told.contains("dropped the ping"), "{told}");
        }
    }

    #[test]
    fn a_job_that_nobody_watches_is_not_told_of() {
        assert!(Pinger::of(&MonitorConfig::default(), "snapshot").is_none());
    }
}
