//! Groups as tables: how far they have read, who is in them, and in what state they are.

use std::collections::BTreeMap;

use kafka_wire::messages::list_offsets::LATEST_TIMESTAMP;

use super::{
    super::{
        failure::Failure,
        options::Options,
        output::{remark, say},
    },
    TopicPartition, chosen, complain,
    coordinators::{Coordinators, Node},
    members::{Group, Member, described},
    offsets::{self, Committed},
    row::{or_dash, row, width},
};

pub fn describe(coordinators: &mut Coordinators, options: &Options) -> Result<(), Failure> {
    let names = chosen(coordinators, options)?;
    let verbose = options.has("verbose");
    // As there: nothing is printed of any when one is not known.
    let mut groups = BTreeMap::new();
    for name in names {
        groups.insert(name.clone(), described(coordinators, &name)?);
    }
    for (name, group) in groups {
        if options.has("members") {
            print_members(&name, &group, verbose);
        } else if options.has("state") {
            print_state(&name, &group, coordinators.of(&name), verbose);
        } else {
            let rows = progress(coordinators, &name, &group)?;
            if says_its_state(&name, &group) && !rows.is_empty() {
                say(progress_table(&name, &rows, verbose));
            }
        }
    }
    Ok(())
}

/// Tells the human what is unusual about a group; whether there is a group to print.
fn says_its_state(name: &str, group: &Group) -> bool {
    match group.state.as_str() {
        "Dead" => complain(&format!("Consumer group '{name}' does not exist.")),
        "Empty" => remark(format_args!("\nConsumer group '{name}' has no active members.")),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            remark(format_args!("\nWarning: Consumer group '{name}' is rebalancing."));
        }
        _ => {}
    }
    group.state != "Dead"
}

/// How far one partition is read, and by whom.
#[derive(Debug, Clone)]
struct Progress<'a> {
    partition: TopicPartition,
    committed: Option<Committed>,
    end: Option<i64>,
    member: Option<&'a Member>,
}

/// Of those first who have most; what nobody has been assigned comes last.
fn progress<'a>(
    coordinators: &mut Coordinators,
    name: &str,
    group: &'a Group,
) -> Result<Vec<Progress<'a>>, Failure> {
    let committed = offsets::committed(coordinators, name)?;
    let mut members: Vec<_> = group.members.iter().filter(|member| !member.assigned.is_empty()).collect();
    members.sort_by_key(|member| std::cmp::Reverse(member.assigned.len()));
    let assigned = || members.iter().flat_map(|member| &member.assigned);
    let mut topics: Vec<String> =
        assigned().chain(committed.keys()).map(|(topic, _)| topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    let mut known = offsets::partitions(coordinators, topics)?;
    known.retain(|partition, _| {
        committed.contains_key(partition) || assigned().any(|other| other == partition)
    });
    let ends = offsets::at(coordinators, &known, LATEST_TIMESTAMP)?;
    let row = |partition: &TopicPartition, member| Progress {
        partition: partition.clone(),
        committed: committed.get(partition).copied(),
        end: ends.get(partition).copied(),
        member,
    };
    let mut rows: Vec<_> = members
        .iter()
        .flat_map(|member| member.assigned.iter().map(|partition| row(partition, Some(*member))))
        .collect();
    let nobodys: Vec<_> =
        committed.keys().filter(|partition| !assigned().any(|other| other == *partition)).collect();
    rows.extend(nobodys.into_iter().map(|partition| row(partition, None)));
    Ok(rows)
}

fn progress_table(name: &str, rows: &[Progress], verbose: bool) -> String {
    let id = |row: &Progress| or_dash(row.member.map(|member| &member.id));
    let host = |row: &Progress| or_dash(row.member.map(|member| &member.host));
    let longest = |cell: &dyn Fn(&Progress) -> String| {
        width(15, rows.iter().map(cell).collect::<Vec<_>>().iter().map(String::as_str))
    };
    let mut widths = vec![width(15, [name]), longest(&|row| row.partition.0.clone()), 10];
    widths.extend(verbose.then_some(15));
    widths.extend([15, 15, 15, longest(&id), longest(&host)]);
    let line = |cells: [String; 10]| {
        let cells = cells.iter().enumerate().filter(|(at, _)| verbose || *at != 3);
        row(&cells.map(|(_, cell)| cell as &dyn std::fmt::Display).collect::<Vec<_>>(), &widths)
    };
    let header = [
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ];
    let mut table = format!("\n{}", line(header.map(str::to_owned)));
    for row in rows {
        let offset = row.committed.map(|committed| committed.offset);
        table.push('\n');
        table.push_str(&line([
            name.to_owned(),
            row.partition.0.clone(),
            row.partition.1.to_string(),
            or_dash(row.committed.and_then(|committed| committed.leader_epoch)),
            or_dash(offset),
            or_dash(row.end),
            or_dash(offset.zip(row.end).map(|(offset, end)| end - offset)),
            id(row),
            host(row),
            or_dash(row.member.map(|member| &member.client)),
        ]));
    }
    table
}

