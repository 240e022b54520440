//! Putting the layers together: every key keeps its origin, and every error is collected before any is told.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_yaml::{Mapping, Value};
use thiserror::Error;

use super::Config;
use super::locate::line_of;
use crate::input_file::{self, InputFileError};

/// Largest configuration file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Prefix of the environment variables.
const ENVIRONMENT_PREFIX: &str = "JOBS__";

/// What the layers are made of.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The file of `--config`; it must exist.
    pub explicit_file: Option<PathBuf>,
    /// Files looked for in this order where none is named; one that is there and cannot be read is a fault.
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
    load_judged(layers, |_| Vec::new())
}

/// As [`load`], with the faults that only a later stage knows of among the others.
///
/// # Errors
/// As [`load`].
pub fn load_judged(layers: &Layers, judge: impl Fn(&Config) -> Vec<String>) -> Result<Loaded, ConfigError> {
    let defaults = serde_yaml::to_value(Config::default()).map_err(|e| ConfigError::new(vec![e.to_string()]))?;
    let mut collector = Collector::new(&defaults);
    let file = file_of(layers).unwrap_or_else(|fault| {
        collector.faults.push(fault);
        collector.is_partial = true;
        None
    });
    if let Some(path) = &file
        && let Err(error) = collector.file(path)
    {
        collector.faults.extend(error.faults);
        collector.is_partial = true;
    }
    collector.environment(&layers.environment);
    for (flag, key, value) in &layers.flags {
        collector.scalar(key.split('.').map(str::to_owned).collect(), value, (*flag).to_owned());
    }
    let (config, origins) = collector.finish(judge)?;
    Ok(Loaded { config, file, origins })
}

/// What can still be used of a configuration that has faults: the sections `mail`, `alert` and `paths` where they have
/// none, all else at its default. Only what tells of the faults may work with it; none where the mail is not configured.
#[must_use]
pub fn salvage(layers: &Layers) -> Option<Loaded> {
    let defaults = serde_yaml::to_value(Config::default()).ok()?;
    let file = file_of(layers).ok()?;
    let mut collector = Collector::new(&defaults);
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
    let (config, origins) = collector.finish(|_| Vec::new()).ok()?;
    Some(Loaded { config, file, origins })
}

/// The file that is named, else the first of the usual ones that is there.
///
/// Without a file the defaults hold, which are simulated quotes; so nothing may pass for "no file" that is one: a link
/// whose target is gone, a folder that may not be looked into, the other ending of YAML.
fn file_of(layers: &Layers) -> Result<Option<PathBuf>, String> {
    if let Some(path) = &layers.explicit_file {
        return Ok(Some(path.clone()));
    }
    for path in &layers.usual_files {
        match path.symlink_metadata() {
            Ok(_) => return Ok(Some(path.clone())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let told = "cannot be looked for";
                return Err(format!(
                    "{}: {told} ({error}): mend the folder, or name a file by --config",
                    path.display()
                ));
            }
        }
        let other = path.with_extension("yml");
        if other.symlink_metadata().is_ok() {
            let told = format!("is not read: rename it to {}, or name it by --config", path.display());
            return Err(format!("{}: {told}", other.display()));
        }
    }
    Ok(None)
}

/// Reads a regular file of at most 1 MiB that others cannot write.
pub(super) fn read_file(path: &Path) -> Result<String, ConfigError> {
    let fault = |what: String| ConfigError::new(vec![format!("{}: {what}", path.display())]);
    let (bytes, metadata) = input_file::read(path, MAX_FILE_BYTES).map_err(|error| fault(error.to_string()))?;
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(fault("can be written by everybody: run chmod o-w on it".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| fault(InputFileError::NotText.to_string()))
}

/// Gathers the entries of all layers, lowest first, and the faults met on the way.
struct Collector<'a> {
    defaults: &'a Value,
    entries: Vec<Entry>,
    faults: Vec<String>,
    /// Keys of which a fault speaks already.
    faulty: Vec<String>,
    /// Whether a layer could not be read, so that what its keys would have said is not known.
    is_partial: bool,
}

impl<'a> Collector<'a> {
    fn new(defaults: &'a Value) -> Self {
        Self { defaults, entries: Vec::new(), faults: Vec::new(), faulty: Vec::new(), is_partial: false }
    }

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

