//! How members join, sync, stay and go; what is refused, and how.

use anyhow::Result;
use bytes::Bytes;
use kafka_wire::{
    consumer_protocol::ConsumerProtocolSubscription,
    messages::{
        heartbeat::HeartbeatRequest,
        join_group::{JoinGroupRequest, JoinGroupRequestProtocol},
        leave_group::{LeaveGroupRequest, MemberIdentity},
        offset_commit::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        sync_group::SyncGroupRequest,
    },
};

use super::{
    admin::describe,
    offsets::say_commit,
    talk::{JOIN, Member, Talk, request},
};

/// A member that offers this reads the topic `letters`.
pub fn letters() -> Result<Bytes> {
    let subscription = ConsumerProtocolSubscription { topics: vec!["letters".into()], ..Default::default() };
    Ok(subscription.encode(0)?)
}

pub fn refusals(talk: &mut Talk) -> Result<()> {
    talk.heading("joins that are refused");
    let mut a = talk.member("A", "simple")?;
    for (version, change) in [
        (5, (|request| request.session_timeout_ms = 5_999) as fn(&mut JoinGroupRequest)),
        (5, |request| request.session_timeout_ms = 1_800_001),
        (5, |request| request.group_id = String::new()),
        (5, |request| request.protocols = Vec::new()),
        (5, |request| request.protocol_type = String::new()),
        (5, |request| request.member_id = "nobody".into()),
        (7, |request| request.member_id = "nobody".into()),
        (9, |request| request.protocols = Vec::new()),
    ] {
        let mut request = request(&a, "range", b"");
        change(&mut request);
        talk.join_as(&mut a, version, request)?;
        a.id.clear();
    }
    talk.heading("members of groups that are not there");
    a.id = "nobody".into();
    a.group = "unheard-of";
    heartbeat(talk, &a, 1)?;
    talk.sync(&mut a, 1, &[])?;
    leave(talk, &a, 0)?;
    leave(talk, &a, 4)?;
    a.group = "";
    heartbeat(talk, &a, 1)?;
    talk.sync(&mut a, 1, &[])?;
    leave(talk, &a, 0)?;
    leave(talk, &a, 5)
}

pub fn rebalances(talk: &mut Talk) -> Result<()> {
    talk.heading("a member is given its id first (trap 15)");
    let mut a = talk.member("A", "members")?;
    let letters = letters()?;
    talk.join(&mut a, "range", &letters)?;
    talk.join(&mut a, "range", &letters)?;
    describe(talk, "members", 5)?;

    talk.heading("what does not fit, between join and sync (trap 17)");
    commit(talk, &a, 1)?;
    commit(talk, &a, 0)?;
    heartbeat(talk, &a, 1)?;
    heartbeat(talk, &a, 2)?;
    sync_with(talk, &a, 1, Some("consumer"), Some("sticky"), 5)?;
    sync_with(talk, &a, 1, Some("connect"), Some("range"), 5)?;
    sync_with(talk, &a, 1, None, None, 5)?;
    sync_with(talk, &a, 7, None, None, 3)?;
    let mut b = talk.member("B", "members")?;
    b.id = "nobody".into();
    talk.sync(&mut b, 1, &[])?;
    b.id.clear();
    talk.sync(&mut a, 1, &[])?;
    describe(talk, "members", 5)?;
    commit(talk, &a, 1)?;
    commit(talk, &a, 0)?;
    commit(talk, &a, 2)?;
    commit(talk, &b, -1)?;
    b.id = "nobody".into();
    commit(talk, &b, -1)?;
    b.id.clear();

    talk.heading("a second member");
    let mut other = request(&b, "sticky", &letters);
    talk.join_as(&mut b, JOIN, other.clone())?;
    other.protocols[0].name = "range".into();
    other.protocol_type = "connect".into();
    talk.join_as(&mut b, JOIN, other)?;
    b.id.clear();
    talk.join(&mut b, "range", &letters)?;
    let joins = request(&b, "range", &letters);
    talk.ask_join(&mut b, JOIN, joins)?;
    until_rebalancing(talk, &a, 1)?;
    describe(talk, "members", 5)?;
    heartbeat(talk, &a, 1)?;
    talk.sync(&mut a, 1, &[])?;
    commit(talk, &a, 1)?;
    talk.join(&mut a, "range", &letters)?;
    talk.hear_join(&mut b, JOIN)?;
    describe(talk, "members", 5)?;
    talk.ask_sync(&mut b, 2, &[])?;
    talk.sync(&mut a, 2, &[(&b, b"from A")])?;
    talk.hear_sync(&mut b)?;
    talk.sync(&mut b, 2, &[])?;

    talk.heading("joins again: unchanged, a follower disturbs nobody");
    talk.join(&mut b, "range", &letters)?;
    heartbeat(talk, &a, 2)?;
    let joins = request(&a, "range", &letters);
    talk.ask_join(&mut a, JOIN, joins)?;
    until_rebalancing(talk, &b, 2)?;
    heartbeat(talk, &b, 2)?;
    talk.join(&mut b, "range", &letters)?;
    talk.hear_join(&mut a, JOIN)?;
    talk.sync(&mut a, 3, &[])?;
    talk.sync(&mut b, 3, &[])?;

    talk.heading("going");
    leave(talk, &b, 1)?;
    heartbeat(talk, &b, 3)?;
    heartbeat(talk, &a, 3)?;
    describe(talk, "members", 5)?;
    leave_many(talk, &a, &[(&a.id, None), ("nobody", None), ("", Some("unseated"))])?;
    describe(talk, "members", 5)?;
    heartbeat(talk, &a, 3)?;
    commit(talk, &a, 3)?;
    a.id.clear();
    commit(talk, &a, -1)
}

