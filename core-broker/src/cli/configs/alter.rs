//! `kafka-configs --alter`: sets configs, and puts them back to their defaults.

use std::collections::BTreeSet;

use kafka_wire::{
    ErrorCode,
    configs::operation,
    messages::incremental_alter_configs::{
        AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    },
};

use super::{
    super::{
        cluster::Cluster,
        failure::{Exception, Failure, accepted},
        options::Options,
        output::say,
        properties,
    },
    describe,
    entity::{Entity, Kind},
    refused,
};

pub struct Change {
    set: Vec<(String, String)>,
    delete: Vec<String>,
}

impl Change {
    pub fn read(options: &Options) -> Result<Self, Failure> {
        let set = match (options.value("add-config-file")?, options.value("add-config")?) {
            (Some(path), _) => properties::load(path)?,
            (None, Some(list)) => pairs(list)?,
            (None, None) => Vec::new(),
        };
        let delete = options.values("delete-config").iter().flat_map(|list| list.split(','));
        let delete = delete.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
        Ok(Self { set, delete })
    }
}

pub fn alter(cluster: &mut Cluster, entity: &Entity, change: Change) -> Result<(), Failure> {
    let name = entity.name.clone().unwrap_or_default();
    if entity.kind == Kind::BrokerLoggers {
        check_loggers(cluster, entity, &change)?;
    }
    let set = change.set.into_iter().map(|(name, value)| (name, operation::SET, Some(value)));
    let delete = change.delete.into_iter().map(|name| (name, operation::DELETE, None));
    let configs = set.chain(delete).map(|(name, config_operation, value)| AlterableConfig {
        name,
        config_operation,
        value,
    });
    let resource = AlterConfigsResource {
        resource_type: entity.kind.resource_type(),
        resource_name: name.clone(),
        configs: configs.collect(),
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    for response in cluster.of_resource(is_of_a_broker(entity), &name)?.call(request)?.responses {
        accepted(response.error_code, response.error_message).map_err(refused)?;
    }
    match name.as_str() {
        "" => {
            say(format_args!("Completed updating default config for {} in the cluster.", entity.kind.name()))
        }
        name => say(format_args!("Completed updating config for {} {name}.", entity.kind.singular())),
    }
    Ok(())
}

/// A logger that is not there is a mistake of whoever typed its name.
fn check_loggers(cluster: &mut Cluster, entity: &Entity, change: &Change) -> Result<(), Failure> {
    let name = entity.name.clone().unwrap_or_default();
    let there: BTreeSet<_> =
        describe::configs(cluster, entity, name)?.into_iter().map(|config| config.name).collect();
    let named = change.set.iter().map(|(logger, _)| logger).chain(&change.delete);
    let missing: Vec<_> = named.filter(|logger| !there.contains(*logger)).map(String::as_str).collect();
    match missing[..] {
        [] => Ok(()),
        _ => {
            let said = format!("Invalid broker logger(s): {}", missing.join(","));
            Err(Exception::of(ErrorCode::InvalidConfig, Some(said)).into())
        }
    }
}

/// What a broker keeps for itself is asked of that broker.
pub fn is_of_a_broker(entity: &Entity) -> bool {
    matches!(entity.kind, Kind::Brokers | Kind::BrokerLoggers)
}

/// `k1=v1,k2=[v1,v2]`.
fn pairs(list: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut parts = split_outside_brackets(list, ',');
    // As Java splits: what is empty at the end is not there.
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    for part in parts {
        let [key, value] = split_outside_brackets(part, '=')[..] else {
            return Err(Failure::illegal_argument(
                "requirement failed: Invalid entity config: all configs to be added must be in the format \
                 \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas.",
            ));
        };
        let key = key.trim().to_owned();
        let value = value.replace(['[', ']'], "").trim().to_owned();
        pairs.retain(|(other, _)| *other != key);
        pairs.push((key, value));
    }
    Ok(pairs)
}

/// A separator is inside brackets when a closing one follows it with no opening one between them.
fn split_outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, _) in text.match_indices(separator) {
        let rest = &text[at + separator.len_utf8()..];
        if rest.find(']').is_none_or(|closing| rest[..closing].contains('[')) {
            parts.push(&text[begin..at]);
            begin = at + separator.len_utf8();
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_hold_a_list_together() {
        for (list, expected) in [
            ("a=1", Some(["a:1"].as_slice())),
            ("a=1,b=2", Some(&["a:1", "b:2"])),
            (" a = 1 , b=2,", Some(&["a:1", "b:2"])),
            ("a=[x,y],b=2", Some(&["a:x,y", "b:2"])),
            ("a=[x=1,y=2]", Some(&["a:x=1,y=2"])),
            ("a=[b,c=d", Some(&["a:b", "c:d"])),
            ("a=", Some(&["a:"])),
            ("a=1,a=2", Some(&["a:2"])),
            ("a", None),
            ("", None),
            ("a=b=c", None),
        ] {
            let read = pairs(list).ok();
            let read = read.map(|pairs| pairs.iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>());
            assert_eq!(
                read.as_deref(),
                expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{list}"
            );
        }
    }
}
