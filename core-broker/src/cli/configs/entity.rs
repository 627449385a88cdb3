//! Whose configs `kafka-configs` is about, and which of its flags go together. The order of the checks is
//! theirs, for only the first that fails is told.

use broker_logic::cluster::validate_topic_name;
use kafka_wire::configs::{resource_type, source};

use super::super::{
    failure::{Exception, Failure},
    options::Options,
};

/// One of something, or all of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Entity {
    pub kind: Kind,
    /// Empty: what holds for all brokers. None: one after the other.
    pub name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Topics,
    Brokers,
    BrokerLoggers,
    ClientMetrics,
    Groups,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Brokers => "brokers",
            Self::BrokerLoggers => "broker-loggers",
            Self::ClientMetrics => "client-metrics",
            Self::Groups => "groups",
        }
    }

    /// As one of them is called.
    pub fn singular(self) -> &'static str {
        let name = self.name();
        name.strip_suffix('s').unwrap_or(name)
    }

    pub fn resource_type(self) -> i8 {
        match self {
            Self::Topics => resource_type::TOPIC,
            Self::Brokers => resource_type::BROKER,
            Self::BrokerLoggers => resource_type::BROKER_LOGGER,
            Self::ClientMetrics => resource_type::CLIENT_METRICS,
            Self::Groups => resource_type::GROUP,
        }
    }

    /// Where a value comes from that was set for the entity itself; loggers have all of theirs.
    pub fn own_source(self, name: &str) -> Option<i8> {
        match self {
            Self::Topics => Some(source::DYNAMIC_TOPIC),
            Self::Brokers if name.is_empty() => Some(source::DYNAMIC_DEFAULT_BROKER),
            Self::Brokers => Some(source::DYNAMIC_BROKER),
            Self::BrokerLoggers => None,
            Self::ClientMetrics => Some(source::DYNAMIC_CLIENT_METRICS),
            Self::Groups => Some(source::DYNAMIC_GROUP),
        }
    }
}

/// The types there are, in the order in which they are told.
const TYPES: [&str; 8] =
    ["topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers"];

/// A flag that names one entity, and its type.
const FLAGS: [(&str, &str); 8] = [
    ("topic", "topics"),
    ("client", "clients"),
    ("user", "users"),
    ("broker", "brokers"),
    ("broker-logger", "broker-loggers"),
    ("ip", "ips"),
    ("client-metrics", "client-metrics"),
    ("group", "groups"),
];

const DEFAULT_FLAGS: [(&str, &str); 4] = [
    ("client-defaults", "clients"),
    ("user-defaults", "users"),
    ("broker-defaults", "brokers"),
    ("ip-defaults", "ips"),
];

/// Of these there is a default that can be changed.
const WITH_DEFAULT: [&str; 4] = ["users", "clients", "brokers", "ips"];

pub fn read(options: &Options) -> Result<Entity, Failure> {
    check_action(options)?;
    let types = types(options);
    check_types(options, &types)?;
    let names = names(options)?;
    let has_name = names.iter().any(|name| !name.is_empty());
    if has_name {
        check_broker_ids(options, &types)?;
    }
    match options.has("describe") {
        true => check_describe(options, &types, has_name)?,
        false => check_alter(options, &types, &names)?,
    }
    let kind = types.first().and_then(|name| kind(name)).ok_or_else(|| not_supported(&types))?;
    let name = names.into_iter().next();
    Ok(Entity { kind, name })
}

/// What no topic can be called is not asked for.
pub fn check_name(kind: Kind, name: &str) -> Result<(), Failure> {
    match validate_topic_name(name) {
        Err(error) if kind == Kind::Topics => {
            Err(Exception::new("org.apache.kafka.common.errors.InvalidTopicException", error.to_string())
                .into())
        }
        _ => Ok(()),
    }
}

fn kind(name: &str) -> Option<Kind> {
    [Kind::Topics, Kind::Brokers, Kind::BrokerLoggers, Kind::ClientMetrics, Kind::Groups]
        .into_iter()
        .find(|kind| kind.name() == name)
}

fn not_supported(types: &[String]) -> Failure {
    Failure::illegal_argument(format!(
        "Configs of {} (quotas, SCRAM credentials) are not supported here: this tool knows topics, brokers, \
         broker-loggers, client-metrics and groups",
        types.join(" and ")
    ))
}

fn check_action(options: &Options) -> Result<(), Failure> {
    if options.has("alter") == options.has("describe") {
        return Err(Failure::Usage(
            "Command must include exactly one action: --describe, --alter".to_owned(),
        ));
    }
    options.forbid("describe", &["add-config", "delete-config"])
}