pub fn static_members(talk: &mut Talk) -> Result<()> {
    talk.heading("static members (trap 16)");
    let letters = letters()?;
    let mut i = talk.member("I1", "static")?;
    i.instance = Some("i");
    talk.join(&mut i, "range", &letters)?;
    let mut j = talk.member("J1", "static")?;
    j.instance = Some("j");
    let joins = request(&j, "range", &letters);
    talk.ask_join(&mut j, JOIN, joins)?;
    until_rebalancing(talk, &i, 1)?;
    let joins = request(&i, "range", &letters);
    talk.ask_join(&mut i, JOIN, joins)?;
    talk.hear_join(&mut j, JOIN)?;
    talk.hear_join(&mut i, JOIN)?;
    talk.sync(&mut i, 2, &[(&j, b"for j")])?;
    talk.sync(&mut j, 2, &[])?;

    talk.heading("a follower is back");
    let mut back = talk.member("J2", "static")?;
    back.instance = Some("j");
    talk.join(&mut back, "range", &letters)?;
    talk.sync(&mut back, 2, &[])?;
    heartbeat(talk, &i, 2)?;
    heartbeat(talk, &j, 2)?;
    talk.sync(&mut j, 2, &[])?;
    commit(talk, &j, 2)?;
    leave_many(talk, &j, &[(&j.id, Some("j"))])?;
    let (id, joins) = (j.id.clone(), request(&j, "range", &letters));
    talk.join_as(&mut j, JOIN, joins)?;
    j.id = id;
    j.instance = None;
    heartbeat(talk, &j, 2)?;
    describe(talk, "static", 5)?;

    talk.heading("the leader is back, in an old version and in one that may skip the assignment");
    let mut leader = talk.member("I2", "static")?;
    leader.instance = Some("i");
    talk.join(&mut leader, "range", &letters)?;
    talk.sync(&mut leader, 2, &[])?;
    let mut leader = talk.member("I3", "static")?;
    leader.instance = Some("i");
    let joins = request(&leader, "range", &letters);
    talk.join_as(&mut leader, 9, joins)?;
    talk.sync(&mut leader, 2, &[])?;

    talk.heading("an admin removes them");
    leave_many(talk, &i, &[("", Some("i")), ("", Some("k")), (&leader.id, Some("j"))])?;
    until_rebalancing(talk, &back, 2)?;
    leave_many(talk, &i, &[(&back.id, Some("j"))])?;
    describe(talk, "static", 5)
}

