//! The check of the monitors: each is pinged once, and has to hear.

use futures::future::join_all;

use crate::job::chain;
use crate::monitor::{MonitorConfig, Pinger, Signal};

use super::check::Finding;

/// Pings each monitor at the address that is noted and changes no state.
pub(super) async fn ping(config: MonitorConfig) -> Vec<Finding> {
    let ping = |job: String| {
        let pinger = Pinger::of(&config, &job);
        async move {
            let Some(pinger) = pinger else { return (job, Some("the URL cannot be pinged".to_owned())) };
            let heard = pinger.ping(Signal::Log, "jobs doctor --ping").await;
            (job, heard.err().map(|error| chain(&error)))
        }
    };
    let pinged = join_all(config.ping.keys().cloned().map(ping)).await;
    vec![judge(&pinged)]
}

/// Of each job, why its ping was not heard, where it was not.
fn judge(pinged: &[(String, Option<String>)]) -> Finding {
    if pinged.is_empty() {
        let remedy = "give monitor.ping the URL of a check for each job that must not stay away unnoticed";
        return Finding::warn("no job has a monitor", remedy);
    }
    let unheard: Vec<String> =
        pinged.iter().filter_map(|(job, fault)| Some(format!("{job}: {}", fault.as_ref()?))).collect();
    if unheard.is_empty() {
        let jobs: Vec<&str> = pinged.iter().map(|(job, _)| job.as_str()).collect();
        return Finding::ok(format!("heard of {}", jobs.join(", ")));
    }
    Finding::fail(unheard.join("; "), "correct monitor.ping; until then nobody notices when these jobs stay away")
}
