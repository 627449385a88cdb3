//! Which flags of `kafka-topics` go together. The order of the checks is theirs, for only the first that
//! fails is told.

use super::super::{
    Tool,
    failure::Failure,
    options::Options,
    output::{remark, say},
};

const ACTIONS: [&str; 5] = ["create", "list", "alter", "describe", "delete"];

/// What narrows a description down to some partitions.
pub const REPORTS: [&str; 4] = [
    "under-replicated-partitions",
    "under-min-isr-partitions",
    "at-min-isr-partitions",
    "unavailable-partitions",
];

pub fn read(tool: &Tool, words: &[String]) -> Result<Options, Failure> {
    if words.is_empty() {
        return Err(Failure::Usage("Create, delete, describe, or change a topic.".to_owned()));
    }
    let options = tool.parse(words)?;
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(Failure::Usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete"
                .to_owned(),
        ));
    }
    if options.has("delete-config") {
        remark(
            "delete-config option is no longer supported and deprecated since version 4.0. \
             The config will be fully removed in future releases.",
        );
    }
    check_required(&options)?;
    check_combinations(&options)?;
    Ok(options)
}

fn check_required(options: &Options) -> Result<(), Failure> {
    if !options.has("bootstrap-server") {
        return Err(Failure::illegal_argument("--bootstrap-server must be specified"));
    }
    if options.has("describe") && options.has("if-exists") {
        match (options.has("topic"), options.has("topic-id")) {
            (false, false) => {
                return Err(Failure::Usage(
                    "--topic or --topic-id is required to describe a topic".to_owned(),
                ));
            }
            (true, true) => say("Only topic id will be used when both --topic and --topic-id are specified \
                 and topicId is not Uuid.ZERO_UUID"),
            _ => {}
        }
    }
    if !options.has("list") && !options.has("describe") {
        options.require(&["topic"])?;
    }
    if options.has("alter") {
        if options.has("config") {
            return Err(Failure::Usage(
                "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \"[alter]\" \
                 (To alter topic configurations, the kafka-configs tool can be used.)"
                    .to_owned(),
            ));
        }
        options.require(&["partitions"])?;
    }
    Ok(())
}

fn check_combinations(options: &Options) -> Result<(), Failure> {
    for (used, with) in [
        ("config", ["alter", "create"].as_slice()),
        ("partitions", &["alter", "create"]),
        ("replication-factor", &["create"]),
        ("replica-assignment", &["alter", "create"]),
    ] {
        only_with(options, used, with)?;
    }
    if options.has("create") {
        options.forbid("replica-assignment", &["partitions", "replication-factor"])?;
    }
    for report in REPORTS {
        only_with(options, report, &["describe"])?;
        options.forbid(report, &["topics-with-overrides"])?;
    }
    only_with(options, "topics-with-overrides", &["describe"])?;
    for (used, with) in [
        ("if-exists", ["alter", "delete", "describe"].as_slice()),
        ("if-not-exists", &["create"]),
        ("exclude-internal", &["list", "describe"]),
    ] {
        only_with(options, used, with)?;
    }
    Ok(())
}

fn only_with(options: &Options, used: &str, with: &[&str]) -> Result<(), Failure> {
    let others: Vec<_> = ACTIONS.into_iter().filter(|action| !with.contains(action)).collect();
    options.forbid(used, &others)
}
