//! Putting the layers together: every key keeps its origin, and every error is collected before any is told.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};
use thiserror::Error;

use super::Config;
use super::locate::line_of;

/// Largest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Prefix of the environment variables.
const ENVIRONMENT_PREFIX: &str = "JOBS__";

/// What the layers are made of.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The file of `--config`; it must exist.
    pub explicit_file: Option<PathBuf>,
    /// Files looked for in this order where none is named.
    pub usual_files: Vec<PathBuf>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Flags: name, dotted key, value as YAML.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// The configuration in force, and where each of its keys comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file it was read from.
    pub file: Option<PathBuf>,
    /// Dotted keys that are not at their default, and their origin.
    pub origins: BTreeMap<String, String>,
}

/// Every error of a configuration, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct ConfigError {
    faults: Vec<String>,
}

impl ConfigError {
    pub(super) fn new(faults: Vec<String>) -> Self {
        Self { faults }
    }

    /// The errors, each saying what, where, and what to do.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.faults.join("\n"))
    }
}

/// One key set by a layer.
struct Entry {
    path: Vec<String>,
    value: Value,
    origin: String,
}

impl Entry {
    fn key(&self) -> String {
        self.path.join(".")
    }
}

/// Loads the configuration.
///
/// # Errors
/// [`ConfigError`] with every fault: a file that cannot be read, unknown keys, values of a wrong type or out of range.
pub fn load(layers: &Layers) -> Result<Loaded, ConfigError> {
    let defaults = serde_yaml::to_value(Config::default()).map_err(|e| ConfigError::new(vec![e.to_string()]))?;
    let file = match &layers.explicit_file {
        Some(path) => Some(path.clone()),
        None => layers.usual_files.iter().find(|path| path.exists()).cloned(),
    };
    let mut collector = Collector { defaults: &defaults, entries: Vec::new(), faults: Vec::new() };
    if let Some(path) = &file {
        collector.file(path)?;
    }
    collector.environment(&layers.environment);
    for (flag, key, value) in &layers.flags {
        collector.scalar(key.split('.').map(str::to_owned).collect(), value, (*flag).to_owned());
    }
    let (config, origins) = collector.finish()?;
    Ok(Loaded { config, file, origins })
}

/// What can still be used of a configuration that has faults: the sections `mail`, `alert` and `paths` where they have
/// none, all else at its default. Only what tells of the faults may work with it; none where the mail is not configured.
#[must_use]
pub fn salvage(layers: &Layers) -> Option<Loaded> {
    let defaults = serde_yaml::to_value(Config::default()).ok()?;
    let file = layers.explicit_file.iter().chain(&layers.usual_files).find(|path| path.exists()).cloned();
    let mut collector = Collector { defaults: &defaults, entries: Vec::new(), faults: Vec::new() };
    if let Some(path) = &file {
        collector.file(path).ok()?;
    }
    collector.environment(&layers.environment);
    let is_usable = |key: &str| ["mail.", "alert.", "paths."].iter().any(|section| key.starts_with(section));
    let is_unsound = |fault: &String| fault.contains("unknown key mail.") || fault.contains("unknown key alert.");
    if collector.faults.iter().any(is_unsound) || !collector.entries.iter().any(|e| e.key().starts_with("mail.")) {
        return None;
    }
    collector.entries.retain(|entry| is_usable(&entry.key()));
    collector.faults.clear();
    let (config, origins) = collector.finish().ok()?;
    Some(Loaded { config, file, origins })
}

/// Reads a configuration file of at most 1 MiB that others cannot write.
pub(super) fn read_file(path: &Path) -> Result<String, ConfigError> {
    let fault = |what: String| ConfigError::new(vec![format!("{}: {what}", path.display())]);
    let metadata =
        fs::metadata(path).map_err(|e| fault(format!("cannot be read ({e}): check the path and its permissions")))?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(fault("is larger than 1 MiB: this is no configuration file".to_owned()));
    }
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(fault("can be written by everybody: run chmod o-w on it".to_owned()));
    }
    fs::read_to_string(path).map_err(|e| fault(format!("cannot be read ({e}): check the path and its permissions")))
}

/// Gathers the entries of all layers, lowest first, and the faults met on the way.
struct Collector<'a> {
    defaults: &'a Value,
    entries: Vec<Entry>,
    faults: Vec<String>,
}

