#![allow(clippy::disallowed_methods, reason = "a test makes and removes a directory of its own")]

use std::path::PathBuf;

use coordinator::{CoordinatorRecord, GroupCoordinator, GroupRequest, Reply, RequestContext, Settings};
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{
    JoinGroupRequest, JoinGroupResponse, ListGroupsRequest, OffsetCommitRequest, OffsetCommitResponse,
};
use protocol::{Str, Uuid};
use settings::{BrokerConfig, Configs};
use storage::fs::Fs;
use storage::{Log, LogDirectory, OpenDirectory, OpenLog, TopicPartition};

use super::answer::SettledReply;
use super::hosted::State;
use super::*;
use crate::directories::LogDir;
use crate::replicas::{PartitionRules, lone_replica};

mod tally;

const TOPIC_ID: Uuid = Uuid::ONE;

/// Two partitions of groups in a directory whose flusher runs only when the test runs it.
struct Home {
    path: PathBuf,
    directory: LogDirectory,
    groups: Arc<Groups>,
    logs: [Arc<Replica>; 2],
}

impl Home {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("milena-groups-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        let open = OpenDirectory { fs: Fs::real(), path: path.clone(), open_files_max: 16 };
        let directory = LogDirectory::open(open).unwrap();
        let logs = [0, 1].map(|index| Arc::new(open_log(&directory, OFFSETS_TOPIC, index)));
        let groups = Arc::new(Groups::new(Settings::default(), 2));
        logs.iter().for_each(|log| groups.elect(Arc::clone(log), 2));
        Self { path, directory, groups, logs }
    }

    /// A group that is stored in a partition.
    fn group(&self, partition: i32) -> Str {
        let name = (0..).map(|number| Str::from(format!("g{number}")));
        name.into_iter().find(|name| self.groups.partition_for(name) == partition).unwrap()
    }

    fn commit(&self, group_id: &Str, offset: i64) -> PendingReply {
        let mut request = one_commit(group_id);
        let partition = &mut request.topics[0].partitions[0];
        partition.committed_offset = offset;
        partition.committed_metadata = Some(Str::from("m".repeat(4_000)));
        self.groups.ask(group_id, GroupRequest::OffsetCommit(context(), request)).unwrap()
    }

    fn committed(&self, group_id: &Str) -> Result<i64, ErrorCode> {
        let topic =
            OffsetFetchRequestTopics { name: Str::from("t"), topic_id: TOPIC_ID, partition_indexes: vec![0] };
        let request = OffsetFetchRequestGroup {
            group_id: group_id.clone(),
            topics: Some(vec![topic]),
            ..Default::default()
        };
        let (answer, _) = self.groups.look(group_id, |coordinator, now| {
            coordinator.offset_fetch(&request, false, now, |_| TOPIC_ID)
        })?;
        let answer = answer?;
        Ok(answer.topics[0].partitions[0].committed_offset)
    }

    /// Replaces the shard of partition 0 with one that is still loading.
    fn loading(&self) -> Arc<HostedShard<GroupCoordinator>> {
        let shard = Arc::new(HostedShard::loading(Arc::clone(&self.logs[0])));
        self.groups.shards.write().insert(0, Arc::clone(&shard));
        shard
    }

