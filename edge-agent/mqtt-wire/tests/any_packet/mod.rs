//! Packets by chance, each with only what its version can say.

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use mqtt_wire::{
    Ack, Auth, Connack, Connect, Disconnect, Packet, PacketId, Properties, Property, ProtocolVersion,
    Publish, Qos, ReasonCode, RetainHandling, Suback, Subscribe, SubscribeRequest, SubscriptionId, Unsuback,
    Unsubscribe, Will,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

pub fn any_packet(version: ProtocolVersion) -> BoxedStrategy<Packet> {
    let all_versions = prop_oneof![
        connect(version).prop_map(|connect| Packet::Connect(Box::new(connect))),
        connack(version).prop_map(Packet::Connack),
        publish(version).prop_map(Packet::Publish),
        ack(version, &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]).prop_map(Packet::Puback),
        ack(version, &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]).prop_map(Packet::Pubrec),
        ack(version, &[0x00, 0x92]).prop_map(Packet::Pubrel),
        ack(version, &[0x00, 0x92]).prop_map(Packet::Pubcomp),
        subscribe(version).prop_map(Packet::Subscribe),
        suback(version).prop_map(Packet::Suback),
        unsubscribe(version).prop_map(Packet::Unsubscribe),
        unsuback(version).prop_map(Packet::Unsuback),
        Just(Packet::Pingreq),
        Just(Packet::Pingresp),
        disconnect(version).prop_map(Packet::Disconnect),
    ];
    if version == ProtocolVersion::V5 {
        prop_oneof![14 => all_versions, 1 => auth().prop_map(Packet::Auth)].boxed()
    } else {
        all_versions.boxed()
    }
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|id| PacketId::new(id).expect("not 0"))
}

fn text() -> impl Strategy<Value = String> {
    vec(any::<char>().prop_filter("U+0000", |c| *c != '\0'), 0..12).prop_map(String::from_iter)
}

