//! The agent as a whole: its cores, and what leads from one to the other.
//!
//! Something happens, one core takes it, its actions lead to the next core or out to the shell. All that
//! follows from one input is settled before the next is taken. The shell and the simulation drive this one
//! state machine; what is left to them are sockets, the store's thread and the clock.

mod action;
mod stored;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use mqtt_wire::{Qos, ReasonCode};
use uplink_wire::Frame;

pub use action::{Action, Notice};
pub use stored::Stored;

use crate::{
    downlink::{self, Downlink, DownlinkConfig, WriteId},
    outbox::{self, Change, Outbox, OutboxConfig},
    routes::{Published, RouteConfig, RouteError, Routes},
    sessions::{self, Delivery, Ingest, Sessions, SessionsConfig, Token},
    uplink::{self, Uplink, UplinkConfig},
};

#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// What the broker's log calls this agent.
    pub agent_id: String,
    pub routes: Vec<RouteConfig>,
    pub sessions: SessionsConfig,
    pub outbox: OutboxConfig,
    pub downlink: DownlinkConfig,
    /// Topics whose records are for the devices behind this agent.
    pub subscribe: Vec<String>,
}

/// Time and chance at an input.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub instant: Instant,
    /// The wall clock, milliseconds since the epoch.
    pub unix_ms: i64,
    pub chance: u32,
}

#[derive(Debug)]
pub enum Input {
    Mqtt(sessions::Input),
    Uplink(uplink::Input),
    /// The commit is synced; this much now waits for the broker.
    Committed {
        stored_bytes: u64,
    },
    /// Nothing else is waiting for the moment.
    Drained,
    /// The deadline has come.
    Tick,
}

/// What is told when a write of the outbox is durable.
#[derive(Debug)]
enum Write {
    Session(Token),
    Rejected(Token),
    Downlink(WriteId),
    Nobody,
}

/// An input that one core's action made for another.
enum Step {
    Sessions(sessions::Input),
    Outbox(outbox::Input<Write>),
    Uplink(uplink::Input),
    Downlink(downlink::Input),
}

pub struct Agent {
    sessions: Sessions,
    routes: Routes,
    outbox: Outbox<Write>,
    uplink: Uplink,
    downlink: Downlink,
    steps: VecDeque<Step>,
}

impl Agent {
    /// Goes on from what the store says; the actions are the first things to do.
    pub fn new(
        config: AgentConfig,
        stored: Stored,
        now: Now,
        actions: &mut Vec<Action>,
    ) -> Result<Self, RouteError> {
        let mut routes = Routes::new(&config.routes)?;
        let facts = &stored.downlink.facts;
        routes.restore(facts.iter().map(|(kind, key, value)| (kind.as_str(), key.as_str(), value)));
        let uplink_config = UplinkConfig {
            agent_id: config.agent_id,
            boot: stored.boot,
            topics: routes.topics(),
            subscribe: config.subscribe,
        };
        let mut agent = Self {
            sessions: Sessions::new(config.sessions),
            routes,
            outbox: Outbox::new(config.outbox, &stored.lanes, stored.stored_bytes),
            uplink: Uplink::new(uplink_config, &stored.lanes),
            downlink: Downlink::new(config.downlink, stored.boot, stored.downlink),
            steps: VecDeque::new(),
        };
        agent.steps.push_back(Step::Sessions(sessions::Input::Loaded { sessions: stored.sessions }));
        agent.settle(now, actions);
        let mut started = Vec::new();
        agent.downlink.start(now.unix_ms, &mut started);
        agent.after_downlink(started, now);
        agent.settle(now, actions);
        let mut started = Vec::new();
        agent.uplink.start(&mut started);
        agent.after_uplink(started, actions);
        agent.settle(now, actions);
        Ok(agent)
    }

    /// When `Tick` is due, if nothing happens before.
    pub fn deadline(&self, now: Now) -> Option<Instant> {
        let downlink = self.downlink.deadline_ms().map(|at_ms| instant_of(at_ms, now));
        let others = [self.sessions.deadline(), self.outbox.deadline(), self.uplink.deadline()];
        others.into_iter().chain([downlink]).flatten().min()
    }

    /// Enough waits for the next commit: take nothing but `Committed`.
    pub fn is_busy(&self) -> bool {
        self.outbox.is_busy()
    }

    pub fn is_up(&self) -> bool {
        self.uplink.is_up()
    }

    /// Bytes that wait for the broker.
    pub fn held_bytes(&self) -> u64 {
        self.outbox.held_bytes()
    }

