//! What the lengths in a packet may cost us, and what we refuse to write.

use bytes::{Bytes, BytesMut};
use mqtt_wire::{
    Ack, Auth, Connack, DecodeError, EncodeError, Limits, Packet, PacketId, Properties, ProtocolVersion,
    Publish, Qos, ReasonCode, decode, encode,
};

fn publish(payload: Bytes) -> Publish {
    Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: "t".to_owned(),
        packet_id: None,
        properties: Properties::default(),
        payload,
    }
}

#[test]
fn a_header_alone_is_enough_to_refuse_a_packet_that_is_too_large() {
    let limits = Limits { max_packet_bytes: 100 };
    let announced =
        |length: u8| decode(&mut BytesMut::from(&[0x30, length][..]), Some(ProtocolVersion::V5), &limits);
    assert_eq!(announced(98), Ok(None));
    assert_eq!(announced(99), Err(DecodeError::PacketTooLarge { packet_bytes: 101, max_packet_bytes: 100 }));
}

#[test]
fn a_length_that_is_announced_reserves_nothing() {
    let mut buf = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0x7f, 0x00][..]);
    let before = buf.capacity();
    let limits = Limits { max_packet_bytes: usize::MAX };
    assert_eq!(decode(&mut buf, Some(ProtocolVersion::V5), &limits), Ok(None));
    assert_eq!(buf.capacity(), before);
}

#[test]
fn a_payload_is_a_slice_of_the_read_buffer() {
    let mut buf = BytesMut::from(&b"\x30\x08\x00\x01tHELLO"[..]);
    let address = buf[5..].as_ptr();
    let packet = decode(&mut buf, Some(ProtocolVersion::V3_1_1), &Limits::default());
    let Ok(Some(Packet::Publish(publish))) = packet else { panic!("{packet:?}") };
    assert_eq!(publish.payload, "HELLO");
    assert_eq!(publish.payload.as_ptr(), address);
}

#[test]
fn a_body_of_any_length_is_written_behind_the_right_length() {
    for payload_bytes in [0, 124, 125, 16_380, 16_381, 2_097_148, 2_097_149] {
        let packet = Packet::Publish(publish(Bytes::from(vec![7; payload_bytes])));
        let mut wire = BytesMut::new();
        encode(&packet, ProtocolVersion::V3_1_1, &mut wire).expect("it fits");
        let limits = Limits { max_packet_bytes: 4_000_000 };
        let read = decode(&mut wire, Some(ProtocolVersion::V3_1_1), &limits);
        assert_eq!(read, Ok(Some(packet)), "{payload_bytes}");
        assert!(wire.is_empty());
    }
}

#[test]
fn what_cannot_be_said_is_an_error_and_leaves_nothing_behind() {
    let long_topic = Publish { topic: "t".repeat(65_536), ..publish(Bytes::new()) };
    let no_id = Publish { qos: Qos::AtLeastOnce, ..publish(Bytes::new()) };
    let dup_qos_0 = Publish { dup: true, ..publish(Bytes::new()) };
    let auth = Auth { reason: ReasonCode::SUCCESS, properties: Properties::default() };
    let cases = [
        (Packet::Publish(long_topic), EncodeError::FieldTooLong(65_536)),
        (Packet::Publish(no_id), EncodeError::PacketIdAndQos),
        (Packet::Publish(dup_qos_0), EncodeError::PacketIdAndQos),
        (Packet::Auth(auth), EncodeError::NotInThisVersion { packet: "AUTH" }),
        (
            Packet::Connack(Connack::refused(ReasonCode::BANNED)),
            EncodeError::NoReturnCode(ReasonCode::BANNED),
        ),
    ];
    for (packet, expected) in cases {
        let mut out = BytesMut::from(&b"before"[..]);
        assert_eq!(encode(&packet, ProtocolVersion::V3_1_1, &mut out), Err(expected));
        assert_eq!(&out[..], b"before");
    }
}

#[test]
fn an_older_version_is_spared_what_it_cannot_read() {
    let refusal = Ack { reason: ReasonCode::NOT_AUTHORIZED, ..Ack::success(PacketId::MIN) };
    let mut out = BytesMut::new();
    encode(&Packet::Puback(refusal), ProtocolVersion::V3_1_1, &mut out).expect("it fits");
    assert_eq!(&out[..], &[0x40, 2, 0, 1]);
}
