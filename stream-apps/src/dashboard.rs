//! The live map: reads the derived topics from their ends and serves one page to browsers.

mod fleet;
mod reader;
mod web;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use anyhow::Context;
use tokio::sync::watch;

use crate::kafka::Link;
use fleet::Fleet;

/// What the reader writes and the pages read.
pub struct Board {
    fleet: Mutex<Fleet>,
    /// The fleet's version; wakes the browsers that wait for a change.
    version: watch::Sender<u64>,
    /// Ends the feeds, which would otherwise never end.
    stopping: watch::Sender<bool>,
    link: Link,
}

pub async fn run(bootstrap: &str, listen: &str) -> anyhow::Result<()> {
    let socket = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}: give another address with --dashboard"))?;
    let board = Arc::new(Board {
        fleet: Mutex::new(Fleet::new(now_ms())),
        version: watch::Sender::new(0),
        stopping: watch::Sender::new(false),
        link: Link::default(),
    });
    let stop = Arc::new(AtomicBool::new(false));
    let reading = tokio::task::spawn_blocking({
        let (board, stop, bootstrap) = (Arc::clone(&board), Arc::clone(&stop), bootstrap.to_owned());
        move || reader::run(&bootstrap, &board, &stop)
    });
    let stopped = service::stop_signal();
    service::serving(&format!("dashboard: http://{} from {bootstrap}", socket.local_addr()?));
    let served = axum::serve(socket, web::router(Arc::clone(&board))).with_graceful_shutdown(async move {
        if let Err(error) = stopped.await {
            tracing::error!(%error, "cannot listen for signals");
        }
        board.stopping.send_replace(true);
    });
    let served = served.await;
    stop.store(true, Ordering::Relaxed);
    reading.await??;
    served.context("the web server failed")
}

impl Board {
    fn fleet(&self) -> MutexGuard<'_, Fleet> {
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the age of data; nothing is decided by it.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
