//! Where mails come from: this machine and this program.

use std::fs;

use serde::Serialize;

use super::config::is_host_name;

/// Where mails come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name of the machine, fit for a Message-ID.
    pub host: String,
    /// Version of the program.
    pub version: String,
    /// A short hash of the configuration in force.
    pub config_hash: String,
    /// Whom the mails go to, as a person is told.
    pub recipients: String,
}

impl Origin {
    /// This machine, with the name given to it or its own.
    #[must_use]
    pub fn here(host_name: Option<&str>, recipients: &[String], config: &impl Serialize) -> Self {
        let text = serde_json::to_string(config).unwrap_or_default();
        Self {
            host: host_name.map_or_else(own_name, str::to_owned),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config_hash: format!("{:08x}", short_hash(text.as_bytes())),
            recipients: if recipients.is_empty() { "the mail folder".to_owned() } else { recipients.join(", ") },
        }
    }
}

/// The machine's name as the kernel has it; `localhost` where that is unfit.
fn own_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Some(name.trim().to_owned()).filter(|name| is_host_name(name)).unwrap_or_else(|| "localhost".to_owned())
}

/// FNV-1a of 32 bits: the same on every machine and in every version, and nothing depends on its strength.
fn short_hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_published_vectors() {
        assert_eq!(short_hash(b""), 0x811c_9dc5);
        assert_eq!(short_hash(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn the_host_is_always_fit_for_a_message_id() {
        assert!(is_host_name(&Origin::here(None, &[], &()).host));
        assert_eq!(Origin::here(Some("desk-1.example.com"), &[], &()).host, "desk-1.example.com");
    }
}
