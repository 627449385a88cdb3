//! ListConfigResources: which resources have configs.

use std::collections::BTreeSet;

use kafka_wire::{
    ErrorCode,
    configs::resource_type::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC},
    messages::list_config_resources::{
        ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
    },
};

use crate::broker::Shared;

const TYPES: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub fn handle(
    shared: &Shared,
    version: i16,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let mut asked: BTreeSet<i8> = request.resource_types.into_iter().collect();
    if !asked.iter().all(|asked| TYPES.contains(asked)) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion,
            ..Default::default()
        };
    }
    if version == 0 {
        asked = BTreeSet::from([CLIENT_METRICS]);
    } else if asked.is_empty() {
        asked = BTreeSet::from(TYPES);
    }
    let image = shared.image();
    let mut config_resources = Vec::new();
    for resource_type in asked {
        let names: Vec<String> = match resource_type {
            TOPIC => image.topics().map(|topic| topic.name.to_string()).collect(),
            BROKER | BROKER_LOGGER => image.brokers().map(|broker| broker.id.to_string()).collect(),
            // Nothing can be set for client metrics and groups.
            _ => Vec::new(),
        };
        let resource = |resource_name| ConfigResource { resource_name, resource_type };
        config_resources.extend(names.into_iter().map(resource));
    }
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}
