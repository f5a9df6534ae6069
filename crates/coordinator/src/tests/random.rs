//! Many clients at random: they join, leave, die, return, commit, and commit when they should not, while time
//! jumps, appends fail and the coordinator restarts. A seed always gives the same run.
//!
//! Invariants: a partition has one owner in a generation; generations do not go back; a committed offset is
//! the last one whose commit succeeded; offsets expire only if the group has no members; every request is
//! answered once, and none before its records are stored; memory agrees with the log (the [`Shell`] checks
//! the last four). And when all clients behave again, every group becomes stable.

use std::collections::BTreeMap;

use fastrand::Rng;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::{ErrorCode, Str, Uuid};

use super::script::{START, record_text};
use super::shell::{Event, Shell};
use crate::classic::State;
use crate::*;

mod client;

use client::{Client, ClientRequest, Commit, Phase};

const GROUPS: usize = 3;
const CLIENTS: usize = 9;
/// The partitions of topic `t`, which each group assigns.
const PARTITIONS: i32 = 6;
const STEPS: usize = 1_200;

const APPEND_ERRORS: [ErrorCode; 4] = [
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::MESSAGE_TOO_LARGE,
];

/// The history of a group, as its clients know it.
#[derive(Default)]
struct GroupModel {
    /// Counts the events after which generations start over: deletions, and restarts, which may lose a
    /// generation in progress.
    incarnation: u64,
    generation_id: i32,
    /// The owner of each partition in each generation.
    owners: BTreeMap<(u64, i32, i32), String>,
    committed: BTreeMap<i32, i64>,
}

struct World {
    rng: Rng,
    shell: Shell,
    clients: Vec<Client>,
    groups: Vec<GroupModel>,
    asked: BTreeMap<Token, (usize, ClientRequest)>,
    /// Everything that happened, to tell two runs apart.
    trace: Vec<String>,
    /// The number of times that each event happened.
    seen: BTreeMap<String, usize>,
}

/// The reason why offsets may be deleted in a step.
#[derive(Clone, Copy, PartialEq)]
enum Deletes {
    Nothing,
    Expired,
    Asked,
}

