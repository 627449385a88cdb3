//! What holds for every history: clients that come, go, restart and lie, on a disk that may fail.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker_logic::groups::{
    Answer, CommitRequest, GroupConfig, GroupState, HeartbeatRequest, Input, JoinRequest, Joined,
    LeaveRequest, LeavingMember, OffsetToCommit, PersistError, Request, SyncRequest,
};
use broker_logic::ids::{LeaderEpoch, Offset};
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use crate::script::{GROUP, Run, at, prompt};

const CLIENTS: usize = 5;
const PARTITIONS: u8 = 4;
const REBALANCE_TIMEOUTS_MS: [i32; 3] = [2_000, 5_000, 9_000];
/// The longest rebalance timeout: whoever waits for a generation waits no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(9);

#[derive(Debug, Clone)]
enum Step {
    Join {
        client: usize,
        timeout: usize,
        id_first: bool,
    },
    Sync {
        client: usize,
    },
    Beat {
        client: usize,
    },
    Leave {
        client: usize,
    },
    Commit {
        client: usize,
        stale: bool,
    },
    /// The process dies and comes back knowing nothing but its instance id.
    Reborn {
        client: usize,
    },
    Wait {
        ms: u64,
    },
    Hold,
    Saved,
    Lost,
    RestartBroker,
}

fn any_step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    prop_oneof![
        8 => (client.clone(), 0..3usize, any::<bool>())
            .prop_map(|(client, timeout, id_first)| Step::Join { client, timeout, id_first }),
        8 => client.clone().prop_map(|client| Step::Sync { client }),
        2 => client.clone().prop_map(|client| Step::Beat { client }),
        1 => client.clone().prop_map(|client| Step::Leave { client }),
        2 => (client.clone(), any::<bool>()).prop_map(|(client, stale)| Step::Commit { client, stale }),
        1 => client.prop_map(|client| Step::Reborn { client }),
        4 => (1..4_000u64).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Hold),
        1 => Just(Step::Saved),
        1 => Just(Step::Lost),
        1 => Just(Step::RestartBroker),
    ]
}

#[derive(Default, Clone)]
struct Client {
    /// Which process of this client it is: what the one before it asked, nobody hears.
    life: u32,
    member_id: String,
    generation: i32,
    /// Of the generation it leads.
    members: Vec<String>,
}

struct World {
    run: Run,
    clients: Vec<Client>,
    next_token: u64,
    /// Who asked, in which life, and when.
    open: BTreeMap<u64, (usize, u32, Instant)>,
    /// Last generation a client was told of.
    generation: i32,
    /// Who owns a partition in a generation.
    owners: BTreeMap<(i32, u8), String>,
    given_generation: i32,
    committed: BTreeMap<usize, i64>,
    commits: BTreeMap<u64, i64>,
}

impl World {
    fn new(config: GroupConfig) -> Self {
        Self {
            run: Run::new(config),
            clients: vec![Client::default(); CLIENTS],
            next_token: 0,
            open: BTreeMap::new(),
            generation: 0,
            owners: BTreeMap::new(),
            given_generation: 0,
            committed: BTreeMap::new(),
            commits: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Join { client, timeout, id_first } => self.join(client, timeout, id_first),
            Step::Sync { client } => self.sync(client),
            Step::Beat { client } => self.beat(client),
            Step::Leave { client } => self.leave(client),
            Step::Commit { client, stale } => self.commit(client, stale),
            Step::Reborn { client } => {
                let life = self.clients[client].life + 1;
                self.clients[client] = Client { life, ..Client::default() };
            }
            Step::Wait { ms } => {
                // The disk's time is not the group's: it is done before the clock goes on.
                self.run.hold = false;
                self.run.save_all();
                self.run.wait(Duration::from_millis(ms));
            }
            Step::Hold => self.run.hold = true,
            Step::Saved => {
                self.run.hold = false;
                self.run.save_all();
            }
            Step::Lost => {
                self.run.hold = false;
                self.run.lose_all(PersistError::Unavailable);
            }
            Step::RestartBroker => {
                self.hear();
                self.run.handle(Input::Resigned);
                self.hear();
                assert!(self.open.is_empty(), "a coordinator that goes answers all");
                self.run.restart();
                // Generations nobody was assigned in were never saved, and may come again.
                self.generation = self.given_generation;
            }
        }
        self.hear();
    }

    fn ask(&mut self, client: usize, request: Request) {
        self.next_token += 1;
        self.open.insert(self.next_token, (client, self.clients[client].life, self.run.now));
        self.run.request(self.next_token, request);
    }

    fn instance(client: usize) -> Option<String> {
        (client < 2).then(|| format!("static{client}"))
    }

    fn join(&mut self, client: usize, timeout: usize, needs_member_id_first: bool) {
        let request = JoinRequest {
            group_id: GROUP.into(),
            member_id: self.clients[client].member_id.clone(),
            group_instance_id: Self::instance(client),
            client_id: format!("c{client}"),
            client_host: "/h".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: REBALANCE_TIMEOUTS_MS[timeout],
            protocol_type: "consumer".into(),
            protocols: vec![("range".into(), Bytes::new())],
            needs_member_id_first,
            may_skip_assignment: true,
            fresh_id: Uuid::from_u128(self.next_token.into()),
        };
        self.ask(client, Request::Join(request));
    }

