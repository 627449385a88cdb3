//! Configs: described in full, altered together, kept over a restart.

use std::thread;

use anyhow::{Context, Result, ensure};
use end_to_end::{kafka::Client, scene};
use kafka_wire::{
    ErrorCode,
    configs::{operation, resource_type, source},
    messages::{
        alter_configs::{AlterConfigsRequest, AlterConfigsResource, AlterableConfig},
        describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResult},
        metadata::{MetadataRequest, MetadataRequestTopic},
    },
};

use super::{alter, create, described, produce, set};

#[test]
fn trap_26_every_config_is_described_and_survives_a_restart() {
    scene(|scene| {
        let mut broker = scene.broker_configured("[broker]\nsegment_bytes = \"4MiB\"\n")?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t", 1, &[("retention.ms", "1000")])?;
        set(&mut client, resource_type::BROKER, "", "log.retention.bytes", "5000000")?;
        let look = |client: &mut Client| -> Result<_> {
            let topic = described(client, resource_type::TOPIC, "t")?;
            let broker = described(client, resource_type::BROKER, "1")?;
            let all_brokers = described(client, resource_type::BROKER, "")?;
            Ok((topic, broker, all_brokers))
        };
        let before = look(&mut client)?;
        let (topic, of_broker, of_all) = &before;
        for (key, value, source) in [
            ("retention.ms", "1000", source::DYNAMIC_TOPIC),
            ("retention.bytes", "5000000", source::DYNAMIC_DEFAULT_BROKER),
            ("segment.bytes", "4194304", source::STATIC_BROKER),
            ("cleanup.policy", "delete", source::DEFAULT),
        ] {
            let config = topic.get(key).with_context(|| format!("no {key}"))?;
            ensure!((config.value.as_deref(), config.config_source) == (Some(value), source), "{config:?}");
        }
        ensure!(topic.len() >= 33 && of_broker.len() >= 60, "{} and {}", topic.len(), of_broker.len());
        ensure!(of_all.keys().eq(["log.retention.bytes"]), "{of_all:?}");
        for config in topic.values().chain(of_broker.values()) {
            let told = config.documentation.as_ref().is_some_and(|text| !text.is_empty());
            ensure!(told && config.config_type != 0 && config.config_source != -1, "{config:?}");
        }
        broker.kill()?;
        broker.start_again()?;
        ensure!(look(&mut Client::connect(scene.kafka)?)? == before, "the configs are not what they were");
        broker.stop()
    });
}

#[test]
fn trap_27_admins_append_at_once_and_nonsense_harms_nobody() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t", 1, &[])?;
        let key = "leader.replication.throttled.replicas";
        thread::scope(|scope| -> Result<()> {
            let admins = (0..8).map(|id| {
                scope.spawn(move || -> Result<()> {
                    let mut client = Client::connect(scene.kafka)?;
                    for (type_code, value) in [(99, "x"), (operation::APPEND, &*format!("{id}:1"))] {
                        alter(&mut client, resource_type::TOPIC, "t", key, type_code, Some(value))?;
                    }
                    Ok(())
                })
            });
            let admins: Vec<_> = admins.collect();
            admins.into_iter().try_for_each(|admin| admin.join().expect("no panic"))
        })?;
        let value = described(&mut client, resource_type::TOPIC, "t")?[key].value.clone();
        let mut listed: Vec<_> = value.as_deref().unwrap_or_default().split(',').collect();
        listed.sort_unstable();
        ensure!(listed == ["0:1", "1:1", "2:1", "3:1", "4:1", "5:1", "6:1", "7:1"], "{listed:?}");
        for (type_code, name, key, code, value, refused) in [
            (resource_type::TOPIC, "t", key, operation::APPEND, None, ErrorCode::InvalidRequest),
            (
                resource_type::TOPIC,
                "t",
                "retention.ms",
                operation::APPEND,
                Some("1"),
                ErrorCode::InvalidConfig,
            ),
            (resource_type::TOPIC, "t", "no.such", operation::SET, Some("1"), ErrorCode::InvalidConfig),
            (resource_type::TOPIC, "t", "no.such", operation::DELETE, None, ErrorCode::None),
            (resource_type::TOPIC, "no", key, operation::SET, Some("*"), ErrorCode::UnknownTopicOrPartition),
            (resource_type::TOPIC, "", key, operation::SET, Some("*"), ErrorCode::InvalidRequest),
            (
                resource_type::BROKER,
                "2",
                "log.retention.ms",
                operation::SET,
                Some("1"),
                ErrorCode::InvalidRequest,
            ),
            (resource_type::BROKER, "1", "log.dirs", operation::SET, Some("/"), ErrorCode::InvalidRequest),
            (77, "t", key, operation::SET, Some("1"), ErrorCode::InvalidRequest),
        ] {
            let answer = alter(&mut client, type_code, name, key, code, value)?;
            ensure!(answer == refused, "{name} {key} {code} {value:?}: {answer}");
        }
        broker.stop()
    });
}

