//! How long a large consumer group takes to rebalance: members on connections of their own, each a thread
//! with nothing in it but the group protocol.

use std::{
    net::SocketAddr,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use end_to_end::kafka::Client;
use kafka_wire::{
    ErrorCode,
    consumer_protocol::{ConsumerProtocolAssignment, ConsumerProtocolSubscription, TopicPartition},
    messages::{
        find_coordinator::FindCoordinatorRequest,
        heartbeat::HeartbeatRequest,
        join_group::{
            JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, JoinGroupResponseMember,
        },
        leave_group::{LeaveGroupRequest, MemberIdentity},
        sync_group::{SyncGroupRequest, SyncGroupRequestAssignment},
    },
};

use crate::{
    scenario::{Figure, figure},
    target::Target,
};

const GROUP: &str = "bench";
const TOPIC: &str = "bench";

/// A member hears of a rebalance with its next heartbeat, so no rebalance is quicker. Clients' default is
/// 3 s; a group that is to rebalance quickly sets it lower.
const HEARTBEAT: Duration = Duration::from_millis(500);

const AGAIN: Duration = Duration::from_millis(50);

const PATIENCE: Duration = Duration::from_secs(60);

const JOIN: i16 = 7;
const SYNC: i16 = 5;

#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub members: usize,
    pub partitions: usize,
}

/// One more member joins and leaves again, a few times.
pub fn run(target: &Target, size: Size, times: usize) -> Result<Vec<Figure>> {
    let address: SocketAddr = target.bootstrap.parse()?;
    until_coordinated(address)?;
    let idle_mb = target.resident_mb()?;
    let mut group = Group::new(address, size);
    for _ in 0..size.members {
        group.join();
    }
    group.until_all_are_assigned(Instant::now())?;
    let full_mb = target.resident_mb()?;
    let (mut joined, mut left) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let began = Instant::now();
        group.join();
        joined.push(group.until_all_are_assigned(began)?);
        let began = Instant::now();
        group.leave_one()?;
        left.push(group.until_all_are_assigned(began)?);
    }
    let slowest = |times: &[Rebalance], of: fn(&Rebalance) -> Duration| {
        times.iter().map(of).max().unwrap_or_default().as_secs_f64() * 1e3
    };
    let figures = vec![
        figure("one joins, slowest", "ms", slowest(&joined, |it| it.all)),
        figure("  after the last rejoined", "ms", slowest(&joined, |it| it.answered)),
        figure("one leaves, slowest", "ms", slowest(&left, |it| it.all)),
        figure("  after the last rejoined", "ms", slowest(&left, |it| it.answered)),
        figure("memory of the group", "MB", full_mb - idle_mb),
    ];
    group.end()?;
    Ok(figures)
}

struct Group {
    address: SocketAddr,
    size: Size,
    reports: Receiver<Report>,
    report: Sender<Report>,
    members: Vec<Running>,
    generation: i32,
}

struct Running {
    leave: Sender<()>,
    thread: JoinHandle<Result<()>>,
}

/// A member has its assignment.
struct Report {
    generation: i32,
    partitions: usize,
    rejoined: Instant,
    assigned: Instant,
}

struct Rebalance {
    /// From the cause until the last member has its assignment.
    all: Duration,
    /// From the last member's rejoin on: the broker's part of it.
    answered: Duration,
}

impl Group {
    fn new(address: SocketAddr, size: Size) -> Self {
        let (report, reports) = mpsc::channel();
        Self { address, size, reports, report, members: Vec::new(), generation: 0 }
    }

    fn join(&mut self) {
        let (leave, left) = mpsc::channel();
        let (address, partitions, report) = (self.address, self.size.partitions, self.report.clone());
        let thread = thread::spawn(move || {
            let ended = Member::connect(address, partitions).and_then(|member| member.run(&left, &report));
            // Nobody waits for this thread before the end.
            ended.inspect_err(|error| eprintln!("a member failed: {error:#}"))
        });
        self.members.push(Running { leave, thread });
    }

    fn leave_one(&mut self) -> Result<()> {
        self.members.pop().context("a member")?.leave()
    }

    /// In one generation, and with every partition given to somebody.
    fn until_all_are_assigned(&mut self, began: Instant) -> Result<Rebalance> {
        let mut assigned: Vec<Report> = Vec::new();
        while assigned.len() < self.members.len() {
            let report = match self.reports.recv_timeout(PATIENCE) {
                Ok(report) => report,
                Err(_) => bail!("{} of {} members are assigned", assigned.len(), self.members.len()),
            };
            if report.generation > self.generation {
                self.generation = report.generation;
                assigned.clear();
            }
            if report.generation == self.generation {
                assigned.push(report);
            }
        }
        let given: usize = assigned.iter().map(|report| report.partitions).sum();
        ensure!(given == self.size.partitions, "{given} of {} partitions are given", self.size.partitions);
        let last = |at: fn(&Report) -> Instant| assigned.iter().map(at).max().context("a member");
        let (rejoined, assigned) = (last(|it| it.rejoined)?, last(|it| it.assigned)?);
        Ok(Rebalance { all: assigned - began, answered: assigned - rejoined })
    }

