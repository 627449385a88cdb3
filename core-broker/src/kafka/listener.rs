//! The TCP listeners: bounded in connections, each connection with a principal from its first byte.

use std::{io, sync::Arc, time::Duration};

use anyhow::bail;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, info, warn};

use super::{
    connection::{self, Client, Closed, Principal},
    connections::Cause,
};
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
    shared: Arc<Shared>,
    accepting: JoinSet<()>,
}

pub fn serve(listeners: Vec<Bound>, shared: &Arc<Shared>) -> Server {
    let mut accepting = JoinSet::new();
    for (index, Bound { name, sockets, security_protocol, .. }) in listeners.into_iter().enumerate() {
        for socket in sockets {
            let origin = Origin { listener: name.clone(), index, security_protocol };
            accepting.spawn(accept(socket, origin, shared.clone()));
        }
    }
    Server { shared: shared.clone(), accepting }
}

impl Server {
    /// No new requests; what was read is answered.
    pub async fn stop(mut self) {
        self.shared.connections.stop();
        while self.accepting.join_next().await.is_some() {}
    }
}

/// What a connection knows before its first byte.
struct Origin {
    listener: Arc<str>,
    /// Of the listener in the config.
    index: usize,
    security_protocol: SecurityProtocol,
}

async fn accept(listener: TcpListener, origin: Origin, shared: Arc<Shared>) {
    let connections = &shared.connections;
    let mut serving = JoinSet::new();
    loop {
        while serving.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = connections.stopping() => break,
        };
        let (socket, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(more) = connections.happened(Cause::Accept) {
                    warn!(%error, more, "cannot accept a connection");
                }
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // A client of IPv4 counts as one, also where it came to an address of IPv6.
        let place = match connections.enter(origin.index, remote.ip().to_canonical()) {
            Ok(place) => place,
            Err(full) => {
                shared.metrics.connection_refused();
                if let Some(more) = connections.happened(Cause::Full(full)) {
                    warn!(%remote, listener = %origin.listener, open = connections.open(), more, "refused: {full}");
                }
                continue;
            }
        };
        let principal = match origin.security_protocol {
            SecurityProtocol::Plaintext => Principal::Anonymous,
        };
        let client = Client { remote, principal, listener: origin.listener.clone() };
        let shared = shared.clone();
        serving.spawn(async move {
            let _open = shared.metrics.connection_opened();
            serve_one(socket, client, shared.clone()).await;
            drop(place);
        });
    }
    let drained = timeout(DRAIN, async { while serving.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        warn!(left = serving.len(), "closed connections whose answers were not ready");
    }
}

async fn serve_one(socket: TcpStream, client: Client, shared: Arc<Shared>) {
    let Client { remote, principal, listener } = &client;
    if let Err(error) = socket.set_nodelay(true) {
        debug!(%remote, %error, "cannot set TCP_NODELAY");
    }
    debug!(%remote, ?principal, %listener, "client connected");
    let remote = *remote;
    let (connections, metrics) = (shared.connections.clone(), shared.metrics.clone());
    match connection::run(socket, client, shared).await {
        Ok(()) => debug!(%remote, "client disconnected"),
        // A client that goes away is no news; one that sends what cannot be read is.
        Err(error) if error.is::<io::Error>() => debug!(%remote, %error, "client went away"),
        Err(error) => {
            let (cause, name) = match error.downcast_ref() {
                Some(Closed::TooSlow) => (Cause::TooSlow, "too_slow"),
                Some(Closed::NoRoomToAnswer) => (Cause::NoRoom, "no_room"),
                Some(Closed::OverQuota) => (Cause::OverQuota, "over_quota"),
                Some(Closed::NeverReads) => (Cause::NeverReads, "never_reads"),
                None => (Cause::Unreadable, "unreadable"),
            };
            metrics.connection_closed(name);
            match connections.happened(cause) {
                Some(more) => warn!(%remote, more, "closed the connection: {error:#}"),
                None => debug!(%remote, "closed the connection: {error:#}"),
            }
        }
    }
}
