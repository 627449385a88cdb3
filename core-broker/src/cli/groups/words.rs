//! Which words of the groups tool go together.

use super::super::{
    Tool,
    failure::{Exception, Failure},
    options::Options,
    output::remark,
};

const ACTIONS: [&str; 6] =
    ["list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"];

/// Where a group is to be moved to.
pub const SCENARIOS: [&str; 8] = [
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];

/// Options that need one of others.
const ONLY_WITH: [(&str, &[&str]); 5] = [
    ("members", &["describe"]),
    ("verbose", &["describe"]),
    ("offsets", &["describe"]),
    ("state", &["describe", "list"]),
    ("type", &["list"]),
];

pub fn read(tool: &Tool, words: &[String]) -> Result<Options, Failure> {
    let options = tool.parse(words)?;
    check(&options)?;
    Ok(options)
}

fn check(options: &Options) -> Result<(), Failure> {
    check_available(options)?;
    if !options.has("validate-regex") {
        options.require(&["bootstrap-server"])?;
    }
    if options.has("describe") {
        check_describe(options)?;
    }
    if options.has("delete") {
        needs_groups(options, "delete")?;
        if options.has("topic") {
            return usage(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            );
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return usage("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    options.forbid("group", &["all-groups"])?;
    options.forbid("group", &["list"])?;
    options.forbid("topic", &["list", "describe"])?;
    match ACTIONS.iter().filter(|action| options.has(action)).count() {
        1 => Ok(()),
        _ => {
            let actions = ACTIONS.map(|action| format!("--{action}")).join(", ");
            usage(format!("Command must include exactly one action: {actions}"))
        }
    }
}

fn check_available(options: &Options) -> Result<(), Failure> {
    let lost =
        |(name, with): &(&str, &[&str])| options.has(name) && !with.iter().any(|with| options.has(with));
    let lost: Vec<_> = ONLY_WITH.iter().filter(|rule| lost(rule)).map(|(name, _)| *name).collect();
    match lost.is_empty() {
        true => Ok(()),
        false => Err(Exception::new(
            "joptsimple.UnavailableOptionException",
            format!(
                "Option(s) [{}] are unavailable given other options on the command line",
                lost.join(", ")
            ),
        )
        .into()),
    }
}

fn check_describe(options: &Options) -> Result<(), Failure> {
    needs_groups(options, "describe")?;
    if ["members", "offsets", "state"].iter().filter(|name| options.has(name)).count() > 1 {
        return usage("Option [describe] takes at most one of these options: [members], [offsets], [state]");
    }
    match options.values("state") {
        [] => Ok(()),
        _ => usage("Option [describe] does not take a value for [state]"),
    }
}

fn check_reset(options: &Options) -> Result<(), Failure> {
    if options.has("dry-run") && options.has("execute") {
        return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    }
    if !options.has("dry-run") && !options.has("execute") {
        remark(
            "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command \
             will require either --dry-run or --execute to be specified. You should add the --dry-run option \
             explicitly if you are scripting this command and want to keep the current default behavior without \
             prompting.",
        );
    }
    needs_groups(options, "reset-offsets")?;
    for scenario in SCENARIOS {
        let others: Vec<_> = SCENARIOS.into_iter().filter(|other| *other != scenario).collect();
        options.forbid(scenario, &others)?;
    }
    Ok(())
}

fn needs_groups(options: &Options, action: &str) -> Result<(), Failure> {
    match options.has("group") || options.has("all-groups") {
        true => Ok(()),
        false => usage(format!("Option [{action}] takes one of these options: [group], [all-groups]")),
    }
}

fn usage(said: impl Into<String>) -> Result<(), Failure> {
    Err(Failure::Usage(said.into()))
}

#[cfg(test)]
mod tests {
    use super::{super::GROUPS, *};

    #[test]
    fn words_that_do_not_go_together_are_refused_in_kafkas_words() {
        for (words, said) in [
            ("--list", "ok"),
            ("--list --state stable --type", "ok"),
            ("--describe --group a --group b --members --verbose", "ok"),
            (
                "--list --members",
                "Option(s) [members] are unavailable given other options on the command line",
            ),
            ("--list --describe --group a", "Option \"[group]\" can't be used with option \"[list]\""),
            ("--describe", "Option [describe] takes one of these options: [group], [all-groups]"),
            ("--describe --group a --state x", "Option [describe] does not take a value for [state]"),
            (
                "--describe --all-groups --group a",
                "Option \"[group]\" can't be used with option \"[all-groups]\"",
            ),
            (
                "--reset-offsets --group a --to-earliest --to-latest --dry-run",
                "Option \"[to-earliest]\" can't be used with option \"[to-latest]\"",
            ),
            (
                "--describe --group a --delete",
                "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, \
                 --delete-offsets, --validate-regex",
            ),
            ("--bogus", "bogus is not a recognized option"),
        ] {
            let words = format!("--bootstrap-server a:1 {words}");
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            match read(&GROUPS, &words) {
                Ok(_) => assert_eq!(said, "ok", "{words:?}"),
                Err(Failure::Usage(sentence)) => assert_eq!(sentence, said, "{words:?}"),
                Err(Failure::Exception(exception)) => assert_eq!(exception.message, said, "{words:?}"),
                Err(Failure::Version) => panic!("{words:?}"),
            }
        }
    }
}