    pub fn handle(&mut self, input: Input, now: Now, actions: &mut Vec<Action>) {
        match input {
            Input::Mqtt(input) => self.steps.push_back(Step::Sessions(input)),
            Input::Uplink(input) => self.steps.push_back(Step::Uplink(input)),
            Input::Committed { stored_bytes } => {
                self.steps.push_back(Step::Outbox(outbox::Input::Committed { stored_bytes }));
            }
            Input::Drained => self.steps.push_back(Step::Outbox(outbox::Input::Drained)),
            Input::Tick => {
                self.steps.push_back(Step::Sessions(sessions::Input::Tick));
                self.steps.push_back(Step::Uplink(uplink::Input::Tick));
                self.steps.push_back(Step::Downlink(downlink::Input::Tick));
            }
        }
        self.settle(now, actions);
    }

    fn settle(&mut self, now: Now, actions: &mut Vec<Action>) {
        while let Some(step) = self.steps.pop_front() {
            match step {
                Step::Sessions(input) => {
                    let mut follow = Vec::new();
                    self.sessions.handle(input, now.instant, &mut follow);
                    self.after_sessions(follow, now, actions);
                }
                Step::Outbox(input) => {
                    let mut follow = Vec::new();
                    self.outbox.handle(input, now.instant, &mut follow);
                    self.after_outbox(follow, actions);
                }
                Step::Uplink(input) => {
                    let mut follow = Vec::new();
                    self.uplink.handle(input, now.instant, now.chance, &mut follow);
                    self.after_uplink(follow, actions);
                }
                Step::Downlink(input) => {
                    let mut follow = Vec::new();
                    self.downlink.handle(input, now.unix_ms, &mut follow);
                    self.after_downlink(follow, now);
                }
            }
        }
    }

    fn write(&mut self, token: Write, events: Vec<outbox::Event>, changes: Vec<Change>) {
        self.steps.push_back(Step::Outbox(outbox::Input::Write { token, events, changes }));
    }

    fn after_sessions(&mut self, follow: Vec<sessions::Action>, now: Now, actions: &mut Vec<Action>) {
        use sessions::Action as From;
        for action in follow {
            match action {
                From::Send { conn, version, packet } => {
                    actions.push(Action::Packet { conn, version, packet })
                }
                From::Close { conn, reason } => actions.push(Action::Close { conn, reason }),
                From::Ingest(ingest) => self.ingest(ingest, now, actions),
                From::SaveSession { token, record } => {
                    let change = Change::PutSession { record: record.encode(), client_id: record.client_id };
                    self.write(Write::Session(token), Vec::new(), vec![change]);
                }
                From::DeleteSession { token, client_id } => {
                    let change = Change::DeleteSession { client_id: client_id.to_string() };
                    self.write(Write::Session(token), Vec::new(), vec![change]);
                }
                From::Delivered { delivery_id, .. } => {
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.steps.push_back(Step::Downlink(downlink::Input::Delivered { delivery }));
                }
                From::Deferred { delivery_id, .. } | From::NoSubscriber { delivery_id } => {
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.steps.push_back(Step::Downlink(downlink::Input::NotWanted { delivery }));
                }
                From::Undeliverable { delivery_id, client_id, why } => {
                    actions.push(Action::Notice(Notice::Undeliverable { client_id, why }));
                    let delivery = downlink::DeliveryId(delivery_id.0);
                    self.steps.push_back(Step::Downlink(downlink::Input::Undeliverable { delivery }));
                }
                From::WantsDeliveries { .. } => {
                    self.steps.push_back(Step::Downlink(downlink::Input::Wanted));
                }
            }
        }
    }

    fn ingest(&mut self, ingest: Ingest, now: Now, actions: &mut Vec<Action>) {
        let mut changes = Vec::new();
        if let Some(entry) = ingest.window_entry {
            let client_id = ingest.client_id.to_string();
            changes.push(Change::PutWindow { client_id, slot: entry.slot, entry: entry.encode() });
        }
        let routed = self.routes.route(Published {
            client_id: &ingest.client_id,
            topic: &ingest.topic,
            payload: &ingest.payload,
            received_ms: now.unix_ms,
        });
        // A topic that no route takes is the local subscribers' alone.
        let Some(routed) = routed else {
            return self.write(Write::Session(ingest.token), Vec::new(), changes);
        };
        // Without the event, which a full outbox refuses: the device was heard all the same.
        if let Some(heard) = routed.device.as_ref().and_then(|device| self.downlink.heard(device)) {
            self.write(Write::Nobody, Vec::new(), vec![heard]);
        }
        let token = match routed.rejected {
            Some(reason) => {
                actions.push(Action::Notice(Notice::Rejected { client_id: ingest.client_id, reason }));
                Write::Rejected(ingest.token)
            }
            None => Write::Session(ingest.token),
        };
        self.write(token, vec![routed.event], changes);
    }