    /// The keys of a section, down to those that stand for themselves, so that each layer replaces only what it names.
    fn mapping(&mut self, map: &Mapping, path: &mut Vec<String>, origin: &dyn Fn(&[String]) -> String) {
        for (key, value) in map {
            path.push(key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned));
            match (lookup(self.defaults, path), value) {
                (None, _) if !self.is_of_open_map(path) => self.unknown_key(path, &origin(path)),
                (Some(Value::Mapping(_)), Value::Mapping(inner)) => self.mapping(inner, path, origin),
                // A section without keys, as a sample with everything commented has it.
                (Some(Value::Mapping(_)), Value::Null) => {}
                _ => self.entries.push(Entry { path: path.clone(), value: value.clone(), origin: origin(path) }),
            }
            path.pop();
        }
    }

    fn environment(&mut self, variables: &[(String, String)]) {
        for (name, value) in variables {
            let Some(keys) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            let origin = format!("environment {name}");
            if value.trim().is_empty() {
                self.faults.push(format!("{origin}: is empty: give a value (null for none), or unset the variable"));
            } else if value.contains(char::REPLACEMENT_CHARACTER) {
                self.faults.push(format!("{origin}: is not text in UTF-8: give other bytes, or unset the variable"));
            } else {
                let path = self.path_of(&keys.split("__").collect::<Vec<_>>());
                self.scalar(path, value, origin);
            }
        }
    }

    /// The keys that the parts of a variable's name mean. A variable is written in capitals and without dots; a key of an
    /// open map, such as a symbol or a job, is in capitals only where it must be.
    fn path_of(&self, parts: &[&str]) -> Vec<String> {
        let plain = |text: &str| text.to_ascii_lowercase().replace(['.', '-'], "_");
        let mut path: Vec<String> = Vec::new();
        for part in parts {
            let known = lookup(self.defaults, &path).and_then(Value::as_mapping);
            let known = known.into_iter().flat_map(Mapping::keys).filter_map(Value::as_str);
            let meant = known.filter(|key| plain(key) == plain(part)).map(str::to_owned).next();
            path.push(meant.unwrap_or_else(|| part.to_ascii_lowercase()));
            if self.is_of_open_map(&path) {
                let inner = Entry { path: path.clone(), value: Value::Mapping(Mapping::new()), origin: String::new() };
                let is_fit =
                    |value: Value| self.type_fault(&Entry { value, path: path.clone(), origin: String::new() });
                let fits = self.type_fault(&inner).is_none() || is_fit(Value::String("x".to_owned())).is_none();
                if !fits && let Some(last) = path.last_mut() {
                    (*part).clone_into(last);
                }
            }
        }
        path
    }

    /// Whether a key that is not known stands in a map whose keys are the operator's, such as `monitor.ping`.
    fn is_of_open_map(&self, path: &[String]) -> bool {
        let parent = path.split_last().map(|(_, parents)| lookup(self.defaults, parents));
        matches!(parent, Some(Some(Value::Mapping(known))) if known.is_empty())
    }

    /// A value given as text: YAML, or where that does not fit the text itself. A section given as a whole replaces the
    /// keys it names and leaves the others.
    fn scalar(&mut self, path: Vec<String>, text: &str, origin: String) {
        let parents = (0..path.len()).filter_map(|end| path.get(..=end));
        let is_known = lookup(self.defaults, &path).is_some() || parents.clone().any(|key| self.is_of_open_map(key));
        if !is_known {
            self.unknown_key(&path, &origin);
            return;
        }
        let parsed = serde_yaml::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        if let (Some(Value::Mapping(_)), Value::Mapping(section)) = (lookup(self.defaults, &path), &parsed) {
            self.mapping(section, &mut path.clone(), &|_| origin.clone());
            return;
        }
        let as_text = Entry { path: path.clone(), value: Value::String(text.to_owned()), origin: origin.clone() };
        let as_yaml = Entry { path, value: parsed, origin };
        let only_text_fits = self.type_fault(&as_yaml).is_some() && self.type_fault(&as_text).is_none();
        self.entries.push(if only_text_fits { as_text } else { as_yaml });
    }

    /// The configuration of the entries, or every fault: those of single values, and what the sections say of the rest.
    fn finish(
        mut self,
        judge: impl Fn(&Config) -> Vec<String>,
    ) -> Result<(Config, BTreeMap<String, String>), ConfigError> {
        let mut sound = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            match self.type_fault(&entry) {
                None => sound.push(entry),
                Some(fault) => {
                    self.faulty.push(entry.key());
                    self.faults.push(fault);
                }
            }
        }
        let mut merged = self.defaults.clone();
        for entry in &sound {
            set(&mut merged, &entry.path, entry.value.clone());
        }
        let config: Config = match serde_yaml::from_value(merged) {
            Ok(config) => config,
            Err(error) => {
                self.faults.push(error.to_string());
                return Err(ConfigError::new(self.faults));
            }
        };
        let origins: BTreeMap<String, String> = sound.into_iter().map(|e| (e.key(), e.origin)).collect();
        // What a value that is faulty itself would have given is not missing.
        let is_new = |fault: &String| !self.faulty.iter().any(|key| fault.contains(key.as_str()));
        let others = if self.is_partial { Vec::new() } else { [config.faults(), judge(&config)].concat() };
        let others = others.into_iter().filter(is_new).map(|fault| with_origin(fault, &origins));
        self.faults.extend(others.collect::<Vec<_>>());
        if self.faults.is_empty() { Ok((config, origins)) } else { Err(ConfigError::new(self.faults)) }
    }

    /// Whether one value fits its key, judged alone so that each misfit is told.
    fn type_fault(&self, entry: &Entry) -> Option<String> {
        let mut alone = self.defaults.clone();
        set(&mut alone, &entry.path, entry.value.clone());
        let error = serde_yaml::from_value::<Config>(alone).err()?;
        Some(format!("{}: {}: {error}", entry.origin, entry.key()))
    }

    fn unknown_key(&mut self, path: &[String], origin: &str) {
        // Of several keys below one that is not known, that one is to be mended.
        let mut ends = (1..=path.len()).filter_map(|end| path.get(..end));
        let path = ends.find(|key| lookup(self.defaults, key).is_none()).unwrap_or(path);
        let (name, parents) = path.split_last().map_or(("", path), |(last, rest)| (last.as_str(), rest));
        let known = lookup(self.defaults, parents).and_then(Value::as_mapping);
        let known: Vec<&str> = known.into_iter().flat_map(Mapping::keys).filter_map(Value::as_str).collect();
        let nearest =
            known.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let remedy = match nearest.filter(|near| strsim::jaro_winkler(near, name) > 0.8) {
            Some(near) => {
                let meant: Vec<&str> = parents.iter().map(String::as_str).chain([*near]).collect();
                self.faulty.push(meant.join("."));
                format!("did you mean {near}?")
            }
            None if known.is_empty() => format!("{} has no keys below it", parents.join(".")),
            None => format!("known are {}", known.join(", ")),
        };
        self.faults.push(format!("{origin}: unknown key {}: {remedy}", path.join(".")));
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
            let Some(map) = value.as_mapping_mut() else { return };
            // Below an open map, such as monitor.ping, there is nothing yet.
            let inner = map.entry(Value::String(key.clone())).or_insert_with(|| Value::Mapping(Mapping::new()));
            set(inner, rest, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn a_check_is_set_by_its_name_and_keeps_what_is_not_given() {
        let (_folder, layers) = with_file(
            "quality:\n  quote.spread:\n    warn_if: 9\n    symbols: { NQ: { warn_if: 20 } }\n  fresh.slot: { enabled: false }\n",
        );
        let quality = load(&layers).expect("sound").config.quality;
        let spread = quality.check("quote.spread").expect("a check");
        assert_eq!((spread.warn_if, spread.error_if), (Some(9.0), Some(80.0)));
        assert_eq!(spread.steps(Some(&"NQ".parse().expect("a symbol"))), (Some(20.0), Some(80.0)));
        assert!(!quality.check("fresh.slot").expect("a check").enabled);
        assert!(quality.check("quote.age").expect("a check").enabled);
    }

    #[test]
    fn every_error_of_the_checks_comes_at_once_with_a_suggestion() {
        let told =
            faults("quality:\n  quote.spraed:\n    warn_if: 9\n  quote.age:\n    warn_iff: 3\n    error_if: soon\n");
        assert_eq!(told.len(), 3, "{told:#?}");
        assert_eq!(told[0], "jobs.yaml:2: unknown key quality.quote.spraed: did you mean quote.spread?");
        assert_eq!(told[1], "jobs.yaml:5: unknown key quality.quote.age.warn_iff: did you mean warn_if?");
        assert!(told[2].starts_with("jobs.yaml:6: quality.quote.age.error_if: "), "{}", told[2]);
        let symbol = faults("quality:\n  quote.age:\n    symbols: { QQ: { warn_if: 3 } }\n");
        assert_eq!(symbol, ["jobs.yaml:3: quality.quote.age.symbols.QQ is not captured: did you mean QQQ?"]);
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

    fn with_environment(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
        let (folder, mut layers) = with_file(text);
        layers.environment = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let prefix = format!("{}/", folder.path().display());
        load(&layers).map_err(|error| error.faults().iter().map(|fault| fault.replace(&prefix, "")).collect())
    }

    #[test]
    fn what_is_wrong_with_single_values_does_not_hide_what_the_sections_say() {
        let told = faults(
            "gateway:\n  kind: ib\n  address: nowhere\n  quote_settle_ms: soon\nruns:\n  max_retires: 3\n  drain_seconds: 99999\nmonitor:\n  ping: { snapshot: nowhere }\n",
        );
        assert_eq!(told.len(), 5, "{told:#?}");
        for (fault, key) in [
            (0, "unknown key runs.max_retires"),
            (1, "gateway.quote_settle_ms"),
            (2, "jobs.yaml:3: gateway.address"),
            (3, "jobs.yaml:7: runs.drain_seconds"),
            (4, "jobs.yaml:9: monitor.ping.snapshot"),
        ] {
            assert!(told[fault].contains(key), "{key}: {told:#?}");
        }
        let told = faults("mail:\n  kind: smtp\n  from: a@example.com\n  to: [b@example.com]\n  smtp: { hots: x }\n");
        assert_eq!(told.len(), 1, "the host that was meant is not missing as well: {told:#?}");
    }

    #[test]
    fn a_section_from_the_environment_keeps_the_other_keys_of_the_file() {
        let file = "mail:\n  smtp: { host: a.example.com, port: 2525 }\nmonitor:\n  ping: { quality: 'http://127.0.0.1:8000/q' }\n";
        let loaded = with_environment(
            file,
            &[
                ("JOBS__MAIL__SMTP", "{ host: b.example.com }"),
                ("JOBS__MONITOR__PING__SNAPSHOT", "http://127.0.0.1:8000/s"),
                ("JOBS__QUALITY__QUOTE_SPREAD__WARN_IF", "9"),
                ("JOBS__QUALITY__QUOTE_SPREAD__SYMBOLS__NQ__WARN_IF", "20"),
                ("JOBS__MAIL", "{ to: [desk@example.com] }"),
            ],
        );
        let config = loaded.expect("sound").config;
        assert_eq!((config.mail.smtp.host.as_deref(), config.mail.smtp.port), (Some("b.example.com"), Some(2525)));
        assert_eq!(config.mail.to, ["desk@example.com"]);
        let pinged: Vec<&str> = config.monitor.ping.keys().map(String::as_str).collect();
        assert_eq!(pinged, ["quality", "snapshot"]);
        let spread = config.quality.check("quote.spread").expect("a check");
        let (one, all) = (spread.steps(Some(&"NQ".parse().expect("a symbol"))).0, spread.warn_if);
        assert_eq!((one, all), (Some(20.0), Some(9.0)));
    }

    #[test]
    fn a_variable_that_says_nothing_or_names_no_key_is_refused() {
        let told = |name: &str, value: &str| with_environment("", &[(name, value)]).expect_err("refused").join("\n");
        for value in ["", " "] {
            assert!(told("JOBS__MAIL__HOST_NAME", value).starts_with("environment JOBS__MAIL__HOST_NAME: is empty"));
        }
        assert!(told("JOBS__GATEWAY__ADDRESS", "127.0.0.1\u{fffd}").contains("is not text in UTF-8"));
        let unknown = told("JOBS__MAIL__SMTP", "{ hots: x }");
        assert!(unknown.contains("environment JOBS__MAIL__SMTP: unknown key mail.smtp.hots"), "{unknown}");
        assert!(told("JOBS__MAIL__SMPT__HOST", "x").ends_with("unknown key mail.smpt: did you mean smtp?"));
        assert!(told("JOBS__MAIL__SMTP", "x").contains("mail.smtp"));
        let misspelt = told("JOBS__QUALITY__QUOTE_SPRAED__WARN_IF", "9");
        assert!(misspelt.ends_with("unknown key quality.quote_spraed: did you mean quote.spread?"), "{misspelt}");
        let below = told("JOBS__GATEWAY__ADDRESS__HOST", "x");
        assert!(below.ends_with("unknown key gateway.address.host: gateway.address has no keys below it"), "{below}");
    }

    #[test]
    fn nothing_that_is_there_passes_for_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jobs.yaml");
        let told = || {
            let layers = Layers { usual_files: vec![path.clone()], ..Layers::default() };
            load(&layers).map(|loaded| loaded.file).map_err(|error| error.to_string())
        };
        assert_eq!(told(), Ok(None));
        fs::write(path.with_extension("yml"), "lake: { uri: x }\n").expect("a file");
        assert!(told().expect_err("refused").contains("jobs.yml: is not read: rename it to"));
        fs::write(&path, "lake: { uri: x }\n").expect("a file");
        assert_eq!(told(), Ok(Some(path.clone())), "the right one is there too");
        fs::remove_file(&path).expect("removed");
        std::os::unix::fs::symlink("gone.yaml", &path).expect("linked");
        assert!(told().expect_err("refused").contains("is a link to gone.yaml, which is not there"));
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a folder");
        assert!(told().expect_err("refused").contains("is a folder: name a regular file"));
    }

    #[test]
    fn the_commented_sample_is_a_sound_file() {
        let (_folder, layers) = with_file(crate::config::SAMPLE);
        assert_eq!(load(&layers).expect("sound").config, Config::default());
    }
}
