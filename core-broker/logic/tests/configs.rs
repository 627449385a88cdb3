//! Configs: where a value comes from, and which changes are refused.

use broker_logic::cluster::{
    BROKER_CONFIGS, CleanupPolicy, ClusterImage, Command, ConfigResource, Configs, Endpoint, Layout, Limits,
    Operation, Record, Source, StaticConfigs, TOPIC_CONFIGS, TimestampType,
};
use broker_logic::ids::{BrokerId, TopicId};
use uuid::Uuid;

const ME: BrokerId = BrokerId(1);

fn run(image: &mut ClusterImage, command: &Command) -> Result<usize, String> {
    let records = image.plan(command, &Limits::default()).map_err(|error| error.to_string())?;
    records.iter().for_each(|record| image.apply(record).expect("a planned record applies"));
    Ok(records.len())
}

/// Broker 1 and topic `t`.
fn cluster() -> ClusterImage {
    let mut image = ClusterImage::new();
    let endpoint = Endpoint { listener: "PLAINTEXT".into(), host: "core".into(), port: 9092 };
    let register = Command::RegisterBroker {
        id: ME,
        incarnation: Uuid::from_u128(1),
        endpoints: vec![endpoint],
        rack: None,
        missing: 0,
    };
    let create = Command::CreateTopic {
        name: "t".into(),
        topic_id: TopicId(Uuid::from_u128(1)),
        layout: Layout::Automatic { partitions: None, replication_factor: None },
        configs: vec![],
    };
    for command in [register, create] {
        run(&mut image, &command).expect("accepted");
    }
    image
}

fn alter(resource: ConfigResource, changes: &[(&str, Option<&str>)]) -> Command {
    let operation =
        |value: Option<&str>| value.map_or(Operation::Unset, |value| Operation::Set(value.to_owned()));
    let operations = changes.iter().map(|(key, value)| ((*key).to_owned(), operation(*value))).collect();
    Command::AlterConfigs { resource, operations, replace: false }
}

fn alter_topic(changes: &[(&str, Option<&str>)]) -> Command {
    alter(ConfigResource::Topic("t".into()), changes)
}

fn alter_broker(broker: Option<i32>, changes: &[(&str, Option<&str>)]) -> Command {
    alter(ConfigResource::Broker(broker.map(BrokerId)), changes)
}

