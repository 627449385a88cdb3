//! `core-broker topics`: create, list and describe, with the flags and the output of `kafka-topics`.

use anyhow::{Result, bail};
use kafka_wire::{
    ErrorCode,
    messages::{
        create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest},
        metadata::MetadataResponseTopic,
    },
};

use super::client::Client;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("action").required(true))]
pub struct Topics {
    /// The broker to ask
    #[arg(
        long,
        visible_alias = "bootstrap",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:9092",
        env = "LONGHAUL_BOOTSTRAP"
    )]
    bootstrap_server: String,
    /// Create --topic
    #[arg(long, group = "action", requires = "topic")]
    create: bool,
    /// Print the names of all topics
    #[arg(long, group = "action")]
    list: bool,
    /// Print partitions, leaders and replicas, of --topic or of all
    #[arg(long, group = "action")]
    describe: bool,
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// [default: the broker's num_partitions]
    #[arg(long, value_name = "N", default_value_t = -1, hide_default_value = true)]
    partitions: i32,
    /// [default: 1]
    #[arg(long, value_name = "N", default_value_t = -1, hide_default_value = true)]
    replication_factor: i16,
    /// A config of the new topic; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    config: Vec<(String, String)>,
    /// Do not fail when the topic exists
    #[arg(long)]
    if_not_exists: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub fn topics(args: Topics) -> Result<()> {
    let mut client = Client::connect(&args.bootstrap_server)?;
    if args.create {
        return create(&mut client, args);
    }
    let metadata = client.metadata(args.topic.clone().map(|name| vec![name]))?;
    for topic in &metadata.topics {
        let name = topic.name.as_deref().unwrap_or_default();
        match topic.error_code {
            ErrorCode::None if args.list => println!("{name}"),
            ErrorCode::None => describe(name, topic),
            ErrorCode::UnknownTopicOrPartition => bail!("Topic '{name}' does not exist as expected"),
            error => bail!("topic '{name}': {error:?}"),
        }
    }
    Ok(())
}

fn create(client: &mut Client, args: Topics) -> Result<()> {
    let name = args.topic.unwrap_or_default();
    let configs = args
        .config
        .into_iter()
        .map(|(name, value)| CreatableTopicConfig { name, value: Some(value) })
        .collect();
    let topic = CreatableTopic {
        name: name.clone(),
        num_partitions: args.partitions,
        replication_factor: args.replication_factor,
        configs,
        ..Default::default()
    };
    let response = client.call(CreateTopicsRequest { topics: vec![topic], ..Default::default() }, 7)?;
    for result in response.topics {
        match result.error_code {
            ErrorCode::None => println!("Created topic {name}."),
            ErrorCode::TopicAlreadyExists if args.if_not_exists => {}
            error => bail!("{} ({error:?})", result.error_message.unwrap_or_default()),
        }
    }
    Ok(())
}

fn describe(name: &str, topic: &MetadataResponseTopic) {
    let replicas = topic.partitions.first().map_or(0, |partition| partition.replica_nodes.len());
    println!(
        "Topic: {name}\tTopicId: {}\tPartitionCount: {}\tReplicationFactor: {replicas}\tConfigs: ",
        data_encoding::BASE64URL_NOPAD.encode(topic.topic_id.as_bytes()),
        topic.partitions.len()
    );
    for partition in &topic.partitions {
        println!(
            "\tTopic: {name}\tPartition: {}\tLeader: {}\tReplicas: {}\tIsr: {}\tElr: \tLastKnownElr: ",
            partition.partition_index,
            partition.leader_id,
            ids(&partition.replica_nodes),
            ids(&partition.isr_nodes)
        );
    }
}

fn ids(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}