    /// A sane leader: each partition to one of the members it was told of.
    fn sync(&mut self, client: usize) {
        let Client { member_id, generation, members, .. } = self.clients[client].clone();
        let share = |index: usize| -> Bytes {
            (0..PARTITIONS).filter(|partition| usize::from(*partition) % members.len() == index).collect()
        };
        let assignments = members.iter().enumerate().map(|(index, id)| (id.clone(), share(index))).collect();
        let request = SyncRequest {
            group_id: GROUP.into(),
            generation,
            member_id,
            group_instance_id: Self::instance(client),
            protocol_type: None,
            protocol_name: None,
            assignments,
        };
        self.ask(client, Request::Sync(request));
    }

    fn beat(&mut self, client: usize) {
        let Client { member_id, generation, .. } = self.clients[client].clone();
        let (group_id, group_instance_id) = (GROUP.into(), Self::instance(client));
        let request = HeartbeatRequest { group_id, generation, member_id, group_instance_id };
        self.ask(client, Request::Heartbeat(request));
    }

    fn leave(&mut self, client: usize) {
        let member_id = std::mem::take(&mut self.clients[client].member_id);
        let members = vec![LeavingMember { member_id, group_instance_id: Self::instance(client) }];
        self.ask(client, Request::Leave(LeaveRequest { group_id: GROUP.into(), members }));
    }

    fn commit(&mut self, client: usize, stale: bool) {
        let Client { member_id, generation, .. } = self.clients[client].clone();
        let offset = self.next_token as i64;
        self.commits.insert(self.next_token + 1, offset);
        let request = CommitRequest {
            group_id: GROUP.into(),
            generation: if stale { generation - 1 } else { generation },
            member_id,
            group_instance_id: Self::instance(client),
            retention_ms: None,
            offsets: vec![OffsetToCommit {
                partition: at(&format!("t-{client}")),
                offset: Offset(offset),
                leader_epoch: LeaderEpoch(0),
                metadata: String::new(),
            }],
        };
        self.ask(client, Request::CommitOffsets(request));
    }

    fn hear(&mut self) {
        for (token, answer) in self.run.take_answers() {
            let (client, life, _) = self.open.remove(&token).expect("one answer for one request");
            let heard = life == self.clients[client].life;
            match answer {
                // What is committed counts, whether or not the one who asked lived to hear it.
                Answer::CommitOffsets(rows) if rows[0].1.is_ok() => {
                    self.committed.insert(client, self.commits[&token]);
                }
                _ if !heard => {}
                Answer::Join(Ok(joined)) => self.joined(client, joined),
                Answer::Join(Err(refused)) => self.clients[client].member_id = refused.member_id,
                Answer::Sync(Ok(synced)) => self.given(client, &synced.assignment),
                _ => {}
            }
        }
        for (client, _, asked) in self.open.values() {
            let waited = self.run.now - *asked;
            assert!(waited <= LONGEST_WAIT, "client {client} waits for {waited:?}");
        }
    }

    fn joined(&mut self, client: usize, joined: Joined) {
        assert!(joined.generation >= self.generation, "a generation came back");
        self.generation = joined.generation;
        let members = joined.members.into_iter().map(|member| member.member_id).collect();
        let members = if joined.skip_assignment { Vec::new() } else { members };
        let client = &mut self.clients[client];
        client.member_id = joined.member_id;
        client.generation = joined.generation;
        client.members = members;
    }

    fn given(&mut self, client: usize, assignment: &Bytes) {
        let generation = self.clients[client].generation;
        assert!(generation >= self.given_generation, "an assignment of an older generation");
        self.given_generation = generation;
        let seat = Self::instance(client).unwrap_or(self.clients[client].member_id.clone());
        for partition in assignment {
            let owner = self.owners.entry((generation, *partition)).or_insert(seat.clone());
            assert_eq!(*owner, seat, "partition {partition} in generation {generation}");
        }
    }

    /// Once nobody does anything, all are answered and all sessions end.
    fn come_to_rest(&mut self) {
        self.step(&Step::Wait { ms: 9_000 });
        self.step(&Step::Wait { ms: 120_000 });
        assert!(self.open.is_empty(), "unanswered: {:?}", self.open);
        let group = self.run.coordinator.describe(GROUP).expect("active");
        assert!(matches!(group.state, GroupState::Empty | GroupState::Dead), "{group:?}");
        self.run.restart();
        for (client, offset) in self.committed.clone() {
            let partitions = Some(vec![at(&format!("t-{client}"))]);
            self.run.request(0, Request::FetchOffsets { group_id: GROUP.into(), partitions });
            match &self.run.take_answers()[..] {
                [(_, Answer::FetchOffsets(Ok(rows)))] => assert_eq!(rows[0].offset, Offset(offset)),
                other => panic!("{other:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn generations_rise_partitions_have_one_owner_and_all_are_answered(
        delay_ms in prop_oneof![Just(0u64), Just(3_000)],
        steps in proptest::collection::vec(any_step(), 1..120),
    ) {
        let initial_rebalance_delay = Duration::from_millis(delay_ms);
        let mut world = World::new(GroupConfig { initial_rebalance_delay, ..prompt() });
        for step in &steps {
            world.step(step);
        }
        world.come_to_rest();
    }
}
