//! A transcript of a coordinator: `>` lines go in, `<` lines must come out. This alone knows the API.
//!
//! ```text
//! > TOKEN join CLIENT [id=M] [instance=I] [session=MS] [rebalance=MS] [offers=NAME:META,..] [v=VERSION]
//! > TOKEN sync M GENERATION [instance=I] [gives=M:BYTES,..] [protocol=NAME]
//! > TOKEN beat M GENERATION [instance=I]
//! > TOKEN leave M[@I] ..
//! > TOKEN commit M GENERATION TOPIC-PARTITION=OFFSET[@EPOCH][:METADATA] .. [instance=I] [retention=MS]
//! > TOKEN fetch TOPIC-PARTITION .. | all
//! > TOKEN delete | TOKEN forget TOPIC-PARTITION ..
//! > wait MS      time passes, with a tick at every deadline
//! > hold         records stay on their way to the disk
//! > saved        all of them arrive     > lost REASON   none of them does, from here on auto again
//! > saved-last   the newest of them arrive and are reported before the older ones
//! > restart      a coordinator that reads what the disk has
//! > replay       the same, stopped before the end     > loaded   the end
//! > unreadable   the partition cannot be read        > again    it is read once more
//! > resign       leadership is gone
//! > gone TOPIC   the topic is deleted
//! > at-most N    from the next restart on a group has so many members
//! > list         the groups as an admin sees them: name, state, protocol type
//! > look         the group as an admin sees it: state, protocol, members with metadata and assignment
//! ```
//! Every request takes `group=NAME`.
//! A member id is written `CLIENT-TOKEN` after the join that made it; `-` is the empty one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use broker_logic::groups::{
    Action, Answer, CommitRequest, Coordinator, FetchedOffset, GroupConfig, GroupError, HeartbeatRequest,
    Input, JoinRequest, LeaveRequest, LeavingMember, OffsetToCommit, OffsetsRecord, PersistError, PersistId,
    Request, SyncRequest,
};
use broker_logic::ids::{LeaderEpoch, Offset, TopicPartition};
use bytes::Bytes;
use uuid::Uuid;

pub const GROUP: &str = "g";
const UNIX_MS: i64 = 1_700_000_000_000;

/// Only differences matter, so any instant will do.
#[allow(clippy::disallowed_methods)]
pub fn some_instant() -> Instant {
    Instant::now()
}

/// No initial delay: a script that is not about it need not wait for it.
pub fn prompt() -> GroupConfig {
    GroupConfig { initial_rebalance_delay: Duration::ZERO, ..GroupConfig::default() }
}

pub fn check(script: &str) {
    check_with(prompt(), script);
}

pub fn check_with(config: GroupConfig, script: &str) {
    let mut run = Run::new(config);
    let mut lines = script.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("> ").unwrap_or_else(|| panic!("not a command: {line}"));
        run.command(command);
        let mut expected = Vec::new();
        while let Some(answer) = lines.next_if(|line| line.starts_with('<')) {
            expected.push(answer.trim_start_matches('<').trim().to_owned());
        }
        assert_eq!(run.take_output(), expected, "after {line}");
    }
}

pub struct Run {
    config: GroupConfig,
    pub coordinator: Coordinator,
    pub now: Instant,
    started: Instant,
    pub hold: bool,
    on_their_way: VecDeque<(PersistId, Vec<OffsetsRecord>)>,
    disk: Vec<OffsetsRecord>,
    answers: Vec<(u64, Answer)>,
    looks: Vec<String>,
}

impl Run {
    pub fn new(config: GroupConfig) -> Self {
        let now = some_instant();
        let mut coordinator = Coordinator::new(config.clone(), now, UNIX_MS);
        coordinator.handle(Input::Loaded, now, &mut Vec::new());
        Self {
            config,
            coordinator,
            now,
            started: now,
            hold: false,
            on_their_way: VecDeque::new(),
            disk: Vec::new(),
            answers: Vec::new(),
            looks: Vec::new(),
        }
    }

    pub fn take_answers(&mut self) -> Vec<(u64, Answer)> {
        std::mem::take(&mut self.answers)
    }

