//! SUBSCRIBE and UNSUBSCRIBE. What a persistent session subscribes to is on disk before the answer.

use std::time::Instant;

use mqtt_wire::{
    Packet, Properties, Qos, ReasonCode, Suback, Subscribe, SubscribeRequest, Unsuback, Unsubscribe,
    is_shared_filter,
};

use super::tree::{MAX_LEVELS, Subscription};
use super::{Action, ClientId, CloseReason, ConnectionId, Sessions, Waiting};

impl Sessions {
    pub(super) fn subscribe(
        &mut self,
        conn: ConnectionId,
        subscribe: Subscribe,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if subscribe.properties.subscription_identifier().is_some() {
            return self.close(conn, CloseReason::SubscriptionIdentifier, now, actions);
        }
        let Some(client_id) = self.client_of(conn) else { return };
        let reasons: Vec<ReasonCode> =
            subscribe.requests.into_iter().map(|request| self.grant(&client_id, request)).collect();
        let granted = reasons.iter().any(|reason| !reason.is_error());
        let packet_id = subscribe.packet_id;
        let suback = Packet::Suback(Suback { packet_id, reasons, properties: Properties::default() });
        self.answer_when_saved(conn, &client_id, granted, suback, now, actions);
        if granted {
            actions.push(Action::WantsDeliveries { client_id });
        }
    }

    pub(super) fn unsubscribe(
        &mut self,
        conn: ConnectionId,
        unsubscribe: Unsubscribe,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(client_id) = self.client_of(conn) else { return };
        let Some(session) = self.sessions.get_mut(&client_id) else { return };
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            reasons.push(match session.subscriptions.remove(filter) {
                Some(_) => {
                    self.tree.remove(filter, &client_id);
                    ReasonCode::SUCCESS
                }
                None => ReasonCode::NO_SUBSCRIPTION_EXISTED,
            });
        }
        let removed = reasons.contains(&ReasonCode::SUCCESS);
        let packet_id = unsubscribe.packet_id;
        let unsuback = Packet::Unsuback(Unsuback { packet_id, reasons, properties: Properties::default() });
        self.answer_when_saved(conn, &client_id, removed, unsuback, now, actions);
    }

    fn grant(&mut self, client_id: &ClientId, request: SubscribeRequest) -> ReasonCode {
        let SubscribeRequest { filter, max_qos, no_local, .. } = request;
        let Some(session) = self.sessions.get_mut(client_id) else { return ReasonCode::UNSPECIFIED_ERROR };
        if is_shared_filter(&filter) {
            return ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
        }
        if filter.split('/').count() > MAX_LEVELS {
            return ReasonCode::TOPIC_FILTER_INVALID;
        }
        let is_new = !session.subscriptions.contains_key(&filter);
        if is_new && session.subscriptions.len() >= self.config.max_subscriptions {
            return ReasonCode::QUOTA_EXCEEDED;
        }
        let max_qos = max_qos.min(Qos::AtLeastOnce);
        let subscription = Subscription { max_qos, no_local };
        self.tree.insert(&filter, client_id, subscription);
        session.subscriptions.insert(filter, subscription);
        ReasonCode(max_qos.bits())
    }

    fn answer_when_saved(
        &mut self,
        conn: ConnectionId,
        client_id: &ClientId,
        changed: bool,
        packet: Packet,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let persistent = self.sessions.get(client_id).is_some_and(|session| session.is_persistent());
        let token = if changed && persistent { self.save_session(client_id, actions) } else { None };
        match token {
            Some(token) => {
                let client_id = client_id.clone();
                self.waiting.insert(token, Waiting::Reply { conn, client_id, packet });
            }
            None => self.send(conn, packet, now, actions),
        }
    }

    fn client_of(&self, conn: ConnectionId) -> Option<ClientId> {
        self.connections.get(&conn)?.client_id().cloned()
    }
}
