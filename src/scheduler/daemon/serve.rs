//! A process that serves: heartbeat and signals become commands.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{Command, Daemon, Notifier, Service, heartbeat};
use crate::config::Config;
use crate::job::{Failure, JobError};

/// Ticks that wait while the loop is busy; one would do, for a tick is but a hint.
const MAX_WAITING: usize = 16;

/// Serves until SIGTERM or SIGINT; SIGHUP reloads. `make` makes the service, at the start and for each reload, then with the
/// configuration in force.
///
/// # Errors
/// As [`Daemon::start`], and where the first service cannot be made.
pub async fn serve(mut make: impl AsyncFnMut(Option<&Config>) -> Result<Service, JobError>) -> Result<(), JobError> {
    let (sender, commands) = mpsc::channel(MAX_WAITING);
    for (kind, command) in [
        (SignalKind::terminate(), Command::Drain),
        (SignalKind::interrupt(), Command::Drain),
        (SignalKind::hangup(), Command::Reload),
    ] {
        let mut signals = signal(kind).map_err(|error| JobError::fail(Failure::Failed, error))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if sender.send(command).await.is_err() {
                    return;
                }
            }
        });
    }
    // After the handlers, so that a signal that comes early ends or reloads in good order.
    let mut daemon = Daemon::start(make(None).await?, Notifier::systemd())?;
    tokio::spawn(heartbeat::beat(sender));
    daemon.run(commands, async |in_force: &Config| make(Some(in_force)).await).await;
    Ok(())
}
