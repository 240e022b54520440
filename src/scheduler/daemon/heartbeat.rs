//! The heartbeat: one tick a second from tokio-cron-scheduler, in UTC. Ticks are hints: a lost, late or doubled one changes
//! nothing but lateness, because the planner decides from the clock and the ledger.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::Command;

/// Without a tick for so long, the ticker is made anew: a clock set back silences it until the old time comes round.
const SILENCE: Duration = Duration::from_secs(4);

/// Pause after a ticker that could not be made.
const PAUSE: Duration = Duration::from_secs(1);

/// Passes ticks on until nobody listens any more.
pub(super) async fn beat(commands: mpsc::Sender<Command>) {
    loop {
        match tick_until_silence(&commands).await {
            Ok(Ended::NobodyListens) => return,
            Ok(Ended::Silence) => tracing::warn!("no tick for {} s: the ticker is made anew", SILENCE.as_secs()),
            Err(error) => {
                tracing::error!(%error, "no ticker could be made, another try follows");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

enum Ended {
    NobodyListens,
    Silence,
}

async fn tick_until_silence(commands: &mpsc::Sender<Command>) -> Result<Ended, JobSchedulerError> {
    let (ticks, mut ticked) = mpsc::channel(1);
    let mut ticker = JobScheduler::new().await?;
    // Nothing in this closure can panic, not before its async block either: a panic there ends a job of this crate for good.
    let heartbeat = Job::new_async("* * * * * *", move |_, _| {
        let _ = ticks.try_send(());
        Box::pin(async {})
    })?;
    ticker.add(heartbeat).await?;
    ticker.start().await?;
    let ended = loop {
        match timeout(SILENCE, ticked.recv()).await {
            Ok(Some(())) => {
                if let Err(mpsc::error::TrySendError::Closed(_)) = commands.try_send(Command::Tick) {
                    break Ended::NobodyListens;
                }
            }
            Ok(None) | Err(_) => break Ended::Silence,
        }
    };
    ticker.shutdown().await?;
    Ok(ended)
}
