//! The configuration section `lake`: where the tables are, and how they may be asked.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use super::LakeError;

/// The configuration section `lake`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LakeConfig {
    /// Folder of the tables: a path, relative ones from the working directory, or a `file://` address.
    pub uri: String,
    /// Memory that a statement of `jobs query` may take for sorting, grouping and joining, in MB.
    pub query_memory_mb: u32,
    /// Rejected rows that `quarantine` holds at most; of further ones only the findings are stored.
    pub quarantine_max_rows: u32,
}

impl Default for LakeConfig {
    fn default() -> Self {
        Self { uri: "data/lake".to_owned(), query_memory_mb: 512, quarantine_max_rows: 100_000 }
    }
}

impl LakeConfig {
    /// Every fault of the section.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let root = self.root().err().map(|fault| fault.to_string());
        let memory = (self.query_memory_mb == 0)
            .then(|| "lake.query_memory_mb 0 leaves nothing to compute with: give 16 or more".to_owned());
        let quarantine = (self.quarantine_max_rows == 0)
            .then(|| "lake.quarantine_max_rows 0 would keep no rejected row: give 1 or more".to_owned());
        root.into_iter().chain(memory).chain(quarantine).collect()
    }

    /// The folder as an absolute path, symbolic links of its existing part resolved.
    ///
    /// # Errors
    /// [`LakeError::UnsupportedScheme`] or [`LakeError::MalformedUri`].
    pub(super) fn root(&self) -> Result<PathBuf, LakeError> {
        let malformed = |reason: &str| LakeError::MalformedUri { uri: self.uri.clone(), reason: reason.to_owned() };
        let uri = self.uri.trim();
        if uri.is_empty() {
            return Err(malformed("it is empty"));
        }
        if let Some(reason) = unexpanded(uri) {
            return Err(malformed(&format!("it {reason}")));
        }
        let Some((scheme, _)) = uri.split_once("://") else {
            let path = resolved(Path::new(uri)).map_err(|error| malformed(&error.to_string()))?;
            return untaken(&path).map_or(Ok(path), |reason| Err(malformed(&reason)));
        };
        if scheme != "file" {
            return Err(LakeError::UnsupportedScheme { uri: self.uri.clone(), scheme: scheme.to_owned() });
        }
        let path = Url::parse(uri).ok().and_then(|url| url.to_file_path().ok());
        let path =
            path.ok_or_else(|| malformed("a file address has three slashes, such as file:///var/lib/jobs/lake"))?;
        let path = resolved(&path).map_err(|error| malformed(&error.to_string()))?;
        untaken(&path).map_or(Ok(path), |reason| Err(malformed(&reason)))
    }
}

/// Why a path is left to a shell, which does not read a configuration; none where it is a path as it stands.
#[must_use]
pub fn unexpanded(path: &str) -> Option<&'static str> {
    let begins_name = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '{');
    if path.starts_with('~') {
        return Some(
            "begins with ~, which only a shell expands: write the whole path, or ./~ for a folder of that name",
        );
    }
    let names_variable = path.split('$').skip(1).any(begins_name);
    names_variable.then_some("holds a variable, which only a shell expands: write the whole path")
}

/// Why the library of the tables cannot work in a folder.
fn untaken(path: &Path) -> Option<String> {
    let Some(text) = path.to_str() else { return Some(format!("{} is not UTF-8", path.display())) };
    if let Some(unfit) = text.chars().find(|c| c.is_ascii_control() || UNFIT.contains(c)) {
        return Some(format!("it holds the character {unfit:?}, which no table can lie below"));
    }
    if holds_escape(text) {
        return Some(
            "it holds a percent sign before two hexadecimal digits, which reads as another character".to_owned(),
        );
    }
    let is_log = path.components().any(|part| part.as_os_str() == LOG_FOLDER);
    is_log.then(|| format!("a folder of it is named {LOG_FOLDER}, as the log of a table is"))
}

/// Characters that the addresses of the Delta library's stores cannot hold.
const UNFIT: [char; 5] = ['[', ']', '^', '|', '\\'];

const LOG_FOLDER: &str = "_delta_log";

fn holds_escape(text: &str) -> bool {
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    text.split('%').skip(1).any(|rest| matches!(rest.as_bytes(), [a, b, ..] if is_hex(a) && is_hex(b)))
}

/// One name for one folder, whether or not it exists yet: two names would be two lakes to the caches of the readers.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        let Ok(mut existing) = ancestor.canonicalize() else {
            continue;
        };
        for part in absolute.strip_prefix(ancestor).into_iter().flat_map(Path::components) {
            match part {
                Component::ParentDir => drop(existing.pop()),
                other => existing.push(other),
            }
        }
        return Ok(existing);
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(uri: &str) -> LakeConfig {
        LakeConfig { uri: uri.to_owned(), ..LakeConfig::default() }
    }

    #[test]
    fn a_relative_path_starts_at_the_working_directory() {
        let here = std::env::current_dir().and_then(|path| path.canonicalize()).expect("a working directory");
        assert_eq!(LakeConfig::default().root().expect("a path"), here.join("data/lake"));
        assert_eq!(config("no/such/../lake").root().expect("a path"), here.join("no/lake"));
    }

    #[test]
    fn a_file_address_is_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it exists").join("lake");
        assert_eq!(config(&format!("file://{}", root.display())).root().expect("a path"), root);
    }

    #[test]
    fn another_scheme_is_refused_with_the_remedy() {
        let fault = config("s3://bucket/lake").faults().join("\n");
        assert!(fault.contains("s3") && fault.contains("local"), "{fault}");
        assert_eq!(config("").faults().len(), 1);
        assert_eq!(config("file://data/lake").faults().len(), 1);
        assert!(LakeConfig::default().faults().is_empty());
        let starved = LakeConfig { query_memory_mb: 0, ..LakeConfig::default() };
        assert!(starved.faults().join("\n").starts_with("lake.query_memory_mb 0 leaves nothing"));
    }

    #[test]
    fn what_only_a_shell_expands_is_refused() {
        for uri in ["~/lake", "~", "~anna/lake", "$HOME/lake", "${HOME}/lake", "/srv/$USER/lake", "file:///srv/$USER"] {
            let fault = config(uri).faults().join("\n");
            assert!(fault.contains("only a shell expands"), "{uri}: {fault}");
        }
        for uri in ["/srv/a~b/lake", "./~/lake", "/srv/5$/lake"] {
            assert!(config(uri).faults().is_empty(), "{uri}");
        }
    }

    #[test]
    fn what_no_table_can_lie_below_is_refused() {
        for (uri, part) in [
            ("/srv/a\tb/lake", "the character '\\t'"),
            ("/srv/a[1]/lake", "the character '['"),
            ("/srv/a^b/lake", "the character '^'"),
            ("/srv/a|b/lake", "the character '|'"),
            ("/srv/a\\b/lake", "the character '\\\\'"),
            ("/srv/a%20b/lake", "a percent sign before two hexadecimal digits"),
            ("/srv/_delta_log/lake", "a folder of it is named _delta_log"),
        ] {
            let fault = config(uri).faults().join("\n");
            assert!(fault.contains(part), "{uri}: {fault}");
        }
        for uri in ["/srv/50%/lake", "/srv/100%zz/lake", "/srv/_delta_logs/lake"] {
            assert!(config(uri).faults().is_empty(), "{uri}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error = serde_json::from_str::<LakeConfig>(r#"{"url": "x"}"#).expect_err("unknown key").to_string();
        assert!(error.contains("unknown field `url`"), "{error}");
    }
}
