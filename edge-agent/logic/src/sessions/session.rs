//! One session: what a client has, connected or not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mqtt_wire::{PacketId, Qos, Will, check_topic_filter};

use super::outgoing::Outgoing;
use super::tree::{MAX_LEVELS, Subscription};
use super::window::Window;
use super::{
    ClientId, ConnectionId, LoadedSession, SessionRecord, Sessions, SessionsConfig, SubscriptionRecord,
    Timer, Token, WindowEntry,
};

pub(super) struct Session {
    pub principal: String,
    /// 0: it ends with its connection, and nothing of it is on disk.
    pub expiry_secs: u32,
    /// A record of it may be on disk.
    pub saved: bool,
    /// The latest record is not on disk and not on the way there: the store failed.
    pub unsaved: bool,
    /// The latest record is on the way.
    pub saving: Option<Token>,
    pub connection: Option<ConnectionId>,
    pub subscriptions: BTreeMap<String, Subscription>,
    pub window: Window,
    /// QoS 1 publishes being committed, the latest of each packet id.
    pub committing: BTreeMap<PacketId, Committing>,
    pub outgoing: Outgoing,
    /// When it ends, while there is no connection.
    pub ends: Option<Instant>,
    pub delayed_will: Option<(Instant, Will)>,
    /// The one timer that is set for it.
    pub timer: Option<Instant>,
}

pub(super) struct Committing {
    pub token: Token,
    pub hash: u64,
    pub entry: Option<WindowEntry>,
}

impl Session {
    pub fn new(principal: String, config: &SessionsConfig) -> Self {
        Self {
            principal,
            expiry_secs: 0,
            saved: false,
            unsaved: false,
            saving: None,
            connection: None,
            subscriptions: BTreeMap::new(),
            window: Window::new(config.receive_maximum),
            committing: BTreeMap::new(),
            outgoing: Outgoing::default(),
            ends: None,
            delayed_will: None,
            timer: None,
        }
    }

    pub fn is_persistent(&self) -> bool {
        self.expiry_secs > 0
    }

    pub fn expiry(&self, config: &SessionsConfig) -> Duration {
        Duration::from_secs(u64::from(self.expiry_secs)).min(config.max_session_expiry)
    }

    pub fn record(&self, client_id: &str) -> SessionRecord {
        let subscriptions = self.subscriptions.iter().map(|(filter, subscription)| SubscriptionRecord {
            filter: filter.clone(),
            max_qos: subscription.max_qos.bits(),
            no_local: subscription.no_local,
        });
        SessionRecord {
            client_id: client_id.to_owned(),
            principal: self.principal.clone(),
            expiry_secs: self.expiry_secs,
            subscriptions: subscriptions.collect(),
        }
    }
}

impl Sessions {
    /// Takes over what the store kept. Their clients are away since now, as far as anyone knows.
    pub(super) fn loaded(&mut self, loaded: Vec<LoadedSession>, now: Instant) {
        for LoadedSession { record, window } in loaded {
            let client_id = ClientId::from(record.client_id);
            let mut session = Session::new(record.principal, &self.config);
            session.saved = true;
            session.expiry_secs = record.expiry_secs;
            session.window = Window::load(self.config.receive_maximum, window);
            session.ends = Some(now + session.expiry(&self.config));
            for SubscriptionRecord { filter, max_qos, no_local } in record.subscriptions {
                // The disk is believed no more than a socket.
                let known = check_topic_filter(&filter, mqtt_wire::ProtocolVersion::V5).is_ok();
                let shallow = filter.split('/').count() <= MAX_LEVELS;
                if let (true, true, Some(max_qos)) = (known, shallow, Qos::from_bits(max_qos)) {
                    let subscription = Subscription { max_qos, no_local };
                    self.tree.insert(&filter, &client_id, subscription);
                    session.subscriptions.insert(filter, subscription);
                }
            }
            self.sessions.insert(client_id.clone(), session);
            self.set_session_timer(&client_id);
        }
    }

    /// Takes a session out of everything in memory.
    pub(super) fn remove_session(&mut self, client_id: &ClientId) -> Option<Session> {
        let session = self.sessions.remove(client_id)?;
        for filter in session.subscriptions.keys() {
            self.tree.remove(filter, client_id);
        }
        if let Some(at) = session.timer {
            self.timers.clear(at, Timer::Session(client_id.clone()));
        }
        Some(session)
    }

    /// Sets the timer to the will or the end, whichever comes first.
    pub(super) fn set_session_timer(&mut self, client_id: &ClientId) {
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        let timer = Timer::Session(client_id.clone());
        if let Some(at) = session.timer.take() {
            self.timers.clear(at, timer.clone());
        }
        let will_at = session.delayed_will.as_ref().map(|(at, _)| *at);
        session.timer = [will_at, session.ends].into_iter().flatten().min();
        if let Some(at) = session.timer {
            self.timers.set(at, timer);
        }
    }
}
