//! One life of the agent's cores: from an opened store to the stop, or to the store's failure.
//!
//! One task owns every core. Sockets, the store's thread and the link talk to it by messages; each message
//! goes into the core it is for, and the actions that follow are carried out, whatever core they lead to,
//! before the next message is taken.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use edge_logic::{
    downlink::{self, Downlink, DownlinkConfig, WriteId},
    outbox::{self, Change, Outbox, OutboxConfig, Refusal},
    routes::{Published, Routes},
    sessions::{self, ConnectionId, Delivery, Ingest, Sessions, SessionsConfig, Token},
    uplink::{self, Uplink, UplinkConfig},
};
use mqtt_wire::{Limits, Qos, ReasonCode};
use outbox_store::{Committed, Reader, StoreError};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{sleep, sleep_until},
};
use tracing::{debug, error, info, warn};
use uplink_wire::Frame;

use crate::{
    clock,
    config::Config,
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

pub enum Message {
    Mqtt(sessions::Input),
    Uplink(uplink::Input),
    Connected { attempt: uplink::Attempt, connection: quinn::Connection },
    StoreFailed(StoreError),
}

pub enum End {
    Stopped,
    /// `damaged`: every page is to be checked at the next opening.
    StoreFailed {
        why: String,
        damaged: bool,
    },
}

/// What is told when a write of the outbox is durable.
#[derive(Debug)]
enum Write {
    Session(Token),
    Rejected(Token),
    Downlink(WriteId),
    Nobody,
}

pub async fn live(
    config: &Arc<Config>,
    listener: &TcpListener,
    link: &Arc<Link>,
    opened: Opened,
    mut stop: Pin<&mut impl Future>,
) -> End {
    let reader = opened.store.reader();
    let (mailbox, mut messages) = mpsc::channel(MAILBOX);
    let mut cores = match Cores::new(config, link.clone(), &opened, reader, mailbox.clone()) {
        Ok(cores) => cores,
        Err(error) => return End::StoreFailed { why: format!("{error:#}"), damaged: false },
    };
    let (commits, mut committed) = match store::start(opened.store) {
        Ok(started) => started,
        Err(error) => return End::StoreFailed { why: format!("{error:#}"), damaged: false },
    };
    cores.commits = Some(commits);
    cores.begin(opened.sessions);
    let limits = Limits { max_packet_bytes: config.mqtt.max_packet.0 as usize };
    let end = loop {
        if let Some(end) = cores.failed.take() {
            break end;
        }
        let deadline = cores.deadline();
        let tick = async {
            match deadline {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stop.as_mut() => break End::Stopped,
            result = committed.recv() => match result {
                Some(result) => cores.committed(result),
                None => break End::StoreFailed { why: "its thread has died".into(), damaged: false },
            },
            // A busy outbox reads nothing more until its commit is done.
            message = messages.recv(), if !cores.outbox.is_busy() => {
                let mut next = message;
                for _ in 0..TURN {
                    let Some(message) = next.take() else { break };
                    cores.message(message);
                    next = if cores.outbox.is_busy() { None } else { messages.try_recv().ok() };
                }
                if let Some(message) = next {
                    cores.message(message);
                }
            }
            socket = mqtt::accept(listener) => {
                let conn = cores.connections.open(socket, &mailbox, limits.clone());
                let fallback_client_id = format!("auto-{:016x}", fastrand::u64(..));
                let principal = "anonymous".into();
                cores.sessions(sessions::Input::Connected { conn, principal, fallback_client_id });
            }
            () = tick => cores.tick(),
        }
        cores.drained();
    };
    // Ends the store's thread; the commit under way is finished there, and waited for.
    drop(cores);
    while committed.recv().await.is_some() {}
    end
}

struct Cores {
    sessions: Sessions,
    routes: Routes,
    outbox: Outbox<Write>,
    uplink: Uplink,
    downlink: Downlink,
    connections: Connections,
    session: Session,
    mailbox: mpsc::Sender<Message>,
    reader: Reader,
    commits: Option<std::sync::mpsc::Sender<outbox::Commit>>,
    /// Inputs that actions of one core make for another, in their order.
    follow_ups: VecDeque<FollowUp>,
    failed: Option<End>,
}

enum FollowUp {
    Sessions(sessions::Input),
    Outbox(outbox::Input<Write>),
    Uplink(uplink::Input),
    Downlink(downlink::Input),
}

impl Cores {
    fn new(
        config: &Config,
        link: Arc<Link>,
        opened: &Opened,
        reader: Reader,
        mailbox: mpsc::Sender<Message>,
    ) -> anyhow::Result<Self> {
        let mut routes = Routes::new(&config.route)?;
        routes.restore(opened.facts.iter().map(|(kind, key, value)| (kind.as_str(), key.as_str(), value)));
        let uplink_config = UplinkConfig {
            agent_id: config.uplink.agent_id(),
            boot: opened.boot,
            topics: routes.topics(),
            subscribe: config.downlink.topics.clone(),
        };
        let outbox_config =
            OutboxConfig { max_bytes: config.outbox.max_size.0, linger: config.outbox.linger.0 };
        let downlink_config = DownlinkConfig { ttl_ms: config.downlink.ttl.0.as_millis() as i64 };
        let stored = downlink::StoredDownlink {
            pending: opened.downlink.pending.clone(),
            offsets: opened.downlink.offsets.clone(),
            facts: opened.downlink.facts.clone(),
        };
        Ok(Self {
            sessions: Sessions::new(SessionsConfig {
                max_connections: config.mqtt.max_connections,
                max_packet_bytes: config.mqtt.max_packet.0 as u32,
                ..SessionsConfig::default()
            }),
            routes,
            outbox: Outbox::new(outbox_config, &opened.lanes, opened.stored_bytes),
            uplink: Uplink::new(uplink_config, &opened.lanes),
            downlink: Downlink::new(downlink_config, opened.boot, stored),
            connections: Connections::default(),
            session: Session::new(link, mailbox.clone()),
            mailbox,
            reader,
            commits: None,
            follow_ups: VecDeque::new(),
            failed: None,
        })
    }

    fn begin(&mut self, sessions: Vec<sessions::LoadedSession>) {
        self.sessions(sessions::Input::Loaded { sessions });
        let mut actions = Vec::new();
        self.downlink.start(clock::now_ms(), &mut actions);
        self.act_downlink(actions);
        let mut actions = Vec::new();
        self.uplink.start(&mut actions);
        self.act_uplink(actions);
        self.follow_up();
    }

    fn deadline(&self) -> Option<Instant> {
        let downlink = self.downlink.deadline_ms().map(instant_of);
        [self.sessions.deadline(), self.outbox.deadline(), self.uplink.deadline(), downlink]
            .into_iter()
            .flatten()
            .min()
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Mqtt(input) => {
                if let sessions::Input::Closed { conn } = &input {
                    self.connections.closed(*conn);
                }
                self.sessions(input);
            }
            Message::Uplink(input) => {
                if let uplink::Input::StreamClosed { stream } = &input {
                    self.session.closed_stream(*stream);
                }
                self.run(FollowUp::Uplink(input));
            }
            Message::Connected { attempt, connection } => {
                self.session.connected(attempt, connection);
                self.run(FollowUp::Uplink(uplink::Input::Connected { attempt }));
            }
            Message::StoreFailed(error) => self.store_failed(&error),
        }
    }

    fn sessions(&mut self, input: sessions::Input) {
        self.run(FollowUp::Sessions(input));
    }

    fn committed(&mut self, result: Result<Committed, StoreError>) {
        match result {
            Ok(Committed { stored_bytes, .. }) => {
                self.run(FollowUp::Outbox(outbox::Input::Committed { stored_bytes }));
            }
            Err(error) => self.store_failed(&error),
        }
    }

    fn drained(&mut self) {
        self.run(FollowUp::Outbox(outbox::Input::Drained));
    }

    fn tick(&mut self) {
        self.run(FollowUp::Sessions(sessions::Input::Tick));
        self.run(FollowUp::Uplink(uplink::Input::Tick));
        self.run(FollowUp::Downlink(downlink::Input::Tick));
    }

    fn store_failed(&mut self, error: &StoreError) {
        let damaged = matches!(error, StoreError::Corrupted(_));
        self.failed = Some(End::StoreFailed { why: error.to_string(), damaged });
    }

    fn run(&mut self, input: FollowUp) {
        self.follow_ups.push_back(input);
        self.follow_up();
    }

    fn follow_up(&mut self) {
        while let Some(next) = self.follow_ups.pop_front() {
            let now = Instant::now();
            match next {
                FollowUp::Sessions(input) => {
                    let mut actions = Vec::new();
                    self.sessions.handle(input, now, &mut actions);
                    self.act_sessions(actions);
                }
                FollowUp::Outbox(input) => {
                    let mut actions = Vec::new();
                    self.outbox.handle(input, now, &mut actions);
                    self.act_outbox(actions);
                }
                FollowUp::Uplink(input) => {
                    let mut actions = Vec::new();
                    self.uplink.handle(input, now, fastrand::u32(..), &mut actions);
                    self.act_uplink(actions);
                }
                FollowUp::Downlink(input) => {
                    let mut actions = Vec::new();
                    self.downlink.handle(input, clock::now_ms(), &mut actions);
                    self.act_downlink(actions);
                }
            }
        }
    }

    fn write(&mut self, token: Write, events: Vec<outbox::Event>, changes: Vec<Change>) {
        self.follow_ups.push_back(FollowUp::Outbox(outbox::Input::Write { token, events, changes }));
    }

    fn act_sessions(&mut self, actions: Vec<sessions::Action>) {
        use sessions::Action;
        for action in actions {
            match action {
                Action::Send { conn, version, packet } => self.connections.send(conn, version, packet),
                Action::Close { conn, reason } => self.close(conn, &reason),
                Action::Ingest(ingest) => self.ingest(ingest),
                Action::SaveSession { token, record } => match postcard::to_stdvec(&record) {
                    Ok(bytes) => {
                        let change =
                            Change::PutSession { client_id: record.client_id, record: Bytes::from(bytes) };
                        self.write(Write::Session(token), Vec::new(), vec![change]);
                    }
                    Err(error) => {
                        error!(client_id = record.client_id, %error, "a session cannot be written");
                        self.follow_ups
                            .push_back(FollowUp::Sessions(sessions::Input::CommitFailed { token }));
                    }
                },
                Action::DeleteSession { token, client_id } => {
                    let change = Change::DeleteSession { client_id: client_id.to_string() };
                    self.write(Write::Session(token), Vec::new(), vec![change]);
                }
                Action::Delivered { delivery_id, .. } => {
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.follow_ups.push_back(FollowUp::Downlink(downlink::Input::Delivered { delivery }));
                }
                Action::Deferred { delivery_id, .. } | Action::NoSubscriber { delivery_id } => {
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.follow_ups.push_back(FollowUp::Downlink(downlink::Input::NotWanted { delivery }));
                }
                Action::Undeliverable { delivery_id, client_id, why } => {
                    warn!(%client_id, ?why, "an alert cannot be delivered");
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.follow_ups
                        .push_back(FollowUp::Downlink(downlink::Input::Undeliverable { delivery }));
                }
                Action::WantsDeliveries { .. } => {
                    self.follow_ups.push_back(FollowUp::Downlink(downlink::Input::Wanted));
                }
            }
        }
    }

    fn close(&mut self, conn: ConnectionId, reason: &sessions::CloseReason) {
        match reason {
            sessions::CloseReason::Disconnected => debug!(conn = conn.0, "device disconnected"),
            reason => info!(conn = conn.0, %reason, "closed a device's connection"),
        }
        self.connections.close(conn);
    }

    fn ingest(&mut self, ingest: Ingest) {
        let mut changes = Vec::new();
        if let Some(entry) = ingest.window_entry {
            match postcard::to_stdvec(&entry) {
                Ok(bytes) => changes.push(Change::PutWindow {
                    client_id: ingest.client_id.to_string(),
                    slot: entry.slot,
                    entry: Bytes::from(bytes),
                }),
                Err(error) => {
                    error!(client_id = %ingest.client_id, %error, "a window entry cannot be written")
                }
            }
        }
        let routed = self.routes.route(Published {
            client_id: &ingest.client_id,
            topic: &ingest.topic,
            payload: &ingest.payload,
            received_ms: clock::now_ms(),
        });
        let Some(routed) = routed else {
            debug!(topic = ingest.topic, "no route takes this topic");
            return self.write(Write::Session(ingest.token), Vec::new(), changes);
        };
        changes.extend(routed.device.as_ref().and_then(|device| self.downlink.heard(device)));
        let token = match &routed.rejected {
            Some(reason) => {
                debug!(client_id = %ingest.client_id, reason, "rejected");
                Write::Rejected(ingest.token)
            }
            None => Write::Session(ingest.token),
        };
        self.write(token, vec![routed.event], changes);
    }

    fn act_outbox(&mut self, actions: Vec<outbox::Action<Write>>) {
        use outbox::Action;
        for action in actions {
            match action {
                Action::Commit(commit) => {
                    let sent = self.commits.as_ref().is_some_and(|commits| commits.send(commit).is_ok());
                    if !sent && self.failed.is_none() {
                        self.failed =
                            Some(End::StoreFailed { why: "its thread has ended".into(), damaged: false });
                    }
                }
                Action::Durable { tokens } => {
                    for token in tokens {
                        let next = match token {
                            Write::Session(token) => FollowUp::Sessions(sessions::Input::Committed { token }),
                            Write::Rejected(token) => FollowUp::Sessions(sessions::Input::Rejected {
                                token,
                                reason: ReasonCode::PAYLOAD_FORMAT_INVALID,
                            }),
                            Write::Downlink(write) => FollowUp::Downlink(downlink::Input::Durable { write }),
                            Write::Nobody => continue,
                        };
                        self.follow_ups.push_back(next);
                    }
                }
                Action::Refused { token, why } => self.refused(token, why),
                Action::LaneHasBlocks { lane, key, next_block } => self
                    .follow_ups
                    .push_back(FollowUp::Uplink(uplink::Input::LaneHasBlocks { lane, key, next_block })),
                Action::ProducerSaved { lane, producer } => {
                    self.follow_ups
                        .push_back(FollowUp::Uplink(uplink::Input::ProducerSaved { lane, producer }));
                }
                Action::Forgotten { lane, through } => {
                    self.follow_ups.push_back(FollowUp::Uplink(uplink::Input::Forgotten { lane, through }));
                }
                Action::Alarm(outbox::Alarm::OutboxFull { stored_bytes }) => error!(
                    stored_bytes,
                    "the outbox is full: devices are not acknowledged until the broker has taken some of it"
                ),
                Action::Alarm(outbox::Alarm::OutboxHasRoom { stored_bytes }) => {
                    info!(stored_bytes, "the outbox has room again");
                }
            }
        }
    }

    fn refused(&mut self, token: Write, why: Refusal) {
        match token {
            Write::Session(token) | Write::Rejected(token) => {
                self.follow_ups.push_back(FollowUp::Sessions(sessions::Input::CommitFailed { token }));
            }
            Write::Downlink(_) | Write::Nobody => error!(%why, "a write without events was refused"),
        }
    }

    fn act_uplink(&mut self, actions: Vec<uplink::Action>) {
        use uplink::Action;
        for action in actions {
            match action {
                Action::Connect { attempt } => self.session.connect(attempt),
                Action::Disconnect { attempt } => self.session.disconnect(attempt),
                Action::OpenStream { stream, priority } => self.session.open_stream(stream, priority),
                Action::Send { stream, frame } => self.session.send(stream, frame),
                Action::ReadBlocks { lane, from, max_blocks } => {
                    tokio::spawn(read_blocks(
                        self.reader.clone(),
                        lane,
                        from,
                        max_blocks,
                        self.mailbox.clone(),
                    ));
                }
                Action::SaveProducer { lane, producer } => {
                    self.follow_ups
                        .push_back(FollowUp::Outbox(outbox::Input::SetProducer { lane, producer }));
                }
                Action::Forget { lane, through, urgent } => self
                    .follow_ups
                    .push_back(FollowUp::Outbox(outbox::Input::Forget { lane, through, urgent })),
                Action::Partitions { topic, partitions } => {
                    if let Some(change) = self.routes.learn(&topic, partitions) {
                        info!(topic, partitions, "the broker says how many partitions there are");
                        self.write(Write::Nobody, Vec::new(), vec![change]);
                    }
                }
                Action::ServerTime { time_ms } => {
                    debug!(ahead_ms = clock::now_ms() - time_ms, "the broker's clock");
                }
                Action::Subscribe { stream, topic } => {
                    let frame = Frame::Subscribe(self.downlink.subscribe(&topic));
                    self.session.send(stream, frame);
                }
                Action::Deliver { topic, partition, next_offset, batches } => {
                    self.follow_ups.push_back(FollowUp::Downlink(downlink::Input::Deliver {
                        topic,
                        partition,
                        next_offset,
                        batches,
                    }))
                }
                Action::Alarm(alarm) => error!(?alarm, "uplink"),
            }
        }
    }

    fn act_downlink(&mut self, actions: Vec<downlink::Action>) {
        use downlink::Action;
        for action in actions {
            match action {
                Action::Write { write, changes } => self.write(Write::Downlink(write), Vec::new(), changes),
                Action::Publish { delivery, mqtt_topic, payload, expires_ms } => {
                    let delivery = Delivery {
                        delivery_id: sessions::DeliveryId(delivery.0),
                        to: None,
                        topic: mqtt_topic,
                        payload,
                        qos: Qos::AtLeastOnce,
                        retain: false,
                        expires: Some(instant_of(expires_ms)),
                    };
                    self.follow_ups.push_back(FollowUp::Sessions(sessions::Input::Deliver(delivery)));
                }
                Action::Withdraw { delivery } => {
                    let delivery_id = sessions::DeliveryId(delivery.0);
                    self.follow_ups.push_back(FollowUp::Sessions(sessions::Input::Withdraw { delivery_id }));
                }
            }
        }
    }
}

/// The wall clock's `at_ms` on the monotonic one.
fn instant_of(at_ms: i64) -> Instant {
    let ahead_ms = at_ms.saturating_sub(clock::now_ms()).max(0) as u64;
    Instant::now() + Duration::from_millis(ahead_ms.min(u64::from(u32::MAX)))
}

/// Answers with the blocks; never with fewer because a read failed, which would be taken for a gap.
async fn read_blocks(
    reader: Reader,
    lane: edge_logic::lane::LaneId,
    from: edge_logic::lane::BlockNumber,
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
