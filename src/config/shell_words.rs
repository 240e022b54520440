//! Paths that only a shell would expand: taken as they stand they would make a folder called `~`.

use std::path::Path;

use crate::lake::unexpanded;

use super::Config;

/// Every path of the configuration that is left to a shell, but the lake's, which is judged with its section.
pub(super) fn faults(config: &Config) -> Vec<String> {
    let always = [
        ("paths.state", &config.paths.state),
        ("paths.logs", &config.paths.logs),
        ("paths.reports", &config.paths.reports),
        ("mail.folder", &config.mail.folder),
    ];
    let optional = [
        ("paths.schedules", config.paths.schedules.as_ref()),
        ("calendar.override_file", config.calendar.override_file.as_ref()),
        ("signals.dividends_file", config.signals.dividends_file.as_ref()),
        ("signals.index_file", config.signals.index_file.as_ref()),
        ("monitor.metrics_folder", config.monitor.metrics_folder.as_ref()),
        ("mail.smtp.password_file", config.mail.smtp.password_file.as_ref()),
        ("mail.smtp.ca_file", config.mail.smtp.ca_file.as_ref()),
    ];
    let given = optional.into_iter().filter_map(|(key, path)| Some((key, path?)));
    always.into_iter().chain(given).filter_map(|(key, path)| fault(key, path)).collect()
}

fn fault(key: &str, path: &Path) -> Option<String> {
    unexpanded(&path.to_string_lossy()).map(|reason| format!("{key} '{}' {reason}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_a_shell_would_expand_is_refused_by_key() {
        let mut config = Config::default();
        assert!(faults(&config).is_empty());
        config.paths.logs = PathBuf::from("~/logs");
        config.paths.schedules = Some(PathBuf::from("$HOME/schedules"));
        let told = faults(&config);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("paths.logs '~/logs' begins with ~"), "{told:?}");
        assert!(told[1].starts_with("paths.schedules '$HOME/schedules' holds a variable"), "{told:?}");
        config = Config::default();
        config.paths.state = PathBuf::from("/srv/a~b/5$");
        assert!(faults(&config).is_empty(), "these are names as others are");
    }
}
