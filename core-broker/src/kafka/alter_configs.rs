//! AlterConfigs: all configs of a resource at once; what is not named goes back to its default.

use std::sync::Arc;

use broker_logic::cluster::Operation;
use kafka_wire::{
    ErrorCode,
    messages::alter_configs::{
        AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
    },
};

use super::{
    config_resource::{Alteration, alter, named_twice},
    errors::Refusal,
};
use crate::broker::Shared;

pub async fn handle(shared: Arc<Shared>, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let twice = named_twice(
        request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name.as_str())),
    );
    let mut response = AlterConfigsResponse::default();
    for resource in request.resources {
        let (resource_type, resource_name) = (resource.resource_type, resource.resource_name.clone());
        let done = if twice.contains(&(resource_type, resource_name.clone())) {
            let told = "Each resource must appear at most once.";
            Err(Refusal::new(ErrorCode::InvalidRequest, told))
        } else {
            match alteration(resource) {
                Ok(alteration) => alter(&shared, alteration, request.validate_only).await,
                Err(refusal) => Err(refusal),
            }
        };
        let (error_code, error_message) = Refusal::parts(done);
        let answer = AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name };
        response.responses.push(answer);
    }
    response
}

fn alteration(resource: AlterConfigsResource) -> Result<Alteration, Refusal> {
    let mut operations = Vec::new();
    for config in resource.configs {
        let Some(value) = config.value else {
            let told = format!("Null value not supported for : {}", config.name);
            return Err(Refusal::new(ErrorCode::InvalidRequest, told));
        };
        operations.push((config.name, Operation::Set(value)));
    }
    Ok(Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        operations,
        replace: true,
    })
}
