//! Any packet survives the wire, and any bytes get an answer.

mod any_packet;

use any_packet::any_packet;
use bytes::BytesMut;
use mqtt_wire::{Limits, ProtocolVersion, decode, encode};
use proptest::prelude::*;

fn any_version() -> impl Strategy<Value = ProtocolVersion> {
    prop_oneof![Just(ProtocolVersion::V3_1), Just(ProtocolVersion::V3_1_1), Just(ProtocolVersion::V5)]
}

fn packet_bytes(version: ProtocolVersion) -> impl Strategy<Value = (ProtocolVersion, Vec<u8>)> {
    any_packet(version).prop_map(move |packet| {
        let mut out = BytesMut::new();
        encode(&packet, version, &mut out).expect("a packet of this version");
        (version, out.to_vec())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_packet_comes_back_as_it_was(
        (version, packet) in any_version().prop_flat_map(|version| (Just(version), any_packet(version))),
    ) {
        let mut wire = BytesMut::from(&b"before"[..]);
        encode(&packet, version, &mut wire).expect("a packet of this version");
        let mut wire = wire.split_off(b"before".len());
        wire.extend_from_slice(&[0xc0]);
        prop_assert_eq!(decode(&mut wire, Some(version), &Limits::default()), Ok(Some(packet)));
        prop_assert_eq!(&wire[..], &[0xc0][..], "the next packet is left alone");
    }

    #[test]
    fn any_bytes_get_an_answer(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        version in proptest::option::of(any_version()),
    ) {
        let mut wire = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = decode(&mut wire, version, &Limits::default()) {}
    }

    #[test]
    fn a_packet_with_a_wrong_byte_gets_an_answer_and_what_is_taken_can_be_written(
        (version, mut bytes) in any_version().prop_flat_map(packet_bytes),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut wire = BytesMut::from(&bytes[..]);
        while let Ok(Some(packet)) = decode(&mut wire, Some(version), &Limits::default()) {
            // A changed level makes a CONNECT of another version; nothing else changes its version.
            let version = match &packet {
                mqtt_wire::Packet::Connect(connect) => connect.version,
                _ => version,
            };
            let mut out = BytesMut::new();
            prop_assert_eq!(encode(&packet, version, &mut out), Ok(()));
            prop_assert_eq!(decode(&mut out, Some(version), &Limits::default()), Ok(Some(packet)));
        }
    }
}
