//! Reading the keys of a mapping: unknown ones are told, known ones are read, and every fault is noted.

use super::error::{Faults, remedy};
use super::yaml::{Content, Key, Node};

/// A mapping whose keys are known ones.
pub(super) struct Fields<'a> {
    /// What it is of, as a dotted path.
    pub(super) path: String,
    /// Where it starts.
    pub(super) line: usize,
    entries: Vec<&'a (Key, Node)>,
}

impl<'a> Fields<'a> {
    /// Takes a mapping apart; unknown keys are noted and left out. None, and noted, where the value is no mapping.
    pub(super) fn of(path: String, node: &'a Node, known: &[&str], faults: &mut Faults) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            faults.add(node.line, format!("{path}: write a mapping with the keys {}", known.join(", ")));
            return None;
        };
        let (entries, unknown): (Vec<_>, Vec<_>) =
            entries.iter().partition(|(key, _)| known.contains(&key.name.as_str()));
        for (key, _) in unknown {
            faults.add(key.line, format!("unknown key {path}.{}: {}", key.name, remedy(&key.name, known)));
        }
        Some(Self { path, line: node.line, entries })
    }

    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// Those of the names that are given, in the order of the names.
    pub(super) fn given<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names.iter().copied().filter(|name| self.get(name).is_some()).collect()
    }

    /// The value of a key as text, read by `parse`. None where it is absent, or noted where it cannot be read.
    pub(super) fn read<T>(
        &self,
        name: &str,
        faults: &mut Faults,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.get(name)?;
        let read = match &node.content {
            Content::Text(text) => parse(text),
            Content::Empty => Err("it has no value: give one or leave the key out".to_owned()),
            Content::List(_) | Content::Map(_) => Err("write a single value".to_owned()),
        };
        read.map_err(|fault| self.fault(name, &fault, faults)).ok()
    }

    /// Notes a fault at a key, or where the mapping starts if it has no such key.
    pub(super) fn fault(&self, name: &str, fault: &str, faults: &mut Faults) {
        let line = self.entries.iter().find(|(key, _)| key.name == name).map_or(self.line, |(key, _)| key.line);
        faults.add(line, format!("{}.{name}: {fault}", self.path));
    }
}

/// One of several words.
pub(super) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| format!("unknown value {text:?}: {}", remedy(text, &known)))
}