fn types(options: &Options) -> Vec<String> {
    let flagged = FLAGS.iter().chain(&DEFAULT_FLAGS).filter(|(flag, _)| options.has(flag));
    let named = options.values("entity-type").iter().cloned();
    named.chain(flagged.map(|(_, kind)| (*kind).to_owned())).collect()
}

fn names(options: &Options) -> Result<Vec<String>, Failure> {
    let mut names = options.values("entity-name").to_vec();
    if options.has("entity-default") {
        names.push(String::new());
    }
    for (flag, _) in FLAGS {
        names.extend(options.value(flag)?.map(str::to_owned));
    }
    names.extend(DEFAULT_FLAGS.iter().filter(|(flag, _)| options.has(flag)).map(|_| String::new()));
    Ok(names)
}

fn check_types(options: &Options, types: &[String]) -> Result<(), Failure> {
    let twice: Vec<_> = (1..types.len())
        .filter(|at| types[..*at].contains(&types[*at]))
        .map(|at| types[at].as_str())
        .collect();
    if !twice.is_empty() {
        return illegal(format!("Duplicate entity type(s) specified: {}", twice.join(",")));
    }
    if !options.has("bootstrap-server") && !options.has("bootstrap-controller") {
        return illegal("Either --bootstrap-server or --bootstrap-controller must be specified.");
    }
    if let Some(unknown) = types.iter().find(|name| !TYPES.contains(&name.as_str())) {
        return illegal(format!(
            "Invalid entity type {unknown}, the entity type must be one of {} with a --bootstrap-server or \
             --bootstrap-controller argument",
            TYPES.join(", ")
        ));
    }
    if types.is_empty() {
        return illegal("At least one entity type must be specified");
    }
    if types.len() > 1 && !types.iter().all(|name| name == "users" || name == "clients") {
        return illegal("Only 'users' and 'clients' entity types may be specified together");
    }
    let general = ["entity-type", "entity-name", "entity-default"].iter().any(|flag| options.has(flag));
    if general && FLAGS.iter().chain(&DEFAULT_FLAGS).any(|(flag, _)| options.has(flag)) {
        return illegal(
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
        );
    }
    if options.has("bootstrap-server") && options.has("bootstrap-controller") {
        return illegal("Only one of --bootstrap-server or --bootstrap-controller can be specified");
    }
    Ok(())
}

fn check_broker_ids(options: &Options, types: &[String]) -> Result<(), Failure> {
    let [kind] = types else { return Ok(()) };
    if kind != "brokers" && kind != "broker-loggers" {
        return Ok(());
    }
    for flag in ["entity-name", "broker", "broker-logger"] {
        if let Some(id) = options.value(flag)?.filter(|id| id.parse::<i32>().is_err()) {
            return illegal(format!(
                "The entity name for {kind} must be a valid integer broker id, but it is: {id}"
            ));
        }
    }
    Ok(())
}

fn has_default(types: &[String]) -> bool {
    types.iter().any(|name| WITH_DEFAULT.contains(&name.as_str()))
}

fn check_describe(options: &Options, types: &[String], has_name: bool) -> Result<(), Failure> {
    let told = types.join(",");
    if !has_default(types) && options.has("entity-default") {
        return illegal(format!("--entity-default must not be specified with --describe of {told}"));
    }
    if types.iter().any(|name| name == "broker-loggers") && !has_name {
        return illegal(format!("An entity name must be specified with --describe of {told}"));
    }
    Ok(())
}

fn check_alter(options: &Options, types: &[String], names: &[String]) -> Result<(), Failure> {
    if has_default(types) {
        if names.is_empty() {
            return illegal(
                "An entity-name or default entity must be specified with --alter of users, clients, brokers \
                 or ips",
            );
        }
    } else if names.iter().all(String::is_empty) {
        return illegal(format!("An entity name must be specified with --alter of {}", types.join(",")));
    }
    let [add, file, delete] =
        ["add-config", "add-config-file", "delete-config"].map(|flag| options.has(flag));
    if add && file {
        return illegal("Only one of --add-config or --add-config-file must be specified");
    }
    if !add && !file && !delete {
        return illegal(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
        );
    }
    if names.len() != types.len() {
        return illegal("An entity name must be specified for every entity type");
    }
    Ok(())
}

fn illegal(message: impl Into<String>) -> Result<(), Failure> {
    Err(Failure::illegal_argument(message))
}
