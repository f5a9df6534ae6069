//! Scripts: the actions of clients, and the events that follow.
//!
//! A line is a step: a client and its action, or one of `wait`, `clock`, `fail`, `restart`, `resign` and
//! `gone`. The lines below it that begin with `>` are all events that follow from it: replies, stored records
//! (`log:`) and records that were not stored (`lost:`). A client remembers its member id and its generation,
//! like a real one. The first member id of client `a` is `a1` (that of a static member `i1`). Times (`@3000`)
//! are milliseconds since the start.
//!
//! | step | what it does |
//! |---|---|
//! | `a join` | JoinGroup; `v=`, `id=`, `instance=`, `session=`, `rebalance=`, `type=`, `protocols=name:metadata,..`, `topics=` |
//! | `a sync a1=X b1=Y` | SyncGroup, for the leader with assignments; `v=`, `id=`, `gen=`, `instance=`, `type=`, `protocol=` |
//! | `a heartbeat` | Heartbeat; `id=`, `gen=`, `instance=` |
//! | `a leave` | LeaveGroup; `v=`; other members as `b1` or `b1[instance]` |
//! | `a commit t-0=5:metadata` | OffsetCommit; `v=`, `id=`, `gen=`, `instance=`, `retention=`; `t@2` is a later topic of the same name |
//! | `a fetch t-0`, `a fetch *` | OffsetFetch; `id=`, `gen=`, `stable`; `*@2`: all, where topics have the id 2 by now |
//! | `a forget t-0` | OffsetDelete |
//! | `a delete g h` | DeleteGroups |
//! | `a list`, `a describe g` | ListGroups (`states=`, `types=`), DescribeGroups (`v=`) |
//! | `gone t` | the topic is deleted |
//! | `wait 3000` | time passes |
//! | `clock 3000`, `clock -3000` | the wall clock is set, forwards or back |
//! | `fail NOT_ENOUGH_REPLICAS` | the next append fails, unless `fail none` comes before it |
//! | `restart`, `resign` | the coordinator starts from the log, or gives up |

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::*;
use protocol::records::ConsumerProtocolSubscription;
use protocol::{ErrorCode, Message, Str, Uuid, Writer};

use super::shell::{Event, Shell};
use crate::*;

mod text;

pub(super) use text::{record_text, reply_text, short};

/// The start of a script, on the wall clock.
pub(super) const START_MS: i64 = 1_700_000_000_000;

/// The start of a script. The steady clock started at another time, so that the two cannot be mistaken for
/// each other.
pub(super) const START: Now = Now { steady: SteadyMs(5_000), wall: WallMs(START_MS) };

/// Runs a script with the default settings.
#[track_caller]
pub(super) fn check(script: &str) {
    check_with(Settings::default(), script);
}

#[track_caller]
pub(super) fn check_with(settings: Settings, script: &str) {
    let mut play = Play::new(settings);
    play.run(script);
    play.finish();
}

/// Runs a script on the given content of a log, and returns the play at its end.
#[track_caller]
pub(super) fn check_on(log: Vec<CoordinatorRecord>, script: &str) -> Play {
    let mut play = Play::new(Settings::default());
    play.shell.log = log;
    play.shell.restart();
    play.run(script);
    play
}

/// The records that a script stores.
pub(super) fn records_of(script: &str) -> Vec<CoordinatorRecord> {
    let mut play = Play::new(Settings::default());
    for step in script.lines() {
        play.step(step);
    }
    play.shell.log
}

/// The state of a client.
#[derive(Default)]
pub(super) struct Client {
    pub(super) member_id: String,
    pub(super) generation_id: i32,
    protocol_type: Option<Str>,
    protocol_name: Option<Str>,
    /// The last answer to a JoinGroup.
    pub(super) joined: JoinGroupResponse,
}

pub(super) struct Play {
    pub(super) shell: Shell,
    pub(super) clients: BTreeMap<String, Client>,
    /// The requests, with their versions.
    asked: BTreeMap<Token, (String, i16)>,
    /// The number of member ids that each client or static member was given.
    uuids: BTreeMap<String, u128>,
}

/// The words of a step: `name=value` and others.
struct Words<'a> {
    options: BTreeMap<&'a str, &'a str>,
    others: Vec<&'a str>,
}