/// As another process would see it: the rebalance has begun.
fn until_rebalancing(talk: &mut Talk, member: &Member, generation: i32) -> Result<()> {
    while talk.call(beat(member, generation), 3)?.error_code.is_ok() {}
    Ok(())
}

fn beat(member: &Member, generation: i32) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id: member.group.into(),
        generation_id: generation,
        member_id: member.id.clone(),
        group_instance_id: member.instance.map(Into::into),
    }
}

fn heartbeat(talk: &mut Talk, member: &Member, generation: i32) -> Result<()> {
    let answer = talk.call(beat(member, generation), 3)?;
    talk.note(&format!("beat of {} in {generation}", member.name), answer.error_code.to_string());
    Ok(())
}

fn sync_with(
    talk: &mut Talk,
    member: &Member,
    generation: i32,
    protocol_type: Option<&str>,
    protocol_name: Option<&str>,
    version: i16,
) -> Result<()> {
    let request = SyncGroupRequest {
        group_id: member.group.into(),
        generation_id: generation,
        member_id: member.id.clone(),
        protocol_type: protocol_type.map(Into::into),
        protocol_name: protocol_name.map(Into::into),
        ..Default::default()
    };
    let answer = talk.call(request, version)?;
    let about = format!("sync v{version} {} for {protocol_type:?} {protocol_name:?}", member.name);
    talk.note(&about, answer.error_code.to_string());
    Ok(())
}

fn commit(talk: &mut Talk, member: &Member, generation: i32) -> Result<()> {
    let partition =
        OffsetCommitRequestPartition { partition_index: 0, committed_offset: 1, ..Default::default() };
    let topic = OffsetCommitRequestTopic {
        name: "letters".into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: member.group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member.id.clone(),
        group_instance_id: member.instance.map(Into::into),
        topics: vec![topic],
        ..Default::default()
    };
    say_commit(talk, &format!("commit of '{}' in {generation}", member.id), request, 7)
}

fn leave(talk: &mut Talk, member: &Member, version: i16) -> Result<()> {
    let mut request = LeaveGroupRequest { group_id: member.group.into(), ..Default::default() };
    match version {
        ..3 => request.member_id = member.id.clone(),
        _ => request.members = vec![MemberIdentity { member_id: member.id.clone(), ..Default::default() }],
    }
    say_leave(talk, &format!("leave v{version} {}", member.name), request, version)
}

fn leave_many(talk: &mut Talk, member: &Member, members: &[(&str, Option<&str>)]) -> Result<()> {
    let members = members.iter().map(|(member_id, instance)| MemberIdentity {
        member_id: member_id.to_string(),
        group_instance_id: instance.map(Into::into),
        reason: Some("it is time".into()),
    });
    let request =
        LeaveGroupRequest { group_id: member.group.into(), members: members.collect(), ..Default::default() };
    say_leave(talk, "leave v5", request, 5)
}

fn say_leave(talk: &mut Talk, about: &str, request: LeaveGroupRequest, version: i16) -> Result<()> {
    let answer = talk.call(request, version)?;
    let row = |member: &kafka_wire::messages::leave_group::MemberResponse| {
        format!("'{}' {:?} {}", member.member_id, member.group_instance_id, member.error_code)
    };
    let rows: Vec<String> = answer.members.iter().map(row).collect();
    talk.note(about, format!("{} [{}]", answer.error_code, rows.join(", ")));
    Ok(())
}

/// Another kind of group, which the broker cannot look into.
pub fn connect_group(talk: &mut Talk) -> Result<()> {
    talk.heading("a group that is not of consumers");
    let mut w = talk.member("W", "workers")?;
    let protocols = vec![JoinGroupRequestProtocol { name: "sessioned".into(), metadata: Bytes::new() }];
    let joins = JoinGroupRequest { protocol_type: "connect".into(), protocols, ..request(&w, "", b"") };
    talk.join_as(&mut w, 3, joins)?;
    describe(talk, "workers", 5)
}
