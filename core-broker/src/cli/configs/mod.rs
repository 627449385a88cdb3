//! `kafka-configs`: shows and changes the configs of topics, brokers, groups and client metrics.

mod alter;
mod describe;
mod entity;

use std::process::ExitCode;

use super::{
    Tool,
    cluster::Cluster,
    failure::{Exception, Failure},
    options::{HELP, Spec, VERSION, switch, value},
    output::remark,
};

pub const CONFIGS: Tool = Tool {
    link: "kafka-configs",
    about: "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, \
            client-metrics or group",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    value("add-config", "k=v,k=[v,v],...", "With --alter: what to set; brackets hold commas together"),
    value("add-config-file", "file", "With --alter: a properties file of what to set"),
    switch("all", "With --describe: every config, also those at their default"),
    switch("alter", "Change configs"),
    value("bootstrap-controller", "HOST:PORT,...", "The controllers to begin with (brokers are asked here)"),
    value("bootstrap-server", "HOST:PORT,...", "The brokers to begin with"),
    value("broker", "id", "A broker"),
    switch("broker-defaults", "What holds for all brokers"),
    value("broker-logger", "id", "The loggers of a broker"),
    value("client", "id", "A client's quotas (not supported)"),
    switch("client-defaults", "All clients' quotas (not supported)"),
    value("client-metrics", "name", "A subscription to clients' metrics"),
    value("command-config", "file", "A properties file for the client"),
    value("delete-config", "k,k,...", "With --alter: what goes back to its default"),
    switch("describe", "Print configs"),
    switch("entity-default", "With --entity-type: what holds for all of the type"),
    value("entity-name", "name", "With --entity-type: which"),
    value("entity-type", "type", "topics, brokers, broker-loggers, client-metrics, groups"),
    value("group", "group", "A consumer group"),
    HELP,
    value("ip", "ip", "An address' quotas (not supported)"),
    switch("ip-defaults", "All addresses' quotas (not supported)"),
    value("topic", "topic", "A topic"),
    value("user", "user", "A user's quotas and credentials (not supported)"),
    switch("user-defaults", "All users' quotas (not supported)"),
    VERSION,
];

/// What is wrong with the words, not with what they ask for.
const ABOUT_WORDS: [&str; 5] = [
    "java.lang.IllegalArgumentException",
    "java.lang.NumberFormatException",
    "org.apache.kafka.common.errors.InvalidTopicException",
    "org.apache.kafka.common.errors.InvalidConfigurationException",
    "joptsimple.",
];

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    tool.end(act(tool, words), |exception| complain(words, &exception))
}

fn act(tool: &Tool, words: &[String]) -> Result<(), Failure> {
    let options = tool.parse(words)?;
    let entity = entity::read(&options)?;
    let change = match options.has("alter") {
        true => Some(alter::Change::read(&options)?),
        false => None,
    };
    let mut cluster = Cluster::connect(&options, "adminclient-1")?;
    match change {
        Some(change) => alter::alter(&mut cluster, &entity, change),
        None => describe::describe(&mut cluster, &entity, options.has("all")),
    }
}

fn complain(words: &[String], exception: &Exception) {
    if ABOUT_WORDS.iter().any(|class| exception.class.starts_with(class)) {
        remark(format_args!("{}", exception.message));
    } else {
        remark(format_args!(
            "Error while executing config command with args '{}'\n{exception}",
            words.join(" ")
        ));
    }
}

/// What a broker refused reaches Apache Kafka's tool inside an exception of its own.
fn refused(exception: Exception) -> Failure {
    Exception::new("java.util.concurrent.ExecutionException", exception.to_string()).into()
}