const OPTIONS: [&str; 16] = [
    "v",
    "id",
    "instance",
    "session",
    "rebalance",
    "type",
    "protocols",
    "protocol",
    "topics",
    "gen",
    "group",
    "retention",
    "states",
    "types",
    "stable",
    "host",
];

impl<'a> Words<'a> {
    fn new(words: &[&'a str]) -> Words<'a> {
        let mut parsed = Words { options: BTreeMap::new(), others: Vec::new() };
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if OPTIONS.contains(&name) => {
                    parsed.options.insert(name, value);
                }
                _ => parsed.others.push(word),
            }
        }
        parsed
    }

    fn text(&self, name: &str) -> Option<Str> {
        self.options.get(name).map(|value| Str::from(*value))
    }

    fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> N {
        self.options.get(name).map_or(default, |value| value.parse().ok().expect("a number"))
    }

    fn group(&self) -> Str {
        self.text("group").unwrap_or_else(|| Str::from("g"))
    }

    fn list(&self, name: &str) -> Vec<Str> {
        let value = self.options.get(name).copied().unwrap_or_default();
        value.split(',').filter(|it| !it.is_empty()).map(Str::from).collect()
    }
}

impl Play {
    pub(super) fn new(settings: Settings) -> Play {
        Play {
            shell: Shell::new(settings, START),
            clients: BTreeMap::new(),
            asked: BTreeMap::new(),
            uuids: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn run(&mut self, script: &str) {
        let lines: Vec<&str> = script.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let mut transcript = String::new();
        for step in lines.chunk_by(|_, next| next.starts_with('>')) {
            let expected: Vec<String> = step[1..].iter().map(|line| line[1..].trim().to_owned()).collect();
            let happened = self.step(step[0]);
            transcript += step[0];
            transcript += "\n";
            for event in &happened {
                transcript += &format!("> {event}\n");
            }
            assert!(happened == expected, "expected {expected:#?} after:\n\n{transcript}");
        }
    }

    /// The requests that clients wait for.
    pub(super) fn waits_for(&self) -> impl Iterator<Item = &str> {
        self.asked.values().map(|(asked, _)| asked.as_str())
    }

    pub(super) fn step(&mut self, step: &str) -> Vec<String> {
        let words: Vec<&str> = step.split_whitespace().collect();
        let other = Words::new(&words[1..]);
        match words[0] {
            "wait" => {
                let events = self.shell.advance(words[1].parse().expect("milliseconds"));
                let at = |(steady, event): &(SteadyMs, Event)| {
                    format!("@{} {}", steady.0 - START.steady.0, self.event(event))
                };
                let texts = events.iter().map(at).collect();
                events.into_iter().for_each(|(_, event)| self.learn(event));
                texts
            }
            "clock" => {
                self.shell.set_clock(words[1].parse().expect("milliseconds"));
                Vec::new()
            }
            "fail" => {
                self.shell.fail = Some(words[1]).filter(|error| *error != "none").map(text::error_named);
                Vec::new()
            }
            "restart" => {
                self.shell.restart();
                self.asked.clear();
                Vec::new()
            }
            "resign" => {
                let replies = self.shell.resign();
                let texts = replies.iter().map(|(token, reply)| self.replied(*token, reply)).collect();
                replies.iter().for_each(|(token, _)| drop(self.asked.remove(token)));
                texts
            }
            "gone" => {
                let (topic, id) = topic(words[1]);
                let output = self.shell.coordinator.topics_deleted(&[DeletedTopic { name: topic, id }]);
                self.drive(output)
            }
            client => {
                let words = Words::new(&words[2..]);
                let verb = step.split_whitespace().nth(1).expect("a verb").to_owned();
                self.clients
                    .entry(client.to_owned())
                    .or_insert_with(|| Client { generation_id: -1, ..Default::default() });
                drop(other);
                self.act(client, &verb, &words)
            }
        }
    }

    fn act(&mut self, client: &str, verb: &str, words: &Words<'_>) -> Vec<String> {
        match verb {
            "heartbeat" | "fetch" | "list" | "describe" => {
                let text = self.read(client, verb, words);
                self.shell.check_persisted();
                return vec![format!("{client} {verb}: {text}").trim_end().to_owned()];
            }
            _ => {}
        }
        let token = self.shell.token();
        let latest_versions =
            [("join", 9), ("sync", 5), ("leave", 5), ("commit", 10), ("delete", 2), ("forget", 0)];
        let latest = latest_versions.iter().find(|(name, _)| *name == verb).expect("such a step").1;
        let version = words.number("v", latest);
        self.asked.insert(token, (format!("{client} {verb}"), version));
        let now = self.shell.now;
        let output = match verb {
            "join" => {
                let (context, request) = self.join_request(client, words);
                let request = GroupRequest::JoinGroup(context, request);
                let output = self.shell.coordinator.decide(token, request, now);
                self.uuid_used(client, words, &output);
                output
            }
            "sync" => {
                let context = context(client, version, 0);
                let request = self.sync_request(client, words);
                self.shell.coordinator.decide(token, GroupRequest::SyncGroup(context, request), now)
            }
            "leave" => {
                let context = context(client, version, 0);
                let request = self.leave_request(client, words);
                self.shell.coordinator.decide(token, GroupRequest::LeaveGroup(context, request), now)
            }
            "commit" => {
                let context = context(client, version, 0);
                let request = self.commit_request(client, words);
                self.shell.coordinator.decide(token, GroupRequest::OffsetCommit(context, request), now)
            }
            "forget" => {
                let request = GroupRequest::OffsetDelete(forget_request(words));
                self.shell.coordinator.decide(token, request, now)
            }
            "delete" => {
                let groups: Vec<Str> = words.others.iter().map(|group| Str::from(*group)).collect();
                self.shell.coordinator.decide(token, GroupRequest::DeleteGroups(groups), now)
            }
            other => panic!("no such step: {other}"),
        };
        self.drive(output)
    }

    fn drive(&mut self, output: Output) -> Vec<String> {
        let events = self.shell.drive(output);
        let texts = events.iter().map(|event| self.event(event)).collect();
        events.into_iter().for_each(|event| self.learn(event));
        texts
    }

    /// Updates a client with the answer to its JoinGroup.
    fn learn(&mut self, event: Event) {
        let Event::Replied(token, reply) = event else { return };
        let (asked, _) = self.asked.remove(&token).expect("it was asked");
        let Reply::JoinGroup(response) = reply else { return };
        let name = asked.split(' ').next().expect("a client");
        let client = self.clients.get_mut(name).expect("it has asked");
        if [ErrorCode::NONE, ErrorCode::MEMBER_ID_REQUIRED].contains(&response.error_code) {
            client.member_id = response.member_id.to_string();
            client.generation_id = response.generation_id;
            client.protocol_type = response.protocol_type.clone();
            client.protocol_name = response.protocol_name.clone();
        }
        client.joined = response;
    }

    fn event(&self, event: &Event) -> String {
        let records =
            |records: &[CoordinatorRecord]| records.iter().map(record_text).collect::<Vec<_>>().join("; ");
        match event {
            Event::Appended(appended) => format!("log: {}", records(appended)).trim_end().to_owned(),
            Event::NotAppended(lost) => format!("lost: {}", records(lost)).trim_end().to_owned(),
            Event::Replied(token, reply) => self.replied(*token, reply),
        }
    }

    fn replied(&self, token: Token, reply: &Reply) -> String {
        let (asked, version) = &self.asked[&token];
        text::assert_encodes(reply, *version);
        format!("{asked}: {}", reply_text(reply)).trim_end().to_owned()
    }

    fn member_id(&self, client: &str, words: &Words<'_>) -> Str {
        let known = &self.clients[client].member_id;
        words.options.get("id").map_or_else(|| Str::from(known), |id| Str::from(long(id)))
    }

    fn generation_id(&self, client: &str, words: &Words<'_>) -> i32 {
        words.number("gen", self.clients[client].generation_id)
    }

    fn join_request(&self, name: &str, words: &Words<'_>) -> (RequestContext, JoinGroupRequest) {
        let member_id = self.member_id(name, words);
        let prefix = words.options.get("instance").copied().unwrap_or(name);
        let uuid = self.uuids.get(prefix).copied().unwrap_or_default() + 1;
        let context = context(name, words.number("v", 9), uuid);
        let topics = words.options.get("topics").map(|topics| subscription(topics));
        let protocols = words.options.get("protocols").copied().unwrap_or("range:m");
        let protocols = protocols.split(',').filter(|it| !it.is_empty()).map(|protocol| {
            let (name, metadata) = protocol.split_once(':').unwrap_or((protocol, "m"));
            let metadata = Bytes::copy_from_slice(metadata.as_bytes());
            JoinGroupRequestProtocol { name: Str::from(name), metadata: topics.clone().unwrap_or(metadata) }
        });
        let request = JoinGroupRequest {
            group_id: words.group(),
            session_timeout_ms: words.number("session", 10_000),
            rebalance_timeout_ms: words.number("rebalance", 60_000),
            member_id,
            group_instance_id: words.text("instance"),
            protocol_type: words.text("type").unwrap_or_else(|| Str::from("consumer")),
            protocols: protocols.collect(),
            reason: None,
        };
        (context, request)
    }

    /// Counts a member id that was created, so that the next one gets another number.
    fn uuid_used(&mut self, client: &str, words: &Words<'_>, output: &Output) {
        let unused = output.replies.iter().any(|(_, reply)| {
            let Reply::JoinGroup(response) = reply else { return false };
            let refused = [
                ErrorCode::INVALID_GROUP_ID,
                ErrorCode::INVALID_SESSION_TIMEOUT,
                ErrorCode::GROUP_MAX_SIZE_REACHED,
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            ];
            refused.contains(&response.error_code)
        });
        if self.member_id(client, words).is_empty() && !unused {
            let prefix = words.options.get("instance").copied().unwrap_or(client);
            *self.uuids.entry(prefix.to_owned()).or_default() += 1;
        }
    }

    fn sync_request(&self, client: &str, words: &Words<'_>) -> SyncGroupRequest {
        let known = &self.clients[client];
        let named = |name: &str, known: &Option<Str>| match words.text(name) {
            Some(text) => Some(text).filter(|text| *text != "null"),
            None => known.clone(),
        };
        let assignments = words.others.iter().map(|assignment| {
            let (member, assignment) = assignment.split_once('=').expect("member=assignment");
            SyncGroupRequestAssignment {
                member_id: Str::from(long(member)),
                assignment: Bytes::copy_from_slice(assignment.as_bytes()),
            }
        });
        SyncGroupRequest {
            group_id: words.group(),
            generation_id: self.generation_id(client, words),
            member_id: self.member_id(client, words),
            group_instance_id: words.text("instance"),
            protocol_type: named("type", &known.protocol_type),
            protocol_name: named("protocol", &known.protocol_name),
            assignments: assignments.collect(),
        }
    }

    fn leave_request(&self, client: &str, words: &Words<'_>) -> LeaveGroupRequest {
        let member_id = self.member_id(client, words);
        let identity = |text: &str| {
            let (id, instance) = text.trim_end_matches(']').split_once('[').unwrap_or((text, ""));
            MemberIdentity {
                member_id: Str::from(long(id)),
                group_instance_id: Some(Str::from(instance)).filter(|it| !it.is_empty()),
                reason: None,
            }
        };
        let mut members: Vec<MemberIdentity> = words.others.iter().map(|text| identity(text)).collect();
        if members.is_empty() {
            let group_instance_id = words.text("instance");
            members.push(MemberIdentity { member_id: member_id.clone(), group_instance_id, reason: None });
        }
        LeaveGroupRequest { group_id: words.group(), member_id, members }
    }

    fn commit_request(&self, client: &str, words: &Words<'_>) -> OffsetCommitRequest {
        let topics = words.others.iter().map(|commit| {
            let (partition, offset) = commit.split_once('=').expect("topic-partition=offset");
            let (name, topic_id, partition_index) = partition_of(partition);
            let (offset, metadata) = offset.split_once(':').unwrap_or((offset, ""));
            let partition = OffsetCommitRequestPartition {
                partition_index,
                committed_offset: offset.parse().expect("an offset"),
                committed_metadata: Some(Str::from(metadata)).filter(|it| !it.is_empty()),
                ..Default::default()
            };
            OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] }
        });
        OffsetCommitRequest {
            group_id: words.group(),
            generation_id_or_member_epoch: self.generation_id(client, words),
            member_id: self.member_id(client, words),
            group_instance_id: words.text("instance"),
            retention_time_ms: words.number("retention", -1),
            topics: topics.collect(),
        }
    }

