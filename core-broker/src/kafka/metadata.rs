//! Metadata: brokers, topics and leaders, from the cluster's image.

use std::{collections::BTreeSet, sync::Arc};

use broker_logic::{
    cluster::{ClusterImage, Topic, is_internal_topic, validate_topic_name},
    ids::TopicId,
};
use kafka_wire::{
    ErrorCode,
    messages::metadata::{
        MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
        MetadataResponseTopic,
    },
};
use uuid::Uuid;

use super::{authorized_operations, errors};
use crate::broker::Shared;

/// Topics that one request may create by naming them; the client asks again for the rest. Each costs a few
/// syncs, and nobody else's topics should wait for a list of thousands.
const MAX_CREATED: usize = 50;

/// `listener`: the one that the client came through, and is told the addresses of.
pub async fn handle(
    shared: Arc<Shared>,
    listener: &str,
    version: i16,
    request: MetadataRequest,
) -> MetadataResponse {
    let mut topics = Vec::new();
    match request.topics {
        // Null asks for all; in version 0 the empty list does.
        None => topics.extend(shared.image().topics().map(|topic| described(topic, None))),
        Some(asked) if asked.is_empty() && version == 0 => {
            topics.extend(shared.image().topics().map(|topic| described(topic, None)));
        }
        Some(asked) => {
            let mut may_create = if request.allow_auto_topic_creation { MAX_CREATED } else { 0 };
            let mut seen = BTreeSet::new();
            // Told once, however often it is asked for.
            for topic in asked.into_iter().filter(|it| seen.insert((it.name.clone(), it.topic_id))) {
                topics.push(match topic.name {
                    // Versions 10 and 11 carry an id that brokers ignore.
                    Some(name) => by_name(&shared, name, &mut may_create).await,
                    None => by_id(&shared.image(), topic.topic_id),
                });
            }
        }
    }
    for topic in topics.iter_mut().filter(|topic| topic.name.is_some()) {
        topic.topic_authorized_operations = authorized_operations::if_asked(
            request.include_topic_authorized_operations,
            authorized_operations::TOPIC,
        );
    }
    let image = shared.image();
    MetadataResponse {
        brokers: brokers(&image, listener),
        cluster_id: Some(shared.cluster_id.clone()),
        controller_id: image.controller().map_or(-1, |broker| broker.0),
        topics,
        cluster_authorized_operations: authorized_operations::if_asked(
            request.include_cluster_authorized_operations,
            authorized_operations::CLUSTER,
        ),
        ..Default::default()
    }
}

pub fn brokers(image: &ClusterImage, listener: &str) -> Vec<MetadataResponseBroker> {
    let described = image.brokers().filter_map(|broker| {
        let endpoint = broker.endpoint(listener)?;
        Some(MetadataResponseBroker {
            node_id: broker.id.0,
            host: endpoint.host.clone(),
            port: endpoint.port.into(),
            rack: broker.rack.clone(),
        })
    });
    described.collect()
}

/// `may_create`: how many topics the request may still create.
async fn by_name(shared: &Shared, name: String, may_create: &mut usize) -> MetadataResponseTopic {
    if let Some(topic) = shared.image().topic(&name) {
        return described(topic, None);
    }
    let unknown =
        |error_code, name| MetadataResponseTopic { error_code, name: Some(name), ..Default::default() };
    if validate_topic_name(&name).is_err() {
        return unknown(ErrorCode::InvalidTopicException, name);
    }
    if *may_create == 0 || !shared.config.topics.auto_create || is_internal_topic(&name) {
        return unknown(ErrorCode::UnknownTopicOrPartition, name);
    }
    *may_create -= 1;
    match shared.create_topic(&name, shared.config.topics.num_partitions).await {
        Ok(()) => match shared.image().topic(&name) {
            Some(topic) => described(topic, None),
            None => unknown(ErrorCode::LeaderNotAvailable, name),
        },
        Err(error) => unknown(errors::controller(&error), name),
    }
}

fn by_id(image: &ClusterImage, topic_id: Uuid) -> MetadataResponseTopic {
    match image.topic_by_id(TopicId(topic_id)) {
        Some(topic) => described(topic, Some(topic_id)),
        None => {
            MetadataResponseTopic { error_code: ErrorCode::UnknownTopicId, topic_id, ..Default::default() }
        }
    }
}

fn described(topic: &Topic, asked_id: Option<Uuid>) -> MetadataResponseTopic {
    let partitions = topic.partitions().map(|(index, state)| MetadataResponsePartition {
        error_code: if state.leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
        partition_index: index.0,
        leader_id: state.leader.map_or(-1, |leader| leader.0),
        leader_epoch: state.leader_epoch.0,
        replica_nodes: state.replicas.iter().map(|broker| broker.0).collect(),
        isr_nodes: state.isr.iter().map(|broker| broker.0).collect(),
        offline_replicas: Vec::new(),
    });
    MetadataResponseTopic {
        name: Some(topic.name.to_string()),
        topic_id: asked_id.unwrap_or(topic.topic_id.0),
        is_internal: is_internal_topic(&topic.name),
        partitions: partitions.collect(),
        ..Default::default()
    }
}