#[test]
fn random_clients() {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..30 {
        let world = run(seed);
        for (what, times) in world.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    // Without these events, a run shows nothing about them.
    for what in [
        "join NONE",
        "join MEMBER_ID_REQUIRED",
        "join UNKNOWN_MEMBER_ID",
        "join FENCED_INSTANCE_ID",
        "join GROUP_MAX_SIZE_REACHED",
        "join REBALANCE_IN_PROGRESS",
        "join COORDINATOR_NOT_AVAILABLE",
        "join skip",
        "sync NONE",
        "sync REBALANCE_IN_PROGRESS",
        "sync ILLEGAL_GENERATION",
        "sync UNKNOWN_MEMBER_ID",
        "sync NOT_COORDINATOR",
        "heartbeat NONE",
        "heartbeat REBALANCE_IN_PROGRESS",
        "heartbeat FENCED_INSTANCE_ID",
        "heartbeat UNKNOWN_MEMBER_ID",
        "leave NONE",
        "leave COORDINATOR_NOT_AVAILABLE",
        "commit NONE",
        "commit ILLEGAL_GENERATION",
        "commit UNKNOWN_MEMBER_ID",
        "commit FENCED_INSTANCE_ID",
        "commit REBALANCE_IN_PROGRESS",
        "commit COORDINATOR_NOT_AVAILABLE",
        "simple commit NONE",
        "simple commit UNKNOWN_MEMBER_ID",
        "delete NONE",
        "delete NON_EMPTY_GROUP",
        "delete GROUP_ID_NOT_FOUND",
        "expired offset",
        "lost append",
        "restart",
    ] {
        assert!(seen.contains_key(what), "{what} was not seen: {seen:#?}");
    }
}

/// Runs as many seeds as there is time for: `SEEDS=1000..2000 cargo test -p coordinator many_random --
/// --ignored`.
#[test]
#[ignore = "takes as long as SEEDS says"]
#[allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a tool for whoever changes the coordinator"
)]
fn many_random_clients() {
    let seeds = std::env::var("SEEDS").expect("SEEDS is a range, as 0..1000");
    let (from, to) = seeds.split_once("..").expect("SEEDS is a range");
    for seed in from.parse().expect("a number")..to.parse().expect("a number") {
        // The last seed that is printed is the one that fails.
        eprintln!("seed {seed}");
        run(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(1).trace, run(1).trace);
    assert_ne!(run(1).trace, run(2).trace);
}

/// A shard that has decided all the way, and one that was rebuilt from its records, have the same stored
/// state, which the [`Shell`] checks at every step, and behave the same from there on.
#[test]
fn a_shard_that_decided_and_one_that_was_rebuilt_go_on_alike() {
    for seed in 0..20 {
        let go_on = |rebuild: bool| {
            // A record has only the chosen protocol, so that a loaded group knows no other.
            let mut world = World::new(seed);
            world.clients.iter_mut().for_each(|client| client.fickle = false);
            (0..STEPS).for_each(|_| world.step());
            world.settle();
            // A session restarts when the group is loaded.
            (0..2 * GROUPS).for_each(|client| world.prove_alive(client));
            if rebuild {
                world.shell.rebuild();
            }
            let before = world.trace.len();
            (0..STEPS).for_each(|_| world.step());
            world.trace.split_off(before)
        };
        let (decided, rebuilt) = (go_on(false), go_on(true));
        let differ = decided.iter().zip(&rebuilt).position(|(one, other)| one != other);
        assert_eq!(differ, None, "seed {seed}: {decided:#?} and {rebuilt:#?}");
        assert_eq!(decided.len(), rebuilt.len(), "seed {seed}");
        for what in ["commit NONE", "join NONE", "sync NONE", "restart"] {
            assert!(decided.iter().any(|it| it == what), "seed {seed}: no {what}");
        }
    }
}

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.settle();
    let unanswered = world.shell.resign();
    world.replied_all(unanswered);
    assert_eq!(world.shell.waiting(), 0, "seed {seed}: every request is answered");
    world
}

impl World {
    fn new(seed: u64) -> World {
        let settings = Settings {
            group_max_size: 3,
            offsets_retention_minutes: 5,
            offsets_retention_check_interval_ms: 60_000,
            deletion_batch_max_bytes: 40,
            ..Settings::default()
        };
        let mut rng = Rng::with_seed(seed);
        World {
            clients: (0..CLIENTS).map(|number| Client::new(number, &mut rng)).collect(),
            groups: (0..GROUPS).map(|_| GroupModel::default()).collect(),
            shell: Shell::new(settings, START),
            asked: BTreeMap::new(),
            trace: Vec::new(),
            seen: BTreeMap::new(),
            rng,
        }
    }

    fn step(&mut self) {
        let client = self.rng.usize(..CLIENTS);
        if self.rng.u32(..12) == 0 {
            self.shell.fail = Some(APPEND_ERRORS[self.rng.usize(..APPEND_ERRORS.len())]);
        }
        match self.rng.u32(..100) {
            0..60 => self.behave(client),
            60..78 => {
                let by_ms = self.rng.i64(0..3_000);
                self.wait(by_ms);
            }
            78 => {
                let by_ms = self.rng.i64(0..100_000);
                self.wait(by_ms);
            }
            79..82 => self.clients[client].die(&mut self.rng),
            82..84 => self.leave(client),
            84..90 => self.commit_as_zombie(client),
            90..93 => self.simple_commit(),
            93..96 => self.join_again(client),
            96 => self.delete(),
            97 if self.rng.bool() => self.restart(),
            98 if self.rng.u32(..4) == 0 => self.night(),
            _ => self.fetch_all(),
        }
        self.shell.fail = None;
    }

