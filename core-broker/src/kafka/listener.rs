//! The TCP listeners: bounded in connections, each connection with a principal from its first byte.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, warn};

use super::connection::{self, Client, Principal};
use crate::{
    broker::Shared,
    config::{Config, SecurityProtocol},
};

/// Answers under way at the stop may take this long.
const DRAIN: Duration = Duration::from_secs(5);

/// After an accept that failed for want of descriptors: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub struct Bound {
    pub address: SocketAddr,
    /// HOST:PORT that clients are told.
    pub advertised: String,
    socket: TcpListener,
    security_protocol: SecurityProtocol,
}

pub async fn bind(config: &Config) -> anyhow::Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for listener in &config.listener {
        let socket = TcpListener::bind(listener.address).await.with_context(|| {
            format!(
                "cannot listen on {} for Kafka clients: give another address with --kafka",
                listener.address
            )
        })?;
        let address = socket.local_addr()?;
        let advertised = listener.advertised.clone().unwrap_or_else(|| address.to_string());
        bound.push(Bound { address, advertised, socket, security_protocol: listener.security_protocol });
    }
    Ok(bound)
}

pub struct Server {
    stop: watch::Sender<bool>,
    accepting: JoinSet<()>,
}

pub fn serve(listeners: Vec<Bound>, shared: &Arc<Shared>) -> Server {
    let (stop, stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(shared.config.broker.max_connections));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(listener, shared.clone(), places.clone(), stopping.clone()));
    }
    Server { stop, accepting }
}

impl Server {
    /// No new requests; what was read is answered.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.accepting.join_next().await.is_some() {}
    }
}

async fn accept(
    listener: Bound,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        let (socket, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            warn!(%remote, max = shared.config.broker.max_connections, "refused: too many connections");
            continue;
        };
        let principal = match listener.security_protocol {
            SecurityProtocol::Plaintext => Principal::Anonymous,
        };
        let (shared, stopping) = (shared.clone(), stopping.clone());
        connections.spawn(async move {
            serve_one(socket, Client { remote, principal }, shared, stopping).await;
            drop(place);
        });
    }
    let drained = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        warn!(left = connections.len(), "closed connections whose answers were not ready");
    }
}

async fn serve_one(socket: TcpStream, client: Client, shared: Arc<Shared>, stopping: watch::Receiver<bool>) {
    let Client { remote, principal } = &client;
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%remote, %error, "cannot set TCP_NODELAY");
    }
    debug!(%remote, ?principal, "client connected");
    let remote = *remote;
    match connection::run(socket, client, shared, stopping).await {
        Ok(()) => debug!(%remote, "client disconnected"),
        // A client that goes away is no news; one that sends what cannot be read is.
        Err(error) if error.is::<std::io::Error>() => debug!(%remote, %error, "client went away"),
        Err(error) => warn!(%remote, "closed the connection: {error:#}"),
    }
}
