//! The QUIC listener: mutual TLS, bounded in connections, streams and buffers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use quinn::{Endpoint, ServerConfig, TransportConfig, VarInt, crypto::rustls::QuicServerConfig};
use tokio::{sync::Semaphore, task::JoinSet};
use tracing::{debug, warn};

use super::session;
use crate::{broker::Shared, config::Edge};

/// A gateway out of coverage comes back within it and finds its connection alive; its own keep-alive is
/// shorter (NATs forget a UDP flow after 30 to 60 s).
const MAX_IDLE: Duration = Duration::from_secs(120);

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What one agent may have on its way to us: a few whole blocks of every lane, not its backlog.
const RECEIVE_WINDOW: u32 = 16 << 20;
const STREAM_RECEIVE_WINDOW: u32 = 2 << 20;

pub struct EdgeListener {
    pub address: SocketAddr,
    endpoint: Endpoint,
}

/// Binds; nobody is answered before [`EdgeListener::serve`].
pub fn bind(config: &Edge) -> anyhow::Result<EdgeListener> {
    let tls = certs::server_config(&config.tls_files()?, uplink_wire::ALPN)?;
    let mut server = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(MAX_IDLE.try_into().context("idle time")?))
        .max_concurrent_bidi_streams(VarInt::from_u32(broker_logic::edge_session::MAX_STREAMS as u32))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .stream_receive_window(VarInt::from_u32(STREAM_RECEIVE_WINDOW));
    server.transport_config(Arc::new(transport));
    let endpoint = Endpoint::server(server, config.quic).with_context(|| {
        format!("cannot listen on UDP {} for edge agents: give another address with --quic", config.quic)
    })?;
    Ok(EdgeListener { address: endpoint.local_addr()?, endpoint })
}

async fn accept(endpoint: Endpoint, shared: Arc<Shared>, max_agents: usize) {
    let places = Arc::new(Semaphore::new(max_agents));
    let mut sessions = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while sessions.try_join_next().is_some() {}
        let Ok(place) = places.clone().try_acquire_owned() else {
            shared.metrics.agent_refused();
            warn!(agent = %incoming.remote_address(), max_agents, "refused: too many agents");
            incoming.refuse();
            continue;
        };
        let shared = shared.clone();
        sessions.spawn(async move {
            let remote = incoming.remote_address();
            match tokio::time::timeout(HANDSHAKE, incoming).await {
                Ok(Ok(connection)) => session::run(connection, shared).await,
                Ok(Err(error)) => debug!(%remote, %error, "handshake failed"),
                Err(_) => debug!(%remote, "handshake took too long"),
            }
            drop(place);
        });
    }
}

impl EdgeListener {
    /// Sessions run until [`EdgeListener::close`].
    pub fn serve(&self, shared: Arc<Shared>) {
        let max_agents = shared.config.edge.max_agents;
        tokio::spawn(accept(self.endpoint.clone(), shared, max_agents));
    }

    /// Tells every agent to come back later, and waits until they have heard it.
    pub async fn close(&self) {
        self.endpoint.close(VarInt::from_u32(0), b"broker stops");
        let _ = tokio::time::timeout(Duration::from_secs(1), self.endpoint.wait_idle()).await;
    }
}