    /// Lets every client that is alive behave, until nothing changes any more.
    fn settle(&mut self) {
        for _ in 0..200 {
            for client in 0..CLIENTS {
                self.clients[client].alive = client < 2 * GROUPS;
                self.behave(client);
            }
            self.wait(1_500);
        }
        for group in 0..GROUPS {
            let id = group_id(group);
            let classic = self.shell.coordinator.classic_group(&id).expect("someone is in it");
            assert_eq!(classic.state(), State::Stable, "{id} comes to rest");
            let mut owned: Vec<i32> = Vec::new();
            for client in self.clients.iter().filter(|client| client.group == group && client.alive) {
                match &client.phase {
                    Phase::Stable { assignment } => owned.extend(assignment),
                    // The group has no space for this client.
                    Phase::Out => {}
                    other => panic!("{} is {other:?}", client.name),
                }
            }
            owned.sort_unstable();
            assert_eq!(owned, (0..PARTITIONS).collect::<Vec<_>>(), "each partition of {id} has one owner");
        }
        self.fetch_all();
    }

    fn behave(&mut self, client: usize) {
        if !self.clients[client].alive {
            return;
        }
        match self.clients[client].phase.clone() {
            Phase::Out => self.join(client),
            Phase::Joined { assigns } => self.sync(client, assigns),
            Phase::Joining | Phase::Syncing => {}
            Phase::Stable { assignment } if assignment.is_empty() || self.rng.bool() => {
                self.heartbeat(client);
            }
            Phase::Stable { assignment } => {
                let partition = assignment[self.rng.usize(..assignment.len())];
                let commit = self.clients[client].commit(partition, &mut self.rng);
                self.commit(client, commit);
            }
        }
    }

    fn ask(&mut self, client: usize, asked: ClientRequest) -> Token {
        let token = self.shell.token();
        self.asked.insert(token, (client, asked));
        token
    }

    fn join(&mut self, client: usize) {
        let (context, request) = self.clients[client].join(&mut self.rng);
        let token = self.ask(client, ClientRequest::Join);
        self.clients[client].wait_for(token, Phase::Joining);
        self.decide(token, GroupRequest::JoinGroup(context, request), Deletes::Nothing);
    }

    /// A client that is joining, or need not join, sends another JoinGroup.
    fn join_again(&mut self, client: usize) {
        if self.clients[client].alive && !self.clients[client].member_id.is_empty() {
            self.join(client);
        }
    }

    fn sync(&mut self, client: usize, assigns: Option<Vec<Str>>) {
        let (context, request) = self.clients[client].sync(assigns, PARTITIONS);
        let generation_id = request.generation_id;
        let token = self.ask(client, ClientRequest::Sync { generation_id });
        self.clients[client].wait_for(token, Phase::Syncing);
        self.decide(token, GroupRequest::SyncGroup(context, request), Deletes::Nothing);
    }

    fn heartbeat(&mut self, client: usize) {
        let request = self.clients[client].heartbeat();
        let error = self.shell.coordinator.heartbeat(&request, self.shell.now).error_code;
        self.saw(format!("heartbeat {}", error.name()));
        self.clients[client].told(error);
    }

    /// An idle member sends a heartbeat.
    fn prove_alive(&mut self, client: usize) {
        if matches!(self.clients[client].phase, Phase::Stable { .. }) {
            self.heartbeat(client);
        }
    }

    fn leave(&mut self, client: usize) {
        let (context, request) = self.clients[client].leave();
        let token = self.ask(client, ClientRequest::Leave);
        self.clients[client].forget();
        self.decide(token, GroupRequest::LeaveGroup(context, request), Deletes::Nothing);
    }

    fn commit(&mut self, client: usize, commit: Commit) {
        let (context, request) = self.clients[client].commit_request(&commit);
        let token = self.ask(client, ClientRequest::Commit(commit));
        self.decide(token, GroupRequest::OffsetCommit(context, request), Deletes::Nothing);
    }

