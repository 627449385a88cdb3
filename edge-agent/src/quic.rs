//! The QUIC link to the broker: connections and streams as the uplink asks for them.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::BytesMut;
use edge_logic::uplink::{Attempt, Input, StreamId};
use quinn::{
    ClientConfig, Connection, Endpoint, RecvStream, SendStream, TransportConfig, VarInt,
    crypto::rustls::QuicClientConfig,
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use tracing::{debug, info};
use uplink_wire::Frame;

use crate::{config, message::Message};

const CONNECT: Duration = Duration::from_secs(10);

/// NATs of mobile networks forget a UDP flow after 30 to 60 s.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A tunnel is shorter; after it the connection is as it was.
const MAX_IDLE: Duration = Duration::from_secs(120);

/// Frames on their way out of one stream: the blocks in flight and their neighbours.
const OUTBOX: usize = 64;

/// How to reach the broker.
pub struct Link {
    broker: String,
    server_name: String,
    client: ClientConfig,
    v4: Endpoint,
    v6: Option<Endpoint>,
}

impl Link {
    pub fn new(config: &config::Uplink) -> anyhow::Result<Self> {
        let (files, server_name) = config.tls_files()?;
        let tls = certs::client_config(&files, uplink_wire::ALPN)?;
        let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        let mut transport = TransportConfig::default();
        transport
            .keep_alive_interval(Some(KEEP_ALIVE))
            .max_idle_timeout(Some(MAX_IDLE.try_into().context("idle time")?))
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None);
        client.transport_config(Arc::new(transport));
        let v4 = Endpoint::client((Ipv4Addr::UNSPECIFIED, 0).into()).context("no UDP socket")?;
        let v6 = Endpoint::client((Ipv6Addr::UNSPECIFIED, 0).into()).ok();
        Ok(Self { broker: config.broker.clone(), server_name, client, v4, v6 })
    }

    /// Every address of the broker in turn.
    async fn connect(&self) -> anyhow::Result<Connection> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host(&self.broker).await?.collect();
        let mut last = None;
        for address in addresses {
            let endpoint = if address.is_ipv4() { Some(&self.v4) } else { self.v6.as_ref() };
            let Some(endpoint) = endpoint else { continue };
            let connecting = endpoint.connect_with(self.client.clone(), address, &self.server_name)?;
            match timeout(CONNECT, connecting).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => last = Some(anyhow::Error::from(error)),
                Err(_) => last = Some(anyhow::anyhow!("no answer within {} s", CONNECT.as_secs())),
            }
        }
        match last {
            Some(error) => Err(error),
            None => bail!("{} has no address that can be reached from here", self.broker),
        }
    }

    /// Says goodbye, so that the broker need not wait for a silence.
    pub async fn close(&self) {
        for endpoint in [Some(&self.v4), self.v6.as_ref()].into_iter().flatten() {
            endpoint.close(VarInt::from_u32(0), b"agent stops");
            let _ = timeout(Duration::from_secs(1), endpoint.wait_idle()).await;
        }
    }
}

/// The connection that the uplink has, and its streams.
pub struct Session {
    link: Arc<Link>,
    mailbox: mpsc::Sender<Message>,
    current: Option<(Attempt, Connection)>,
    streams: BTreeMap<StreamId, mpsc::Sender<Frame>>,
    tasks: JoinSet<()>,
}

impl Session {
    pub fn new(link: Arc<Link>, mailbox: mpsc::Sender<Message>) -> Self {
        Self { link, mailbox, current: None, streams: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Answered by `Message::Connected`, or by the uplink's `Disconnected`.
    pub fn connect(&mut self, attempt: Attempt) {
        self.drop_connection();
        let (link, mailbox) = (self.link.clone(), self.mailbox.clone());
        self.tasks.spawn(async move {
            match link.connect().await {
                Ok(connection) => {
                    info!(broker = link.broker, "connected");
                    let connected = Message::Connected { attempt, connection: connection.clone() };
                    if mailbox.send(connected).await.is_err() {
                        return;
                    }
                    let reason = connection.closed().await;
                    info!(broker = link.broker, %reason, "disconnected");
                }
                Err(error) => debug!(broker = link.broker, "cannot connect: {error:#}"),
            }
            let _ = mailbox.send(Message::Uplink(Input::Disconnected { attempt })).await;
        });
    }

    pub fn connected(&mut self, attempt: Attempt, connection: Connection) {
        self.current = Some((attempt, connection));
    }

    pub fn disconnect(&mut self, attempt: Attempt) {
        if self.current.as_ref().is_some_and(|(current, _)| *current == attempt) {
            self.drop_connection();
        }
    }

    fn drop_connection(&mut self) {
        if let Some((_, connection)) = self.current.take() {
            connection.close(VarInt::from_u32(0), b"");
        }
        self.streams.clear();
        while self.tasks.try_join_next().is_some() {}
    }

    pub fn open_stream(&mut self, stream: StreamId, priority: i32) {
        let Some((_, connection)) = &self.current else { return };
        while self.tasks.try_join_next().is_some() {}
        let (outbox, frames) = mpsc::channel(OUTBOX);
        self.streams.insert(stream, outbox);
        self.tasks.spawn(run_stream(stream, priority, connection.clone(), frames, self.mailbox.clone()));
    }

    /// A full queue closes the connection: the uplink never has so much in flight.
    pub fn send(&mut self, stream: StreamId, frame: Frame) {
        if let Some(outbox) = self.streams.get(&stream)
            && let Err(mpsc::error::TrySendError::Full(_)) = outbox.try_send(frame)
        {
            tracing::error!(?stream, "too many frames wait for a stream");
            self.drop_connection();
        }
    }

    pub fn closed_stream(&mut self, stream: StreamId) {
        self.streams.remove(&stream);
    }
}

async fn run_stream(
    stream: StreamId,
    priority: i32,
    connection: Connection,
    frames: mpsc::Receiver<Frame>,
    mailbox: mpsc::Sender<Message>,
) {
    if let Ok((send, receive)) = connection.open_bi().await {
        let _ = send.set_priority(priority);
        // Whichever side ends, the other has nothing more to say.
        tokio::select! {
            () = write(send, frames) => {}
            () = read(stream, receive, &mailbox) => {}
        }
    }
    let _ = mailbox.send(Message::Uplink(Input::StreamClosed { stream })).await;
}

async fn write(mut send: SendStream, mut frames: mpsc::Receiver<Frame>) {
    let mut buffer = BytesMut::new();
    while let Some(frame) = frames.recv().await {
        buffer.clear();
        uplink_wire::encode(&frame, &mut buffer);
        if send.write_all(&buffer).await.is_err() {
            return;
        }
    }
    let _ = send.finish();
}

async fn read(stream: StreamId, mut receive: RecvStream, mailbox: &mpsc::Sender<Message>) {
    let mut buffer = BytesMut::new();
    loop {
        match uplink_wire::decode(&mut buffer) {
            Ok(Some(frame)) => {
                if mailbox.send(Message::Uplink(Input::Frame { stream, frame })).await.is_err() {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "the broker sent what is no frame");
                return;
            }
        }
        match receive.read_chunk(64 << 10, true).await {
            Ok(Some(chunk)) => buffer.extend_from_slice(&chunk.bytes),
            Ok(None) | Err(_) => return,
        }
    }
}
