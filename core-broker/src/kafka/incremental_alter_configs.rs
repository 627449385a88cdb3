//! IncrementalAlterConfigs: set, unset, append to or subtract from single configs.

use std::sync::Arc;

use broker_logic::cluster::Operation;
use kafka_wire::{
    ErrorCode,
    configs::operation,
    messages::incremental_alter_configs::{
        AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
        IncrementalAlterConfigsResponse,
    },
};

use super::{
    config_resource::{Alteration, alter_each},
    errors::Refusal,
};
use crate::broker::Shared;

pub async fn handle(
    shared: Arc<Shared>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let resources = request.resources.into_iter().map(|resource| {
        let (resource_type, name) = (resource.resource_type, resource.resource_name);
        (resource_type, name, alteration(resource.configs))
    });
    let altered = alter_each(&shared, resources.collect(), request.validate_only).await;
    let responses = altered.into_iter().map(|(resource_type, resource_name, done)| {
        let (error_code, error_message) = Refusal::parts(done);
        AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    });
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}

fn alteration(configs: Vec<AlterableConfig>) -> Result<Alteration, Refusal> {
    let operations = configs.into_iter().map(operation).collect::<Result<_, _>>()?;
    Ok(Alteration { operations, replace: false })
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
