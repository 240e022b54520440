//! What a library logs and does not return, collected for the one future in which it was logged.
//!
//! The gateway's client prints some of the gateway's notices and gives them to no caller: those of a handshake that fails,
//! and those beside a historical answer. They decide what a failure means, and whether the newest bar may be stored.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The library that is listened to.
const LIBRARY: &str = "ibapi";

/// Most lines that are kept of one future.
const MAX_LINES: usize = 64;

tokio::task_local! {
    static HEARD: Arc<Mutex<Vec<String>>>;
}

/// Awaits a future and collects the warnings and errors that the library logs while the future itself is polled, oldest
/// first. Nothing is collected where logging was not started.
pub async fn overhear<F: Future>(future: F) -> (F::Output, Vec<String>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let output = HEARD.scope(Arc::clone(&heard), future).await;
    let lines = std::mem::take(&mut *heard.lock().unwrap_or_else(PoisonError::into_inner));
    (output, lines)
}

/// The layer that collects.
pub(super) fn layer<S>() -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let of_library =
        FilterFn::new(|metadata| *metadata.level() <= Level::WARN && metadata.target().starts_with(LIBRARY));
    Overhear.with_filter(of_library.with_max_level_hint(LevelFilter::WARN)).boxed()
}

struct Overhear;

impl<S: Subscriber> Layer<S> for Overhear {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let collect = |heard: &Arc<Mutex<Vec<String>>>| {
            let mut message = Message(None);
            event.record(&mut message);
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            if heard.len() < MAX_LINES {
                heard.extend(message.0);
            }
        };
        // Outside of a collecting future there is nobody to collect for.
        let _ = HEARD.try_with(collect);
    }
}

/// Reads the field `message`.
struct Message(Option<String>);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn only_what_the_library_warns_of_within_the_future_is_collected() {
        let subscriber = tracing_subscriber::registry().with(layer());
        let heard = tracing::subscriber::with_default(subscriber, || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                tracing::warn!(target: "ibapi::messages", "before");
                let (output, heard) = overhear(async {
                    tracing::warn!(target: "ibapi::messages", "[2188] no newest minutes");
                    tracing::info!(target: "ibapi::messages", "not a warning");
                    tracing::error!(target: "frontmonth", "not the library");
                    7
                })
                .await;
                assert_eq!(output, 7);
                heard
            })
        });
        assert_eq!(heard, ["[2188] no newest minutes"]);
    }
}
