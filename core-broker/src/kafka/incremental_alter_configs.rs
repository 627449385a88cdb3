//! IncrementalAlterConfigs: set, unset, append to or subtract from single configs.

use std::sync::Arc;

use broker_logic::cluster::Operation;
use kafka_wire::{
    ErrorCode,
    configs::operation,
    messages::incremental_alter_configs::{
        AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
        IncrementalAlterConfigsResponse,
    },
};

use super::{
    config_resource::{Alteration, alter, named_twice},
    errors::Refusal,
};
use crate::broker::Shared;

pub async fn handle(
    shared: Arc<Shared>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let twice = named_twice(
        request.resources.iter().map(|resource| (resource.resource_type, resource.resource_name.as_str())),
    );
    let mut response = IncrementalAlterConfigsResponse::default();
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
    let operations = resource.configs.into_iter().map(operation).collect::<Result<_, _>>()?;
    Ok(Alteration {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        operations,
        replace: false,
    })
}

fn operation(config: AlterableConfig) -> Result<(String, Operation), Refusal> {
    let AlterableConfig { name, config_operation, value } = config;
    if config_operation == operation::DELETE {
        return Ok((name, Operation::Unset));
    }
    let Some(value) = value else {
        let told = format!("Null value not supported for : {name}");
        return Err(Refusal::new(ErrorCode::InvalidRequest, told));
    };
    let operation = match config_operation {
        operation::SET => Operation::Set(value),
        operation::APPEND => Operation::Append(value),
        operation::SUBTRACT => Operation::Subtract(value),
        unknown => {
            let told = format!("Unknown operation type {unknown} for config {name}");
            return Err(Refusal::new(ErrorCode::InvalidRequest, told));
        }
    };
    Ok((name, operation))
}
