//! Golden bytes, round trips and hostile input of the edge protocol.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use uplink_wire::*;

fn samples() -> Vec<Frame> {
    vec![
        Frame::Hello(Hello {
            min_version: 1,
            max_version: 1,
            agent_id: "gateway-7".into(),
            boot: 3,
            topics: vec![TopicWanted { name: "trucks_gps".into(), partitions: 10 }],
        }),
        Frame::Welcome(Welcome {
            version: 1,
            cluster_id: "c".into(),
            server_time_ms: 1_772_431_200_000,
            max_block_bytes: 1_048_576,
            topics: vec![TopicInfo { name: "trucks_gps".into(), partitions: 10 }],
        }),
        Frame::OpenLane(OpenLane {
            topic: "trucks_gps".into(),
            partition: 3,
            class: Class::Live,
            producer: Some(StampedProducer { id: 7, epoch: 0 }),
        }),
        Frame::LaneOpened(LaneOpened { producer: StampedProducer { id: 7, epoch: 0 } }),
        Frame::Block { resent: true, batch: Bytes::from_static(b"batch") },
        Frame::Ack { through_sequence: 41 },
        Frame::Refused(Refusal { code: RefusalCode::StorageUnavailable, message: "disk full".into() }),
        Frame::Subscribe(Subscribe { topic: "driver_alerts".into(), from: vec![(0, 12), (1, 0)] }),
        Frame::Deliver { partition: 1, next_offset: 13, batches: Bytes::from_static(b"batches") },
    ]
}

/// Changing one of these lines breaks every agent in the field: make a new kind or version instead.
const GOLDEN: [&str; 9] = [
    "000000244c48010100007615bd81010109676174657761792d3703010a747275636b735f6770730a",
    "000000234c48010200000a8ab2b801016380bc8ed29567808040010a747275636b735f6770730a",
    "0000001a4c4801030000c0149cb40a747275636b735f6770730601010e00",
    "0000000c4c4801040000ac843ba90e00",
    "0000000f4c4801050001a2ee2fa26261746368",
    "0000000e4c4801060000e8fd06fe00000029",
    "000000154c4801070000dfab6ee209096469736b2066756c6c",
    "0000001d4c4801080000f621fe660d6472697665725f616c657274730200180200",
    "0000001d4c480109000052bdcefe00000001000000000000000d62617463686573",
];

fn bytes_of(frame: &Frame) -> BytesMut {
    let mut out = BytesMut::new();
    encode(frame, &mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn bytes_on_the_wire_are_frozen() {
    let written: Vec<String> = samples().iter().map(|frame| hex(&bytes_of(frame))).collect();
    assert_eq!(written, GOLDEN);
}

#[test]
fn every_frame_comes_back_and_waits_for_its_last_byte() {
    for frame in samples() {
        let whole = bytes_of(&frame);
        for cut in 0..whole.len() {
            assert_eq!(decode(&mut BytesMut::from(&whole[..cut])), Ok(None), "{frame:?} cut at {cut}");
        }
        let mut twice = whole.clone();
        twice.extend_from_slice(&whole);
        assert_eq!(decode(&mut twice), Ok(Some(frame.clone())));
        assert_eq!(decode(&mut twice), Ok(Some(frame)));
        assert!(twice.is_empty());
    }
}

#[test]
fn any_changed_byte_after_the_length_is_noticed() {
    for frame in samples() {
        let whole = bytes_of(&frame);
        for at in 4..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 0x40;
            assert!(decode(&mut bad).is_err(), "{frame:?} byte {at}");
        }
    }
}

#[test]
fn a_hostile_length_is_refused_before_anything_is_waited_for() {
    for length in [0x7fff_ffffu32, u32::MAX, MAX_FRAME_BYTES as u32, 0, 9] {
        let mut bytes = BytesMut::from(&length.to_be_bytes()[..]);
        assert!(decode(&mut bytes).is_err(), "{length}");
    }
}

#[test]
fn trailing_bytes_in_a_body_are_another_version_and_refused() {
    let mut bytes = bytes_of(&Frame::Ack { through_sequence: 1 });
    bytes.extend_from_slice(&[0]);
    bytes[3] += 1;
    assert_eq!(decode(&mut bytes), Err(DecodeError::Checksum));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some(_)) = decode(&mut buffer) {}
    }
}