    fn take_output(&mut self) -> Vec<String> {
        let line =
            |(token, answer): &(u64, Answer)| shorten(format!("{token} {}", render(answer)).trim_end());
        self.take_answers().iter().map(line).chain(std::mem::take(&mut self.looks)).collect()
    }

    pub fn handle(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.coordinator.handle(input, self.now, &mut actions);
        for action in actions {
            match action {
                Action::Answer { token, answer } => self.answers.push((token, answer)),
                Action::Persist { persist, records } => {
                    self.on_their_way.push_back((persist, records.to_vec()));
                }
            }
        }
        if !self.hold {
            self.save_all();
        }
    }

    pub fn request(&mut self, token: u64, request: Request) {
        self.handle(Input::Request { token, request });
    }

    pub fn save_all(&mut self) {
        while let Some((persist, records)) = self.on_their_way.pop_front() {
            self.disk.extend(records);
            self.handle(Input::Persisted { persist });
        }
    }

    pub fn lose_all(&mut self, error: PersistError) {
        while let Some((persist, _)) = self.on_their_way.pop_front() {
            self.handle(Input::PersistFailed { persist, error });
        }
    }

    /// Time passes; a shell would tick at each deadline on the way.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..10_000 {
            match self.coordinator.deadline().filter(|deadline| *deadline <= until) {
                Some(deadline) => self.now = self.now.max(deadline),
                None => {
                    self.now = until;
                    return;
                }
            }
            let unix_ms = UNIX_MS + (self.now - self.started).as_millis() as i64;
            self.handle(Input::Tick { unix_ms });
        }
        panic!("the coordinator ticks without end");
    }

    pub fn restart(&mut self) {
        self.replay();
        self.handle(Input::Loaded);
    }

    fn replay(&mut self) {
        let unix_ms = UNIX_MS + (self.now - self.started).as_millis() as i64;
        self.coordinator = Coordinator::new(self.config.clone(), self.now, unix_ms);
        self.on_their_way.clear();
        self.replay_disk();
    }

    fn replay_disk(&mut self) {
        for record in &self.disk {
            let (key, value) = record.encode();
            self.coordinator.replay(key, value, self.now).expect("our own record");
        }
    }

    fn look(&self) -> String {
        let group = match self.coordinator.describe(GROUP) {
            Ok(group) => group,
            Err(error) => return format!("{error:?}"),
        };
        let mut line = format!("{} {}", group.state.name(), group.protocol_name);
        for member in &group.members {
            let text = String::from_utf8_lossy;
            line += &format!(" {}:{}={}", member.member_id, text(&member.metadata), text(&member.assignment));
        }
        line
    }

    fn list(&self) -> Vec<String> {
        match self.coordinator.list() {
            Ok(groups) => groups
                .iter()
                .map(|group| format!("{} {} {}", group.group_id, group.state.name(), group.protocol_type))
                .map(|line| line.trim_end().to_owned())
                .collect(),
            Err(error) => vec![format!("{error:?}")],
        }
    }

    fn command(&mut self, line: &str) {
        let words: Vec<String> = line.split_whitespace().map(lengthen).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["wait", ms] => self.wait(Duration::from_millis(ms.parse().expect("ms"))),
            ["hold"] => self.hold = true,
            ["saved"] => {
                self.hold = false;
                self.save_all();
            }
            ["lost", reason] => {
                self.hold = false;
                self.lose_all(match reason {
                    "unavailable" => PersistError::Unavailable,
                    "not-leader" => PersistError::NotLeader,
                    "too-large" => PersistError::TooLarge,
                    other => panic!("why {other}?"),
                });
            }
            ["saved-last"] => {
                let (persist, records) = self.on_their_way.pop_back().expect("something on its way");
                self.disk.extend(records);
                self.handle(Input::Persisted { persist });
            }
            ["restart"] => self.restart(),
            ["replay"] => self.replay(),
            ["loaded"] => self.handle(Input::Loaded),
            ["look"] => {
                let line = self.look();
                self.looks.push(shorten(line.trim_end()));
            }
            ["list"] => self.looks.extend(self.list()),
            ["resign"] => self.handle(Input::Resigned),
            ["again"] => {
                self.handle(Input::LoadAgain);
                self.replay_disk();
            }
            ["unreadable"] => self.handle(Input::LoadFailed),
            ["gone", topic] => self.handle(Input::TopicDeleted { topic: topic.into() }),
            ["at-most", members] => self.config.max_group_size = members.parse().expect("members"),
            [token, verb, ref rest @ ..] => {
                let token = token.parse().unwrap_or_else(|_| panic!("no token: {line}"));
                self.request(token, parse(token, verb, rest));
            }
            _ => panic!("what is {line}?"),
        }
    }
}