    fn read(&mut self, client: &str, verb: &str, words: &Words<'_>) -> String {
        let now = self.shell.now;
        match verb {
            "heartbeat" => {
                let request = HeartbeatRequest {
                    group_id: words.group(),
                    generation_id: self.generation_id(client, words),
                    member_id: self.member_id(client, words),
                    group_instance_id: words.text("instance"),
                };
                self.shell.coordinator.heartbeat(&request, now).error_code.name().to_owned()
            }
            "fetch" => {
                // All topics. Some may now have another id than the one that was committed to: `*@2`.
                let all = words.others.first().is_some_and(|text| text.starts_with('*'));
                let current = words.others.first().and_then(|text| text.strip_prefix("*@"));
                let current = current.map_or(Uuid::ZERO, |id| topic(&format!("@{id}")).1);
                let topics = words.others.iter().map(|text| {
                    let (name, topic_id, partition) = partition_of(text);
                    OffsetFetchRequestTopics { name, topic_id, partition_indexes: vec![partition] }
                });
                let request = OffsetFetchRequestGroup {
                    group_id: words.group(),
                    topics: if all { None } else { Some(topics.collect()) },
                    member_id: words.text("id"),
                    member_epoch: words.number("gen", -1),
                };
                let stable = words.options.contains_key("stable");
                let fetched = self.shell.coordinator.offset_fetch(&request, stable, now, |_| current);
                fetched.map_or_else(|error| error.name().to_owned(), |group| text::fetched(&group))
            }
            "list" => {
                let (states_filter, types_filter) = (words.list("states"), words.list("types"));
                let request = ListGroupsRequest { states_filter, types_filter };
                text::listed(&self.shell.coordinator.list_groups(&request, now))
            }
            _ => {
                let group_id = Str::from(*words.others.first().unwrap_or(&"g"));
                text::described(&self.shell.coordinator.describe_group(&group_id, words.number("v", 6)))
            }
        }
    }

