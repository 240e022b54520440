//! Asking a run to end: by the signals of a process that does one run, or by the daemon.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{Failure, JobError};

/// Why a run is to end: the failure it ends with, and the words that tell it.
type Reason = Option<(Failure, String)>;

/// The side that asks.
#[derive(Debug)]
pub struct Stopper(watch::Sender<Reason>);

impl Stopper {
    /// A pair of both sides.
    #[must_use]
    pub fn pair() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Asks the run to end; the first reason stands.
    pub fn stop(&self, failure: Failure, why: &str) {
        self.0.send_if_modified(|reason| {
            let is_first = reason.is_none();
            if is_first {
                *reason = Some((failure, why.to_owned()));
            }
            is_first
        });
    }
}

/// The side of the run.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Reason>);

impl Stop {
    /// Ends a run at SIGINT and SIGTERM.
    ///
    /// # Errors
    /// Where the process cannot listen to signals.
    pub fn on_signals() -> Result<Self, JobError> {
        let listen = |kind| signal(kind).map_err(|error| JobError::fail(Failure::Failed, error));
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let (stopper, stop) = Stopper::pair();
        tokio::spawn(pass_on(stopper, interrupt, terminate));
        Ok(stop)
    }

    /// Whether the run is asked to end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the run is asked to end; where nobody is left to ask, for ever.
    pub async fn asked(&mut self) -> JobError {
        let asked = self.0.wait_for(Option::is_some).await.map(|reason| reason.clone());
        match asked {
            Ok(Some((failure, why))) => {
                JobError::fail(failure, format!("{why}; what it had written is kept: run it again for the rest"))
            }
            _ => std::future::pending().await,
        }
    }
}

async fn pass_on(stopper: Stopper, mut interrupt: Signal, mut terminate: Signal) {
    let failure = tokio::select! {
        _ = interrupt.recv() => Failure::Interrupted,
        _ = terminate.recv() => Failure::Terminated,
    };
    stopper.stop(failure, "the run was ended by a signal");
    // The run may take its time; the stopper stays until it has ended.
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_first_reason_stands_and_is_told_to_all() {
        let (stopper, mut stop) = Stopper::pair();
        let mut other = stop.clone();
        stopper.stop(Failure::Terminated, "the daemon stops");
        stopper.stop(Failure::Interrupted, "late");
        drop(stopper);
        for stop in [&mut stop, &mut other] {
            let error = stop.asked().await;
            assert_eq!(error.failure(), Failure::Terminated);
            assert!(error.to_string().starts_with("the daemon stops; "), "{error}");
        }
    }

    #[test]
    fn without_anybody_to_ask_it_waits() {
        let (stopper, mut stop) = Stopper::pair();
        drop(stopper);
        assert!(stop.asked().now_or_never().is_none());
    }
}