fn parse(token: u64, verb: &str, words: &[&str]) -> Request {
    let (options, plain): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| is_option(word));
    let option = |name: &str| {
        options.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let number =
        |name: &str, default: i32| option(name).map_or(default, |text| text.parse().expect("number"));
    let group_id = option("group").unwrap_or(GROUP.to_owned());
    let group_instance_id = option("instance");
    match verb {
        "join" => Request::Join(JoinRequest {
            group_id,
            member_id: option("id").unwrap_or_default(),
            group_instance_id,
            client_id: plain[0].to_owned(),
            client_host: "/10.0.0.1".to_owned(),
            session_timeout_ms: number("session", 10_000),
            rebalance_timeout_ms: number("rebalance", 60_000),
            protocol_type: option("type").unwrap_or("consumer".to_owned()),
            protocols: pairs(&option("offers").unwrap_or("range:".to_owned())),
            needs_member_id_first: number("v", 3) >= 4,
            may_skip_assignment: number("v", 3) >= 9,
            fresh_id: Uuid::from_u128(token.into()),
        }),
        "sync" => Request::Sync(SyncRequest {
            group_id,
            member_id: plain[0].to_owned(),
            generation: plain[1].parse().expect("generation"),
            group_instance_id,
            protocol_type: None,
            protocol_name: option("protocol"),
            assignments: option("gives").map(|gives| pairs(&gives)).unwrap_or_default(),
        }),
        "beat" => Request::Heartbeat(HeartbeatRequest {
            group_id,
            member_id: plain[0].to_owned(),
            generation: plain[1].parse().expect("generation"),
            group_instance_id,
        }),
        "leave" => {
            Request::Leave(LeaveRequest { group_id, members: plain.iter().map(|m| leaving(m)).collect() })
        }
        "commit" => Request::CommitOffsets(CommitRequest {
            group_id,
            member_id: plain[0].trim_start_matches('-').to_owned(),
            generation: plain[1].parse().expect("generation"),
            group_instance_id,
            retention_ms: option("retention").map(|ms| ms.parse().expect("ms")),
            offsets: plain[2..].iter().map(|word| offset(word)).collect(),
        }),
        "fetch" if plain == ["all"] => Request::FetchOffsets { group_id, partitions: None },
        "fetch" => {
            Request::FetchOffsets { group_id, partitions: Some(plain.iter().map(|w| at(w)).collect()) }
        }
        "delete" => Request::DeleteGroup { group_id },
        "forget" => Request::DeleteOffsets { group_id, partitions: plain.iter().map(|w| at(w)).collect() },
        other => panic!("no request {other}"),
    }
}