    /// A client commits under an identity of some time ago, or under one that it never had.
    fn commit_as_zombie(&mut self, client: usize) {
        let partition = self.rng.i32(..PARTITIONS);
        let mut commit = self.clients[client].commit(partition, &mut self.rng);
        commit.generation_id += self.rng.i32(-2..=1);
        if self.rng.bool() {
            commit.member_id = self.clients[self.rng.usize(..CLIENTS)].member_id.clone();
        }
        self.commit(client, commit);
    }

    /// A client commits without being a member of a group.
    fn simple_commit(&mut self) {
        let client = self.rng.usize(..CLIENTS);
        let partition = self.rng.i32(..PARTITIONS);
        let commit = Commit {
            member_id: Str::default(),
            instance_id: None,
            generation_id: -1,
            ..self.clients[client].commit(partition, &mut self.rng)
        };
        self.commit(client, commit);
    }

    fn delete(&mut self) {
        let group = self.rng.usize(..GROUPS);
        let token = self.ask(0, ClientRequest::Delete { group });
        self.decide(token, GroupRequest::DeleteGroups(vec![group_id(group)]), Deletes::Asked);
    }

    fn restart(&mut self) {
        self.saw("restart".to_owned());
        self.shell.restart();
        self.asked.clear();
        for client in &mut self.clients {
            client.disconnected();
        }
        for group in &mut self.groups {
            group.incarnation += 1;
            group.generation_id = 0;
        }
        self.fetch_all();
    }

    /// All clients are away for longer than offsets are retained.
    fn night(&mut self) {
        for client in &mut self.clients {
            client.alive = false;
            client.forget();
        }
        self.wait(450_000);
        self.clients.iter_mut().for_each(|client| client.alive = true);
    }

    fn wait(&mut self, by_ms: i64) {
        for (steady, event) in self.shell.advance(by_ms) {
            self.trace.push(format!("@{}", steady.0));
            self.happened(event, Deletes::Expired);
        }
    }

    fn decide(&mut self, token: Token, request: GroupRequest, deletes: Deletes) {
        let output = self.shell.coordinator.decide(token, request, self.shell.now);
        for event in self.shell.drive(output) {
            self.happened(event, deletes);
        }
    }

    fn happened(&mut self, event: Event, deletes: Deletes) {
        match event {
            Event::Appended(records) => records.iter().for_each(|record| self.stored(record, deletes)),
            Event::NotAppended(_) => self.saw("lost append".to_owned()),
            Event::Replied(token, reply) => self.replied(token, &reply),
        }
    }

    /// Offsets are deleted only if a client asked for it, or if the group has no members.
    fn stored(&mut self, record: &CoordinatorRecord, deletes: Deletes) {
        let text = record_text(record);
        self.trace.push(text.clone());
        let Some(deleted) = text.strip_suffix(" deleted") else { return };
        assert!(deletes != Deletes::Nothing, "{text} in a step that deletes nothing");
        let (id, partition) = deleted.split_once(' ').unwrap_or((deleted, ""));
        let group = id[1..].parse::<usize>().expect("a number");
        if let Some(classic) = self.shell.coordinator.classic_group(id) {
            assert_eq!(classic.state(), State::Empty, "offsets of a group that is alive are deleted");
        }
        match partition.strip_prefix("t-") {
            Some(partition) => {
                let partition = partition.parse().expect("a number");
                self.groups[group].committed.remove(&partition).expect("only what is there is deleted");
                if deletes == Deletes::Expired {
                    self.saw("expired offset".to_owned());
                }
            }
            None => {
                self.groups[group].incarnation += 1;
                self.groups[group].generation_id = 0;
            }
        }
    }

    fn replied_all(&mut self, replies: Vec<(Token, Reply)>) {
        for (token, reply) in replies {
            self.replied(token, &reply);
        }
    }