    fn end(self) -> Result<()> {
        self.members.into_iter().try_for_each(Running::leave)
    }
}

impl Running {
    fn leave(self) -> Result<()> {
        // One that has failed is not there to hear it, and says why.
        let _ = self.leave.send(());
        self.thread.join().map_err(|_| anyhow::anyhow!("a member panicked"))?
    }
}

struct Member {
    client: Client,
    id: String,
    partitions: usize,
}

impl Member {
    fn connect(address: SocketAddr, partitions: usize) -> Result<Self> {
        Ok(Self { client: Client::connect(address)?, id: String::new(), partitions })
    }

    fn run(mut self, left: &Receiver<()>, report: &Sender<Report>) -> Result<()> {
        loop {
            let rejoined = Instant::now();
            let joined = self.join()?;
            let Some(partitions) = self.sync(&joined)? else { continue };
            let assigned = Instant::now();
            let generation = joined.generation_id;
            report.send(Report { generation, partitions, rejoined, assigned })?;
            loop {
                match left.recv_timeout(HEARTBEAT) {
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return self.leave(),
                    Err(RecvTimeoutError::Timeout) => {}
                }
                match self.heartbeat(generation)? {
                    ErrorCode::None => {}
                    ErrorCode::RebalanceInProgress => break,
                    error => bail!("a heartbeat was answered with {error}"),
                }
            }
        }
    }

    fn join(&mut self) -> Result<JoinGroupResponse> {
        let subscription = ConsumerProtocolSubscription { topics: vec![TOPIC.into()], ..Default::default() };
        let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: subscription.encode(0)? };
        let mut request = JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 60_000,
            member_id: self.id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        loop {
            let answer = self.client.call(request.clone(), JOIN)?;
            match answer.error_code {
                ErrorCode::None => {
                    self.id.clone_from(&answer.member_id);
                    return Ok(answer);
                }
                ErrorCode::MemberIdRequired => request.member_id.clone_from(&answer.member_id),
                // A coordinator that has just come to be.
                error if error.retriable() => thread::sleep(AGAIN),
                error => bail!("a join was answered with {error}"),
            }
        }
    }

    /// How many partitions it was given; `None`: the group rebalances again.
    fn sync(&mut self, joined: &JoinGroupResponse) -> Result<Option<usize>> {
        let request = SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: joined.generation_id,
            member_id: self.id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: range(&joined.members, self.partitions)?,
            ..Default::default()
        };
        let answer = self.client.call(request, SYNC)?;
        match answer.error_code {
            ErrorCode::None => {
                let assignment = ConsumerProtocolAssignment::decode(answer.assignment)?;
                Ok(Some(assignment.assigned_partitions.iter().map(|topic| topic.partitions.len()).sum()))
            }
            ErrorCode::RebalanceInProgress => Ok(None),
            error => bail!("a sync was answered with {error}"),
        }
    }

    fn heartbeat(&mut self, generation_id: i32) -> Result<ErrorCode> {
        let (group_id, member_id) = (GROUP.into(), self.id.clone());
        let request = HeartbeatRequest { group_id, generation_id, member_id, group_instance_id: None };
        Ok(self.client.call(request, 3)?.error_code)
    }

    fn leave(mut self) -> Result<()> {
        let member = MemberIdentity { member_id: self.id.clone(), ..Default::default() };
        let request =
            LeaveGroupRequest { group_id: GROUP.into(), members: vec![member], ..Default::default() };
        ensure!(self.client.call(request, 3)?.error_code.is_ok(), "a member could not leave");
        Ok(())
    }
}

/// As the range assignor: one topic in one piece for each, in the order of the members. For the leader; the
/// others were told of no members.
fn range(members: &[JoinGroupResponseMember], partitions: usize) -> Result<Vec<SyncGroupRequestAssignment>> {
    let mut ids: Vec<&str> = members.iter().map(|member| member.member_id.as_str()).collect();
    ids.sort_unstable();
    let share = |index: usize| partitions * index / ids.len();
    let assign = |(index, id): (usize, &&str)| {
        let partitions = (share(index)..share(index + 1)).map(|partition| partition as i32).collect();
        let topic = TopicPartition { topic: TOPIC.into(), partitions };
        let assignment =
            ConsumerProtocolAssignment { assigned_partitions: vec![topic], ..Default::default() };
        Ok(SyncGroupRequestAssignment { member_id: id.to_string(), assignment: assignment.encode(0)? })
    };
    ids.iter().enumerate().map(assign).collect()
}

/// The first question makes a topic, which takes some brokers a while.
fn until_coordinated(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect(address)?;
    let until = Instant::now() + PATIENCE;
    let request = FindCoordinatorRequest { key: GROUP.into(), ..Default::default() };
    while !client.call(request.clone(), 0)?.error_code.is_ok() {
        ensure!(Instant::now() < until, "nobody coordinates the group");
        thread::sleep(AGAIN);
    }
    Ok(())
}
