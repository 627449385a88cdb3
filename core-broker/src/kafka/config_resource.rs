//! What the requests about configs name: a topic, this broker, all brokers, this broker's loggers.

use std::collections::BTreeSet;

use broker_logic::{
    cluster::{Command, ConfigResource, Operation, validate_topic_name},
    ids::BrokerId,
};
use kafka_wire::{ErrorCode, configs::resource_type};

use super::errors::Refusal;
use crate::{broker::Shared, controller::ControllerError};

/// The whole of this broker's logging: its level is set when it starts.
pub const ROOT_LOGGER: &str = "root";

/// What a request wants to become of one resource.
pub struct Alteration {
    pub operations: Vec<(String, Operation)>,
    /// What is not named goes back to its default.
    pub replace: bool,
}

/// Done with one resource of a request: its type, its name, and what became of it.
pub type Altered = (i8, String, Result<(), Refusal>);

/// One after the other; what is named more than once is not touched.
pub async fn alter_each(
    shared: &Shared,
    resources: Vec<(i8, String, Result<Alteration, Refusal>)>,
    validate_only: bool,
) -> Vec<Altered> {
    let mut seen = BTreeSet::new();
    let named = resources.iter().map(|(resource_type, name, _)| (*resource_type, name.clone()));
    let twice: BTreeSet<(i8, String)> = named.filter(|named| !seen.insert(named.clone())).collect();
    let mut altered = Vec::new();
    for (resource_type, name, alteration) in resources {
        let done = match alteration {
            _ if twice.contains(&(resource_type, name.clone())) => {
                let told = "Each resource must appear at most once.";
                Err(Refusal::new(ErrorCode::InvalidRequest, told))
            }
            Ok(alteration) => alter(shared, resource_type, name.clone(), alteration, validate_only).await,
            Err(refusal) => Err(refusal),
        };
        altered.push((resource_type, name, done));
    }
    altered
}

async fn alter(
    shared: &Shared,
    resource_type: i8,
    resource_name: String,
    alteration: Alteration,
    validate_only: bool,
) -> Result<(), Refusal> {
    let Alteration { operations, replace } = alteration;
    let mut keys = BTreeSet::new();
    if !operations.iter().all(|(key, _)| keys.insert(key)) {
        return Err(Refusal::new(ErrorCode::InvalidRequest, "Error due to duplicate config keys"));
    }
    let resource = match resource_type {
        resource_type::TOPIC => topic(resource_name)?,
        resource_type::BROKER if resource_name.is_empty() => ConfigResource::Broker(None),
        resource_type::BROKER => {
            this_broker(shared.me, &resource_name, "")?;
            ConfigResource::Broker(Some(shared.me))
        }
        resource_type::BROKER_LOGGER => {
            this_broker(shared.me, &resource_name, "")?;
            return refuse_loggers(&operations);
        }
        resource_type::CLIENT_METRICS | resource_type::GROUP => {
            let told = "This broker has no configs for client metrics or groups.";
            return Err(Refusal::new(ErrorCode::InvalidRequest, told));
        }
        unknown => {
            let told = format!("Unknown resource type {unknown}");
            return Err(Refusal::new(ErrorCode::InvalidRequest, told));
        }
    };
    let command = Command::AlterConfigs { resource, operations, replace };
    let done = match validate_only {
        true => shared.image().plan(&command, &shared.limits).map_err(ControllerError::Plan),
        false => shared.controller.run(command).await,
    };
    done.map(drop).map_err(|error| Refusal::from(&error))
}

/// Whether `name` is this broker's id. `else_allowed` is what else the request could have said.
pub fn this_broker(me: BrokerId, name: &str, else_allowed: &str) -> Result<(), Refusal> {
    let refused = |told: String| Err(Refusal::new(ErrorCode::InvalidRequest, told));
    match name.parse::<i32>() {
        Err(_) => refused(format!("Node id must be an integer, but it is: {name}")),
        Ok(id) if id != me.0 => {
            refused(format!("Unexpected broker id, expected {me}{else_allowed}, but received {name}"))
        }
        Ok(_) => Ok(()),
    }
}

fn topic(name: String) -> Result<ConfigResource, Refusal> {
    if name.is_empty() {
        let told = "Default topic resources are not allowed.";
        return Err(Refusal::new(ErrorCode::InvalidRequest, told));
    }
    match validate_topic_name(&name) {
        Ok(()) => Ok(ConfigResource::Topic(name)),
        Err(error) => Err(Refusal::new(ErrorCode::InvalidTopicException, error.to_string())),
    }
}

fn refuse_loggers(operations: &[(String, Operation)]) -> Result<(), Refusal> {
    match operations.iter().find(|(logger, _)| logger != ROOT_LOGGER) {
        Some((unknown, _)) => {
            let told = format!("Logger {unknown} does not exist!");
            Err(Refusal::new(ErrorCode::InvalidConfig, told))
        }
        None if operations.is_empty() => Ok(()),
        None => {
            let told =
                "The level of this broker's log is set when it starts: set RUST_LOG and start it again.";
            Err(Refusal::new(ErrorCode::InvalidRequest, told))
        }
    }
}