#[test]
fn a_changed_config_is_in_force_at_once_wherever_it_was_set() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t", 1, &[])?;
        let large = "x".repeat(5_000);
        let key = |resource_type| match resource_type {
            resource_type::TOPIC => "max.message.bytes",
            _ => "message.max.bytes",
        };
        for (resource_type, name) in
            [(resource_type::TOPIC, "t"), (resource_type::BROKER, "1"), (resource_type::BROKER, "")]
        {
            produce(scene, "t", 0, &large)?;
            set(&mut client, resource_type, name, key(resource_type), "2000")?;
            ensure!(produce(scene, "t", 0, &large).is_err(), "{name}: 5000 bytes were taken");
            produce(scene, "t", 0, "small")?;
            let unset = alter(&mut client, resource_type, name, key(resource_type), operation::DELETE, None)?;
            ensure!(unset.is_ok(), "{unset}");
        }
        broker.stop()
    });
}

#[test]
fn replacing_the_configs_returns_the_others_to_their_default() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t", 1, &[("retention.ms", "1000"), ("flush.ms", "7")])?;
        let resource = AlterConfigsResource {
            resource_type: resource_type::TOPIC,
            resource_name: "t".into(),
            configs: vec![AlterableConfig { name: "flush.ms".into(), value: Some("8".into()) }],
        };
        let request = AlterConfigsRequest { resources: vec![resource], validate_only: false };
        let answer = client.call(request, 2)?.responses.pop().context("no answer")?;
        ensure!(answer.error_code.is_ok(), "{answer:?}");
        let topic = described(&mut client, resource_type::TOPIC, "t")?;
        let own = topic.values().filter(|config| config.config_source == source::DYNAMIC_TOPIC);
        let own: Vec<_> = own.map(|config| (config.name.as_str(), config.value.as_deref())).collect();
        ensure!(own == [("flush.ms", Some("8"))], "{own:?}");
        broker.stop()
    });
}

#[test]
fn a_resource_is_not_described_without_end_in_one_answer() {
    scene(|scene| {
        let mut broker = scene.broker()?;
        let mut client = Client::connect(scene.kafka)?;
        create(&mut client, "t", 3, &[])?;
        let resource = DescribeConfigsResource {
            resource_type: resource_type::TOPIC,
            resource_name: "t".into(),
            configuration_keys: Some(vec!["retention.ms".into()]),
        };
        let request = DescribeConfigsRequest { resources: vec![resource; 1_000], ..Default::default() };
        let results = client.call(request, 4)?.results;
        let described = results.iter().filter(|result| result.configs.len() == 1).count();
        let refused = |result: &&DescribeConfigsResult| result.error_code == ErrorCode::InvalidRequest;
        ensure!((described, results.iter().filter(refused).count()) == (101, 899), "{described} described");
        let named = |name: &str| MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
        let topics = Some(vec![named("t"); 1_000]);
        let metadata = client.call(MetadataRequest { topics, ..Default::default() }, 12)?;
        ensure!(metadata.topics.len() == 1, "{} answers", metadata.topics.len());
        broker.stop()
    });
}
