//! The classic group protocol by hand: requests that well-behaved clients never send.

use std::time::{Duration, Instant};

use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest, SyncGroupResponse,
};
use protocol::{Bytes, ErrorCode, Str};

use super::harness::Node;
use super::harness::raw::Raw;
use super::harness::unique;

/// A subscription to one topic, "t", as consumers write it (version 0).
const SUBSCRIPTION: &[u8] = b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff";

const JOIN: i16 = 6;
const SYNC: i16 = 5;

fn text(value: &str) -> Str {
    Str::from(value)
}

fn join(group: &str, member_id: &str) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol { name: text("range"), metadata: Bytes::from_static(SUBSCRIPTION) };
    JoinGroupRequest {
        group_id: text(group),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: text(member_id),
        protocol_type: text("consumer"),
        protocols: vec![protocol],
        ..Default::default()
    }
}

/// A member on its own connection, in the part of the protocol that the test has reached.
struct Hand {
    raw: Raw,
    group: String,
    member_id: String,
    generation: i32,
    rebalance_timeout_ms: i32,
}

impl Hand {
    fn new(broker: &Node, group: &str) -> Hand {
        let mut raw = broker.open();
        raw.await_coordinator(group);
        Hand {
            raw,
            group: group.to_owned(),
            member_id: String::new(),
            generation: -1,
            rebalance_timeout_ms: 10_000,
        }
    }

    /// Joins the group: the first answer is a member id, with which the request is sent again.
    fn send_join(&mut self) {
        if self.member_id.is_empty() {
            let answer = self.raw.ask(&join(&self.group, ""), JOIN);
            assert_eq!(answer.error_code, ErrorCode::MEMBER_ID_REQUIRED);
            self.member_id = answer.member_id.to_string();
        }
        let mut request = join(&self.group, &self.member_id);
        request.rebalance_timeout_ms = self.rebalance_timeout_ms;
        self.raw.send(&request, JOIN);
    }

    fn joined(&mut self) -> JoinGroupResponse {
        let answer = self.raw.receive::<JoinGroupRequest>(JOIN).1;
        assert_eq!(answer.error_code, ErrorCode::NONE);
        assert_eq!(answer.member_id.as_str(), self.member_id);
        self.generation = answer.generation_id;
        answer
    }

    fn send_sync(&mut self, assignments: &[(&str, &'static [u8])]) {
        let assignments = assignments
            .iter()
            .map(|(id, bytes)| SyncGroupRequestAssignment {
                member_id: text(id),
                assignment: Bytes::from_static(bytes),
            })
            .collect();
        let request = SyncGroupRequest {
            group_id: text(&self.group),
            generation_id: self.generation,
            member_id: text(&self.member_id),
            protocol_type: Some(text("consumer")),
            protocol_name: Some(text("range")),
            assignments,
            ..Default::default()
        };
        self.raw.send(&request, SYNC);
    }

    fn synced(&mut self) -> SyncGroupResponse {
        self.raw.receive::<SyncGroupRequest>(SYNC).1
    }

    /// A group with one member, stable.
    fn settle(&mut self) {
        self.send_join();
        let answer = self.joined();
        assert_eq!(answer.leader, answer.member_id);
        let id = self.member_id.clone();
        self.send_sync(&[(&id, b"all")]);
        let synced = self.synced();
        assert_eq!((synced.error_code, &synced.assignment[..]), (ErrorCode::NONE, &b"all"[..]));
    }

    fn heartbeat(&mut self) -> ErrorCode {
        let request = HeartbeatRequest {
            group_id: text(&self.group),
            generation_id: self.generation,
            member_id: text(&self.member_id),
            ..Default::default()
        };
        self.raw.ask(&request, 4).error_code
    }

    fn commit(&mut self, topic: &str, offset: i64) -> ErrorCode {
        let request = commit(&self.group, topic, offset, self.generation, &self.member_id);
        self.raw.ask(&request, 8).topics[0].partitions[0].error_code
    }

    fn leave(&mut self) -> ErrorCode {
        let member = MemberIdentity { member_id: text(&self.member_id), ..Default::default() };
        let request =
            LeaveGroupRequest { group_id: text(&self.group), members: vec![member], ..Default::default() };
        let answer = self.raw.ask(&request, 5);
        assert_eq!(answer.error_code, ErrorCode::NONE);
        answer.members[0].error_code
    }
}

fn commit(group: &str, topic: &str, offset: i64, generation: i32, member_id: &str) -> OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        partition_index: 0,
        committed_offset: offset,
        committed_leader_epoch: -1,
        committed_metadata: Some(text("note")),
    };
    let topic =
        OffsetCommitRequestTopic { name: text(topic), partitions: vec![partition], ..Default::default() };
    OffsetCommitRequest {
        group_id: text(group),
        generation_id_or_member_epoch: generation,
        member_id: text(member_id),
        topics: vec![topic],
        ..Default::default()
    }
}

