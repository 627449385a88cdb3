//! One device: an MQTT client that publishes fixes at QoS 1 and listens for the cab's alerts.
//! The only file that knows rumqttc.

mod backoff;
#[cfg(test)]
mod tests;
mod unacknowledged;

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use fleet_events::{
    GpsFix, Timestamp, VehicleId,
    topics::{MqttKind, MqttTopic},
};
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, Outgoing, Packet, Publish, QoS, Request,
    StateError, Subscribe, SubscribeReasonCode,
};
use sim_logic::Rng;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};

use crate::config::Address;
use backoff::Backoff;
use unacknowledged::{Sent, Unacknowledged, WINDOW};

/// Fixes on their way from the simulation to a device; when it is full the simulation waits.
pub const QUEUE: usize = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The library hands ids out round robin from this many; see `WINDOW`.
const PACKET_IDS: u16 = 256;
/// A cab that says goodbye does not wait longer for it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Who a device is.
#[derive(Debug, Clone)]
pub struct Identity {
    pub fleet: VehicleId,
    pub vehicle_id: VehicleId,
}

impl Identity {
    fn topic(&self, kind: MqttKind) -> String {
        MqttTopic { fleet: self.fleet.clone(), vehicle: self.vehicle_id.clone(), kind }.to_string()
    }
}

/// What a device tells; the numbers of a run are made of these.
#[derive(Debug)]
pub enum Report {
    Connected,
    /// The connection ended.
    Lost {
        reason: String,
    },
    /// A try to connect failed.
    Unreachable {
        reason: String,
    },
    /// The broker will not send this cab its alerts.
    Deaf {
        vehicle_id: VehicleId,
    },
    /// A fix went out for the first time.
    Published,
    /// The PUBACK for this very fix came.
    Acknowledged {
        fleet: VehicleId,
        fix: Box<GpsFix>,
    },
    Alert {
        vehicle_id: VehicleId,
        payload: Bytes,
    },
}

/// What a device works with.
pub struct Wiring {
    pub fixes: mpsc::Receiver<GpsFix>,
    pub reports: mpsc::Sender<Report>,
    /// Turns true when the run is over.
    pub stop: watch::Receiver<bool>,
}

struct Outgone {
    fix: Box<GpsFix>,
    payload: Bytes,
}

struct Device {
    identity: Identity,
    gps_topic: String,
    client: AsyncClient,
    events: EventLoop,
    unacknowledged: Unacknowledged<Outgone>,
    connected: bool,
    subscribed: bool,
    wiring: Wiring,
    /// False when the simulation has no more fixes.
    more: bool,
}

/// Runs a device until it is told to stop. A broker that is away is tried again for ever.
pub async fn run(identity: Identity, broker: Address, wiring: Wiring) {
    let mut backoff =
        Backoff::new(Rng::stream(0, identity.vehicle_id.as_str(), u64::from(std::process::id())));
    let mut stop = wiring.stop.clone();
    let mut device = Device::new(identity, &broker, wiring);
    let mut connected_at = Instant::now();
    loop {
        let polled = tokio::select! {
            polled = device.step() => polled,
            () = told_to_stop(&mut stop) => break device.say_goodbye().await,
        };
        match polled {
            Ok(Event::Incoming(Packet::ConnAck(ack))) => {
                connected_at = Instant::now();
                device.begin(ack.session_present).await;
            }
            Ok(event) => {
                if device.handle(event).await.is_err() {
                    device.start_afresh(&broker).await;
                }
            }
            Err(error) => {
                if device.connected {
                    backoff.connection_lasted(connected_at.elapsed());
                }
                if device.lost(&error).await.is_err() {
                    device.start_afresh(&broker).await;
                }
                tokio::select! {
                    () = sleep(backoff.next()) => {}
                    () = told_to_stop(&mut stop) => break,
                }
            }
        }
    }
}

async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    // A run that is gone wants nothing more either.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The library saw a packet id meet itself: what it will answer is for nobody to know.
#[derive(Debug)]
struct Confused;

impl Device {
    fn new(identity: Identity, broker: &Address, wiring: Wiring) -> Self {
        let (client, events) = connect(&identity, broker);
        let gps_topic = identity.topic(MqttKind::Gps);
        Self {
            identity,
            gps_topic,
            client,
            events,
            unacknowledged: Unacknowledged::new(),
            connected: false,
            subscribed: false,
            wiring,
            more: true,
        }
    }

    /// The next event of the connection; meanwhile fixes go to the library as the window allows.
    /// The library's `poll` must not be dropped half-way (it would record a packet and not write
    /// it), so it is held while fixes come in.
    async fn step(&mut self) -> Result<Event, ConnectionError> {
        let mut poll = pin!(self.events.poll());
        loop {
            let wanted = self.connected && self.more && self.unacknowledged.has_room();
            tokio::select! {
                polled = &mut poll => return polled,
                fix = self.wiring.fixes.recv(), if wanted => match fix {
                    None => self.more = false,
                    Some(mut fix) => {
                        fix.sent_at = Some(wall_clock());
                        let payload = Bytes::from(fix.to_json());
                        self.client
                            .try_publish(&self.gps_topic, QoS::AtLeastOnce, false, payload.clone())
                            .expect("the request channel is longer than the window");
                        self.unacknowledged.push(Outgone { fix: Box::new(fix), payload });
                    }
                },
            }
        }
    }

