//! Topic names: Kafka's (plural noun, underscores, never dots, which clash with underscores in
//! Kafka's metric names) and MQTT's `fleet/<fleet>/<vehicle>/<what>`.

use std::fmt;

use crate::gps::VehicleKind;
use crate::vehicle::VehicleId;

/// Fixes of vehicles, key `vehicle_id`.
pub const TRUCKS_GPS: &str = "trucks_gps";
/// Fixes of persons, key `vehicle_id` (the watch).
pub const FITBITS_GPS: &str = "fitbits_gps";
pub const TRUCKS_VELOCITY: &str = "trucks_velocity";
pub const FITBITS_VELOCITY: &str = "fitbits_velocity";
/// Key `driver_id`, or `vehicle_id` where no driver is known.
pub const DRIVER_ALERTS: &str = "driver_alerts";
/// Payloads that are no valid fix, each with its reason.
pub const GPS_REJECTED: &str = "gps_rejected";

/// The topic for the velocities derived from `gps_topic`.
pub fn velocity_topic(gps_topic: &str) -> Option<&'static str> {
    match gps_topic {
        TRUCKS_GPS => Some(TRUCKS_VELOCITY),
        FITBITS_GPS => Some(FITBITS_VELOCITY),
        _ => None,
    }
}

/// The topic for the fixes of a device of this kind.
pub fn gps_topic(kind: VehicleKind) -> &'static str {
    match kind {
        VehicleKind::Person | VehicleKind::Bike => FITBITS_GPS,
        _ => TRUCKS_GPS,
    }
}

/// What travels on an MQTT topic of the fleet: fixes up, alerts down to the cab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MqttKind {
    Gps,
    Alert,
}

impl MqttKind {
    const fn as_str(self) -> &'static str {
        match self {
            MqttKind::Gps => "gps",
            MqttKind::Alert => "alert",
        }
    }
}

/// `fleet/<fleet>/<vehicle>/gps` or `.../alert`. The fleet's name obeys the rules of a vehicle's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttTopic {
    pub fleet: VehicleId,
    pub vehicle: VehicleId,
    pub kind: MqttKind,
}

impl MqttTopic {
    /// `None` for every topic that is not one of the fleet's.
    pub fn parse(topic: &str) -> Option<MqttTopic> {
        let mut levels = topic.split('/');
        let (Some("fleet"), Some(fleet), Some(vehicle), Some(kind), None) =
            (levels.next(), levels.next(), levels.next(), levels.next(), levels.next())
        else {
            return None;
        };
        let kind = match kind {
            "gps" => MqttKind::Gps,
            "alert" => MqttKind::Alert,
            _ => return None,
        };
        Some(MqttTopic { fleet: fleet.parse().ok()?, vehicle: vehicle.parse().ok()?, kind })
    }
}

impl fmt::Display for MqttTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fleet/{}/{}/{}", self.fleet, self.vehicle, self.kind.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_topics_read_back_as_written() {
        for topic in ["fleet/north/truck-042/gps", "fleet/n:1/7/alert"] {
            assert_eq!(MqttTopic::parse(topic).map(|t| t.to_string()), Some(topic.to_owned()));
        }
    }

    #[test]
    fn foreign_topics_are_not_the_fleets() {
        for topic in [
            "",
            "fleet",
            "fleet/a/b",
            "fleet/a/b/gps/",
            "fleet/a/b/GPS",
            "fleet//b/gps",
            "Fleet/a/b/gps",
            "fleet/+/b/gps",
            "fleet/a/#/gps",
            "/fleet/a/b/gps",
            "fleet/a/b/status",
        ] {
            assert_eq!(MqttTopic::parse(topic), None, "{topic}");
        }
    }

    #[test]
    fn each_gps_topic_has_its_velocity_topic() {
        assert_eq!(velocity_topic(gps_topic(VehicleKind::Truck)), Some(TRUCKS_VELOCITY));
        assert_eq!(velocity_topic(gps_topic(VehicleKind::Person)), Some(FITBITS_VELOCITY));
        assert_eq!(velocity_topic(DRIVER_ALERTS), None);
    }
}