fn in_file(values: &[(&'static str, &str)]) -> StaticConfigs {
    StaticConfigs::new(values.iter().map(|(key, value)| (*key, (*value).to_owned())))
}

/// A topic's value, its source and its synonyms as one line.
fn topic_value(image: &ClusterImage, statics: &StaticConfigs, key: &str) -> String {
    let topic = image.topic("t").expect("there");
    let effective = Configs::new(image, ME, statics).topic(topic, key).expect("a config");
    let synonyms: Vec<String> = effective
        .synonyms
        .iter()
        .map(|synonym| format!("{:?}:{}={}", synonym.source, synonym.key, synonym.value))
        .collect();
    format!("{} {:?} [{}]", effective.value.unwrap_or_default(), effective.source, synonyms.join(" "))
}

#[test]
fn trap_26_each_config_has_a_value_a_source_and_its_synonyms() {
    let mut image = cluster();
    let statics = in_file(&[("log.segment.bytes", "4194304"), ("log.flush.interval.messages", "1")]);
    let segment = |image: &ClusterImage| topic_value(image, &statics, "segment.bytes");
    assert_eq!(
        segment(&image),
        "4194304 Static [Static:log.segment.bytes=4194304 Default:log.segment.bytes=268435456]"
    );
    run(&mut image, &alter_broker(None, &[("log.segment.bytes", Some("8388608"))])).expect("accepted");
    run(&mut image, &alter_broker(Some(1), &[("log.segment.bytes", Some("9437184"))])).expect("accepted");
    run(&mut image, &alter_topic(&[("segment.bytes", Some("2097152"))])).expect("accepted");
    let all = "Broker:log.segment.bytes=9437184 AllBrokers:log.segment.bytes=8388608 \
               Static:log.segment.bytes=4194304 Default:log.segment.bytes=268435456";
    assert_eq!(segment(&image), format!("2097152 Topic [Topic:segment.bytes=2097152 {all}]"));
    run(&mut image, &alter_topic(&[("segment.bytes", None)])).expect("accepted");
    assert_eq!(segment(&image), format!("9437184 Broker [{all}]"));
    run(&mut image, &alter_broker(Some(1), &[("log.segment.bytes", None)])).expect("accepted");
    assert!(segment(&image).starts_with("8388608 AllBrokers"));
    // What the file says as the default says it is the default.
    assert_eq!(
        topic_value(&image, &statics, "flush.messages"),
        "1 Default [Default:log.flush.interval.messages=1]"
    );
}

#[test]
fn every_config_of_the_tables_resolves() {
    let (image, statics) = (cluster(), StaticConfigs::default());
    let (configs, topic) = (Configs::new(&image, ME, &statics), image.topic("t").expect("there"));
    for config in TOPIC_CONFIGS {
        let effective = configs.topic_effective(topic, config);
        let value = effective.value.expect("a topic's config has a value");
        assert!(config.values.accept(&value), "{}={value}", config.key);
    }
    for config in BROKER_CONFIGS {
        assert_eq!(configs.broker_effective(config).value.as_deref(), config.default, "{}", config.key);
    }
    assert!(configs.topic(topic, "retention").is_none() && configs.broker("retention.ms").is_none());
}

#[test]
fn a_time_of_a_topic_may_be_given_to_the_broker_in_larger_units() {
    let mut image = cluster();
    for (statics, expected) in [
        (in_file(&[]), "604800000 Default []"),
        (in_file(&[("log.retention.hours", "2")]), "7200000 Default []"),
        (in_file(&[("log.retention.hours", "2"), ("log.retention.minutes", "3")]), "180000 Default []"),
        (in_file(&[("log.retention.hours", "-1")]), "-1 Default []"),
        (
            in_file(&[("log.retention.ms", "5"), ("log.retention.hours", "2")]),
            "5 Static [Static:log.retention.ms=5 Static:log.retention.hours=2 \
             Default:log.retention.hours=168]",
        ),
    ] {
        assert_eq!(topic_value(&image, &statics, "retention.ms"), expected);
    }
    run(&mut image, &alter_broker(None, &[("log.retention.ms", Some("7"))])).expect("accepted");
    let file = in_file(&[("log.retention.minutes", "3")]);
    assert!(
        topic_value(&image, &file, "retention.ms").starts_with("7 AllBrokers [AllBrokers:log.retention.ms=7")
    );
}

#[test]
fn settings_are_what_is_in_force_as_numbers() {
    let mut image = cluster();
    let statics = in_file(&[("message.max.bytes", "2000"), ("log.roll.hours", "1")]);
    let changes = [
        ("cleanup.policy", Some("compact, delete")),
        ("retention.ms", Some("-1")),
        ("retention.bytes", Some("1024")),
        ("message.timestamp.type", Some("LogAppendTime")),
        ("min.cleanable.dirty.ratio", Some("0.1")),
    ];
    run(&mut image, &alter_topic(&changes)).expect("accepted");
    let settings = Configs::new(&image, ME, &statics).topic_settings(image.topic("t").expect("there"));
    assert_eq!(settings.cleanup_policy, CleanupPolicy { delete: true, compact: true });
    assert_eq!((settings.retention_ms, settings.retention_bytes), (None, Some(1_024)));
    assert_eq!(settings.message_timestamp_type, TimestampType::LogAppendTime);
    assert_eq!((settings.max_message_bytes, settings.segment_ms), (2_000, 3_600_000));
    assert_eq!((settings.segment_bytes, settings.min_cleanable_dirty_ratio), (256 << 20, 0.1));
    assert_eq!((settings.flush_messages, settings.min_insync_replicas), (1, 1));
    assert_eq!(settings.compression_type, None);
}

#[test]
fn the_changes_of_one_resource_are_made_together_or_not_at_all() {
    let mut image = cluster();
    let before = image.clone();
    for (command, reason) in [
        (
            alter_topic(&[("retention.ms", Some("1")), ("segment.bytes", Some("1"))]),
            "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
        ),
        (alter_topic(&[("retention.m", Some("1"))]), "Unknown topic config name: retention.m"),
        (
            alter_topic(&[("min.compaction.lag.ms", Some("2")), ("max.compaction.lag.ms", Some("1"))]),
            "conflict topic config setting min.compaction.lag.ms (2) > max.compaction.lag.ms (1)",
        ),
        (
            alter_topic(&[("remote.storage.enable", Some("true"))]),
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with \
             remote log storage.",
        ),
        (
            alter_broker(None, &[("log.retention.ms", Some("5")), ("log.dirs", Some("/other"))]),
            "Cannot update these configs dynamically: [log.dirs]",
        ),
        (alter_broker(Some(1), &[("log.colour", Some("red"))]), "Unknown broker config name: log.colour"),
        (alter_broker(Some(2), &[("log.retention.ms", Some("5"))]), "broker 2 is not registered"),
    ] {
        assert_eq!(run(&mut image, &command), Err(reason.to_owned()));
        assert_eq!(image, before);
    }
}

#[test]
fn the_lags_of_compaction_are_compared_with_what_the_topic_has_already() {
    let mut image = cluster();
    run(&mut image, &alter_topic(&[("max.compaction.lag.ms", Some("10"))])).expect("accepted");
    assert!(run(&mut image, &alter_topic(&[("min.compaction.lag.ms", Some("11"))])).is_err());
    let both = [("min.compaction.lag.ms", Some("11")), ("max.compaction.lag.ms", None)];
    assert_eq!(run(&mut image, &alter_topic(&both)), Ok(2));
}

#[test]
fn what_is_so_already_is_not_written_again() {
    let mut image = cluster();
    let set = alter_topic(&[("retention.ms", Some("1"))]);
    assert_eq!((run(&mut image, &set), run(&mut image, &set)), (Ok(1), Ok(0)));
    assert_eq!(run(&mut image, &alter_topic(&[("retention.bytes", None), ("no.such", None)])), Ok(0));
    let broker = alter_broker(None, &[("log.retention.ms", Some("1"))]);
    assert_eq!((run(&mut image, &broker), run(&mut image, &broker)), (Ok(1), Ok(0)));
}

#[test]
fn a_value_that_has_become_illegal_counts_as_not_set() {
    let mut image = cluster();
    let topic_id = image.topic("t").expect("there").topic_id;
    let key = "segment.bytes".to_owned();
    image.apply(&Record::TopicConfig { topic_id, key, value: Some("14".into()) }).expect("applies");
    let statics = StaticConfigs::default();
    assert_eq!(
        Configs::new(&image, ME, &statics).topic_settings(image.topic("t").expect("there")).segment_bytes,
        256 << 20
    );
    assert_eq!(
        Configs::new(&image, ME, &statics).broker("log.segment.bytes").map(|found| found.source),
        Some(Source::Default)
    );
}

/// The topic's own value after one operation.
fn own_after(image: &mut ClusterImage, key: &str, operation: Operation) -> Option<String> {
    let operations = vec![(key.to_owned(), operation)];
    let resource = ConfigResource::Topic("t".into());
    run(image, &Command::AlterConfigs { resource, operations, replace: false }).expect("accepted");
    image.topic("t").expect("there").config(key).map(str::to_owned)
}

#[test]
fn trap_27_a_list_is_appended_to_what_is_in_force() {
    let mut image = cluster();
    let key = "cleanup.policy";
    for (operation, expected) in [
        (Operation::Append("compact".into()), Some("delete,compact")),
        (Operation::Append("compact".into()), Some("delete,compact")),
        (Operation::Subtract("delete".into()), Some("compact")),
        (Operation::Subtract("compact".into()), Some("")),
        (Operation::Unset, None),
        (Operation::Subtract("compact".into()), Some("delete")),
    ] {
        assert_eq!(own_after(&mut image, key, operation).as_deref(), expected);
    }
    own_after(&mut image, key, Operation::Unset);
    run(&mut image, &alter_broker(None, &[("log.cleanup.policy", Some("compact"))])).expect("accepted");
    let appended = own_after(&mut image, key, Operation::Append("delete".into()));
    assert_eq!(appended.as_deref(), Some("compact,delete"));
}

#[test]
fn values_are_kept_as_kafka_shows_them() {
    let mut image = cluster();
    for (key, given, kept) in [
        ("retention.ms", " 5 ", "5"),
        ("preallocate", "TRUE", "true"),
        ("cleanup.policy", "compact, delete,compact", "compact,delete"),
    ] {
        assert_eq!(own_after(&mut image, key, Operation::Set(given.into())).as_deref(), Some(kept));
    }
}

#[test]
fn a_planned_topic_is_described_with_the_configs_of_brokers() {
    let mut image = cluster();
    run(&mut image, &alter_broker(None, &[("log.retention.ms", Some("7"))])).expect("accepted");
    let create = Command::CreateTopic {
        name: "planned".into(),
        topic_id: TopicId(Uuid::from_u128(2)),
        layout: Layout::Automatic { partitions: Some(3), replication_factor: None },
        configs: vec![("flush.ms".into(), Some("5".into()))],
    };
    let records = image.plan(&create, &Limits::default()).expect("accepted");
    let (sketch, statics) = (image.sketch(&records).expect("applies"), StaticConfigs::default());
    let topic = sketch.topic("planned").expect("there");
    let settings = Configs::new(&sketch, ME, &statics).topic_settings(topic);
    assert_eq!((topic.partition_count(), settings.retention_ms, settings.flush_ms), (3, Some(7), 5));
    assert_eq!((sketch.topics().count(), image.topic("planned")), (1, None));
}

#[test]
fn replacing_returns_what_is_not_named_to_its_default() {
    let mut image = cluster();
    let both = [("retention.ms", Some("1")), ("retention.bytes", Some("2"))];
    run(&mut image, &alter_topic(&both)).expect("accepted");
    let operations = vec![("retention.ms".to_owned(), Operation::Set("3".into()))];
    let resource = ConfigResource::Topic("t".into());
    let replace = Command::AlterConfigs { resource, operations, replace: true };
    assert_eq!(run(&mut image, &replace), Ok(2));
    let own: Vec<_> = image.topic("t").expect("there").configs().collect();
    assert_eq!(own, [("retention.ms", "3")]);
}
