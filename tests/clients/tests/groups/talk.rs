//! A conversation with a broker in frames, written down in lines that are the same for every broker: what
//! a broker makes up (member ids, ports, topic ids) is named.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use end_to_end::kafka::Client;
use kafka_wire::{
    Call, ErrorCode,
    messages::{
        create_topics::{CreatableTopic, CreateTopicsRequest},
        join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse},
        sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
    },
};
use uuid::Uuid;

pub struct Talk {
    address: SocketAddr,
    client: Client,
    lines: Vec<String>,
    /// What the broker called it, and what it is called here.
    names: Vec<(String, &'static str)>,
}

/// One group member on a connection of its own.
pub struct Member {
    client: Client,
    pub name: &'static str,
    pub id: String,
    pub group: &'static str,
    pub instance: Option<&'static str>,
}

/// JoinGroup without an id of its own first, but with instance ids.
pub const JOIN: i16 = 5;

impl Talk {
    pub fn with(address: SocketAddr) -> Result<Self> {
        let client = Client::connect(address)?;
        Ok(Self { address, client, lines: Vec::new(), names: Vec::new() })
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }

    pub fn call<C: Call>(&mut self, request: C, version: i16) -> Result<C::Response> {
        self.client.call(request, version).with_context(|| format!("{:?} v{version}", C::API))
    }

    pub fn note(&mut self, about: &str, answer: impl AsRef<str>) {
        let line = self.named(&format!("{about}: {}", answer.as_ref()));
        self.lines.push(line.trim_end().to_owned());
    }

    /// In words of our own.
    pub fn named(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (made_up, name)| text.replace(made_up, name))
    }

    pub fn heading(&mut self, text: &str) {
        self.lines.push(format!("\n# {text}"));
    }

    pub fn name(&mut self, made_up: impl Into<String>, name: &'static str) {
        let made_up = made_up.into();
        if !made_up.is_empty() && !self.names.iter().any(|(known, _)| *known == made_up) {
            self.names.push((made_up, name));
        }
    }

    pub fn create_topic(&mut self, name: &str, num_partitions: i32) -> Result<Uuid> {
        let topic =
            CreatableTopic { name: name.into(), num_partitions, replication_factor: 1, ..Default::default() };
        let created = self.call(CreateTopicsRequest { topics: vec![topic], ..Default::default() }, 7)?;
        let created = created.topics.first().context("a topic")?;
        ensure!(created.error_code.is_ok(), "{created:?}");
        Ok(created.topic_id)
    }

    pub fn member(&self, name: &'static str, group: &'static str) -> Result<Member> {
        let client = Client::connect(self.address)?;
        Ok(Member { client, name, id: String::new(), group, instance: None })
    }

    /// Joins, and notes the answer.
    pub fn join(&mut self, member: &mut Member, protocol: &str, metadata: &[u8]) -> Result<()> {
        self.join_as(member, JOIN, request(member, protocol, metadata))
    }

    pub fn join_as(&mut self, member: &mut Member, version: i16, request: JoinGroupRequest) -> Result<()> {
        self.ask_join(member, version, request)?;
        self.hear_join(member, version)
    }

    /// Joins, and does not wait.
    pub fn ask_join(&mut self, member: &mut Member, version: i16, request: JoinGroupRequest) -> Result<()> {
        member.client.ask(request, version)
    }

    pub fn hear_join(&mut self, member: &mut Member, version: i16) -> Result<()> {
        let answer = member.client.answer::<JoinGroupRequest>(version)?;
        if matches!(answer.error_code, ErrorCode::None | ErrorCode::MemberIdRequired) {
            member.id = answer.member_id.clone();
            self.name(answer.member_id.clone(), member.name);
        }
        let answer = self.joined(&answer);
        self.note(&format!("join v{version} {}", member.name), answer);
        Ok(())
    }

    pub fn sync(&mut self, member: &mut Member, generation: i32, gives: &[(&Member, &[u8])]) -> Result<()> {
        self.ask_sync(member, generation, gives)?;
        self.hear_sync(member)
    }

    pub fn ask_sync(
        &mut self,
        member: &mut Member,
        generation: i32,
        gives: &[(&Member, &[u8])],
    ) -> Result<()> {
        let mut assignments: Vec<_> =
            gives.iter().map(|(to, bytes)| assignment(to.id.clone(), bytes)).collect();
        // A leader gives itself what it does not give to others.
        assignments.push(assignment(member.id.clone(), format!("{}'s", member.name).as_bytes()));
        let request = SyncGroupRequest {
            group_id: member.group.into(),
            generation_id: generation,
            member_id: member.id.clone(),
            group_instance_id: member.instance.map(Into::into),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments,
        };
        member.client.ask(request, 5)
    }

    pub fn hear_sync(&mut self, member: &mut Member) -> Result<()> {
        let answer = member.client.answer::<SyncGroupRequest>(5)?;
        let given = answer.assignment.escape_ascii();
        let protocol = (answer.protocol_type.as_deref(), answer.protocol_name.as_deref());
        let what = match answer.error_code {
            ErrorCode::None => format!("{protocol:?} '{given}'"),
            error => format!("{error} {protocol:?}"),
        };
        self.note(&format!("sync v5 {}", member.name), what);
        Ok(())
    }

    fn joined(&self, answer: &JoinGroupResponse) -> String {
        let JoinGroupResponse { generation_id, protocol_type, protocol_name, leader, member_id, .. } = answer;
        let skip = if answer.skip_assignment { " skip" } else { "" };
        // Brokers list members in an order of their own.
        let mut members: Vec<String> = (answer.members.iter())
            .map(|member| {
                let metadata = member.metadata.escape_ascii();
                self.named(&format!("{}({:?})={metadata}", member.member_id, member.group_instance_id))
            })
            .collect();
        members.sort();
        format!(
            "{} generation {generation_id} {protocol_type:?} {protocol_name:?} leader '{leader}' you '{member_id}'{skip} [{}]",
            answer.error_code,
            members.join(" ")
        )
    }
}

fn assignment(member_id: String, bytes: &[u8]) -> SyncGroupRequestAssignment {
    SyncGroupRequestAssignment { member_id, assignment: Bytes::copy_from_slice(bytes) }
}

pub fn request(member: &Member, protocol: &str, metadata: &[u8]) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: member.group.into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        member_id: member.id.clone(),
        group_instance_id: member.instance.map(Into::into),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol {
            name: protocol.into(),
            metadata: Bytes::copy_from_slice(metadata),
        }],
        reason: None,
    }
}
