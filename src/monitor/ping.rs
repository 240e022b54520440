//! Pings of a dead man's switch: the monitor at the other end tells a person when one does not come.
//!
//! The addresses are those of Healthchecks: `URL/start` as a run begins, `URL` when it came to a good end, `URL/fail` when
//! it did not; `rid` ties the two together. What goes wrong here is a warning: no run fails for its monitor's sake.

use std::time::Duration;

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
}

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

    /// Tells it, with a few words for whoever looks; whether it arrived.
    pub async fn tell(&self, signal: Signal, words: &str) -> bool {
        let url = address(&self.url, signal, self.rid);
        let body: String = words.chars().take(LONGEST_BODY).collect();
        let answered = self.client.post(url).body(body).send().await.and_then(reqwest::Response::error_for_status);
        match answered {
            Ok(_) => true,
            Err(error) => {
                let error = error.without_url();
                tracing::warn!(job = self.job, ?signal, %error, "the monitor was not reached by a ping");
                false
            }
        }
    }
}

fn address(url: &Url, signal: Signal, rid: Uuid) -> Url {
    let mut url = url.clone();
    let ending = match signal {
        Signal::Start => Some("start"),
        Signal::Success => None,
        Signal::Fail => Some("fail"),
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
    fn a_job_that_nobody_watches_is_not_told_of() {
        assert!(Pinger::of(&MonitorConfig::default(), "snapshot").is_none());
    }
}