impl Collector<'_> {
    fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = read_file(path)?;
        let value: Value = serde_yaml::from_str(&text)
            .map_err(|e| ConfigError::new(vec![format!("{}: {e}: correct the YAML", path.display())]))?;
        match value {
            Value::Null => {}
            Value::Mapping(map) => self.mapping(&map, &mut Vec::new(), &|keys| match line_of(&text, keys) {
                Some(line) => format!("{}:{line}", path.display()),
                None => path.display().to_string(),
            }),
            _ => self.faults.push(format!("{}: is no mapping of sections: see jobs config generate", path.display())),
        }
        Ok(())
    }

    fn mapping(&mut self, map: &Mapping, path: &mut Vec<String>, origin: &dyn Fn(&[String]) -> String) {
        for (key, value) in map {
            path.push(key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned));
            match (lookup(self.defaults, path), value) {
                (None, _) => self.faults.push(self.unknown_key(path, &origin(path))),
                (Some(Value::Mapping(known)), Value::Mapping(inner)) if !known.is_empty() => {
                    self.mapping(inner, path, origin);
                }
                // A section without keys, as a sample with everything commented has it.
                (Some(Value::Mapping(known)), Value::Null) if !known.is_empty() => {}
                _ => self.entries.push(Entry { path: path.clone(), value: value.clone(), origin: origin(path) }),
            }
            path.pop();
        }
    }

    fn environment(&mut self, variables: &[(String, String)]) {
        for (name, value) in variables {
            if let Some(keys) = name.strip_prefix(ENVIRONMENT_PREFIX) {
                let path = keys.split("__").map(str::to_ascii_lowercase).collect();
                self.scalar(path, value, format!("environment {name}"));
            }
        }
    }

    /// A value given as text: YAML, or where that does not fit the text itself.
    fn scalar(&mut self, path: Vec<String>, text: &str, origin: String) {
        if lookup(self.defaults, &path).is_none() {
            self.faults.push(self.unknown_key(&path, &origin));
            return;
        }
        let parsed = serde_yaml::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let as_text = Entry { path: path.clone(), value: Value::String(text.to_owned()), origin: origin.clone() };
        let as_yaml = Entry { path, value: parsed, origin };
        let only_text_fits = self.type_fault(&as_yaml).is_some() && self.type_fault(&as_text).is_none();
        self.entries.push(if only_text_fits { as_text } else { as_yaml });
    }

    fn finish(mut self) -> Result<(Config, BTreeMap<String, String>), ConfigError> {
        let type_faults: Vec<String> = self.entries.iter().filter_map(|entry| self.type_fault(entry)).collect();
        self.faults.extend(type_faults);
        if !self.faults.is_empty() {
            return Err(ConfigError::new(self.faults));
        }
        let mut merged = self.defaults.clone();
        for entry in &self.entries {
            set(&mut merged, &entry.path, entry.value.clone());
        }
        let config: Config = serde_yaml::from_value(merged).map_err(|e| ConfigError::new(vec![e.to_string()]))?;
        let origins: BTreeMap<String, String> = self.entries.into_iter().map(|e| (e.key(), e.origin)).collect();
        let faults = config.faults();
        if faults.is_empty() {
            return Ok((config, origins));
        }
        Err(ConfigError::new(faults.into_iter().map(|fault| with_origin(fault, &origins)).collect()))
    }

    /// Whether one value fits its key, judged alone so that each misfit is told.
    fn type_fault(&self, entry: &Entry) -> Option<String> {
        let mut alone = self.defaults.clone();
        set(&mut alone, &entry.path, entry.value.clone());
        let error = serde_yaml::from_value::<Config>(alone).err()?;
        Some(format!("{}: {}: {error}", entry.origin, entry.key()))
    }

    fn unknown_key(&self, path: &[String], origin: &str) -> String {
        let (name, parents) = path.split_last().map_or(("", path), |(last, rest)| (last.as_str(), rest));
        let known = lookup(self.defaults, parents).and_then(Value::as_mapping);
        let known: Vec<&str> = known.into_iter().flat_map(Mapping::keys).filter_map(Value::as_str).collect();
        let nearest =
            known.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let remedy = match nearest.filter(|near| strsim::jaro_winkler(near, name) > 0.8) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("known are {}", known.join(", ")),
        };
        format!("{origin}: unknown key {}: {remedy}", path.join("."))
    }
}

/// Puts the origin of the key that a fault names before it.
fn with_origin(fault: String, origins: &BTreeMap<String, String>) -> String {
    let named = origins.iter().filter(|(key, _)| fault.contains(key.as_str())).max_by_key(|(key, _)| key.len());
    match named {
        Some((_, origin)) => format!("{origin}: {fault}"),
        None => fault,
    }
}

fn lookup<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.as_mapping()?.get(key.as_str()))
}

