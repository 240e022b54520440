//! The configuration section `monitor`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

/// What an outside monitor is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorConfig {
    /// Folder of `jobs.prom`, which Prometheus's node exporter reads as a textfile; none: it is not written.
    pub metrics_folder: Option<PathBuf>,
    /// Job and URL of a dead man's switch, which is asked as Healthchecks wants it.
    pub ping: BTreeMap<String, String>,
    /// How long a ping may take.
    pub ping_timeout_seconds: u64,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self { metrics_folder: Some(PathBuf::from("metrics")), ping: BTreeMap::new(), ping_timeout_seconds: 5 }
    }
}

impl MonitorConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.ping.iter().filter_map(|(job, url)| fault_of_url(job, url)).collect();
        if !(1..=30).contains(&self.ping_timeout_seconds) {
            faults.push(format!("monitor.ping_timeout_seconds is {}: give 1 to 30", self.ping_timeout_seconds));
        }
        if self.metrics_folder.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            faults.push("monitor.metrics_folder is empty: give a folder, or null to write no metrics".to_owned());
        }
        faults
    }
}

fn fault_of_url(job: &str, url: &str) -> Option<String> {
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host().is_some();
    let told = "give one such as https://hc-ping.com/0f3c...";
    match Url::parse(url) {
        Ok(url) if is_web(&url) => None,
        Ok(_) => Some(format!("monitor.ping.{job} is no http or https URL: {told}")),
        Err(error) => Some(format!("monitor.ping.{job} is no URL ({error}): {told}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_pinged() {
        let faults = |url: &str| {
            MonitorConfig { ping: [("snapshot".to_owned(), url.to_owned())].into(), ..MonitorConfig::default() }
                .faults()
                .len()
        };
        assert_eq!(faults("https://hc-ping.com/one"), 0);
        assert_eq!(faults("http://127.0.0.1:8000/ping/one"), 0);
        assert_eq!((faults("file:///etc/passwd"), faults("hc-ping.com/one"), faults("")), (1, 1, 1));
        assert!(MonitorConfig::default().faults().is_empty());
    }
}