    /// A connection stands. With the old session the library sends what `pending` holds, under the
    /// old ids; without it, it has emptied `pending`, and everything is published anew.
    async fn begin(&mut self, session_present: bool) {
        self.connected = true;
        if !session_present {
            self.subscribed = false;
            self.unacknowledged.forget_packet_ids();
            self.events.pending = self.to_send_again();
        }
        if !self.subscribed {
            let alerts = self.identity.topic(MqttKind::Alert);
            self.events.pending.push_front(Request::Subscribe(Subscribe::new(alerts, QoS::AtLeastOnce)));
        }
        self.report(Report::Connected).await;
    }

    /// The connection ended. What the library had seen before counts; then its list is written anew.
    async fn lost(&mut self, error: &ConnectionError) -> Result<(), Confused> {
        let reason = reason(error);
        let was_connected = std::mem::replace(&mut self.connected, false);
        self.report(if was_connected { Report::Lost { reason } } else { Report::Unreachable { reason } })
            .await;
        for event in std::mem::take(&mut self.events.state.events) {
            self.handle(event).await?;
        }
        self.events.pending = self.to_send_again();
        Ok(())
    }

    /// All that is unacknowledged, in order; DUP is set on what the broker may have seen under its id.
    fn to_send_again(&self) -> std::collections::VecDeque<Request> {
        let publish = |entry: &unacknowledged::Entry<Outgone>| {
            let payload = entry.item.payload.clone();
            let mut publish = Publish::from_bytes(&self.gps_topic, QoS::AtLeastOnce, payload);
            publish.pkid = entry.packet_id.unwrap_or(0);
            publish.dup = entry.packet_id.is_some();
            Request::Publish(publish)
        };
        self.unacknowledged.iter().map(publish).collect()
    }

    /// A client without memory, for a library that has mixed up its ids.
    async fn start_afresh(&mut self, broker: &Address) {
        (self.client, self.events) = connect(&self.identity, broker);
        self.unacknowledged.forget_packet_ids();
        self.events.pending = self.to_send_again();
        self.subscribed = false;
        if std::mem::replace(&mut self.connected, false) {
            let reason = "the client library mixed up its packet ids".to_owned();
            self.report(Report::Lost { reason }).await;
        }
    }

    async fn handle(&mut self, event: Event) -> Result<(), Confused> {
        match event {
            Event::Outgoing(Outgoing::Publish(id)) => match self.unacknowledged.sent(id) {
                Sent::First => self.report(Report::Published).await,
                Sent::Again => {}
                Sent::Unknown => return Err(Confused),
            },
            Event::Outgoing(Outgoing::AwaitAck(_)) => return Err(Confused),
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(Outgone { fix, .. }) = self.unacknowledged.acknowledged(ack.pkid) {
                    let fleet = self.identity.fleet.clone();
                    self.report(Report::Acknowledged { fleet, fix }).await;
                }
            }
            Event::Incoming(Packet::SubAck(ack)) => {
                self.subscribed = true;
                if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                    let vehicle_id = self.identity.vehicle_id.clone();
                    self.report(Report::Deaf { vehicle_id }).await;
                }
            }
            Event::Incoming(Packet::Publish(publish)) => {
                let vehicle_id = self.identity.vehicle_id.clone();
                self.report(Report::Alert { vehicle_id, payload: publish.payload }).await;
            }
            Event::Incoming(_) | Event::Outgoing(_) => {}
        }
        Ok(())
    }

    /// The reader of the reports may be gone at the very end; nobody asks then.
    async fn report(&mut self, report: Report) {
        let _ = self.wiring.reports.send(report).await;
    }

    async fn say_goodbye(&mut self) {
        if !self.connected || self.client.try_disconnect().is_err() {
            return;
        }
        let goodbye = async {
            while let Ok(event) = self.events.poll().await {
                if event == Event::Outgoing(Outgoing::Disconnect) {
                    break;
                }
                if self.handle(event).await.is_err() {
                    break;
                }
            }
        };
        // A broker that does not take the packet sees the socket close instead.
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

fn connect(identity: &Identity, broker: &Address) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(identity.vehicle_id.as_str(), &broker.host, broker.port);
    options.set_keep_alive(KEEP_ALIVE).set_clean_session(false).set_inflight(PACKET_IDS);
    let (client, mut events) = AsyncClient::new(options, WINDOW as usize + 2);
    let mut network = events.network_options();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    (client, events)
}

fn wall_clock() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The cause without the library's names for its layers.
fn reason(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Io(error) => error.to_string(),
        ConnectionError::MqttState(StateError::ConnectionAborted) => "the broker hung up".to_owned(),
        ConnectionError::NetworkTimeout => "no answer".to_owned(),
        ConnectionError::ConnectionRefused(code) => format!("the broker refused the client: {code:?}"),
        error => error.to_string(),
    }
}
