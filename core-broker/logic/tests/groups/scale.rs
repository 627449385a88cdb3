//! A large group: 200 members over 1,000 partitions.

use std::collections::BTreeMap;

use broker_logic::groups::{Answer, JoinRequest, Joined, Request, SyncRequest};
use bytes::Bytes;
use uuid::Uuid;

use crate::script::{GROUP, Run, prompt};

const MEMBERS: usize = 200;
const PARTITIONS: usize = 1_000;

struct Members {
    run: Run,
    next_token: u64,
    ids: Vec<String>,
}

#[test]
fn a_large_group_rebalances_when_one_more_joins_and_every_partition_has_one_owner() {
    let mut members = Members { run: Run::new(prompt()), next_token: 0, ids: Vec::new() };
    members.begin();
    for _ in 1..MEMBERS {
        members.add();
    }
    let generation = members.rebalance();
    assert_eq!(members.given(generation).len(), PARTITIONS);
    members.add();
    let next = members.rebalance();
    assert_eq!(next, generation + 1);
    assert_eq!(members.given(next).len(), PARTITIONS);
}

impl Members {
    fn ask(&mut self, request: Request) -> u64 {
        self.next_token += 1;
        self.run.request(self.next_token, request);
        self.next_token
    }

    fn join(&mut self, member_id: String) -> u64 {
        let fresh_id = Uuid::from_u128(self.next_token.into());
        self.ask(Request::Join(JoinRequest {
            group_id: GROUP.into(),
            member_id,
            group_instance_id: None,
            client_id: "c".into(),
            client_host: "/h".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            protocol_type: "consumer".into(),
            protocols: vec![("range".into(), Bytes::new()), ("sticky".into(), Bytes::new())],
            needs_member_id_first: true,
            may_skip_assignment: true,
            fresh_id,
        }))
    }

    /// The first member: its generation begins at once.
    fn begin(&mut self) {
        self.add();
        let answers = self.run.take_answers();
        assert!(matches!(answers[..], [(_, Answer::Join(Ok(_)))]), "{answers:?}");
    }

    fn add(&mut self) {
        self.join(String::new());
        let answers = self.run.take_answers();
        let [(_, Answer::Join(Err(refused)))] = &answers[..] else { panic!("{answers:?}") };
        self.ids.push(refused.member_id.clone());
        self.join(refused.member_id.clone());
    }

    /// All who have not joined the rebalance that is under way join it. The leader alone is told who they are.
    fn rebalance(&mut self) -> i32 {
        for id in self.ids.clone() {
            self.join(id);
        }
        let joined: BTreeMap<String, Joined> = (self.run.take_answers().into_iter())
            .filter_map(|(_, answer)| match answer {
                Answer::Join(Ok(joined)) => Some((joined.member_id.clone(), joined)),
                _ => None,
            })
            .collect();
        assert_eq!(joined.len(), self.ids.len(), "everybody hears of the generation");
        let (leaders, followers): (Vec<_>, Vec<_>) =
            joined.values().partition(|joined| joined.leader == joined.member_id);
        assert_eq!(leaders.len(), 1);
        assert_eq!(leaders[0].members.len(), self.ids.len());
        assert!(followers.iter().all(|follower| follower.members.is_empty()));
        assert!(followers.iter().all(|follower| follower.generation == leaders[0].generation));
        leaders[0].generation
    }

    /// Everybody syncs, the leader last: whose is which partition?
    fn given(&mut self, generation: i32) -> BTreeMap<u16, u64> {
        let share = |index: usize| PARTITIONS * index / self.ids.len();
        let assignments: Vec<(String, Bytes)> = (self.ids.iter().enumerate())
            .map(|(index, id)| {
                let bytes = (share(index)..share(index + 1)).flat_map(|at| (at as u16).to_be_bytes());
                (id.clone(), bytes.collect())
            })
            .collect();
        for id in self.ids.clone().into_iter().rev() {
            self.ask(Request::Sync(SyncRequest {
                group_id: GROUP.into(),
                generation,
                member_id: id,
                group_instance_id: None,
                protocol_type: None,
                protocol_name: None,
                assignments: assignments.clone(),
            }));
        }
        let mut owners = BTreeMap::new();
        for (token, answer) in self.run.take_answers() {
            let Answer::Sync(Ok(synced)) = answer else { panic!("{answer:?}") };
            for partition in synced.assignment.chunks(2) {
                let partition = u16::from_be_bytes([partition[0], partition[1]]);
                assert_eq!(owners.insert(partition, token), None, "partition {partition} has two owners");
            }
        }
        owners
    }
}
