//! Whether the broker lives, and whether it can serve: in words where not.

use std::{future::pending, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::warn;

use super::Phase;
use crate::{broker::Shared, partition::Partition};

/// A loop that has not taken its turn by then hangs. A sync of a slow disk takes a second.
const TURN: Duration = Duration::from_secs(10);

/// Of failed logs, in one answer.
const NAMED: usize = 10;

/// The process answers and its loops turn.
pub async fn is_healthy(phase: &Phase) -> Result<(), String> {
    let Phase::Serving(shared) = phase else { return Ok(()) };
    let (writer, controller) =
        tokio::join!(timeout(TURN, shared.writers_turn()), timeout(TURN, shared.controller.turns()));
    for (name, turn) in [("log writer", writer), ("controller", controller)] {
        match turn {
            Ok(true) => {}
            Ok(false) => return Err(format!("the {name} has ended")),
            Err(_) => return Err(format!("the {name} has not taken a turn for {TURN:?}")),
        }
    }
    Ok(())
}

/// The listeners are bound, every partition is open and takes appends, the loops turn.
pub async fn is_ready(phase: &Phase) -> Result<(), String> {
    match phase {
        Phase::Starting => return Err("starting: the logs are being opened".into()),
        Phase::Stopping => return Err("stopping".into()),
        Phase::Serving(shared) => {
            let wrong = wrong_partitions(shared);
            if !wrong.is_empty() {
                let named = wrong.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
                let more = wrong.len().saturating_sub(NAMED);
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                return Err(format!("{named}{more}"));
            }
        }
    }
    is_healthy(phase).await
}

fn wrong_partitions(shared: &Shared) -> Vec<String> {
    let is_failed = |partition: &Partition| partition.view().failed;
    let failed = shared.partitions.all().into_iter().filter(is_failed);
    let failed =
        failed.map(|partition| format!("the log of {} takes no more: see the broker's log", partition.id));
    let image = shared.image();
    let mine = image.topics().flat_map(|topic| {
        let mine = topic.partitions().filter(|(_, state)| state.leader == Some(shared.me));
        mine.map(|(index, _)| (topic.name.clone(), index))
    });
    let closed = mine.filter(|(topic, index)| shared.partition(topic, index.0).is_none());
    failed.chain(closed.map(|(topic, index)| format!("the log of {topic}-{index} is not open"))).collect()
}

/// Where a unit has `WatchdogSec=`: systemd starts a broker again whose loops do not turn.
pub async fn tell_systemd(phase: watch::Receiver<Phase>) {
    let Some(every) = service::systemd::alive_every() else { return pending().await };
    loop {
        let seen = phase.borrow().clone();
        match is_healthy(&seen).await {
            Ok(()) => service::systemd::alive(),
            Err(reason) => warn!(reason, "not alive; systemd is not told"),
        }
        sleep(every).await;
    }
}
