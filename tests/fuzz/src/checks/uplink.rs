//! Frames of edge agents and of the broker that they talk to.

use bytes::{Bytes, BytesMut};
use uplink_wire::{
    Class, Frame, Hello, OpenLane, Refusal, RefusalCode, StampedProducer, Subscribe, TopicWanted, decode,
    encode,
};

/// Where the checksum stands, and what it is of: all behind magic but itself.
const CHECKED_FROM: usize = 6;
const CHECKSUM: std::ops::Range<usize> = 10..14;

/// As it is, and with a checksum that holds: by chance it never would.
pub fn check(data: &[u8]) {
    check_stream(data);
    if data.len() >= CHECKSUM.end {
        let mut sealed = data.to_vec();
        sealed[..4].copy_from_slice(&((data.len() - 4) as u32).to_be_bytes());
        let checksum =
            crc32c::crc32c_append(crc32c::crc32c(&data[CHECKED_FROM..CHECKSUM.start]), &data[CHECKSUM.end..]);
        sealed[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        check_stream(&sealed);
    }
}

/// What was read is written as it came, and nothing was taken from the buffer that was not there.
fn check_stream(data: &[u8]) {
    let mut buffer = BytesMut::from(data);
    while let Ok(Some(frame)) = decode(&mut buffer) {
        let mut again = BytesMut::new();
        encode(&frame, &mut again);
        assert_eq!(decode(&mut again), Ok(Some(frame)));
        assert!(again.is_empty());
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let topics = vec![TopicWanted { name: "trucks_gps".into(), partitions: 10 }];
    let frames = [
        Frame::Hello(Hello { min_version: 1, max_version: 1, agent_id: "gateway-7".into(), boot: 3, topics }),
        Frame::OpenLane(OpenLane {
            topic: "trucks_gps".into(),
            partition: 3,
            class: Class::Live,
            producer: Some(StampedProducer { id: 7, epoch: 0 }),
        }),
        Frame::Block { resent: true, batch: Bytes::from_static(b"batch") },
        Frame::Ack { through_sequence: 41 },
        Frame::Refused(Refusal { code: RefusalCode::StorageUnavailable, message: "disk full".into() }),
        Frame::Subscribe(Subscribe { topic: "driver_alerts".into(), from: vec![(0, 12), (1, 0)] }),
        Frame::Deliver { partition: 1, next_offset: 13, batches: Bytes::from_static(b"batches") },
    ];
    let bytes = |frame| {
        let mut out = BytesMut::new();
        encode(frame, &mut out);
        out.to_vec()
    };
    frames.iter().map(bytes).collect()
}
