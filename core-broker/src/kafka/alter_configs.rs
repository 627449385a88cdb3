//! AlterConfigs: all configs of a resource at once; what is not named goes back to its default.

use std::sync::Arc;

use broker_logic::cluster::Operation;
use kafka_wire::{
    ErrorCode,
    messages::alter_configs::{
        AlterConfigsRequest, AlterConfigsResourceResponse, AlterConfigsResponse, AlterableConfig,
    },
};

use super::{
    config_resource::{Alteration, alter_each},
    errors::Refusal,
};
use crate::broker::Shared;

pub async fn handle(shared: Arc<Shared>, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let resources = request.resources.into_iter().map(|resource| {
        let (resource_type, name) = (resource.resource_type, resource.resource_name);
        (resource_type, name, alteration(resource.configs))
    });
    let altered = alter_each(&shared, resources.collect(), request.validate_only).await;
    let responses = altered.into_iter().map(|(resource_type, resource_name, done)| {
        let (error_code, error_message) = Refusal::parts(done);
        AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    });
    AlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}

fn alteration(configs: Vec<AlterableConfig>) -> Result<Alteration, Refusal> {
    let mut operations = Vec::new();
    for config in configs {
        let Some(value) = config.value else {
            let told = format!("Null value not supported for : {}", config.name);
            return Err(Refusal::new(ErrorCode::InvalidRequest, told));
        };
        operations.push((config.name, Operation::Set(value)));
    }
    Ok(Alteration { operations, replace: true })
}