fn is_option(word: &str) -> bool {
    const OPTIONS: [&str; 11] = [
        "group",
        "id",
        "instance",
        "session",
        "rebalance",
        "offers",
        "v",
        "type",
        "gives",
        "protocol",
        "retention",
    ];
    OPTIONS.iter().any(|name| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
}

/// `name:bytes,name:bytes`
fn pairs(text: &str) -> Vec<(String, Bytes)> {
    let pair = |pair: &str| {
        let (name, bytes) = pair.split_once(':').expect("name:bytes");
        (name.to_owned(), Bytes::copy_from_slice(bytes.as_bytes()))
    };
    text.split(',').filter(|text| !text.is_empty()).map(pair).collect()
}

fn leaving(text: &str) -> LeavingMember {
    let (member_id, instance) = text.split_once('@').map_or((text, None), |(m, i)| (m, Some(i.to_owned())));
    LeavingMember { member_id: member_id.to_owned(), group_instance_id: instance }
}

pub fn at(text: &str) -> TopicPartition {
    let (topic, partition) = text.rsplit_once('-').expect("topic-partition");
    TopicPartition::new(topic, partition.parse().expect("partition"))
}

/// `topic-0=5@1:metadata`
fn offset(text: &str) -> OffsetToCommit {
    let (partition, rest) = text.split_once('=').expect("partition=offset");
    let (rest, metadata) = rest.split_once(':').unwrap_or((rest, ""));
    let (offset, epoch) = rest.split_once('@').unwrap_or((rest, "-1"));
    OffsetToCommit {
        partition: at(partition),
        offset: Offset(offset.parse().expect("offset")),
        leader_epoch: LeaderEpoch(epoch.parse().expect("epoch")),
        metadata: metadata.to_owned(),
    }
}

fn render(answer: &Answer) -> String {
    match answer {
        Answer::Join(Ok(joined)) => {
            let protocol = joined.protocol_name.as_deref().unwrap_or("none");
            let mut line = format!("joined {} {protocol} led by {}", joined.generation, joined.leader);
            for member in &joined.members {
                line += &format!(" {}:{}", member.member_id, String::from_utf8_lossy(&member.metadata));
            }
            if joined.skip_assignment { line + " skip" } else { line }
        }
        Answer::Join(Err(refused)) => match refused.error {
            GroupError::MemberIdRequired => format!("MemberIdRequired {}", refused.member_id),
            error => format!("{error:?}"),
        },
        Answer::Sync(Ok(synced)) => format!("given '{}'", String::from_utf8_lossy(&synced.assignment)),
        Answer::Heartbeat(result) | Answer::DeleteGroup(result) => verdict(result),
        Answer::Leave(Ok(left)) => {
            let row = |left: &broker_logic::groups::LeftMember| {
                let name = if left.member_id.is_empty() { "-" } else { &left.member_id };
                format!("{name}:{}", verdict(&left.result))
            };
            left.iter().map(row).collect::<Vec<_>>().join(" ")
        }
        Answer::CommitOffsets(rows) | Answer::DeleteOffsets(Ok(rows)) => {
            rows.iter().map(|(at, result)| format!("{at}:{}", verdict(result))).collect::<Vec<_>>().join(" ")
        }
        Answer::FetchOffsets(Ok(rows)) => rows.iter().map(fetched).collect::<Vec<_>>().join(" "),
        Answer::Sync(Err(error))
        | Answer::Leave(Err(error))
        | Answer::FetchOffsets(Err(error))
        | Answer::DeleteOffsets(Err(error)) => format!("{error:?}"),
    }
}

fn fetched(row: &FetchedOffset) -> String {
    format!("{}={}@{}:{}", row.partition, row.offset, row.leader_epoch, row.metadata)
}

fn verdict(result: &Result<(), GroupError>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |()| "ok".to_owned())
}

/// Member ids end in a uuid made of the token: `c-1` stands for the long form.
const UUID_HEAD: &str = "00000000-0000-0000-0000-0000000000";

fn shorten(line: &str) -> String {
    let mut parts = line.split(UUID_HEAD);
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_at(2);
        short += &u64::from_str_radix(number, 16).expect("hex").to_string();
        short += rest;
    }
    short
}

/// Every `CLIENT-NUMBER` whose client is one letter, but not a topic's `t-0`.
fn lengthen(word: &str) -> String {
    let mut long = String::new();
    let mut rest = word;
    while let Some(dash) = rest.find('-') {
        let (head, tail) = rest.split_at(dash + 1);
        long += head;
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let client = head[..dash].chars().last();
        if digits > 0 && client.is_some_and(|c| c.is_ascii_uppercase()) {
            let number: u64 = tail[..digits].parse().expect("number");
            long += &format!("{UUID_HEAD}{number:02x}");
        } else {
            long += &tail[..digits];
        }
        rest = &tail[digits..];
    }
    long + rest
}