fn name() -> impl Strategy<Value = String> {
    vec(select(&["", "a", "fleet", "$x", "zug-ü"][..]), 1..5)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("a topic name is not empty", |name| !name.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let levels = vec(select(&["", "a", "fleet", "+"][..]), 0..4);
    (levels, select(&["a", "+", "#"][..])).prop_map(|(mut levels, last)| {
        levels.push(last);
        levels.join("/")
    })
}

fn binary(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn qos() -> impl Strategy<Value = Qos> {
    select(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][..])
}

fn reason(
    version: ProtocolVersion,
    v5: &'static [u8],
    older: &'static [u8],
) -> impl Strategy<Value = ReasonCode> {
    select(if version == ProtocolVersion::V5 { v5 } else { older }).prop_map(ReasonCode)
}

/// Some of these properties, in their order; none before version 5.
fn properties(version: ProtocolVersion, of: Vec<Property>) -> BoxedStrategy<Properties> {
    if version != ProtocolVersion::V5 {
        return Just(Properties::default()).boxed();
    }
    let count = of.len();
    let user = vec((text(), text()), 0..3);
    (subsequence(of, 0..=count), user)
        .prop_map(|(mut some, user)| {
            some.extend(user.into_iter().map(Property::UserProperty));
            Properties::from_iter(some)
        })
        .boxed()
}

fn some_u16() -> NonZeroU16 {
    NonZeroU16::new(300).expect("not 0")
}

fn some_u32() -> NonZeroU32 {
    NonZeroU32::new(70_000).expect("not 0")
}

fn connect(version: ProtocolVersion) -> impl Strategy<Value = Connect> {
    let of = vec![
        Property::SessionExpiryInterval(3600),
        Property::ReceiveMaximum(some_u16()),
        Property::MaximumPacketSize(some_u32()),
        Property::TopicAliasMaximum(7),
        Property::RequestResponseInformation(true),
        Property::RequestProblemInformation(false),
    ];
    let login = option::of((text(), option::of(binary(20))));
    let id = (any::<bool>(), any::<u16>(), text());
    (id, option::of(will(version)), login, properties(version, of)).prop_map(
        move |((clean_start, keep_alive_secs, client_id), will, login, properties)| {
            let (username, password) = match login {
                Some((username, password)) => (Some(username), password),
                None => (None, None),
            };
            Connect { version, clean_start, keep_alive_secs, client_id, will, username, password, properties }
        },
    )
}

fn will(version: ProtocolVersion) -> impl Strategy<Value = Will> {
    let of = vec![
        Property::WillDelayInterval(5),
        Property::PayloadFormatIndicator(true),
        Property::ContentType("text/plain".into()),
        Property::ResponseTopic("re/ply".into()),
        Property::CorrelationData(Bytes::from_static(b"\0\xff")),
    ];
    (name(), binary(40), qos(), any::<bool>(), properties(version, of)).prop_map(
        |(topic, payload, qos, retain, properties)| Will { topic, payload, qos, retain, properties },
    )
}

fn connack(version: ProtocolVersion) -> impl Strategy<Value = Connack> {
    let of = vec![
        Property::SessionExpiryInterval(0),
        Property::MaximumQos(true),
        Property::RetainAvailable(false),
        Property::AssignedClientIdentifier("gen-1".into()),
        Property::ServerKeepAlive(60),
        Property::SharedSubscriptionAvailable(false),
    ];
    let reason = reason(version, &[0x00, 0x80, 0x85, 0x9f], &[0x00, 0x84, 0x85, 0x88, 0x86, 0x87]);
    (any::<bool>(), reason, properties(version, of)).prop_map(move |(present, reason, properties)| Connack {
        session_present: present && !reason.is_error() && version != ProtocolVersion::V3_1,
        reason,
        properties,
    })
}

fn publish(version: ProtocolVersion) -> impl Strategy<Value = Publish> {
    let of = vec![
        Property::PayloadFormatIndicator(false),
        Property::MessageExpiryInterval(u32::MAX),
        Property::TopicAlias(some_u16()),
        Property::SubscriptionIdentifier(SubscriptionId::new(1).expect("not 0")),
        Property::SubscriptionIdentifier(SubscriptionId::new(268_435_455).expect("not too large")),
    ];
    let flags = (any::<bool>(), qos(), any::<bool>());
    (flags, name(), packet_id(), properties(version, of), binary(300)).prop_map(
        |((dup, qos, retain), topic, packet_id, properties, payload)| {
            let acknowledged = qos != Qos::AtMostOnce;
            let packet_id = acknowledged.then_some(packet_id);
            Publish { dup: dup && acknowledged, qos, retain, topic, packet_id, properties, payload }
        },
    )
}

fn ack(version: ProtocolVersion, reasons: &'static [u8]) -> impl Strategy<Value = Ack> {
    let properties = properties(version, vec![Property::ReasonString("why".into())]);
    (packet_id(), reason(version, reasons, &[0x00]), properties)
        .prop_map(|(packet_id, reason, properties)| Ack { packet_id, reason, properties })
}

fn subscribe(version: ProtocolVersion) -> impl Strategy<Value = Subscribe> {
    let identifier = Property::SubscriptionIdentifier(SubscriptionId::new(128).expect("not 0"));
    let handling =
        select(&[RetainHandling::AtSubscribe, RetainHandling::AtNewSubscription, RetainHandling::Never][..]);
    let request = (filter(), qos(), any::<[bool; 2]>(), handling).prop_map(
        move |(filter, max_qos, [no_local, retain_as_published], retain_handling)| {
            let older = SubscribeRequest::new(&filter, max_qos);
            if version == ProtocolVersion::V5 {
                SubscribeRequest { no_local, retain_as_published, retain_handling, ..older }
            } else {
                older
            }
        },
    );
    (packet_id(), vec(request, 1..5), properties(version, vec![identifier]))
        .prop_map(|(packet_id, requests, properties)| Subscribe { packet_id, requests, properties })
}

fn suback(version: ProtocolVersion) -> impl Strategy<Value = Suback> {
    let reasons = vec(reason(version, &[0, 1, 2, 0x80, 0x87, 0x9e], &[0, 1, 2, 0x80]), 1..5);
    (packet_id(), reasons, properties(version, vec![Property::ReasonString("why".into())]))
        .prop_map(|(packet_id, reasons, properties)| Suback { packet_id, reasons, properties })
}

fn unsubscribe(version: ProtocolVersion) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), vec(filter(), 1..5), properties(version, vec![]))
        .prop_map(|(packet_id, filters, properties)| Unsubscribe { packet_id, filters, properties })
}

fn unsuback(version: ProtocolVersion) -> impl Strategy<Value = Unsuback> {
    let count = if version == ProtocolVersion::V5 { 1..5 } else { 0..1 };
    let reasons = vec(reason(version, &[0x00, 0x11, 0x80], &[0x00]), count);
    (packet_id(), reasons, properties(version, vec![Property::ReasonString("why".into())]))
        .prop_map(|(packet_id, reasons, properties)| Unsuback { packet_id, reasons, properties })
}

fn disconnect(version: ProtocolVersion) -> impl Strategy<Value = Disconnect> {
    let of = vec![Property::SessionExpiryInterval(9), Property::ServerReference("other".into())];
    (reason(version, &[0x00, 0x04, 0x8d, 0x8e, 0xa2], &[0x00]), properties(version, of))
        .prop_map(|(reason, properties)| Disconnect { reason, properties })
}

fn auth() -> impl Strategy<Value = Auth> {
    let step =
        (select(&[0x00, 0x18, 0x19][..]), text(), binary(20)).prop_map(|(reason, method, data)| Auth {
            reason: ReasonCode(reason),
            properties: Properties::from_iter([
                Property::AuthenticationMethod(method),
                Property::AuthenticationData(data),
            ]),
        });
    prop_oneof![step, Just(Auth { reason: ReasonCode::SUCCESS, properties: Properties::default() })]
}