fn set(value: &mut Value, path: &[String], new: Value) {
    match path.split_first() {
        None => *value = new,
        Some((key, rest)) => {
            if let Some(inner) = value.as_mapping_mut().and_then(|map| map.get_mut(key.as_str())) {
                set(inner, rest, new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::GatewayKind;

    fn with_file(text: &str) -> (tempfile::TempDir, Layers) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.yaml");
        fs::write(&path, text).expect("a file");
        let layers = Layers { usual_files: vec![path], ..Layers::default() };
        (folder, layers)
    }

    fn faults(text: &str) -> Vec<String> {
        let (folder, layers) = with_file(text);
        let folder = format!("{}/", folder.path().display());
        let error = load(&layers).expect_err("faults");
        error.faults().iter().map(|fault| fault.replace(&folder, "")).collect()
    }

    #[test]
    fn without_any_layer_the_defaults_hold() {
        assert_eq!(load(&Layers::default()).expect("defaults").config, Config::default());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let (_folder, mut layers) = with_file("gateway: { kind: ib, address: 127.0.0.1:1 }\nlake: { uri: file }\n");
        layers.environment = vec![
            ("JOBS__GATEWAY__ADDRESS".to_owned(), "127.0.0.1:2".to_owned()),
            ("JOBS__LAKE__URI".to_owned(), "42".to_owned()),
            ("HOME".to_owned(), "elsewhere".to_owned()),
        ];
        layers.flags = vec![("--gateway", "gateway.address", "127.0.0.1:3".to_owned())];
        let loaded = load(&layers).expect("sound");
        assert_eq!(loaded.config.gateway.kind, GatewayKind::Ib);
        assert_eq!(loaded.config.gateway.address.as_deref(), Some("127.0.0.1:3"));
        assert_eq!(loaded.config.lake.uri, "42", "a number where text is meant is text");
        assert_eq!(loaded.origins.get("gateway.address").map(String::as_str), Some("--gateway"));
    }

    #[test]
    fn every_error_comes_at_once_with_its_line() {
        let told = faults(
            "gatway:\n  kind: ib\nmarket:\n  futures: [ES]\n  role_rule: monday\ngateway:\n  quote_settle_ms: soon\n  client_id_count: many\n",
        );
        assert_eq!(told.len(), 4, "{told:#?}");
        assert_eq!(told[0], "jobs.yaml:1: unknown key gatway: did you mean gateway?");
        assert_eq!(told[1], "jobs.yaml:5: unknown key market.role_rule: did you mean roll_rule?");
        assert!(told[2].starts_with("jobs.yaml:7: gateway.quote_settle_ms: "), "{}", told[2]);
        assert!(told[3].starts_with("jobs.yaml:8: gateway.client_id_count: "), "{}", told[3]);
    }

    #[test]
    fn a_value_out_of_range_names_its_line() {
        let told = faults("gateway:\n  kind: ib\n  address: nowhere\n");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("jobs.yaml:3: gateway.address 'nowhere' is no HOST:PORT"), "{told:?}");
    }

    #[test]
    fn broken_yaml_names_line_and_column() {
        let told = faults("gateway:\n  kind: [ib\n");
        assert!(told[0].contains("line ") && told[0].contains("column"), "{told:?}");
    }

    #[test]
    fn a_file_that_everybody_can_write_is_refused() {
        let (_folder, layers) = with_file("lake: { uri: x }\n");
        let path = &layers.usual_files[0];
        fs::set_permissions(path, fs::Permissions::from_mode(0o646)).expect("a mode");
        assert!(load(&layers).expect_err("refused").to_string().contains("chmod o-w"));
    }

    #[test]
    fn of_a_faulty_file_the_mail_is_saved_where_it_is_sound() {
        let saved = |text: &str| {
            let (_folder, layers) = with_file(text);
            load(&layers).expect_err("it is faulty");
            salvage(&layers)
        };
        let mail = "mail: { kind: file, folder: /var/mail/jobs }\n";
        let loaded = saved(&format!("gatewy: {{}}\nlake: {{ uri: 's3://x' }}\npaths: {{ state: here }}\n{mail}"));
        let config = loaded.expect("the mail is sound").config;
        assert_eq!(config.mail.folder, PathBuf::from("/var/mail/jobs"));
        assert_eq!(config.paths.state, PathBuf::from("here"));
        assert_eq!(config.lake, Config::default().lake);
        for unsound in ["gatewy: {}\n", "gatewy: {}\nmail: { kind: smtp }\n", "mail: { kind: fax }\n", "mail: [\n"] {
            assert!(saved(unsound).is_none(), "{unsound}");
        }
    }

    #[test]
    fn a_key_of_the_mail_server_has_its_line_and_a_suggestion() {
        let told = faults("mail:\n  kind: smtp\n  smtp:\n    hots: x\n    port: 99999\n");
        assert_eq!(told[0], "jobs.yaml:4: unknown key mail.smtp.hots: did you mean host?");
        assert!(told[1].starts_with("jobs.yaml:5: mail.smtp.port: "), "{told:?}");
    }

    #[test]
    fn the_commented_sample_is_a_sound_file() {
        let (_folder, layers) = with_file(crate::config::SAMPLE);
        assert_eq!(load(&layers).expect("sound").config, Config::default());
    }
}
