//! `kafka-topics`: creates, alters, lists, describes and deletes topics.

mod change;
mod describe;
mod words;

use std::process::ExitCode;

use super::{
    Tool,
    cluster::Cluster,
    failure::{Exception, Failure, accepted},
    options::{HELP, Options, Spec, VERSION, switch, value},
    output::{log, remark, say},
    topic_filter::TopicFilter,
};

pub const TOPICS: Tool = Tool {
    link: "kafka-topics",
    about: "This tool helps to create, delete, describe, or change a topic.",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    switch("alter", "Give --topic more partitions (configs: see kafka-configs)"),
    switch("at-min-isr-partitions", "With --describe: only those with just enough in sync"),
    value("bootstrap-server", "HOST:PORT,...", "REQUIRED: the brokers to begin with"),
    value("command-config", "file", "A properties file for the client"),
    value("config", "name=value", "With --create: a config; may be given more than once"),
    switch("create", "Create --topic"),
    switch("delete", "Delete --topic"),
    value("delete-config", "name", "Has no effect any more: use kafka-configs"),
    switch("describe", "Print partitions, leaders, replicas and configs"),
    switch("exclude-internal", "With --list, --describe: without the broker's own topics"),
    HELP,
    switch("if-exists", "A missing topic is no failure"),
    switch("if-not-exists", "An existing topic is no failure"),
    switch("list", "Print the names of topics"),
    value("partition-size-limit-per-response", "n", "With --describe: partitions in one answer"),
    value("partitions", "n", "How many partitions; default: the broker's"),
    value("replica-assignment", "id:id,id:id", "The brokers of each partition, leader first"),
    value("replication-factor", "n", "How many replicas; default: the broker's"),
    value("topic", "topic", "The topic; a regular expression, except with --create"),
    value("topic-id", "id", "With --describe: the topic of this id"),
    switch("topics-with-overrides", "With --describe: only topics with configs of their own"),
    switch("unavailable-partitions", "With --describe: only those whose leader is gone"),
    switch("under-min-isr-partitions", "With --describe: only those with too few in sync"),
    switch("under-replicated-partitions", "With --describe: only those with replicas out of sync"),
    VERSION,
];

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    let options = match words::read(tool, words) {
        Ok(options) => options,
        Err(failure) => {
            return tool.end(Err(failure), |exception| remark(format_args!("{}", exception.message)));
        }
    };
    let result = match Cluster::connect(&options, "adminclient-1") {
        Ok(mut cluster) => act(&mut cluster, &options),
        Err(Failure::Exception(exception)) if !exception.is_network() => {
            return tool
                .end(Err(exception.into()), |exception| remark(format_args!("{}", exception.message)));
        }
        Err(failure) => Err(failure),
    };
    tool.end(result, |exception| {
        say(format_args!("Error while executing topic command : {}", exception.message));
        // As the log of the tool ends a line about an exception.
        log("ERROR", format_args!("{exception}\n"), "org.apache.kafka.tools.TopicCommand");
    })
}

fn act(cluster: &mut Cluster, options: &Options) -> Result<(), Failure> {
    match () {
        () if options.has("create") => change::create(cluster, options),
        () if options.has("alter") => change::alter(cluster, options),
        () if options.has("list") => list(cluster, options),
        () if options.has("describe") => describe::describe(cluster, options),
        () => change::delete(cluster, options),
    }
}

fn list(cluster: &mut Cluster, options: &Options) -> Result<(), Failure> {
    say(format_args!("{}", chosen(cluster, options)?.join("\n")));
    Ok(())
}

/// The names of the topics that `--topic` chooses, sorted.
fn chosen(cluster: &mut Cluster, options: &Options) -> Result<Vec<String>, Failure> {
    let exclude_internal = options.has("exclude-internal");
    let filter = options.value("topic")?.map(TopicFilter::new).transpose()?;
    let answer = cluster.metadata(None)?;
    accepted(answer.error_code, None)?;
    let topics = answer.topics.into_iter().filter(|topic| !(exclude_internal && topic.is_internal));
    let names = topics.filter_map(|topic| topic.name);
    let mut names: Vec<_> =
        names.filter(|name| filter.as_ref().is_none_or(|filter| filter.chooses(name))).collect();
    names.sort_unstable();
    Ok(names)
}

fn ensure_some(topics: &[String], options: &Options) -> Result<(), Failure> {
    match options.value("topic")? {
        Some(name) if !name.is_empty() && !options.has("if-exists") && topics.is_empty() => {
            Err(Failure::illegal_argument(format!("Topic '{name}' does not exist as expected")))
        }
        _ => Ok(()),
    }
}

fn number_format(text: &str) -> Exception {
    Exception::new("java.lang.NumberFormatException", format!("For input string: \"{text}\""))
}
