//! One life of the agent: from an opened store to the stop, or to the store's failure.
//!
//! One task owns the agent's cores. Sockets, the store's thread and the link talk to it by messages; the
//! actions that follow from one are carried out before the next is taken.

use std::{pin::Pin, sync::Arc, time::Duration, time::Instant};

use edge_logic::{
    agent::{Action, Agent, AgentConfig, Input, Notice, Now},
    lane::{BlockNumber, LaneId},
    outbox::{self, Commit, OutboxConfig},
    sessions::{self, CloseReason, ConnectionId, SessionsConfig},
    uplink,
};
use mqtt_wire::Limits;
use outbox_store::{Committed, Reader, StoreError};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{sleep, sleep_until},
};
use tracing::{debug, error, info, warn};

use crate::{
    clock,
    config::Config,
    message::Message,
    mqtt::{self, Connections},
    quic::{Link, Session},
    store::{self, Opened},
};

/// Messages to the cores. A full mailbox stops the readers of the sockets, and TCP and QUIC their peers.
const MAILBOX: usize = 4096;

/// Messages taken before the outbox is asked whether it wants to commit.
const TURN: usize = 1024;

/// A block that could not be read is tried again: it was acknowledged to a device.
const READ_AGAIN: Duration = Duration::from_secs(1);

pub enum End {
    Stopped,
    /// `damaged`: every page is to be checked at the next opening.
    StoreFailed {
        why: String,
        damaged: bool,
    },
}

