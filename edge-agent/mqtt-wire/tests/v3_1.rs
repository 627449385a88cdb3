//! MQTT 3.1 by hand: where it is not 3.1.1. Sections are those of the IBM and Eurotech text.

mod vectors;

use mqtt_wire::ProtocolVersion;
use vectors::{Refuses, Takes, TakesOtherForm, check};

#[test]
fn version_3_1_differs_where_its_text_does() {
    check(
        ProtocolVersion::V3_1,
        &[
            ("smallest CONNECT before CONNECT", "10 * _MQIsdp 03 02 003c _dev", Takes),
            ("clean session 0", "10 * _MQIsdp 03 00 003c _dev", Takes),
            ("user name and password", "10 * _MQIsdp 03 c2 003c _dev _user _pass", Takes),
            ("will", "10 * _MQIsdp 03 2e 003c _dev _owntracks/u/d _gone", Takes),
            ("all fields", "10 * _MQIsdp 03 ee 003c _dev _lwt _gone _user _pass", Takes),
            ("3.1 user name flag without the field", "10 * _MQIsdp 03 82 003c _dev", TakesOtherForm),
            ("3.1 password flag without the field", "10 * _MQIsdp 03 c2 003c _dev _user", TakesOtherForm),
            ("3.1 a user name cut short", "10 * _MQIsdp 03 82 003c _dev 00", Refuses(0x81)),
            ("level 4 under the old name", "10 * _MQIsdp 04 02 003c _dev", Refuses(0x84)),
            ("level 0", "10 * _MQIsdp 00 02 003c _dev", Refuses(0x84)),
            ("name with a wrong letter", "10 * _MQIsdq 03 02 003c _dev", Refuses(0x81)),
            ("name longer than the packet", "10 * 00ff 'MQIsdp 03 02", Refuses(0x81)),
            ("reserved connect flag", "10 * _MQIsdp 03 03 003c _dev", Refuses(0x81)),
            ("will QoS without will", "10 * _MQIsdp 03 0a 003c _dev", Refuses(0x81)),
            ("will QoS 3", "10 * _MQIsdp 03 1e 003c _dev _lwt _gone", Refuses(0x81)),
            ("password without user name", "10 * _MQIsdp 03 42 003c _dev _pass", Refuses(0x81)),
            ("client id not UTF-8", "10 * _MQIsdp 03 02 003c 0001 ff", Refuses(0x81)),
            ("bytes after the payload", "10 * _MQIsdp 03 02 003c _dev 00", Refuses(0x81)),
            ("CONNACK accepted", "20 * 00 00", Takes),
            ("CONNACK not authorized", "20 * 00 05", Takes),
            ("session present has no place here", "20 * 01 00", Refuses(0x81)),
            ("PUBLISH QoS 1 again", "3a * _a/b 000a 'x", Takes),
            ("PUBLISH QoS 3", "36 * _a/b 000a 'x", Refuses(0x81)),
            ("PUBLISH with packet id 0", "32 * _a/b 0000 'x", Refuses(0x82)),
            ("PUBLISH with a wildcard", "30 * _a/# 'x", Refuses(0x90)),
            ("SUBSCRIBE", "82 * 0001 _a/b 01", Takes),
            ("SUBSCRIBE again", "8a * 0001 _a/b 01", TakesOtherForm),
            ("UNSUBSCRIBE again", "aa * 0001 _a/b", TakesOtherForm),
            ("PUBREL again", "6a * 0001", TakesOtherForm),
            ("SUBSCRIBE without QoS 1", "80 * 0001 _a/b 01", Refuses(0x81)),
            ("SUBSCRIBE with RETAIN", "83 * 0001 _a/b 01", Refuses(0x81)),
            ("SUBSCRIBE with QoS 3", "86 * 0001 _a/b 01", Refuses(0x81)),
            ("SUBSCRIBE to QoS 3", "82 * 0001 _a/b 03", Refuses(0x82)),
            ("SUBSCRIBE to nothing", "82 * 0001", Refuses(0x82)),
            ("PUBACK with DUP", "48 * 0001", Refuses(0x81)),
            ("SUBACK", "90 * 0001 00 01 02", Takes),
            ("UNSUBACK", "b0 * 0001", Takes),
            ("PINGREQ", "c0 *", Takes),
            ("PINGREQ with DUP", "c8 *", Refuses(0x81)),
            ("DISCONNECT", "e0 *", Takes),
            ("type 15", "f0 *", Refuses(0x81)),
            ("remaining length in two bytes where one will do", "c0 8000", TakesOtherForm),
            ("remaining length of five bytes", "c0 8080808000", Refuses(0x81)),
        ],
    );
}
