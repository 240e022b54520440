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
    /// Labels that each sample gets, so that several installations may write into one folder; the file has their values
    /// in its name.
    pub labels: BTreeMap<String, String>,
    /// Job and URL of a dead man's switch, which is asked as Healthchecks wants it.
    pub ping: BTreeMap<String, String>,
    /// How long a ping may take.
    pub ping_timeout_seconds: u64,
}

impl Default for MonitorConfig {
    fn default() -> Self {
        Self {
            metrics_folder: Some(PathBuf::from("metrics")),
            labels: BTreeMap::new(),
            ping: BTreeMap::new(),
            ping_timeout_seconds: 5,
        }
    }
}

impl MonitorConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self.ping.iter().filter_map(|(job, url)| fault_of_url(job, url)).collect();
        faults.extend(self.labels.iter().filter_map(|(name, value)| fault_of_label(name, value)));
        if !(1..=30).contains(&self.ping_timeout_seconds) {
            faults.push(format!("monitor.ping_timeout_seconds is {}: give 1 to 30", self.ping_timeout_seconds));
        }
        if self.metrics_folder.as_ref().is_some_and(|folder| folder.as_os_str().is_empty()) {
            faults.push("monitor.metrics_folder is empty: give a folder, or null to write no metrics".to_owned());
        }
        faults
    }
}

/// Labels by which samples of one metric differ: a constant one of the same name would hide them.
const OWN_LABELS: [&str; 8] = ["check", "job", "severity", "state", "status", "symbol", "table", "version"];

/// Longest value of a label, characters.
const MAX_LABEL_CHARS: usize = 100;

/// What Prometheus, or the metrics themselves, do not take as a label.
fn fault_of_label(name: &str, value: &str) -> Option<String> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_name = begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name || name.starts_with("__") {
        return Some(format!(
            "monitor.labels {name:?} is no name of a label: give letters, digits and _, with no digit and no __ in front"
        ));
    }
    if OWN_LABELS.contains(&name) {
        return Some(format!(
            "monitor.labels {name} is a label of the metrics themselves: give another, such as installation"
        ));
    }
    let is_value = !value.trim().is_empty() && value.chars().count() <= MAX_LABEL_CHARS;
    if !is_value || value.chars().any(char::is_control) {
        return Some(format!(
            "monitor.labels.{name} is {value:?}: give 1 to {MAX_LABEL_CHARS} characters without control characters"
        ));
    }
    None
}

fn fault_of_url(job: &str, url: &str) -> Option<String> {
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host().is_some();
    let told = "give one such as https://hc-ping.com/0f3c...";
    match Url::parse(url) {
        Ok(parsed) if is_placeholder(&parsed, url) => Some(format!(
            "monitor.ping.{job} is an example and no address of a monitor: give the ping URL that your monitor shows \
             for the check, or leave it out"
        )),
        Ok(url) if is_web(&url) => None,
        Ok(_) => Some(format!("monitor.ping.{job} is no http or https URL: {told}")),
        Err(error) => Some(format!("monitor.ping.{job} is no URL ({error}): {told}")),
    }
}

/// Whether it stands for an address in a text: a host that is set aside for examples (RFC 2606), or words and signs in the
/// place of what a monitor gives out.
fn is_placeholder(url: &Url, text: &str) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let is_of = |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let is_for_examples =
        ["example", "invalid", "test", "example.com", "example.org", "example.net"].into_iter().any(is_of);
    let is_sign = text.contains("...") || text.contains(['<', '>', '{', '}', '…']);
    let path = text.to_ascii_lowercase();
    let parts: Vec<&str> = path.split(['/', '?', '&', '=']).skip(3).collect();
    let stands_for = |part: &&str| {
        let is_word = matches!(*part, "uuid" | "your_uuid" | "ping-key" | "ping_key" | "slug" | "token" | "changeme");
        let is_blank = part.len() >= 8 && part.chars().all(|c| matches!(c, 'x' | '0' | '-'));
        is_word || is_blank || part.starts_with("your-") || part.starts_with("my-uuid") || part.ends_with("uuid-here")
    };
    is_for_examples || is_sign || parts.iter().any(|part| stands_for(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_that_prometheus_takes_and_that_hides_none_of_ours() {
        let faults = |name: &str, value: &str| {
            let labels = [(name.to_owned(), value.to_owned())].into();
            MonitorConfig { labels, ..MonitorConfig::default() }.faults().join("")
        };
        for (name, value) in [("installation", "paper"), ("_a1", "desk \"two\""), ("instance", "ü")] {
            assert_eq!(faults(name, value), "", "{name}");
        }
        for name in ["", "1st", "a-b", "__name__", "a:b", "ü", "job", "symbol"] {
            assert!(faults(name, "x").contains("monitor.labels"), "{name}");
        }
        for value in ["", " ", "two\nlines", &"x".repeat(101)] {
            assert!(faults("installation", value).contains("monitor.labels.installation"), "{value:?}");
        }
    }

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

    #[test]
    fn what_stands_for_an_address_in_a_text_is_none() {
        let faults = |url: &str| {
            let ping = [("snapshot".to_owned(), url.to_owned())].into();
            MonitorConfig { ping, ..MonitorConfig::default() }.faults().join("")
        };
        for url in [
            "https://hc-ping.com/your-uuid-here",
            "https://hc-ping.com/UUID",
            "https://hc-ping.com/0f3c...",
            "https://hc-ping.com/<uuid>",
            "https://hc-ping.com/00000000-0000-0000-0000-000000000000",
            "https://hc-ping.com/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
            "https://example.org/ping/one",
            "https://monitor.example.com./one",
            "https://monitor.example/ping/one",
        ] {
            assert!(faults(url).contains("monitor.ping.snapshot is an example"), "{url}");
        }
        for url in [
            "https://hc-ping.com/3b1c5f0e-7a44-4a53-9a53-2f2f6f1d9f10",
            "https://hc-ping.com/a1b2c3d4e5f6g7h8i9j0kl/snapshot",
            "https://myexample.com/ping/one",
            "http://[::1]:8000/ping/one?create=1",
        ] {
            assert_eq!(faults(url), "", "{url}");
        }
    }
}
