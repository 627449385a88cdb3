//! MQTT packets of devices, before CONNECT and after it in each version.

use bytes::BytesMut;
use mqtt_wire::{Limits, ProtocolVersion, decode, encode};

const VERSIONS: [Option<ProtocolVersion>; 4] =
    [None, Some(ProtocolVersion::V3_1), Some(ProtocolVersion::V3_1_1), Some(ProtocolVersion::V5)];

/// What was read is what is read again after it was written.
pub fn check(data: &[u8]) {
    for version in VERSIONS {
        let mut buffer = BytesMut::from(data);
        while let Ok(Some(packet)) = decode(&mut buffer, version, &Limits::default()) {
            let Some(version) = version else { continue };
            let mut again = BytesMut::new();
            if encode(&packet, version, &mut again).is_ok() {
                assert_eq!(decode(&mut again, Some(version), &Limits::default()), Ok(Some(packet)));
            }
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let packets: [&[u8]; 9] = [
        b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd",
        b"\x10\x16\x00\x04MQTT\x05\x02\x00\x3c\x05\x11\x00\x00\x00\x0a\x00\x04abcd",
        b"\x30\x09\x00\x04a/b/hello",
        b"\x32\x0b\x00\x04a/b/\x00\x07hello",
        b"\x82\x09\x00\x07\x00\x04a/+/\x01",
        b"\xa2\x08\x00\x07\x00\x04a/+/",
        b"\x40\x02\x00\x07",
        b"\xc0\x00",
        b"\xe0\x00",
    ];
    packets.map(<[u8]>::to_vec).into()
}
