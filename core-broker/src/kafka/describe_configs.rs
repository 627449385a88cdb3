//! DescribeConfigs: every config of a topic or a broker, where its value comes from and what it would be
//! otherwise.

use std::{collections::BTreeSet, sync::Arc};

use broker_logic::cluster::{
    BROKER_CONFIGS, Configs, Effective, Source, TOPIC_CONFIGS, Update, Values, validate_topic_name,
};
use kafka_wire::{
    ErrorCode,
    configs::{resource_type, source},
    messages::describe_configs::{
        DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
        DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
    },
};
use tracing::level_filters::LevelFilter;

use super::{
    config_resource::{ROOT_LOGGER, this_broker},
    errors::Refusal,
};
use crate::{broker::Shared, partition::blocking};

/// Resources that a request may name again, each with a part of its configs, say. Without a limit a small
/// request could ask for an endless answer.
const MAX_REPEATED: usize = 100;

pub async fn handle(shared: Arc<Shared>, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    // Thousands of topics may be asked about: the async workers have more urgent work.
    blocking(move || describe_all(&shared, request)).await
}

fn describe_all(shared: &Shared, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let mut seen = BTreeSet::new();
    let mut may_repeat = MAX_REPEATED;
    let wanted = Wanted { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let results = request.resources.into_iter().map(|resource| {
        let DescribeConfigsResource { resource_type, resource_name, configuration_keys } = resource;
        let repeated = !seen.insert((resource_type, resource_name.clone()));
        let described = if repeated && may_repeat == 0 {
            let told = "The request names a resource again that was described before.";
            Err(Refusal::new(ErrorCode::InvalidRequest, told))
        } else {
            may_repeat -= usize::from(repeated);
            let keys: BTreeSet<String> = configuration_keys.unwrap_or_default().into_iter().collect();
            describe(shared, resource_type, &resource_name, wanted).map(|mut configs| {
                // None is named: all are meant.
                configs.retain(|config| keys.is_empty() || keys.contains(&config.name));
                configs
            })
        };
        let (configs, error_code, error_message) = match described {
            // Kafka says nothing here, but not null.
            Ok(configs) => (configs, ErrorCode::None, Some(String::new())),
            Err(Refusal { code, message }) => (Vec::new(), code, message),
        };
        DescribeConfigsResult { error_code, error_message, resource_type, resource_name, configs }
    });
    DescribeConfigsResponse { results: results.collect(), ..Default::default() }
}

/// What is told beyond names and values.
#[derive(Clone, Copy)]
struct Wanted {
    synonyms: bool,
    documentation: bool,
}

type Described = Result<Vec<DescribeConfigsResourceResult>, Refusal>;

fn describe(shared: &Shared, resource_type: i8, name: &str, wanted: Wanted) -> Described {
    let invalid = |told: String| Err(Refusal::new(ErrorCode::InvalidRequest, told));
    match resource_type {
        resource_type::TOPIC => describe_topic(shared, name, wanted),
        resource_type::BROKER if name.is_empty() => Ok(describe_all_brokers(shared, wanted)),
        resource_type::BROKER => {
            this_broker(shared.me, name, " or empty string")?;
            Ok(describe_broker(shared, wanted))
        }
        resource_type::BROKER_LOGGER if name.is_empty() => invalid("Broker id must not be empty".into()),
        resource_type::BROKER_LOGGER => {
            this_broker(shared.me, name, "")?;
            Ok(vec![root_logger()])
        }
        // Nothing can be set for these, and without a value they have no configs.
        resource_type::CLIENT_METRICS | resource_type::GROUP if !name.is_empty() => Ok(Vec::new()),
        resource_type::CLIENT_METRICS => invalid("Client metrics subscription name must not be empty".into()),
        resource_type::GROUP => invalid("Group name must not be empty".into()),
        unknown => invalid(format!("Unsupported resource type: {unknown}")),
    }
}

fn describe_topic(shared: &Shared, name: &str, wanted: Wanted) -> Described {
    validate_topic_name(name)
        .map_err(|error| Refusal::new(ErrorCode::InvalidTopicException, error.to_string()))?;
    let image = shared.image();
    let topic = image.topic(name).ok_or(Refusal::new(ErrorCode::UnknownTopicOrPartition, ""))?;
    let configs = Configs::new(&image, shared.me, &shared.static_configs);
    let described = TOPIC_CONFIGS.iter().map(|config| {
        let effective = configs.topic_effective(topic, config);
        described(config.key, &config.values, effective, false, config.documentation, wanted)
    });
    Ok(described.collect())
}

fn describe_broker(shared: &Shared, wanted: Wanted) -> Vec<DescribeConfigsResourceResult> {
    let image = shared.image();
    let configs = Configs::new(&image, shared.me, &shared.static_configs);
    let described = BROKER_CONFIGS.iter().map(|config| {
        let fixed = config.update == Update::AtStart;
        let effective = configs.broker_effective(config);
        described(config.key, &config.values, effective, fixed, config.documentation, wanted)
    });
    described.collect()
}

/// Only what was set for all brokers while they ran.
fn describe_all_brokers(shared: &Shared, wanted: Wanted) -> Vec<DescribeConfigsResourceResult> {
    let image = shared.image();
    let configs = Configs::new(&image, shared.me, &shared.static_configs);
    let set = BROKER_CONFIGS.iter().filter(|config| image.broker_config(None, config.key).is_some());
    let described = set.map(|config| {
        let mut effective = configs.broker_effective(config);
        effective.synonyms.retain(|synonym| synonym.source == Source::AllBrokers);
        effective.value = effective.synonyms.first().map(|synonym| synonym.value.clone());
        effective.source = Source::AllBrokers;
        described(config.key, &config.values, effective, false, config.documentation, wanted)
    });
    described.collect()
}

fn described(
    key: &str,
    values: &Values,
    effective: Effective,
    read_only: bool,
    documentation: &str,
    wanted: Wanted,
) -> DescribeConfigsResourceResult {
    let synonyms = effective.synonyms.into_iter().filter(|_| wanted.synonyms);
    DescribeConfigsResourceResult {
        name: key.to_owned(),
        value: effective.value.map(Into::into),
        read_only,
        config_source: effective.source.code(),
        // No config of ours holds a secret.
        is_sensitive: false,
        synonyms: synonyms
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.key.to_owned(),
                value: Some(synonym.value.into()),
                source: synonym.source.code(),
            })
            .collect(),
        config_type: values.type_code(),
        documentation: wanted.documentation.then(|| documentation.to_owned()),
    }
}

fn root_logger() -> DescribeConfigsResourceResult {
    DescribeConfigsResourceResult {
        name: ROOT_LOGGER.to_owned(),
        value: Some(LevelFilter::current().to_string().to_ascii_uppercase()),
        read_only: true,
        config_source: source::DYNAMIC_BROKER_LOGGER,
        ..Default::default()
    }
}
