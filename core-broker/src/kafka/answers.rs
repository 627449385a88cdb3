//! The way back of one connection: answers leave in the order of their requests, as fast as the client reads.

use std::{sync::Mutex, time::Duration};

use tokio::{
    net::tcp::WriteHalf,
    sync::{Notify, mpsc},
    time::{Instant, sleep_until},
};

use super::{dispatch::Answer, send::send};
use crate::broker::Shared;

/// What the two directions of a connection know of each other.
#[derive(Debug)]
pub struct Flow {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// Of these, the produces: they are on their way to the disk and wait for nobody.
    produces: usize,
    /// Of the last request or answer.
    active_at: Instant,
    /// The client was told to wait until then.
    muted_until: Instant,
}

impl Flow {
    pub fn new() -> Self {
        let now = Instant::now();
        let state = State { in_flight: 0, produces: 0, active_at: now, muted_until: now };
        Self { state: Mutex::new(state), ended: Notify::new() }
    }

    /// A request was read and will be answered.
    pub fn begin(&self, is_produce: bool) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        state.in_flight += 1;
        state.produces += usize::from(is_produce);
        state.active_at = Instant::now();
    }

    pub fn in_flight(&self) -> usize {
        self.state.lock().expect("no holder of this lock panics").in_flight
    }

    /// KIP-219: the answer is out, and only then the client's next request is left alone for a while.
    fn end(&self, is_produce: bool, throttle: Duration) {
        let mut state = self.state.lock().expect("no holder of this lock panics");
        state.in_flight -= 1;
        state.produces -= usize::from(is_produce);
        state.active_at = Instant::now();
        state.muted_until = state.muted_until.max(state.active_at + throttle);
        self.ended.notify_waiters();
    }

    /// Until every request that was read is answered.
    pub async fn answered(&self) {
        self.until(|state| state.in_flight == 0).await;
    }

    /// Until nothing but produces is under way: everything else may wait for somebody for as long as it likes.
    pub async fn waits_for_nobody(&self) {
        self.until(|state| state.in_flight == state.produces).await;
    }

    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            let ended = self.ended.notified();
            if holds(&self.state.lock().expect("no holder of this lock panics")) {
                return;
            }
            ended.await;
        }
    }

    /// Until the client has waited as long as it was told to.
    pub async fn unmuted(&self) {
        let until = self.state.lock().expect("no holder of this lock panics").muted_until;
        if until > Instant::now() {
            sleep_until(until).await;
        }
    }

    /// Until there was neither a request nor an answer for so long. One that is on its way, such as a long
    /// poll, keeps the connection.
    pub async fn idle(&self, limit: Duration) {
        loop {
            let now = Instant::now();
            let until = {
                let state = self.state.lock().expect("no holder of this lock panics");
                if state.in_flight > 0 { now + limit } else { state.active_at + limit }
            };
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }
}

pub async fn write(
    socket: WriteHalf<'_>,
    shared: &Shared,
    flow: &Flow,
    mut queue: mpsc::Receiver<(Answer, bool)>,
) -> anyhow::Result<()> {
    while let Some((answer, is_produce)) = queue.recv().await {
        let answered = answer.await?;
        if let Some(pieces) = answered.pieces {
            send(&socket, pieces, answered.share.is_some(), shared).await?;
        }
        drop(answered.share);
        shared.metrics.throttled(answered.throttle);
        flow.end(is_produce, answered.throttle);
    }
    Ok(())
}
