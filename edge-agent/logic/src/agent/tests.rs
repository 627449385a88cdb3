//! A fix through all cores: what leaves the agent, and when.

use mqtt_wire::{Connect, Packet, PacketId, Properties, ProtocolVersion, Publish};

use bytes::Bytes;

use super::*;
use crate::{routes::default_routes, sessions::ConnectionId};

struct Desk {
    agent: Agent,
    now: Now,
}

impl Desk {
    fn new() -> (Self, Vec<String>) {
        let config = AgentConfig {
            agent_id: "gateway-7".into(),
            routes: default_routes(),
            sessions: SessionsConfig::default(),
            outbox: OutboxConfig::default(),
            downlink: DownlinkConfig::default(),
            subscribe: vec!["driver_alerts".into()],
        };
        let now = Now { instant: Instant::now(), unix_ms: 1_772_431_200_000, chance: 0 };
        let mut actions = Vec::new();
        let agent = Agent::new(config, Stored::default(), now, &mut actions).unwrap();
        (Self { agent, now }, said(&actions))
    }

    fn take(&mut self, input: Input) -> Vec<String> {
        let mut actions = Vec::new();
        self.agent.handle(input, self.now, &mut actions);
        said(&actions)
    }

    fn packet(&mut self, packet: Packet) -> Vec<String> {
        self.take(Input::Mqtt(sessions::Input::Packet { conn: ConnectionId(1), packet }))
    }

    /// A persistent session of truck-1, connected.
    fn connected() -> Self {
        let (mut desk, _) = Self::new();
        let conn = ConnectionId(1);
        let (principal, fallback_client_id) = ("anonymous".into(), "auto-1".into());
        desk.take(Input::Mqtt(sessions::Input::Connected { conn, principal, fallback_client_id }));
        let connect = Connect {
            version: ProtocolVersion::V3_1_1,
            clean_start: false,
            keep_alive_secs: 0,
            client_id: "truck-1".into(),
            will: None,
            username: None,
            password: None,
            properties: Properties::default(),
        };
        assert_eq!(desk.packet(Packet::Connect(Box::new(connect))), [""; 0], "a session is durable first");
        assert_eq!(desk.take(Input::Drained), ["commit 0 blocks, 1 changes"]);
        assert_eq!(desk.take(Input::Committed { stored_bytes: 0 }), ["CONNACK"]);
        desk
    }

    fn publish(&mut self, packet_id: u16, payload: &'static str) -> Vec<String> {
        self.packet(Packet::Publish(Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic: "fleet/trucks/truck-1/gps".into(),
            packet_id: PacketId::new(packet_id),
            properties: Properties::default(),
            payload: Bytes::from_static(payload.as_bytes()),
        }))
    }
}

fn said(actions: &[Action]) -> Vec<String> {
    let word = |action: &Action| match action {
        Action::Packet { packet, .. } => packet.name().to_owned(),
        Action::Close { reason, .. } => format!("close: {reason}"),
        Action::Commit(commit) => {
            let topics: Vec<&str> = commit.created.iter().map(|(_, key)| key.topic.as_str()).collect();
            let made =
                if topics.is_empty() { String::new() } else { format!(" in new {}", topics.join(" ")) };
            format!("commit {} blocks{made}, {} changes", commit.blocks.len(), commit.changes.len())
        }
        Action::Connect { .. } => "connect".into(),
        Action::Disconnect { .. } => "disconnect".into(),
        Action::OpenStream { .. } => "open stream".into(),
        Action::Frame { .. } => "frame".into(),
        Action::ReadBlocks { .. } => "read blocks".into(),
        Action::Notice(Notice::Rejected { reason, .. }) => format!("rejected: {reason}"),
        Action::Notice(notice) => format!("{notice:?}"),
    };
    actions.iter().map(word).collect()
}

const FIX: &str = r#"{"vehicle_id":"truck-1","ts":"2026-03-02T10:29:40Z","lat":50.1,"lon":8.6}"#;

#[test]
fn the_link_is_sought_from_the_first_moment() {
    assert_eq!(Desk::new().1, ["connect"]);
}

#[test]
fn acks_only_after_the_disk_has_it() {
    let mut desk = Desk::connected();
    assert_eq!(desk.publish(1, FIX), [""; 0]);
    // The block, the device that was heard and the window of its session are one commit.
    assert_eq!(desk.take(Input::Drained), ["commit 1 blocks in new trucks_gps, 2 changes"]);
    assert_eq!(desk.take(Input::Drained), [""; 0], "one commit at a time");
    assert_eq!(desk.take(Input::Committed { stored_bytes: 200 }), ["PUBACK"]);
}

#[test]
fn what_comes_during_a_commit_is_the_next_one() {
    let mut desk = Desk::connected();
    desk.publish(1, FIX);
    desk.take(Input::Drained);
    assert_eq!(desk.publish(2, FIX), [""; 0]);
    assert_eq!(desk.take(Input::Committed { stored_bytes: 200 }), ["PUBACK"]);
    assert_eq!(desk.take(Input::Drained), ["commit 1 blocks, 1 changes"]);
    assert_eq!(desk.take(Input::Committed { stored_bytes: 400 }), ["PUBACK"]);
}

#[test]
fn a_fix_that_is_none_is_kept_with_the_reason_before_it_is_answered() {
    let mut desk = Desk::connected();
    let said = desk.publish(1, r#"{"vehicle_id":"truck-1","ts":"2026-03-02T10:29:40Z","lat":91,"lon":8.6}"#);
    assert!(said.len() == 1 && said[0].starts_with("rejected: lat"), "{said:?}");
    assert_eq!(desk.take(Input::Drained), ["commit 1 blocks in new gps_rejected, 1 changes"]);
    assert_eq!(desk.take(Input::Committed { stored_bytes: 200 }), ["PUBACK"]);
}

#[test]
fn a_full_outbox_acknowledges_nothing_and_says_so_once() {
    let mut desk = Desk::connected();
    desk.publish(1, FIX);
    desk.take(Input::Drained);
    let full = OutboxConfig::default().max_bytes;
    assert_eq!(desk.take(Input::Committed { stored_bytes: full }), ["PUBACK"]);
    let said = desk.publish(2, FIX);
    assert!(said[0].starts_with("Outbox(OutboxFull"), "{said:?}");
    assert!(said[1].starts_with("close: "), "the device keeps the fix and comes again: {said:?}");
}

#[test]
fn a_device_that_a_full_outbox_heard_first_is_known_after_a_restart() {
    let mut desk = Desk::connected();
    desk.publish(1, "not a fix: of no device");
    desk.take(Input::Drained);
    desk.take(Input::Committed { stored_bytes: OutboxConfig::default().max_bytes });
    desk.publish(2, FIX);
    // The fix is refused. That the device is here is said only once, and an alert may come for it.
    assert_eq!(desk.take(Input::Drained), ["commit 0 blocks, 1 changes"]);
}
