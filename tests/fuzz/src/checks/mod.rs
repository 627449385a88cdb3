//! The checks by name.

pub mod config;
pub mod kafka;
pub mod log;
pub mod mqtt;
pub mod record_batch;
pub mod records;
pub mod uplink;

pub struct Check {
    pub name: &'static str,
    /// Panics where what must hold does not.
    pub check: fn(&[u8]),
    /// Bytes that are what they should be.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

const fn check(name: &'static str, check: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Check {
    Check { name, check, seeds }
}

pub const CHECKS: [Check; 10] = [
    check("kafka_request", kafka::check_request, kafka::request_seeds),
    check("kafka_response", kafka::check_response, kafka::response_seeds),
    check("record_batch", record_batch::check, record_batch::seeds),
    check("uplink_frame", uplink::check, uplink::seeds),
    check("mqtt_packet", mqtt::check, mqtt::seeds),
    check("log_file", log::check, log::seeds),
    check("metadata_record", records::check_metadata, records::metadata_seeds),
    check("offsets_record", records::check_offsets, records::offsets_seeds),
    check("producer_snapshot", records::check_snapshot, records::snapshot_seeds),
    check("broker_config", config::check, config::seeds),
];