    fn listed(&self) -> Result<Vec<Str>, ErrorCode> {
        let request = ListGroupsRequest::default();
        let looked =
            self.groups.look_everywhere(|coordinator, now| coordinator.list_groups(&request, now))?;
        Ok(looked.into_iter().flat_map(|(groups, _)| groups).map(|group| group.group_id).collect())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A commit of one offset.
fn one_commit(group_id: &Str) -> OffsetCommitRequest {
    let topic = OffsetCommitRequestTopic {
        name: Str::from("t"),
        topic_id: TOPIC_ID,
        partitions: vec![OffsetCommitRequestPartition::default()],
    };
    OffsetCommitRequest { group_id: group_id.clone(), topics: vec![topic], ..Default::default() }
}

fn context() -> RequestContext {
    RequestContext {
        api_version: 3,
        client_id: Str::default(),
        client_host: Str::default(),
        random_uuid: Uuid::ZERO,
    }
}

fn open_log(directory: &LogDirectory, topic: &'static str, index: i32) -> Replica {
    let broker = BrokerConfig::start(&Configs::new()).unwrap();
    let rules = PartitionRules::new(broker.topic_defaults.clone(), &broker);
    let open = OpenLog {
        partition: TopicPartition { topic: topic.to_owned(), partition: index },
        topic_id: None,
        config: rules.log(),
        now_ms: 1_000,
        jitter_seed: 0,
        accept_damage: false,
    };
    let (log, _) = Log::open(directory, open).unwrap();
    let log_dir = Arc::new(LogDir::offline(directory.path().to_owned()));
    Replica::new(Str::from(topic), index, lone_replica(), rules.into(), log, log_dir)
}

#[tokio::test]
async fn a_commit_is_answered_when_it_is_on_disk() {
    let home = Home::new("durable");
    let group_id = home.group(0);
    let mut settled = std::pin::pin!(home.commit(&group_id, 5).settled());
    tokio::select! {
        biased;
        _ = &mut settled => panic!("answered before it is on disk"),
        () = tokio::task::yield_now() => {}
    }
    // A request that looks something up meanwhile does not get its answer earlier.
    let (_, barrier) = home.groups.look(&group_id, |_, _| ()).unwrap();
    assert!(!barrier.is_passed());
    assert_eq!(home.directory.flusher().run_round(), 1);
    assert!(barrier.is_passed());
    let response: OffsetCommitResponse = settled.await.unwrap();
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(home.committed(&group_id), Ok(5));
}

/// Another broker may have led the partition in between, and its records were not read.
#[tokio::test]
async fn a_shard_appends_in_the_epoch_that_it_was_loaded_in_only() {
    let home = Home::new("epoch");
    let group_id = home.group(0);
    drop(home.commit(&group_id, 5));
    let end_offset = home.logs[0].end_offset();
    let mut decided = metadata::Partition::clone(&lone_replica().1);
    (decided.leader_epoch, decided.partition_epoch) = (1, 1);
    assert!(home.logs[0].decide(&decided.into()));
    home.directory.flusher().run_round();
    let refused: OffsetCommitResponse = home.commit(&group_id, 6).settled().await.unwrap();
    assert_eq!(refused.topics[0].partitions[0].error_code, ErrorCode::NOT_COORDINATOR);
    assert_eq!(home.logs[0].end_offset(), end_offset);
    home.groups.load(&home.loading());
    assert_eq!(home.committed(&group_id), Ok(5));
    drop(home.commit(&group_id, 7));
    assert_eq!(home.committed(&group_id), Ok(7));
}

#[test]
fn a_topic_that_is_deleted_while_its_groups_load_is_forgotten() {
    let home = Home::new("deleted");
    let group_id = home.group(0);
    drop(home.commit(&group_id, 5));
    let shard = home.loading();
    assert_eq!(home.committed(&group_id), Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
    assert_eq!(home.listed(), Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
    home.groups.topics_deleted(&[DeletedTopic { name: Str::from("t"), id: TOPIC_ID }]);
    home.groups.load(&shard);
    assert_eq!(home.committed(&group_id), Ok(-1));
    // A load from the log gives the same.
    home.groups.load(&home.loading());
    assert_eq!(home.committed(&group_id), Ok(-1));
}

#[test]
fn a_partition_that_cannot_be_loaded_has_no_coordinator() {
    let home = Home::new("unreadable");
    let (broken, other) = (home.group(0), home.group(1));
    drop(home.commit(&broken, 5));
    drop(home.commit(&other, 6));
    let unreadable = CoordinatorRecord { key: vec![0].into(), value: None };
    assert!(home.logs[0].append_coordinator_records(&[unreadable], 0, 1_000).is_ok());
    let shard = home.loading();
    home.groups.load(&shard);
    assert!(matches!(*shard.state.lock(), State::Resigned), "who has found it already does not wait for it");
    assert_eq!(home.committed(&broken), Err(ErrorCode::NOT_COORDINATOR));
    assert!(!home.groups.holds(&broken), "clients are not sent here");
    assert_eq!(home.committed(&other), Ok(6));
    assert_eq!(home.listed(), Ok(vec![other.clone()]), "the others are listed");
    home.groups.replace(&shard);
    assert_eq!(home.listed(), Ok(vec![other]), "also while one is being given up");
}

#[tokio::test]
async fn a_partition_that_is_taken_over_again_is_given_up_first() {
    let home = Home::new("again");
    let group_id = home.group(0);
    drop(home.commit(&group_id, 5));
    let former = home.groups.shard(&group_id).unwrap();
    home.groups.elect(Arc::clone(&home.logs[0]), 2);
    assert!(matches!(*former.state.lock(), State::Resigned), "it appends nothing behind what is read");
    // Another thread loads the shard as well; either may be first.
    home.groups.load(&home.groups.shard(&group_id).unwrap());
    assert_eq!(home.committed(&group_id), Ok(5));
}

/// Writes more than one read returns, so that the read ends within a batch.
#[test]
fn a_long_log_is_read_to_its_end() {
    let home = Home::new("long");
    let group_id = home.group(0);
    for offset in 0..600 {
        drop(home.commit(&group_id, offset));
    }
    home.groups.load(&home.loading());
    assert_eq!(home.committed(&group_id), Ok(599));
}

/// A bug in one request affects neither the other groups of its partition nor later requests.
#[tokio::test]
async fn a_coordinator_that_panics_is_rebuilt_from_its_log() {
    let home = Home::new("panic");
    let (group_id, other) = (home.group(0), home.group(1));
    let waits = home.commit(&group_id, 5);
    drop(home.commit(&other, 6));
    let former = home.groups.shard(&group_id).unwrap();
    let asked = home.groups.look(&group_id, |_, _| panic!("a bug that the test has made"));
    assert!(matches!(asked, Err(ErrorCode::NOT_COORDINATOR)));
    assert!(matches!(*former.state.lock(), State::Resigned));
    assert_eq!(home.committed(&other), Ok(6));
    let deadline = clock::now() + Duration::from_secs(20);
    while home.committed(&group_id) != Ok(5) {
        assert!(clock::now() < deadline, "it is not loaded again");
        clock::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(home.directory.flusher().run_round(), 2);
    assert!(
        waits.settled::<OffsetCommitResponse>().await.is_ok(),
        "what was appended before is acknowledged"
    );
    drop(home.commit(&group_id, 7));
    assert_eq!(home.committed(&group_id), Ok(7));

    // The timers and the deletion of topics continue as well.
    for shard in home.groups.shards.read().values() {
        let mut state = shard.state.lock();
        let serving = state.serving().unwrap();
        let request = GroupRequest::OffsetCommit(context(), one_commit(&group_id));
        let output = serving.shard.decide(Token(u64::MAX), request, now());
        assert!(output.append.is_some(), "an append whose outcome never comes makes the next request panic");
    }
    home.groups.topics_deleted(&[DeletedTopic { name: Str::from("u"), id: Uuid::ZERO }]);
    home.groups.tick();
    while home.committed(&group_id) != Ok(7) || home.committed(&other) != Ok(6) {
        assert!(clock::now() < deadline, "they are not loaded again");
        clock::sleep(Duration::from_millis(5)).await;
    }
}

/// Each record repeats the name of the group: 100,000 partitions of one with a long name would take 3 GB,
/// which no batch can hold.
#[test]
fn a_commit_that_no_batch_can_hold_fails_alone() {
    let home = Home::new("large");
    let group_id = Str::from("g".repeat(32_767));
    let mut request = one_commit(&group_id);
    let partition = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![partition; 100_000];
    let asked = home.groups.ask(&group_id, GroupRequest::OffsetCommit(context(), request));
    let Ok(SettledReply { reply: Reply::OffsetCommit(response), .. }) =
        asked.unwrap().into_receiver().try_recv()
    else {
        panic!("it is answered at once")
    };
    let partitions = &response.topics[0].partitions;
    assert_eq!(partitions.len(), 100_000);
    assert!(partitions.iter().all(|it| it.error_code == ErrorCode::UNKNOWN_SERVER_ERROR));
    drop(home.commit(&group_id, 7));
    assert_eq!(home.committed(&group_id), Ok(7));
    // The log also rejects a record of that size if a coordinator creates one.
    let record = CoordinatorRecord { key: vec![0; 1 << 20].into(), value: Some(vec![0; 1 << 20].into()) };
    let refusal =
        home.logs[0].append_coordinator_records(&vec![record; 2_000], 0, 1_000).expect_err("too large");
    assert_eq!(refusal.error_code, ErrorCode::MESSAGE_TOO_LARGE);
}

/// Damages a byte of the log and loads it.
#[track_caller]
fn check_damaged(name: &str, at: usize) {
    let home = Home::new(name);
    let group_id = home.group(0);
    drop(home.commit(&group_id, 5));
    drop(home.commit(&group_id, 6));
    let path = home.path.join("__consumer_offsets-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    home.groups.load(&home.loading());
    assert_eq!(home.committed(&group_id), Err(ErrorCode::NOT_COORDINATOR));
}

#[test]
fn a_damaged_batch_is_not_taken_for_an_offset() {
    check_damaged("metadata", 2_000);
}

/// The first batch then appears to be longer than the log.
#[test]
fn a_log_that_cannot_be_read_to_its_end_is_not_half_believed() {
    check_damaged("length", 8);
}

#[tokio::test]
async fn whoever_waits_is_sent_away_with_the_partition() {
    let home = Home::new("resigned");
    let group_id = home.group(0);
    let protocol = JoinGroupRequestProtocol { name: Str::from("range"), ..Default::default() };
    let request = JoinGroupRequest {
        group_id: group_id.clone(),
        session_timeout_ms: 10_000,
        protocol_type: Str::from("consumer"),
        protocols: vec![protocol],
        ..Default::default()
    };
    let asked = home.groups.ask(&group_id, GroupRequest::JoinGroup(context(), request));
    home.groups.resign(0);
    let response: JoinGroupResponse = asked.unwrap().settled().await.unwrap();
    assert_eq!(response.error_code, ErrorCode::NOT_COORDINATOR);
    assert_eq!(home.committed(&group_id), Err(ErrorCode::NOT_COORDINATOR));
}
