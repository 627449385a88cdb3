//! The TCP listeners: bounded in connections, each connection with a principal from its first byte.

use std::{io, sync::Arc, time::Duration};

use anyhow::bail;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::{debug, info, warn};

use super::connection::{self, Client, Principal};
use crate::{
    broker::Shared,
    config::{Config, ListenAddress, Listener, SecurityProtocol},
};

/// Answers under way at the stop may take this long.
const DRAIN: Duration = Duration::from_secs(5);

/// After an accept that failed for want of descriptors: time for some to be closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener whose ports are taken; nobody is answered yet.
pub struct Bound {
    pub name: Arc<str>,
    pub address: ListenAddress,
    /// HOST:PORT that clients are told.
    pub advertised: String,
    sockets: Vec<TcpListener>,
    security_protocol: SecurityProtocol,
}

pub async fn bind(config: &Config) -> anyhow::Result<Vec<Bound>> {
    let mut bound = Vec::new();
    for listener in &config.listener {
        bound.push(bind_one(listener).await?);
    }
    Ok(bound)
}

async fn bind_one(listener: &Listener) -> anyhow::Result<Bound> {
    let mut address = listener.address;
    let mut sockets = Vec::new();
    for at in 0..address.sockets().len() {
        let wanted = address.sockets()[at];
        match TcpListener::bind(wanted).await {
            Ok(socket) => {
                // Port 0 becomes some free one; the other family takes the same.
                address = address.with_port(socket.local_addr()?.port());
                sockets.push(socket);
            }
            // A machine without IPv6, or without IPv4, has the other.
            Err(error) if address.sockets().len() > 1 && is_absent(&error) => {
                info!(address = %wanted, %error, "not listening: this machine has no such addresses");
            }
            Err(error) => bail!(
                "cannot listen on {wanted} for Kafka clients ({error}): stop what listens there, or give \
                 another address with --kafka"
            ),
        }
    }
    if sockets.is_empty() {
        bail!("cannot listen on {address} for Kafka clients: this machine has neither IPv4 nor IPv6");
    }
    Ok(Bound {
        name: listener.name.as_str().into(),
        address,
        advertised: listener.advertised.clone().unwrap_or_else(|| address.to_string()),
        sockets,
        security_protocol: listener.security_protocol,
    })
}

/// EADDRNOTAVAIL, or EAFNOSUPPORT where the family is not even built in.
fn is_absent(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

pub struct Server {
    stop: watch::Sender<bool>,
    accepting: JoinSet<()>,
}

pub fn serve(listeners: Vec<Bound>, shared: &Arc<Shared>) -> Server {
    let (stop, stopping) = watch::channel(false);
    let places = Arc::new(Semaphore::new(shared.config.broker.max_connections));
    let mut accepting = JoinSet::new();
    for Bound { name, sockets, security_protocol, .. } in listeners {
        for socket in sockets {
            let origin = Origin { listener: name.clone(), security_protocol };
            accepting.spawn(accept(socket, origin, shared.clone(), places.clone(), stopping.clone()));
        }
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

/// What a connection knows before its first byte.
struct Origin {
    listener: Arc<str>,
    security_protocol: SecurityProtocol,
}

async fn accept(
    listener: TcpListener,
    origin: Origin,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
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
            shared.metrics.connection_refused();
            warn!(%remote, max = shared.config.broker.max_connections, "refused: too many connections");
            continue;
        };
        let principal = match origin.security_protocol {
            SecurityProtocol::Plaintext => Principal::Anonymous,
        };
        let client = Client { remote, principal, listener: origin.listener.clone() };
        let (shared, stopping) = (shared.clone(), stopping.clone());
        connections.spawn(async move {
            let _open = shared.metrics.connection_opened();
            serve_one(socket, client, shared, stopping).await;
            drop(place);
        });
    }
    let drained = timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        warn!(left = connections.len(), "closed connections whose answers were not ready");
    }
}

async fn serve_one(socket: TcpStream, client: Client, shared: Arc<Shared>, stopping: watch::Receiver<bool>) {
    let Client { remote, principal, listener } = &client;
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%remote, %error, "cannot set TCP_NODELAY");
    }
    debug!(%remote, ?principal, %listener, "client connected");
    let remote = *remote;
    match connection::run(socket, client, shared, stopping).await {
        Ok(()) => debug!(%remote, "client disconnected"),
        // A client that goes away is no news; one that sends what cannot be read is.
        Err(error) if error.is::<std::io::Error>() => debug!(%remote, %error, "client went away"),
        Err(error) => warn!(%remote, "closed the connection: {error:#}"),
    }
}