fn print_members(name: &str, group: &Group, verbose: bool) {
    if says_its_state(name, group) {
        say(members_table(name, &group.members, verbose));
    }
}

fn members_table(name: &str, members: &[Member], verbose: bool) -> String {
    let longest = |least: usize, cell: fn(&Member) -> &str| width(least, members.iter().map(cell));
    let with_instances = members.iter().any(|member| member.instance.is_some());
    let assignments: Vec<String> = members.iter().map(|member| assignment(&member.assigned)).collect();
    let assignment_width = width(20, assignments.iter().map(String::as_str));
    let mut widths = vec![width(15, [name]), longest(15, |member| &member.id)];
    widths
        .extend(with_instances.then(|| longest(17, |member| member.instance.as_deref().unwrap_or_default())));
    widths.extend([longest(15, |member| &member.host), longest(15, |member| &member.client), 15]);
    if verbose {
        widths.extend([15, assignment_width, 15, 20]);
    }
    let line = |cells: [&dyn std::fmt::Display; 10]| {
        let shown = |at: usize| (at != 2 || with_instances) && (at < 6 || verbose);
        let cells: Vec<_> =
            cells.into_iter().enumerate().filter(|(at, _)| shown(*at)).map(|(_, cell)| cell).collect();
        let line = row(&cells, &widths);
        // A blank waits for the columns of --verbose.
        if verbose { line } else { line + " " }
    };
    let mut table = String::from("\n");
    table.push_str(&line([
        &"GROUP",
        &"CONSUMER-ID",
        &"GROUP-INSTANCE-ID",
        &"HOST",
        &"CLIENT-ID",
        &"#PARTITIONS",
        &"CURRENT-EPOCH",
        &"CURRENT-ASSIGNMENT",
        &"TARGET-EPOCH",
        &"TARGET-ASSIGNMENT",
    ]));
    for (member, assignment) in members.iter().zip(&assignments) {
        table.push('\n');
        table.push_str(&line([
            &name,
            &member.id,
            &member.instance.as_deref().unwrap_or_default(),
            &member.host,
            &member.client,
            &member.assigned.len(),
            // Epochs and targets are the next group protocol's.
            &"-",
            assignment,
            &"-",
            &"-",
        ]));
    }
    table
}

/// `topic:0,1;other:2`
fn assignment(assigned: &[TopicPartition]) -> String {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (topic, partition) in assigned {
        topics.entry(topic).or_default().push(partition.to_string());
    }
    match topics.is_empty() {
        true => "-".to_owned(),
        false => {
            let topics = topics.iter().map(|(topic, partitions)| format!("{topic}:{}", partitions.join(",")));
            topics.collect::<Vec<_>>().join(";")
        }
    }
}

fn print_state(name: &str, group: &Group, coordinator: Option<&Node>, verbose: bool) {
    if says_its_state(name, group) {
        say(state_table(name, group, coordinator, verbose));
    }
}

fn state_table(name: &str, group: &Group, coordinator: Option<&Node>, verbose: bool) -> String {
    let coordinator =
        coordinator.map_or_else(String::new, |node| format!("{}:{}  ({})", node.host, node.port, node.id));
    let assignor = or_dash(Some(&group.assignor).filter(|assignor| !assignor.is_empty()));
    let mut widths = vec![width(15, [name]), width(25, [coordinator.as_str()]), 20, 20];
    if verbose {
        widths.extend([15, 25]);
    }
    let line = |cells: [&dyn std::fmt::Display; 7]| {
        let shown = |at: usize| verbose || (at != 4 && at != 5);
        let cells = cells.into_iter().enumerate().filter(|(at, _)| shown(*at)).map(|(_, cell)| cell);
        row(&cells.collect::<Vec<_>>(), &widths)
    };
    let header = line([
        &"GROUP",
        &"COORDINATOR (ID)",
        &"ASSIGNMENT-STRATEGY",
        &"STATE",
        &"GROUP-EPOCH",
        &"TARGET-ASSIGNMENT-EPOCH",
        &"#MEMBERS",
    ]);
    let values = line([&name, &coordinator, &assignor, &group.state, &"-", &"-", &group.members.len()]);
    format!("\n{header}\n{values}")
}
