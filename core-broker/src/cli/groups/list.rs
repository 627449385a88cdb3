//! The groups there are.

use kafka_wire::{
    ApiKey, ErrorCode,
    messages::list_groups::{ListGroupsRequest, ListedGroup},
};

use super::{
    super::{
        failure::{Exception, Failure},
        options::Options,
        output::say,
    },
    coordinators::{Coordinators, nested},
    row::width,
};

const STATES: [&str; 7] =
    ["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling"];

const TYPES: [&str; 2] = ["Consumer", "Classic"];

/// Groups of consumers have this protocol type, and those that only ever committed have none.
const CONSUMER: &str = "consumer";

/// ListGroups takes types from this version on.
const WITH_TYPES: i16 = 5;

pub fn list(coordinators: &mut Coordinators, options: &Options) -> Result<(), Failure> {
    let (with_type, with_state) = (options.has("type"), options.has("state"));
    let states = words(options.value("state")?, &STATES, "state")?;
    let types = words(options.value("type")?, &TYPES, "types")?;
    let groups = listed(coordinators, &states, &types)?;
    if !with_type && !with_state {
        for group in groups {
            say(group.group_id);
        }
        return Ok(());
    }
    let group_width = width(15, groups.iter().map(|group| group.group_id.as_str())) + 10;
    let line = |group: &str, kind: &str, state: &str| {
        let mut cells = vec![format!("{group:group_width$}")];
        cells.extend(with_type.then(|| format!("{kind:20}")));
        cells.extend(with_state.then(|| format!("{state:20}")));
        cells.join(" ")
    };
    say(line("GROUP", "TYPE", "STATE"));
    for group in groups {
        say(line(&group.group_id, named(&group.group_type, &TYPES), named(&group.group_state, &STATES)));
    }
    Ok(())
}

/// The names of all groups of consumers.
pub fn names(coordinators: &mut Coordinators) -> Result<Vec<String>, Failure> {
    Ok(listed(coordinators, &[], &[])?.into_iter().map(|group| group.group_id).collect())
}

fn listed(
    coordinators: &mut Coordinators,
    states: &[String],
    types: &[String],
) -> Result<Vec<ListedGroup>, Failure> {
    let mut groups = Vec::new();
    let types = if types.is_empty() { TYPES.map(str::to_owned).to_vec() } else { types.to_vec() };
    for broker in coordinators.cluster.brokers()? {
        let broker = coordinators.cluster.broker(broker)?;
        let takes_types =
            broker.version(ApiKey::ListGroups, i16::MAX).is_some_and(|version| version >= WITH_TYPES);
        let request = ListGroupsRequest {
            states_filter: states.to_vec(),
            types_filter: if takes_types { types.clone() } else { Vec::new() },
        };
        let answer = broker.call(request)?;
        match answer.error_code {
            ErrorCode::None => groups.extend(answer.groups),
            error => return Err(nested(&Exception::of(error, None)).into()),
        }
    }
    groups.retain(|group| group.protocol_type.is_empty() || group.protocol_type == CONSUMER);
    groups.sort_unstable_by(|one, other| one.group_id.cmp(&other.group_id));
    groups.dedup_by(|one, other| one.group_id == other.group_id);
    Ok(groups)
}

/// Names with commas between them, in whatever case they were typed.
fn words(list: Option<&str>, valid: &[&str], what: &str) -> Result<Vec<String>, Failure> {
    let list = list.unwrap_or_default();
    let known = |word: &str| valid.iter().find(|valid| valid.eq_ignore_ascii_case(word.trim()));
    let words = list.split(',').filter(|_| !list.is_empty());
    let words: Option<Vec<String>> = words.map(|word| known(word).map(|word| (*word).to_owned())).collect();
    words.ok_or_else(|| {
        Failure::Usage(format!(
            "Invalid {what} list '{list}'. Valid {} are: {}",
            if what == "state" { "states" } else { what },
            valid.join(", ")
        ))
    })
}

/// As Kafka writes it, however the broker does.
fn named<'a>(word: &str, known: &[&'a str]) -> &'a str {
    known.iter().find(|known| known.eq_ignore_ascii_case(word)).copied().unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_types_are_known_in_any_case() {
        for (list, read) in [
            (None, Some("")),
            (Some("stable"), Some("Stable")),
            (Some("Empty, preparingrebalance"), Some("Empty PreparingRebalance")),
            (Some("Empty,bogus"), None),
        ] {
            assert_eq!(words(list, &STATES, "state").ok().map(|words| words.join(" ")).as_deref(), read);
        }
        let refused = words(Some("bogus"), &TYPES, "types").unwrap_err();
        let said = "Invalid types list 'bogus'. Valid types are: Consumer, Classic";
        assert_eq!(refused, Failure::Usage(said.to_owned()));
        assert_eq!((named("classic", &TYPES), named("share", &TYPES)), ("Classic", "Unknown"));
    }
}
