//! A progress bar, where somebody watches.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};

use crate::escape::escaped_line;
use crate::job::Progress;

/// Shows a bar on stderr; on anything but a terminal it draws nothing.
#[derive(Debug, Default)]
pub(super) struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        if let Some(bar) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            act(bar);
        }
    }
}

impl Progress for Bar {
    fn begin(&self, total: u64, what: &str) {
        let bar = ProgressBar::new(total);
        let template = "{wide_bar} {human_pos}/{human_len} {msg}, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(escaped_line(what).into_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn note(&self, what: &str) {
        self.with(|bar| bar.set_message(escaped_line(what).into_owned()));
    }

    fn advance(&self, units: u64) {
        self.with(|bar| bar.inc(units));
    }

    fn end(&self) {
        self.with(ProgressBar::finish_and_clear);
    }
}