    fn after_outbox(&mut self, follow: Vec<outbox::Action<Write>>, actions: &mut Vec<Action>) {
        use outbox::Action as From;
        for action in follow {
            match action {
                From::Commit(commit) => actions.push(Action::Commit(commit)),
                From::Durable { tokens } => self.steps.extend(tokens.into_iter().filter_map(durable)),
                From::Refused { token: Write::Session(token) | Write::Rejected(token), .. } => {
                    self.steps.push_back(Step::Sessions(sessions::Input::CommitFailed { token }));
                }
                From::Refused { token: Write::Downlink(_) | Write::Nobody, why } => {
                    unreachable!("a write without events was refused: {why}")
                }
                From::LaneHasBlocks { lane, key, next_block } => {
                    self.steps.push_back(Step::Uplink(uplink::Input::LaneHasBlocks {
                        lane,
                        key,
                        next_block,
                    }));
                }
                From::ProducerSaved { lane, producer } => {
                    self.steps.push_back(Step::Uplink(uplink::Input::ProducerSaved { lane, producer }));
                }
                From::Forgotten { lane, through } => {
                    self.steps.push_back(Step::Uplink(uplink::Input::Forgotten { lane, through }));
                }
                From::Alarm(alarm) => actions.push(Action::Notice(Notice::Outbox(alarm))),
            }
        }
    }

    fn after_uplink(&mut self, follow: Vec<uplink::Action>, actions: &mut Vec<Action>) {
        use uplink::Action as From;
        for action in follow {
            match action {
                From::Connect { attempt } => actions.push(Action::Connect { attempt }),
                From::Disconnect { attempt } => actions.push(Action::Disconnect { attempt }),
                From::OpenStream { stream, priority } => {
                    actions.push(Action::OpenStream { stream, priority })
                }
                From::Send { stream, frame } => actions.push(Action::Frame { stream, frame }),
                From::ReadBlocks { lane, from, max_blocks } => {
                    actions.push(Action::ReadBlocks { lane, from, max_blocks });
                }
                From::SaveProducer { lane, producer } => {
                    self.steps.push_back(Step::Outbox(outbox::Input::SetProducer { lane, producer }));
                }
                From::Forget { lane, through, urgent } => {
                    self.steps.push_back(Step::Outbox(outbox::Input::Forget { lane, through, urgent }));
                }
                From::Partitions { topic, partitions } => {
                    if let Some(change) = self.routes.learn(&topic, partitions) {
                        actions.push(Action::Notice(Notice::Partitions { topic, partitions }));
                        self.write(Write::Nobody, Vec::new(), vec![change]);
                    }
                }
                From::Cluster { cluster_id } => {
                    let changes = self.downlink.of_cluster(&cluster_id);
                    if !changes.is_empty() {
                        self.write(Write::Nobody, Vec::new(), changes);
                    }
                }
                From::ServerTime { time_ms } => actions.push(Action::Notice(Notice::ServerTime { time_ms })),
                From::Subscribe { stream, topic } => {
                    let frame = Frame::Subscribe(self.downlink.subscribe(&topic));
                    actions.push(Action::Frame { stream, frame });
                }
                From::Deliver { topic, partition, next_offset, batches } => {
                    let input = downlink::Input::Deliver { topic, partition, next_offset, batches };
                    self.steps.push_back(Step::Downlink(input));
                }
                From::Alarm(alarm) => actions.push(Action::Notice(Notice::Uplink(alarm))),
            }
        }
    }

    fn after_downlink(&mut self, follow: Vec<downlink::Action>, now: Now) {
        use downlink::Action as From;
        for action in follow {
            match action {
                From::Write { write, changes } => self.write(Write::Downlink(write), Vec::new(), changes),
                From::Publish { delivery, mqtt_topic, payload, expires_ms } => {
                    let delivery = Delivery {
                        delivery_id: sessions::DeliveryId(delivery.0),
                        to: None,
                        topic: mqtt_topic,
                        payload,
                        qos: Qos::AtLeastOnce,
                        retain: false,
                        expires: Some(instant_of(expires_ms, now)),
                    };
                    self.steps.push_back(Step::Sessions(sessions::Input::Deliver(delivery)));
                }
                From::Withdraw { delivery } => {
                    let delivery_id = sessions::DeliveryId(delivery.0);
                    self.steps.push_back(Step::Sessions(sessions::Input::Withdraw { delivery_id }));
                }
            }
        }
    }
}

fn durable(token: Write) -> Option<Step> {
    match token {
        Write::Session(token) => Some(Step::Sessions(sessions::Input::Committed { token })),
        Write::Rejected(token) => {
            let reason = ReasonCode::PAYLOAD_FORMAT_INVALID;
            Some(Step::Sessions(sessions::Input::Rejected { token, reason }))
        }
        Write::Downlink(write) => Some(Step::Downlink(downlink::Input::Durable { write })),
        Write::Nobody => None,
    }
}

/// The wall clock's `at_ms` on the monotonic one; what is past is now.
fn instant_of(at_ms: i64, now: Now) -> Instant {
    let ahead_ms = at_ms.saturating_sub(now.unix_ms).max(0).unsigned_abs();
    now.instant + Duration::from_millis(ahead_ms.min(u64::from(u32::MAX)))
}