    /// Ends the script: when the coordinator resigns, all waiting requests are answered.
    fn finish(mut self) {
        self.shell.resign();
        assert_eq!(self.shell.waiting(), 0, "every request is answered");
    }
}

pub(super) fn context(client: &str, api_version: i16, uuid: u128) -> RequestContext {
    RequestContext {
        api_version,
        client_id: Str::from(client),
        client_host: Str::from("/127.0.0.1"),
        random_uuid: Uuid(uuid.to_be_bytes()),
    }
}

fn forget_request(words: &Words<'_>) -> OffsetDeleteRequest {
    let topics = words.others.iter().map(|text| {
        let (name, _, partition_index) = partition_of(text);
        OffsetDeleteRequestTopic { name, partitions: vec![OffsetDeleteRequestPartition { partition_index }] }
    });
    OffsetDeleteRequest { group_id: words.group(), topics: topics.collect() }
}

/// `t` and `t@2` are topics of the same name; the id of `t@0` is unknown.
fn topic(text: &str) -> (Str, Uuid) {
    let (name, incarnation) = text.split_once('@').unwrap_or((text, "1"));
    (Str::from(name), Uuid(incarnation.parse::<u128>().expect("a number").to_be_bytes()))
}

fn partition_of(text: &str) -> (Str, Uuid, i32) {
    let (name, partition) = text.rsplit_once('-').expect("topic-partition");
    let (name, id) = topic(name);
    (name, id, partition.parse().expect("a partition"))
}

/// A consumer's metadata.
pub(super) fn subscription(topics: &str) -> Bytes {
    let topics = topics.split(',').map(Str::from).collect();
    let mut writer = Writer::new();
    writer.i16(1);
    let subscription = ConsumerProtocolSubscription { topics, ..Default::default() };
    subscription.encode(&mut writer, 1).expect("it fits");
    writer.finish().into_bytes()
}

/// The member id for which `a1` stands.
fn long(id: &str) -> String {
    let digits = id.trim_start_matches(|c: char| !c.is_ascii_digit());
    match digits.parse::<u32>() {
        Ok(number) => {
            format!("{}-00000000-0000-0000-0000-{number:012x}", &id[..id.len() - digits.len()])
        }
        Err(_) => id.to_owned(),
    }
}