pub async fn live(
    config: &Arc<Config>,
    listener: &TcpListener,
    link: &Arc<Link>,
    opened: Opened,
    mut stop: Pin<&mut impl Future>,
) -> End {
    let Opened { store, stored } = opened;
    let reader = store.reader();
    let (mailbox, mut messages) = mpsc::channel(MAILBOX);
    let (commits, mut committed) = match store::start(store) {
        Ok(started) => started,
        Err(error) => return End::StoreFailed { why: format!("{error:#}"), damaged: false },
    };
    let mut actions = Vec::new();
    let agent = match Agent::new(agent_config(config), stored, now(), &mut actions) {
        Ok(agent) => agent,
        Err(error) => return End::StoreFailed { why: error.to_string(), damaged: false },
    };
    let mut life = Life {
        agent,
        connections: Connections::default(),
        session: Session::new(link.clone(), mailbox.clone()),
        mailbox: mailbox.clone(),
        reader,
        commits,
        actions,
        failed: None,
    };
    life.act();
    let limits = Limits { max_packet_bytes: config.mqtt.max_packet.0 as usize };
    let end = loop {
        if let Some(end) = life.failed.take() {
            break end;
        }
        let deadline = life.agent.deadline(now());
        let tick = async {
            match deadline {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stop.as_mut() => break End::Stopped,
            result = committed.recv() => match result {
                Some(result) => life.committed(result),
                None => break End::StoreFailed { why: "its thread has died".into(), damaged: false },
            },
            // A busy outbox takes nothing more until its commit is done.
            message = messages.recv(), if !life.agent.is_busy() => {
                let mut next = message;
                for _ in 0..TURN {
                    let Some(message) = next.take() else { break };
                    life.message(message);
                    next = if life.agent.is_busy() { None } else { messages.try_recv().ok() };
                }
                if let Some(message) = next {
                    life.message(message);
                }
            }
            socket = mqtt::accept(listener) => {
                let conn = life.connections.open(socket, &mailbox, limits.clone());
                let fallback_client_id = format!("auto-{:016x}", fastrand::u64(..));
                let principal = "anonymous".into();
                life.take(Input::Mqtt(sessions::Input::Connected { conn, principal, fallback_client_id }));
            }
            () = tick => life.take(Input::Tick),
        }
        life.take(Input::Drained);
    };
    // Ends the store's thread; the commit under way is finished there, and waited for.
    drop(life);
    while committed.recv().await.is_some() {}
    end
}

fn agent_config(config: &Config) -> AgentConfig {
    AgentConfig {
        agent_id: config.uplink.agent_id(),
        routes: config.route.clone(),
        sessions: SessionsConfig {
            max_connections: config.mqtt.max_connections,
            max_packet_bytes: config.mqtt.max_packet.0 as u32,
            ..SessionsConfig::default()
        },
        outbox: OutboxConfig { max_bytes: config.outbox.max_size.0, linger: config.outbox.linger.0 },
        downlink: edge_logic::downlink::DownlinkConfig { ttl_ms: config.downlink.ttl.0.as_millis() as i64 },
        subscribe: config.downlink.topics.clone(),
    }
}

fn now() -> Now {
    Now { instant: Instant::now(), unix_ms: clock::now_ms(), chance: fastrand::u32(..) }
}

struct Life {
    agent: Agent,
    connections: Connections,
    session: Session,
    mailbox: mpsc::Sender<Message>,
    reader: Reader,
    commits: std::sync::mpsc::Sender<Commit>,
    actions: Vec<Action>,
    failed: Option<End>,
}

impl Life {
    fn message(&mut self, message: Message) {
        match message {
            Message::Mqtt(input) => {
                if let sessions::Input::Closed { conn } = &input {
                    self.connections.closed(*conn);
                }
                self.take(Input::Mqtt(input));
            }
            Message::Uplink(input) => {
                if let uplink::Input::StreamClosed { stream } = &input {
                    self.session.closed_stream(*stream);
                }
                self.take(Input::Uplink(input));
            }
            Message::Connected { attempt, connection } => {
                self.session.connected(attempt, connection);
                self.take(Input::Uplink(uplink::Input::Connected { attempt }));
            }
            Message::StoreFailed(error) => self.store_failed(&error),
        }
    }

    fn committed(&mut self, result: Result<Committed, StoreError>) {
        match result {
            Ok(Committed { stored_bytes, .. }) => self.take(Input::Committed { stored_bytes }),
            Err(error) => self.store_failed(&error),
        }
    }

    fn store_failed(&mut self, error: &StoreError) {
        let damaged = matches!(error, StoreError::Corrupted(_));
        self.failed = Some(End::StoreFailed { why: error.to_string(), damaged });
    }

    fn take(&mut self, input: Input) {
        self.agent.handle(input, now(), &mut self.actions);
        self.act();
    }

    /// Every effect of the agent.
    fn act(&mut self) {
        for action in self.actions.drain(..) {
            match action {
                Action::Packet { conn, version, packet } => self.connections.send(conn, version, packet),
                Action::Close { conn, reason } => {
                    log_close(conn, &reason);
                    self.connections.close(conn);
                }
                Action::Commit(commit) => {
                    if self.commits.send(commit).is_err() && self.failed.is_none() {
                        let why = "its thread has ended".into();
                        self.failed = Some(End::StoreFailed { why, damaged: false });
                    }
                }
                Action::Connect { attempt } => self.session.connect(attempt),
                Action::Disconnect { attempt } => self.session.disconnect(attempt),
                Action::OpenStream { stream, priority } => self.session.open_stream(stream, priority),
                Action::Frame { stream, frame } => self.session.send(stream, frame),
                Action::ReadBlocks { lane, from, max_blocks } => {
                    let (reader, mailbox) = (self.reader.clone(), self.mailbox.clone());
                    tokio::spawn(read_blocks(reader, lane, from, max_blocks, mailbox));
                }
                Action::Notice(notice) => log(notice),
            }
        }
    }
}

fn log_close(conn: ConnectionId, reason: &CloseReason) {
    match reason {
        CloseReason::Disconnected => debug!(conn = conn.0, "device disconnected"),
        reason => info!(conn = conn.0, %reason, "closed a device's connection"),
    }
}

fn log(notice: Notice) {
    match notice {
        Notice::Outbox(outbox::Alarm::OutboxFull { stored_bytes }) => error!(
            stored_bytes,
            "the outbox is full: devices are not acknowledged until the broker has taken some of it"
        ),
        Notice::Outbox(outbox::Alarm::OutboxHasRoom { stored_bytes }) => {
            info!(stored_bytes, "the outbox has room again");
        }
        Notice::Uplink(alarm) => error!(?alarm, "uplink"),
        Notice::Undeliverable { client_id, why } => warn!(%client_id, ?why, "an alert cannot be delivered"),
        Notice::Rejected { client_id, reason } => debug!(%client_id, reason, "rejected an event"),
        Notice::Partitions { topic, partitions } => info!(topic, partitions, "the broker has told"),
        Notice::ServerTime { time_ms } => {
            debug!(ahead_ms = clock::now_ms() - time_ms, "the broker's clock");
        }
    }
}

/// Answers with the blocks; never with fewer because a read failed, which would be taken for a gap.
async fn read_blocks(
    reader: Reader,
    lane: LaneId,
    from: BlockNumber,
    max_blocks: usize,
    mailbox: mpsc::Sender<Message>,
) {
    loop {
        let reader = reader.clone();
        let read = tokio::task::spawn_blocking(move || store::read_blocks(&reader, lane, from, max_blocks));
        let message = match read.await {
            Ok(Ok(blocks)) => Message::Uplink(uplink::Input::BlocksRead { lane, from, blocks }),
            Ok(Err(StoreError::Closed)) => return,
            Ok(Err(error @ StoreError::Corrupted(_))) => Message::StoreFailed(error),
            Ok(Err(error)) => {
                warn!(?lane, %error, "cannot read from the outbox");
                sleep(READ_AGAIN).await;
                continue;
            }
            Err(error) => {
                error!(?lane, %error, "reading from the outbox died");
                return;
            }
        };
        let _ = mailbox.send(message).await;
        return;
    }
}
