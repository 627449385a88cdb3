//! `kafka-configs --describe`: what is set, and what it would be otherwise.

use std::collections::BTreeSet;

use kafka_wire::{
    configs::source,
    messages::{
        describe_configs::{DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult},
        list_config_resources::ListConfigResourcesRequest,
        list_groups::ListGroupsRequest,
    },
};

use super::{
    super::{
        cluster::Cluster,
        failure::{Failure, accepted},
        output::say,
    },
    alter::is_of_a_broker,
    entity::{Entity, Kind, check_name},
    refused,
};

pub fn describe(cluster: &mut Cluster, entity: &Entity, all: bool) -> Result<(), Failure> {
    let names = match &entity.name {
        None => existing(cluster, entity.kind)?,
        Some(name) => {
            if !all {
                check_name(entity.kind, name)?;
            }
            let is_default = entity.kind == Kind::Brokers && name.is_empty();
            if !all && !is_default && !existing(cluster, entity.kind)?.contains(name) {
                let kind = entity.kind.singular();
                say(format_args!("The {kind} '{name}' doesn't exist and doesn't have dynamic config."));
                return Ok(());
            }
            vec![name.clone()]
        }
    };
    for name in names {
        match name.as_str() {
            "" => say(format_args!("Default configs for {} in the cluster are:", entity.kind.name())),
            name => {
                let which = if all { "All" } else { "Dynamic" };
                say(format_args!("{which} configs for {} {name} are:", entity.kind.singular()));
            }
        }
        let own = entity.kind.own_source(&name).filter(|_| !all);
        for config in configs(cluster, entity, name)? {
            if own.is_none_or(|own| config.config_source == own) {
                print_config(&config);
            }
        }
    }
    Ok(())
}

/// The names that there are, and for brokers the empty one of what holds for all of them.
fn existing(cluster: &mut Cluster, kind: Kind) -> Result<Vec<String>, Failure> {
    match kind {
        Kind::Topics => {
            let topics = cluster.metadata(None)?.topics;
            let names: BTreeSet<_> = topics.into_iter().filter_map(|topic| topic.name).collect();
            Ok(names.into_iter().collect())
        }
        Kind::Brokers | Kind::BrokerLoggers => {
            let ids = cluster.brokers()?.into_iter().map(|id| id.to_string());
            Ok(ids.chain([String::new()]).collect())
        }
        Kind::ClientMetrics => with_configs(cluster, kind).map(|names| names.into_iter().collect()),
        Kind::Groups => {
            let mut names = with_configs(cluster, kind)?;
            for id in cluster.brokers()? {
                let answer = cluster.broker(id)?.call(ListGroupsRequest::default())?;
                accepted(answer.error_code, None).map_err(refused)?;
                names.extend(answer.groups.into_iter().map(|group| group.group_id));
            }
            Ok(names.into_iter().collect())
        }
    }
}

fn with_configs(cluster: &mut Cluster, kind: Kind) -> Result<BTreeSet<String>, Failure> {
    let kind = kind.resource_type();
    let answer = cluster.any().call(ListConfigResourcesRequest { resource_types: vec![kind] })?;
    accepted(answer.error_code, None).map_err(refused)?;
    let of_kind = answer.config_resources.into_iter().filter(|resource| resource.resource_type == kind);
    Ok(of_kind.map(|resource| resource.resource_name).collect())
}

/// Sorted by their names.
pub fn configs(
    cluster: &mut Cluster,
    entity: &Entity,
    name: String,
) -> Result<Vec<DescribeConfigsResourceResult>, Failure> {
    check_name(entity.kind, &name)?;
    let broker = cluster.of_resource(is_of_a_broker(entity), &name)?;
    let resource = DescribeConfigsResource {
        resource_type: entity.kind.resource_type(),
        resource_name: name,
        configuration_keys: None,
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: false,
    };
    let mut configs = Vec::new();
    for result in broker.call(request)?.results {
        accepted(result.error_code, result.error_message).map_err(refused)?;
        configs.extend(result.configs);
    }
    configs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(configs)
}

fn print_config(config: &DescribeConfigsResourceResult) {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "null".to_owned());
    let synonyms = config
        .synonyms
        .iter()
        .map(|synonym| format!("{}:{}={}", source_name(synonym.source), synonym.name, value(&synonym.value)));
    say(format_args!(
        "  {}={} sensitive={} synonyms={{{}}}",
        config.name,
        value(&config.value),
        config.is_sensitive,
        synonyms.collect::<Vec<_>>().join(", ")
    ));
}

fn source_name(source: i8) -> &'static str {
    match source {
        source::DYNAMIC_TOPIC => "DYNAMIC_TOPIC_CONFIG",
        source::DYNAMIC_BROKER => "DYNAMIC_BROKER_CONFIG",
        source::DYNAMIC_DEFAULT_BROKER => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        source::STATIC_BROKER => "STATIC_BROKER_CONFIG",
        source::DEFAULT => "DEFAULT_CONFIG",
        source::DYNAMIC_BROKER_LOGGER => "DYNAMIC_BROKER_LOGGER_CONFIG",
        source::DYNAMIC_CLIENT_METRICS => "DYNAMIC_CLIENT_METRICS_CONFIG",
        source::DYNAMIC_GROUP => "DYNAMIC_GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}
