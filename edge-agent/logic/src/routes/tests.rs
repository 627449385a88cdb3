use super::*;

fn fix(vehicle_id: &str) -> String {
    format!(r#"{{"v":1,"vehicle_id":"{vehicle_id}","ts":"2026-03-02T10:15:00Z","lat":50.31,"lon":8.69}}"#)
}

fn defaults() -> Routes {
    Routes::new(&default_routes()).unwrap()
}

fn route(routes: &Routes, topic: &str, payload: &[u8]) -> Option<Routed> {
    let payload = Bytes::copy_from_slice(payload);
    routes.route(Published { client_id: "c1", topic, payload: &payload, received_ms: 42 })
}

#[test]
fn the_first_route_that_matches_is_taken() {
    let routes = defaults();
    for (topic, vehicle, expected) in [
        ("fleet/persons/w-1/gps", "w-1", Some("fitbits_gps")),
        ("fleet/north/truck-7/gps", "truck-7", Some("trucks_gps")),
        ("fleet/north/truck-7/status", "truck-7", None),
        ("$SYS/fleet/x/gps", "x", None),
    ] {
        let routed = route(&routes, topic, fix(vehicle).as_bytes());
        assert_eq!(routed.map(|routed| routed.event.lane.topic).as_deref(), expected, "{topic}");
    }
}

#[test]
fn a_fix_becomes_a_record_of_its_vehicle() {
    let routed = route(&defaults(), "fleet/north/truck-7/gps", fix("truck-7").as_bytes()).unwrap();
    let partition = partition_for_key(b"truck-7", 10);
    assert_eq!(routed.event.lane, LaneKey { topic: "trucks_gps".into(), partition, class: Class::Live });
    assert_eq!(routed.event.key.as_deref(), Some(&b"truck-7"[..]));
    assert_eq!(routed.event.value, fix("truck-7"));
    assert_eq!((routed.event.timestamp_ms, routed.event.headers.len()), (42, 0));
    let device = Device { vehicle_id: "truck-7".into(), mqtt_topic: "fleet/north/truck-7/alert".into() };
    assert_eq!((routed.rejected, routed.device), (None, Some(device)));
}

#[test]
fn what_is_no_fix_goes_to_the_rejected_ones_with_its_reason() {
    let table: [(&[u8], &str); 4] = [
        (b"not json", "not a JSON object"),
        (br#"{"v":1,"vehicle_id":"truck-7"}"#, "missing"),
        (fix("truck-8").leak().as_bytes(), "vehicle_id: truck-8 published as truck-7"),
        (&[b'x'; 9000], "over the limit"),
    ];
    for (payload, expected) in table {
        let routed = route(&defaults(), "fleet/north/truck-7/gps", payload).unwrap();
        let reason = routed.rejected.unwrap();
        assert!(reason.contains(expected), "{reason}");
        assert_eq!(
            routed.event.lane,
            LaneKey { topic: "gps_rejected".into(), partition: 0, class: Class::Bulk }
        );
        assert_eq!(routed.event.value, payload);
        assert_eq!(routed.device, None, "who sends nonsense is not known by it");
        let headers: Vec<(&str, &[u8])> =
            routed.event.headers.iter().map(|(name, value)| (name.as_str(), value.as_ref())).collect();
        let topic = &b"fleet/north/truck-7/gps"[..];
        assert_eq!(headers, [("reason", reason.as_bytes()), ("mqtt-topic", topic), ("client-id", b"c1")]);
    }
}

#[test]
fn every_routed_event_fits_in_a_block() {
    let config = RouteConfig { filter: "#".into(), format: Format::Raw, ..default_routes()[1].clone() };
    let routes = Routes::new(&[config, default_routes()[1].clone()]).unwrap();
    let long = "x".repeat(65_000);
    for (topic, payload) in [
        ("a/b/c".to_owned(), vec![7; 59_000]),
        ("a/b/c".to_owned(), vec![7; 60_000]),
        ("a/b/c".to_owned(), vec![7; 250_000]),
        (format!("a/b/{long}"), vec![7; 1000]),
        (format!("a/{long}"), vec![7; 1000]),
        (format!("a/b/{}", "é".repeat(30_000)), vec![7; 35_000]),
    ] {
        let payload = Bytes::from(payload);
        let published = Published { client_id: &long, topic: &topic, payload: &payload, received_ms: 0 };
        let routed = routes.route(published).unwrap();
        assert!(routed.event.bytes() <= MAX_EVENT_BYTES, "{} of {}", routed.event.bytes(), payload.len());
    }
}

#[test]
fn the_broker_says_how_many_partitions_there_are_and_it_is_remembered() {
    let mut routes = defaults();
    let wanted = |name: &str, partitions| TopicWanted { name: name.into(), partitions };
    let topics = [wanted("fitbits_gps", 10), wanted("gps_rejected", 1), wanted("trucks_gps", 10)];
    assert_eq!(routes.topics(), topics);
    let change = routes.learn("trucks_gps", 3);
    let Some(Change::PutFact { kind, key, value }) = change else { panic!("{change:?}") };
    for (topic, partitions) in [("trucks_gps", 3), ("trucks_gps", 0), ("trucks_gps", u32::MAX), ("other", 5)]
    {
        assert_eq!(routes.learn(topic, partitions), None, "{topic} {partitions}");
    }
    let mut again = defaults();
    again.restore([(kind, key.as_str(), &value)].into_iter());
    for routes in [routes, again] {
        let routed = route(&routes, "fleet/north/truck-7/gps", fix("truck-7").as_bytes()).unwrap();
        assert_eq!(routed.event.lane.partition, partition_for_key(b"truck-7", 3));
    }
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let good = || default_routes()[1].clone();
    let table = [
        (RouteConfig { filter: "fleet/#/gps".into(), ..good() }, "'#' is not alone"),
        (RouteConfig { topic: "trucks gps".into(), ..good() }, "no name a Kafka topic can have"),
        (RouteConfig { key: "{vehicle}".into(), ..good() }, "key {vehicle} is not known"),
        (RouteConfig { downlink: Some(String::new()), ..good() }, "downlink it is empty"),
        (RouteConfig { partitions: 0, ..good() }, "1 to 100000 partitions"),
    ];
    for (config, expected) in table {
        let error = Routes::new(&[config]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_route_reads_from_the_configuration_and_a_slip_is_an_error() {
    let text = r#"{"filter": "fleet/+/+/gps", "topic": "trucks_gps", "key": "{3}", "format": "gps-json",
        "class": "backlog"}"#;
    let config: RouteConfig = serde_json::from_str(text).unwrap();
    assert_eq!((config.format, config.class, config.partitions), (Format::GpsJson, RouteClass::Backlog, 10));
    let slip = text.replace("class", "clas");
    assert!(serde_json::from_str::<RouteConfig>(&slip).is_err());
}