#[test]
fn one_member_joins_beats_commits_and_leaves() {
    let broker = Node::start();
    let topic = broker.create_topic("hand", 1, &[]);
    let mut member = Hand::new(&broker, &unique("hand"));
    member.settle();
    assert_eq!(member.generation, 1);
    assert_eq!(member.heartbeat(), ErrorCode::NONE);
    assert_eq!(member.commit(&topic, 5), ErrorCode::NONE);
    assert_eq!(member.leave(), ErrorCode::NONE);
    assert_eq!(member.heartbeat(), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(member.leave(), ErrorCode::UNKNOWN_MEMBER_ID);
}

/// Before version 4 of JoinGroup a new member joins at once, and its response has its id (KIP-394).
#[test]
fn an_old_client_joins_without_an_id() {
    let broker = Node::start();
    let mut raw = broker.open();
    for version in 0..=3 {
        let group = unique("old");
        raw.await_coordinator(&group);
        let mut request = join(&group, "");
        if version == 0 {
            request.rebalance_timeout_ms = -1;
        }
        let answer = raw.ask(&request, version);
        assert_eq!(answer.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!(answer.leader, answer.member_id);
        assert_eq!(answer.members.len(), 1);
        assert_eq!(&answer.members[0].metadata[..], SUBSCRIPTION);
    }
}

#[test]
fn what_is_stale_is_told_so() {
    let broker = Node::start();
    let topic = broker.create_topic("stale", 1, &[]);
    let group = unique("stale");
    let mut member = Hand::new(&broker, &group);
    member.settle();
    member.generation += 1;
    assert_eq!(member.heartbeat(), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(member.commit(&topic, 1), ErrorCode::ILLEGAL_GENERATION);
    member.send_sync(&[]);
    assert_eq!(member.synced().error_code, ErrorCode::ILLEGAL_GENERATION);
    member.generation -= 1;
    let id = std::mem::replace(&mut member.member_id, "nobody".to_owned());
    assert_eq!(member.heartbeat(), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(member.commit(&topic, 1), ErrorCode::UNKNOWN_MEMBER_ID);
    member.member_id = id;
    // A client outside the group commits while the group has members.
    let outside = commit(&group, &topic, 9, -1, "");
    let code = member.raw.ask(&outside, 8).topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(member.commit(&topic, 2), ErrorCode::NONE);
    assert_eq!(member.leave(), ErrorCode::NONE);
    let code = member.raw.ask(&outside, 8).topics[0].partitions[0].error_code;
    assert_eq!(code, ErrorCode::NONE, "an empty group's offsets are anyone's to set");
}

#[test]
fn a_second_member_makes_a_new_generation() {
    let broker = Node::start();
    let group = unique("second");
    let mut first = Hand::new(&broker, &group);
    let mut second = Hand::new(&broker, &group);
    first.settle();
    second.send_join();
    let begun = Instant::now();
    while first.heartbeat() == ErrorCode::NONE {
        assert!(begun.elapsed() < Duration::from_secs(5), "the first is never told");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(first.heartbeat(), ErrorCode::REBALANCE_IN_PROGRESS);
    first.send_join();
    let (one, two) = (first.joined(), second.joined());
    assert_eq!((one.generation_id, two.generation_id), (2, 2));
    assert_eq!(one.leader, two.leader);
    assert_eq!(one.leader.as_str(), first.member_id, "the leader stays");
    assert_eq!((one.members.len(), two.members.len()), (2, 0), "only the leader is told who is there");
    // The follower waits for the leader's assignment.
    second.send_sync(&[]);
    std::thread::sleep(Duration::from_millis(100));
    let ids = (first.member_id.clone(), second.member_id.clone());
    first.send_sync(&[(&ids.0, b"one"), (&ids.1, b"two")]);
    assert_eq!(&first.synced().assignment[..], b"one");
    assert_eq!(&second.synced().assignment[..], b"two");
    // A repeated request gets the same answer.
    second.send_sync(&[]);
    assert_eq!(&second.synced().assignment[..], b"two");
    assert_eq!(second.leave(), ErrorCode::NONE);
    assert_eq!(first.heartbeat(), ErrorCode::REBALANCE_IN_PROGRESS);
}

/// A member that does not rejoin in time is removed.
#[test]
fn a_rebalance_ends_without_those_who_do_not_come() {
    let broker = Node::start();
    let group = unique("absent");
    let mut first = Hand::new(&broker, &group);
    first.rebalance_timeout_ms = 1_000;
    first.settle();
    let mut second = Hand::new(&broker, &group);
    // The longest timeout of all members applies.
    second.rebalance_timeout_ms = 1_000;
    second.send_join();
    let begun = Instant::now();
    let answer = second.joined();
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(700) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(answer.leader.as_str(), second.member_id);
    assert_eq!(answer.members.len(), 1);
    assert_eq!(first.heartbeat(), ErrorCode::UNKNOWN_MEMBER_ID);
}

/// The coordinator does not interpret subscriptions: invalid bytes delay nobody.
#[test]
fn a_subscription_that_is_none() {
    // Kafka parses them when the rebalance ends, fails, and never answers any of the members.
    let Some(broker) = Node::own(&[]) else { return };
    let mut raw = broker.open();
    for noise in [&b"topics"[..], b"", b"\0\0\x7f\xff\xff\xff"] {
        let group = unique("noise");
        raw.await_coordinator(&group);
        let mut request = join(&group, "");
        request.protocols[0].metadata = Bytes::from_static(noise);
        let answer = raw.ask(&request, 3);
        assert_eq!((answer.error_code, answer.generation_id), (ErrorCode::NONE, 1));
        assert_eq!(&answer.members[0].metadata[..], noise);
    }
}

#[test]
fn requests_that_make_no_sense() {
    let broker = Node::start();
    let group = unique("nonsense");
    let mut member = Hand::new(&broker, &group);
    member.settle();
    let mut raw = broker.open();
    let mut code = |change: &dyn Fn(&mut JoinGroupRequest)| {
        let mut request = join(&group, "");
        change(&mut request);
        raw.ask(&request, JOIN).error_code
    };
    assert_eq!(code(&|r| r.session_timeout_ms = 1), ErrorCode::INVALID_SESSION_TIMEOUT);
    assert_eq!(code(&|r| r.session_timeout_ms = i32::MAX), ErrorCode::INVALID_SESSION_TIMEOUT);
    assert_eq!(code(&|r| r.group_id = Str::new()), ErrorCode::INVALID_GROUP_ID);
    assert_eq!(code(&|r| r.protocols.clear()), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(code(&|r| r.protocol_type = Str::new()), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(code(&|r| r.protocol_type = text("connect")), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(code(&|r| r.protocols[0].name = text("else")), ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(code(&|r| r.member_id = text("made-up")), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(member.heartbeat(), ErrorCode::NONE, "the group is as it was");
}

/// KIP-345: an instance id identifies a process across restarts, and belongs to one process at a time.
#[test]
fn a_static_member_by_hand() {
    let broker = Node::start();
    let group = unique("static-hand");
    let mut raw = broker.open();
    raw.await_coordinator(&group);
    let mut request = join(&group, "");
    request.group_instance_id = Some(text("instance"));
    let first = raw.ask(&request, JOIN);
    assert_eq!((first.error_code, first.generation_id), (ErrorCode::NONE, 1), "no id is asked of it");
    let sync = |member_id: &Str, generation| SyncGroupRequest {
        group_id: text(&group),
        generation_id: generation,
        member_id: member_id.clone(),
        group_instance_id: Some(text("instance")),
        protocol_type: Some(text("consumer")),
        protocol_name: Some(text("range")),
        assignments: vec![SyncGroupRequestAssignment {
            member_id: member_id.clone(),
            assignment: Bytes::from_static(b"mine"),
        }],
    };
    assert_eq!(raw.ask(&sync(&first.member_id, 1), SYNC).error_code, ErrorCode::NONE);
    let again = raw.ask(&request, JOIN);
    assert_eq!((again.error_code, again.generation_id), (ErrorCode::NONE, 1), "no rebalance");
    assert_ne!(again.member_id, first.member_id);
    assert_eq!(&raw.ask(&sync(&again.member_id, 1), SYNC).assignment[..], b"mine");
    let beat = |member_id: &Str| HeartbeatRequest {
        group_id: text(&group),
        generation_id: 1,
        member_id: member_id.clone(),
        group_instance_id: Some(text("instance")),
    };
    assert_eq!(raw.ask(&beat(&first.member_id), 4).error_code, ErrorCode::FENCED_INSTANCE_ID);
    assert_eq!(raw.ask(&beat(&again.member_id), 4).error_code, ErrorCode::NONE);
    // An administrator removes the member by its instance id.
    let by_instance = MemberIdentity { group_instance_id: Some(text("instance")), ..Default::default() };
    let leave =
        LeaveGroupRequest { group_id: text(&group), members: vec![by_instance], ..Default::default() };
    assert_eq!(raw.ask(&leave, 5).members[0].error_code, ErrorCode::NONE);
    assert_eq!(raw.ask(&beat(&again.member_id), 4).error_code, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn groups_are_listed_by_state_and_described_in_every_version() {
    let broker = Node::start();
    let group = unique("described");
    let mut member = Hand::new(&broker, &group);
    member.settle();
    let mut raw = broker.open();
    let mut listed = |states: &[&str], version| {
        let states_filter = states.iter().map(|state| text(state)).collect();
        let request = ListGroupsRequest { states_filter, ..Default::default() };
        let answer = raw.ask(&request, version);
        answer.groups.into_iter().find(|found| found.group_id.as_str() == group)
    };
    for version in 0..=5 {
        let found = listed(&[], version).expect("listed");
        assert_eq!(found.protocol_type.as_str(), "consumer");
        assert!(version < 4 || found.group_state.as_str() == "Stable", "version {version}");
        assert!(version < 5 || found.group_type.as_str() == "classic", "version {version}");
    }
    assert!(listed(&["Stable"], 4).is_some());
    assert!(listed(&["Empty"], 4).is_none());
    for version in 0..=6 {
        let request = DescribeGroupsRequest { groups: vec![text(&group)], ..Default::default() };
        let found = raw.ask(&request, version).groups.remove(0);
        assert_eq!(found.error_code, ErrorCode::NONE, "version {version}");
        assert_eq!((found.group_state.as_str(), found.protocol_data.as_str()), ("Stable", "range"));
        assert_eq!(found.members.len(), 1);
        assert_eq!(&found.members[0].member_assignment[..], b"all");
        assert_eq!(&found.members[0].member_metadata[..], SUBSCRIPTION);
    }
    let request = DescribeGroupsRequest { groups: vec![text(&unique("none"))], ..Default::default() };
    let found = raw.ask(&request, 6).groups.remove(0);
    assert_eq!(found.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let found = raw.ask(&request, 5).groups.remove(0);
    assert_eq!((found.error_code, found.group_state.as_str()), (ErrorCode::NONE, "Dead"));
}

#[test]
fn offsets_are_fetched_in_every_version() {
    let broker = Node::start();
    let topic = broker.create_topic("fetched", 2, &[]);
    let group = unique("fetched");
    let mut raw = broker.open();
    raw.await_coordinator(&group);
    for version in 2..=9 {
        let request = commit(&group, &topic, i64::from(version), -1, "");
        let code = raw.ask(&request, version).topics[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::NONE, "version {version}");
    }
    for version in 1..=7 {
        let wanted = OffsetFetchRequestTopic { name: text(&topic), partition_indexes: vec![0, 1] };
        let request =
            OffsetFetchRequest { group_id: text(&group), topics: Some(vec![wanted]), ..Default::default() };
        let answer = raw.ask(&request, version);
        let found = &answer.topics[0].partitions;
        assert_eq!(found[0].committed_offset, 9, "version {version}");
        assert_eq!(found[0].metadata.as_deref(), Some("note"));
        assert_eq!((found[1].committed_offset, found[1].error_code), (-1, ErrorCode::NONE));
    }
    for version in 8..=9 {
        let wanted =
            OffsetFetchRequestTopics { name: text(&topic), partition_indexes: vec![0], ..Default::default() };
        let groups =
            [(group.as_str(), Some(vec![wanted])), (&unique("none"), None)].map(|(group, topics)| {
                OffsetFetchRequestGroup {
                    group_id: text(group),
                    member_epoch: -1,
                    topics,
                    ..Default::default()
                }
            });
        let request = OffsetFetchRequest { groups: groups.to_vec(), ..Default::default() };
        let answer = raw.ask(&request, version);
        let of_group =
            answer.groups.iter().find(|found| found.group_id.as_str() == group).expect("asked for");
        assert_eq!(of_group.topics[0].partitions[0].committed_offset, 9, "version {version}");
        let other = answer.groups.iter().find(|found| found.group_id.as_str() != group).expect("asked for");
        assert!(other.topics.is_empty() && other.error_code.is_none(), "version {version}");
    }
}

#[test]
fn commits_that_are_refused() {
    let broker = Node::start();
    let topic = broker.create_topic("refused", 1, &[]);
    let group = unique("refused");
    let mut raw = broker.open();
    raw.await_coordinator(&group);
    let code =
        |raw: &mut Raw, request: &OffsetCommitRequest| raw.ask(request, 8).topics[0].partitions[0].error_code;
    let absent = commit(&group, &unique("absent"), 1, -1, "");
    assert_eq!(code(&mut raw, &absent), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut partition = commit(&group, &topic, 1, -1, "");
    partition.topics[0].partitions[0].partition_index = 7;
    assert_eq!(code(&mut raw, &partition), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut long = commit(&group, &topic, 1, -1, "");
    long.topics[0].partitions[0].committed_metadata = Some(text(&"n".repeat(5_000)));
    assert_eq!(code(&mut raw, &long), ErrorCode::OFFSET_METADATA_TOO_LARGE);
    let nobody = commit(&group, &topic, 1, 3, "someone");
    let refused = code(&mut raw, &nobody);
    assert!(
        matches!(refused, ErrorCode::ILLEGAL_GENERATION | ErrorCode::UNKNOWN_MEMBER_ID),
        "{}",
        refused.name()
    );
}

#[test]
fn the_coordinator_is_found_in_every_version() {
    let broker = Node::start();
    let mut raw = broker.open();
    raw.await_coordinator("some-group");
    let (host, port) = broker.bootstrap().split_once(':').expect("host and port");
    let port: i32 = port.parse().expect("a port");
    for version in 0..=6 {
        let mut request = FindCoordinatorRequest::default();
        if version < 4 {
            request.key = text("some-group");
            let found = raw.ask(&request, version);
            let place = (found.error_code, found.host.as_str(), found.port);
            assert_eq!(place, (ErrorCode::NONE, host, port), "version {version}");
        } else {
            request.coordinator_keys = vec![text("one"), text("two")];
            let found = raw.ask(&request, version).coordinators;
            assert_eq!(found.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["one", "two"]);
            for one in found {
                assert_eq!((one.error_code, one.host.as_str(), one.port), (ErrorCode::NONE, host, port));
            }
        }
    }
}

/// Of a repeated question the first thousands are answered, and the rest rejected. Returns the number of
/// answers.
fn assert_answered_at_first(errors: &[ErrorCode]) -> usize {
    let answered = errors.iter().take_while(|error| error.is_none()).count();
    assert!((1_000..60_000).contains(&answered), "{answered} of 60,000");
    assert!(errors[answered..].iter().all(|error| *error == ErrorCode::INVALID_REQUEST));
    answered
}

/// A group that a request names thousands of times is described again, but only up to a limit: otherwise a
/// small request would have an answer as large as the group times the number of its names.
#[test]
fn a_group_that_is_named_thousands_of_times() {
    let broker = Node::start();
    let topic = broker.create_topic("repeated", 1, &[]);
    let (group, other) = (unique("repeated"), unique("other"));
    let mut member = Hand::new(&broker, &group);
    member.settle();
    assert_eq!(member.commit(&topic, 5), ErrorCode::NONE);
    let raw = &mut member.raw;
    let mut names = vec![text(&group); 60_000];
    names.push(text(&other));
    let described = raw.ask(&DescribeGroupsRequest { groups: names.clone(), ..Default::default() }, 5).groups;
    let errors: Vec<ErrorCode> = described.iter().map(|found| found.error_code).collect();
    assert_answered_at_first(&errors[..60_000]);
    assert_eq!(
        (described[60_000].error_code, described[60_000].group_state.as_str()),
        (ErrorCode::NONE, "Dead")
    );
    let all = |group_id| OffsetFetchRequestGroup { group_id, topics: None, ..Default::default() };
    let groups = names.into_iter().map(all);
    let request = OffsetFetchRequest { groups: groups.collect(), ..Default::default() };
    let fetched = raw.ask(&request, 8).groups;
    let errors: Vec<ErrorCode> = fetched.iter().map(|found| found.error_code).collect();
    let answered = assert_answered_at_first(&errors[..60_000]);
    assert_eq!(fetched[answered - 1].topics[0].partitions[0].committed_offset, 5);
    assert_eq!(fetched[60_000].error_code, ErrorCode::NONE);
}

/// The tombstones of a group's offsets, which do not fit into one batch here.
#[test]
fn a_large_group_is_deleted_where_batches_are_small() {
    let Some(broker) = Node::own(&[("message.max.bytes", "3000")]) else { return };
    let topic = broker.create_topic("many", 60, &[]);
    let group = format!("{}-{}", unique("large"), "g".repeat(100));
    let mut raw = broker.open();
    raw.await_coordinator(&group);
    for partition in 0..60 {
        let mut request = commit(&group, &topic, 7, -1, "");
        request.topics[0].partitions[0].partition_index = partition;
        assert_eq!(raw.ask(&request, 8).topics[0].partitions[0].error_code, ErrorCode::NONE);
    }
    let mut committed = || {
        let request = OffsetFetchRequest { group_id: text(&group), topics: None, ..Default::default() };
        let topics = raw.ask(&request, 5).topics;
        topics.iter().flat_map(|topic| &topic.partitions).filter(|it| it.committed_offset == 7).count()
    };
    assert_eq!(committed(), 60);
    let request = DeleteGroupsRequest { groups_names: vec![text(&group)] };
    assert_eq!(broker.open().ask(&request, 2).results[0].error_code, ErrorCode::NONE);
    assert_eq!(committed(), 0);
}