    fn replied(&mut self, token: Token, reply: &Reply) {
        let (client, asked) = self.asked.remove(&token).expect("it was asked");
        match (asked, reply) {
            (ClientRequest::Join, Reply::JoinGroup(response)) => {
                self.saw(format!("join {}", response.error_code.name()));
                if response.skip_assignment {
                    self.saw("join skip".to_owned());
                }
                if response.error_code == ErrorCode::NONE {
                    let group = &mut self.groups[self.clients[client].group];
                    assert!(response.generation_id >= group.generation_id, "a generation goes back");
                    group.generation_id = response.generation_id;
                }
                self.clients[client].joined(token, response);
            }
            (ClientRequest::Sync { generation_id }, Reply::SyncGroup(response)) => {
                self.saw(format!("sync {}", response.error_code.name()));
                if response.error_code == ErrorCode::NONE {
                    self.owns(client, generation_id, &response.assignment);
                }
                self.clients[client].synced(token, response);
            }
            (ClientRequest::Leave, Reply::LeaveGroup(response)) => {
                self.saw(format!("leave {}", response.error_code.name()));
            }
            (ClientRequest::Commit(commit), Reply::OffsetCommit(response)) => {
                let error = response.topics[0].partitions[0].error_code;
                let simple = if commit.generation_id < 0 { "simple " } else { "" };
                self.saw(format!("{simple}commit {}", error.name()));
                if error == ErrorCode::NONE {
                    self.committed(client, &commit);
                }
            }
            (ClientRequest::Delete { group }, Reply::DeleteGroups(response)) => {
                self.saw(format!("delete {}", response.results[0].error_code.name()));
                let known = self.shell.coordinator.groups.contains_key(&group_id(group));
                let gone = [ErrorCode::NONE, ErrorCode::GROUP_ID_NOT_FOUND];
                assert_ne!(known, gone.contains(&response.results[0].error_code));
            }
            (asked, reply) => panic!("{asked:?} is answered by {reply:?}"),
        }
    }

    fn owns(&mut self, client: usize, generation_id: i32, assignment: &[u8]) {
        let owner = self.clients[client].identity();
        let group = &mut self.groups[self.clients[client].group];
        for &partition in assignment {
            let key = (group.incarnation, generation_id, i32::from(partition));
            let first = group.owners.entry(key).or_insert_with(|| owner.clone());
            assert_eq!(*first, owner, "partition {partition} of generation {generation_id} has two owners");
        }
    }

    /// A commit was accepted: it must come from a member of the generation, or the group must have no
    /// members.
    fn committed(&mut self, client: usize, commit: &Commit) {
        let group = self.clients[client].group;
        let classic = self.shell.coordinator.classic_group(&group_id(group)).expect("it has an offset");
        if commit.generation_id < 0 {
            assert_eq!(classic.state(), State::Empty, "someone is there who owns the partition");
        } else {
            assert_eq!(classic.generation_id, commit.generation_id, "a commit of another generation");
            assert!(classic.member(&commit.member_id).is_some(), "a commit of a stranger");
            assert_ne!(classic.state(), State::CompletingRebalance);
        }
        self.groups[group].committed.insert(commit.partition, commit.offset);
    }

    fn fetch_all(&mut self) {
        for group in 0..GROUPS {
            let topic = OffsetFetchRequestTopics {
                name: Str::from("t"),
                partition_indexes: (0..PARTITIONS).collect(),
                ..Default::default()
            };
            let request = OffsetFetchRequestGroup {
                group_id: group_id(group),
                topics: Some(vec![topic]),
                ..Default::default()
            };
            let response =
                self.shell.coordinator.offset_fetch(&request, true, self.shell.now, |_| Uuid::ZERO).unwrap();
            for partition in &response.topics[0].partitions {
                let expected = self.groups[group].committed.get(&partition.partition_index);
                assert_eq!(partition.committed_offset, expected.copied().unwrap_or(-1));
            }
        }
    }

    fn saw(&mut self, what: String) {
        self.trace.push(what.clone());
        *self.seen.entry(what).or_default() += 1;
    }
}

fn group_id(group: usize) -> Str {
    Str::from(format!("g{group}"))
}
