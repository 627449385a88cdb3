//! What admins ask, over real sockets: configs, and topics with their partitions, sizes and epochs.

mod configs;
mod topics;

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use anyhow::{Context, Result, ensure};
use end_to_end::{Scene, kafka::Client};
use kafka_wire::{
    ErrorCode,
    configs::operation,
    messages::{
        create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult},
        incremental_alter_configs::{AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest},
    },
};
use rdkafka::{
    ClientConfig, ClientContext,
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext},
};
use uuid::Uuid;

fn create(client: &mut Client, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<Uuid> {
    let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    let topic = CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let result = client.call(request, 7)?.topics.pop().context("no answer")?;
    ensure!(result.error_code.is_ok(), "{result:?}");
    Ok(result.topic_id)
}

fn described(
    client: &mut Client,
    resource_type: i8,
    name: &str,
) -> Result<BTreeMap<String, DescribeConfigsResourceResult>> {
    let resource =
        DescribeConfigsResource { resource_type, resource_name: name.into(), configuration_keys: None };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    let result = client.call(request, 4)?.results.pop().context("no result")?;
    ensure!(result.error_code.is_ok(), "{result:?}");
    Ok(result.configs.into_iter().map(|config| (config.name.clone(), config)).collect())
}

fn set(client: &mut Client, resource_type: i8, name: &str, key: &str, value: &str) -> Result<()> {
    let answer = alter(client, resource_type, name, key, operation::SET, Some(value))?;
    ensure!(answer.is_ok(), "{answer}");
    Ok(())
}

fn alter(
    client: &mut Client,
    resource_type: i8,
    name: &str,
    key: &str,
    config_operation: i8,
    value: Option<&str>,
) -> Result<ErrorCode> {
    let config = AlterableConfig { name: key.into(), config_operation, value: value.map(Into::into) };
    let resource = AlterConfigsResource { resource_type, resource_name: name.into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    Ok(client.call(request, 1)?.responses.pop().context("no answer")?.error_code)
}

/// Fails when the broker refuses the record.
fn produce(scene: &Scene, topic: &str, partition: i32, value: &str) -> Result<()> {
    let producer: BaseProducer<Answers> = ClientConfig::new()
        .set("bootstrap.servers", scene.bootstrap())
        .set("message.timeout.ms", "15000")
        .create_with_context(Answers::default())?;
    let record = BaseRecord::<(), str>::to(topic).partition(partition).payload(value);
    producer.send(record).map_err(|(error, _)| error)?;
    producer.flush(Duration::from_secs(15))?;
    let refused = producer.context().refused.lock().expect("no panic").take();
    refused.map_or(Ok(()), |error| Err(error.into()))
}

#[derive(Default)]
struct Answers {
    refused: Mutex<Option<KafkaError>>,
}

impl ClientContext for Answers {}

impl ProducerContext for Answers {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            *self.refused.lock().expect("no panic") = Some(error.clone());
        }
    }
}
