//! `kafka-consumer-groups`: lists, describes and deletes groups, and moves what they committed.

mod coordinators;
mod delete;
mod describe;
mod list;
mod members;
mod moment;
mod offsets;
mod plan;
mod reset;
mod row;
mod words;

use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use super::{
    Tool,
    cluster::Cluster,
    failure::{Exception, Failure},
    options::{HELP, Options, Spec, VERSION, optional, switch, value},
    output::{remark, say},
};
use coordinators::Coordinators;

pub const GROUPS: Tool = Tool {
    link: "kafka-consumer-groups",
    about: "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or \
            reset consumer group offsets.",
    options: OPTIONS,
    run,
};

const OPTIONS: &[Spec] = &[
    switch("all-groups", "Every consumer group"),
    switch("all-topics", "With --reset-offsets: every topic that the group committed"),
    value("bootstrap-server", "HOST:PORT,...", "REQUIRED: the brokers to begin with"),
    value("by-duration", "PnDTnHnMnS", "Reset to what came so long ago"),
    value("command-config", "file", "A properties file for the client"),
    switch("delete", "Delete groups without members"),
    switch("delete-offsets", "Delete what --group committed for --topic"),
    switch("describe", "Print how far groups have read"),
    switch("dry-run", "With --reset-offsets: say what would be done (the default)"),
    switch("execute", "With --reset-offsets: do it"),
    switch("export", "With --reset-offsets: print it as CSV, for --from-file"),
    value("from-file", "file", "Reset to what a CSV file says"),
    value("group", "group", "The group; may be given more than once"),
    HELP,
    switch("list", "Print the names of consumer groups"),
    switch("members", "With --describe: who is in the group"),
    switch("offsets", "With --describe: how far it has read (the default)"),
    switch("reset-offsets", "Move what groups without members committed"),
    value("shift-by", "n", "Reset by so many records, back if below zero"),
    optional("state", "state,...", "With --describe and --list: its state; only in these states"),
    value("timeout", "ms", "How long to wait for a coordinator; default: 30000"),
    switch("to-current", "Reset to what is committed, or to the end"),
    value("to-datetime", "time", "Reset to what came from YYYY-MM-DDThh:mm:ss.sss on"),
    switch("to-earliest", "Reset to the beginning of the log"),
    switch("to-latest", "Reset to the end of the log"),
    value("to-offset", "offset", "Reset to an offset"),
    value("topic", "topic[:0,1]", "The topic and its partitions; may be given more than once"),
    optional("type", "type,...", "With --list: its type; only of these types"),
    value("validate-regex", "regex", "Say whether it is a regular expression"),
    switch("verbose", "With --describe: more columns"),
    VERSION,
];

/// One partition of a topic.
type TopicPartition = (String, i32);

/// Offsets that are, were or are to be.
type Offsets = BTreeMap<TopicPartition, i64>;

fn run(tool: &Tool, words: &[String]) -> ExitCode {
    let options = match words::read(tool, words) {
        Ok(options) => options,
        // Kafka's tool does not expect it, and falls over.
        Err(failure) => {
            return tool.end(Err(failure), |exception| {
                remark(format_args!("Exception in thread \"main\" {exception}"));
            });
        }
    };
    let failure = match act(&options) {
        Err(Failure::Exception(exception)) => exception,
        other => return tool.end(other, remark),
    };
    if failure.class.ends_with("IllegalArgumentException") {
        return tool.end(Err(Failure::Usage(failure.message)), remark);
    }
    let nobody_answers = failure.is_network();
    say(format_args!("\nError: Executing consumer group command failed due to {}", failure.message));
    remark(&failure);
    // As there, what a broker refused is no failure of the tool. That none was asked is.
    if nobody_answers { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn act(options: &Options) -> Result<(), Failure> {
    if let Some(regex) = options.value("validate-regex")? {
        validate(regex);
        return Ok(());
    }
    let patience = Duration::from_millis(options.number("timeout")?.unwrap_or(30_000));
    let cluster = Cluster::connect(options, "adminclient-1").map_err(as_there)?;
    let mut coordinators = Coordinators::new(cluster, patience);
    match () {
        () if options.has("list") => list::list(&mut coordinators, options),
        () if options.has("describe") => describe::describe(&mut coordinators, options),
        () if options.has("delete") => delete::groups(&mut coordinators, options),
        () if options.has("delete-offsets") => delete::offsets(&mut coordinators, options),
        () => reset::reset(&mut coordinators, options),
    }
}

/// A file that is not there is said with the name of its exception.
fn as_there(failure: Failure) -> Failure {
    match failure {
        Failure::Exception(exception) if exception.class.starts_with("java.nio") => {
            Exception::new("java.lang.RuntimeException", exception.to_string()).into()
        }
        failure => failure,
    }
}

/// The groups that `--group` names, or all.
fn chosen(coordinators: &mut Coordinators, options: &Options) -> Result<Vec<String>, Failure> {
    match options.has("all-groups") {
        true => list::names(coordinators),
        false => {
            let mut groups = options.values("group").to_vec();
            groups.sort_unstable();
            groups.dedup();
            Ok(groups)
        }
    }
}

fn validate(regex: &str) {
    match regex_lite::Regex::new(regex) {
        Ok(_) => say(format_args!("The regular expression `{regex}` is valid.")),
        Err(error) => say(format_args!("The regular expression `{regex}` is invalid: {error}.")),
    }
}

fn complain(what: &str) {
    say(format_args!("\nError: {what}"));
}
