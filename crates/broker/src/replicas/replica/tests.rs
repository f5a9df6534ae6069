#![allow(clippy::disallowed_methods, reason = "a test makes and removes a directory of its own")]

use std::task::Poll;

use settings::{BrokerConfig, Configs};
use storage::fs::Fs;
use storage::{LogDirectory, OpenDirectory, OpenLog, TopicPartition};
use tokio::sync::Notify;

use super::*;
use crate::replicas::BrokerState;
use crate::replicas::leader::decision;

fn one_batch() -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(1_000, Some(b"key"), Some(b"value"), &[]);
    builder.build()
}

/// Settings with the given `flush.messages`, or its default.
fn rules(flush_messages: Option<&str>) -> PartitionRules {
    let given = flush_messages.map(|value| ("log.flush.interval.messages".to_owned(), value.to_owned()));
    let given: Configs = given.into_iter().collect();
    let mut broker = BrokerConfig::start(&given).unwrap();
    // The records of these tests are old.
    broker.topic_defaults.message_timestamp_before_max_ms = i64::MAX;
    PartitionRules::new(broker.topic_defaults.clone(), &broker)
}

/// A partition in a directory whose flusher runs only when the test runs it.
fn partition(name: &str, rules: PartitionRules) -> (LogDirectory, Replica) {
    partition_of(name, rules, decision(&[0], &[0]))
}

fn partition_of(name: &str, rules: PartitionRules, decided: Arc<Partition>) -> (LogDirectory, Replica) {
    let path = std::env::temp_dir().join(format!("milena-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    let directory = LogDirectory::open(OpenDirectory { fs: Fs::real(), path, open_files_max: 16 }).unwrap();
    let open = OpenLog {
        partition: TopicPartition { topic: name.to_owned(), partition: 0 },
        topic_id: None,
        config: rules.log(),
        now_ms: 1_000,
        jitter_seed: 0,
        accept_damage: false,
    };
    let (log, _) = Log::open(&directory, open).unwrap();
    let log_dir = Arc::new(LogDir::offline(directory.path().to_owned()));
    (directory, Replica::new(Str::from(name), 0, (0, decided), rules.into(), log, log_dir))
}

#[tokio::test]
async fn an_acks_all_append_is_durable_only_when_the_flusher_has_synced_it() {
    let (directory, partition) = partition("durable", rules(None));
    let appended = partition.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    let end_offset = appended.last_offset + 1;
    assert_eq!(partition.end_offset(), end_offset, "it can be read at once");
    assert!(!partition.is_committed(end_offset), "nothing has synced it");
    let mut acknowledged = std::pin::pin!(partition.committed(end_offset));
    tokio::select! {
        biased;
        _ = &mut acknowledged => panic!("acknowledged before it is on disk"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(directory.flusher().run_round(), 1);
    acknowledged.await.unwrap();
    assert!(partition.is_committed(end_offset));
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn a_larger_flush_messages_asks_for_no_sync() {
    let (directory, partition) = partition("page-cache", rules(Some("9223372036854775807")));
    let appended = partition.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    assert!(partition.is_committed(appended.last_offset + 1), "as durable as its topic asks");
    assert_eq!(directory.flusher().run_round(), 0, "nothing waits for the disk");
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn min_insync_replicas_asks_for_no_more_than_there_are() {
    let mut rules = rules(None);
    rules.topic.min_insync_replicas = 2;
    let replicas = [0, 1, 2];
    for (name, isr_len, replicas_len, taken) in
        [("isr-1-1", 1, 1, true), ("isr-1-2", 1, 2, false), ("isr-1-3", 1, 3, false), ("isr-2-3", 2, 3, true)]
    {
        let leader = decision(&replicas[..replicas_len], &replicas[..isr_len]);
        let (directory, partition) = partition_of(name, rules.clone(), leader);
        let appended = partition.append_produced(&one_batch(), 9, true, 1_000);
        let error = appended.err().map(|refusal| (refusal.error_code, refusal.log_start_offset));
        assert_eq!(error, (!taken).then_some((ErrorCode::NOT_ENOUGH_REPLICAS, -1)), "{name}");
        partition
            .append_produced(&one_batch(), 9, false, 1_000)
            .expect("acks=1 asks for none but the leader");
        std::fs::remove_dir_all(directory.path()).unwrap();
    }
}

#[test]
fn the_logs_start_is_told_with_what_the_log_found() {
    let (directory, partition) = partition("log-start", rules(None));
    partition.append_produced(&one_batch(), 9, false, 1_000).unwrap();
    let refuse = |bytes: &[u8]| {
        let refusal = partition.append_produced(bytes, 9, false, 1_000).unwrap_err();
        (refusal.error_code, refusal.log_start_offset)
    };
    let changed = |builder: BatchBuilder| {
        let mut builder = builder;
        builder.push(1_000, None, None, &[]);
        builder.build()
    };
    let new = || BatchBuilder::new(Compression::None);
    assert_eq!(refuse(b""), (ErrorCode::INVALID_RECORD, -1));
    assert_eq!(refuse(&[one_batch(), one_batch()].concat()), (ErrorCode::INVALID_RECORD, -1));
    assert_eq!(refuse(&[&one_batch()[..60], b"!"].concat()), (ErrorCode::INVALID_RECORD, -1));
    let mut damaged = one_batch();
    damaged[20] ^= 1;
    assert_eq!(refuse(&damaged), (ErrorCode::CORRUPT_MESSAGE, -1));
    assert_eq!(refuse(&changed(new().base_offset(5))), (ErrorCode::INVALID_RECORD, 0));
    assert_eq!(refuse(&changed(new().control())), (ErrorCode::INVALID_RECORD, 0));
    partition.append_produced(&changed(new().producer(1, 1, 0)), 9, false, 1_000).unwrap();
    assert_eq!(refuse(&changed(new().producer(1, 1, 9))), (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, 0));
    assert_eq!(refuse(&changed(new().producer(1, 0, 1))), (ErrorCode::INVALID_PRODUCER_EPOCH, 0));
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[tokio::test]
async fn who_waits_for_the_disk_is_told_when_the_log_is_deleted() {
    let (directory, partition) = partition("deleted", rules(None));
    let appended = partition.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    let mut acknowledged = std::pin::pin!(partition.committed(appended.last_offset + 1));
    tokio::select! {
        biased;
        _ = &mut acknowledged => panic!("acknowledged before it is on disk"),
        () = tokio::task::yield_now() => {}
    }
    drop(partition.take_log());
    assert_eq!(acknowledged.await, Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    std::fs::remove_dir_all(directory.path()).unwrap();
}

/// A fetch of everything from `offset` on.
fn fetch(offset: i64, follower: Option<i32>) -> ReadRequest {
    let follower = follower.map(|node_id| FetchingReplica {
        broker: FetchingBroker { node_id, epoch: -1 },
        log_start_offset: 0,
        is_new: true,
    });
    ReadRequest {
        offset,
        max_bytes: 1 << 20,
        min_one_batch: true,
        recent_only: false,
        isolation: Isolation::ReadUncommitted,
        follower,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    }
}

#[tokio::test]
async fn consumers_see_what_all_in_sync_have_and_followers_all_of_it() {
    let (directory, replica) = partition_of("in-sync", rules(None), decision(&[0, 1], &[0, 1]));
    let replica = Arc::new(replica);
    let wakers = [News::End, News::HighWatermark].map(|awaited| {
        let waker = Arc::new(Notify::new());
        (replica.watch(awaited, Arc::clone(&waker)), waker)
    });
    let is_woken = |waker: usize| std::pin::pin!(wakers[waker].1.notified()).enable();
    let has = |request: &ReadRequest| {
        let outcome = replica.read(request).unwrap();
        (outcome.high_watermark, outcome.region.is_some())
    };
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    assert_eq!([is_woken(0), is_woken(1)], [true, false], "there is news for followers only");
    assert_eq!(has(&fetch(0, None)), (0, false));
    assert_eq!(has(&fetch(0, Some(1))), (0, true));
    assert!(!is_woken(1), "it has fetched the batch, and nobody knows whether it has it");
    replica.read(&fetch(1, Some(1))).unwrap();
    assert_eq!([is_woken(0), is_woken(1)], [false, true]);
    assert_eq!(has(&fetch(0, None)), (1, true));
    // The controller removes the follower from the ISR, in the same epoch.
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    assert_eq!([is_woken(0), is_woken(1)], [true, false]);
    let mut decided = Partition::default();
    (decided.replicas, decided.isr) = (vec![0, 1].into(), vec![0].into());
    replica.decide(&Arc::new(decided));
    assert_eq!([is_woken(0), is_woken(1)], [false, true]);
    assert_eq!(has(&fetch(1, None)), (2, true));
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn a_fetch_that_has_waited_says_nothing_new_of_its_follower() {
    let (directory, replica) = partition_of("waited", rules(None), decision(&[0, 1], &[0, 1]));
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    let mut waited = fetch(1, Some(1));
    waited.follower.as_mut().unwrap().is_new = false;
    assert_eq!(replica.read(&waited).unwrap().high_watermark, 0);
    replica.read(&fetch(1, Some(1))).unwrap();
    assert_eq!(replica.offsets.high_watermark(), 1);
    replica.read(&ReadRequest { offset: 0, ..waited }).unwrap();
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    replica.read(&fetch(2, Some(1))).unwrap();
    assert_eq!(replica.offsets.high_watermark(), 2);
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn a_fetch_of_an_earlier_incarnation_of_a_broker_is_refused() {
    let (directory, replica) = partition_of("incarnation", rules(None), decision(&[0, 1], &[0, 1]));
    let by = |epoch| {
        let mut request = fetch(0, Some(1));
        request.follower.as_mut().unwrap().broker.epoch = epoch;
        replica.read(&request).map(drop)
    };
    replica.set_brokers(|_| Some(BrokerState { epoch: 8, in_controlled_shutdown: false }));
    assert_eq!(by(7), Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    assert_eq!([by(8), by(-1)], [Ok(()), Ok(())]);
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn offsets_that_depend_on_the_high_watermark_wait_for_the_epoch() {
    let (directory, replica) = partition_of("unsettled", rules(None), decision(&[0, 1], &[0, 1]));
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    let find =
        |spec, isolation| replica.find_offset(spec, isolation).map(|found| found.map(|found| found.offset));
    let client = Some(Isolation::ReadUncommitted);
    let times = [OffsetSpec::Latest, OffsetSpec::Time(0), OffsetSpec::MaxTimestamp];
    assert_eq!(times.map(|spec| find(spec, client)), [Ok(Some(0)), Ok(None), Ok(None)]);
    let mut decided = Partition::clone(&decision(&[0, 1], &[0, 1]));
    (decided.leader_epoch, decided.partition_epoch) = (1, 1);
    replica.decide(&Arc::new(decided));
    assert_eq!(times.map(|spec| find(spec, client)), [const { Err(ErrorCode::OFFSET_NOT_AVAILABLE) }; 3]);
    assert_eq!(find(OffsetSpec::Earliest, client), Ok(Some(0)));
    assert_eq!(find(OffsetSpec::Latest, None), Ok(Some(1)), "a follower sees all of the log");
    let is_told = ReadRequest { current_leader_epoch: 1, ..fetch(1, Some(1)) };
    replica.read(&is_told).unwrap();
    assert_eq!(times.map(|spec| find(spec, client)), [Ok(Some(1)), Ok(Some(0)), Ok(Some(0))]);
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn a_broker_without_a_replica_is_told_so_as_kafka_does() {
    let (directory, replica) = partition("no-replica", rules(None));
    let refused = |current_leader_epoch| {
        let request = ReadRequest { current_leader_epoch, ..fetch(0, Some(7)) };
        replica.read(&request).unwrap_err()
    };
    assert_eq!(refused(-1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(refused(0), ErrorCode::UNKNOWN_LEADER_EPOCH, "it is to ask again");
    assert_eq!(refused(3), ErrorCode::UNKNOWN_LEADER_EPOCH);
    std::fs::remove_dir_all(directory.path()).unwrap();
}

/// A decision by which `leader` leads replicas 0 and 1 in that epoch, both in sync.
fn led_by(leader: i32, epoch: i32) -> Arc<Partition> {
    let mut decided = Partition::clone(&decision(&[0, 1], &[0, 1]));
    (decided.leader, decided.leader_epoch, decided.partition_epoch) = (leader, epoch, epoch);
    Arc::new(decided)
}

#[tokio::test]
async fn a_replica_that_follows_serves_nobody() {
    let (directory, replica) = partition_of("follows", rules(None), led_by(0, 3));
    let replica = Arc::new(replica);
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    replica.read(&fetch(1, Some(1))).unwrap();
    let waker = Arc::new(Notify::new());
    let _watch = replica.watch(News::HighWatermark, Arc::clone(&waker));
    assert!(replica.decide(&led_by(1, 4)), "the role is another");
    assert!(std::pin::pin!(waker.notified()).enable(), "fetches that wait hear of it");
    assert_eq!(replica.leading_epoch(), None);
    let not_leader = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    let refused = replica.append_produced(&one_batch(), 9, true, 1_000).unwrap_err();
    assert_eq!((refused.error_code, replica.end_offset()), (not_leader, 1));
    let read = |current_leader_epoch, follower| {
        replica.read(&ReadRequest { current_leader_epoch, ..fetch(0, follower) }).unwrap_err()
    };
    let (fenced, unknown) = (ErrorCode::FENCED_LEADER_EPOCH, ErrorCode::UNKNOWN_LEADER_EPOCH);
    for follower in [None, Some(1)] {
        assert_eq!(
            [-1, 4, 3, 5].map(|epoch| read(epoch, follower)),
            [not_leader, not_leader, fenced, unknown]
        );
    }
    assert_eq!(replica.check_leads(4), Err(not_leader));
    assert_eq!(replica.find_offset(OffsetSpec::Earliest, None), Err(not_leader));
    assert_eq!(replica.delete_records(1, 1_000), Err(not_leader));
    assert_eq!(replica.offsets.high_watermark(), 1, "it stays where the leader before it had it");
    // Without a leader it is the same; elected again, it goes on.
    assert!(replica.decide(&led_by(-1, 5)));
    assert_eq!(replica.check_leads(-1), Err(not_leader));
    assert!(!replica.decide(&led_by(0, 3)), "an older decision changes nothing");
    assert!(replica.decide(&led_by(0, 6)));
    assert_eq!((replica.leading_epoch(), replica.check_leads(6)), (Some(6), Ok(())));
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    assert_eq!(replica.end_of_epoch(6), Some((6, 2)));
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[tokio::test]
async fn an_acknowledgement_waits_for_the_fetch_of_a_replica_in_sync() {
    let (directory, replica) = partition_of("acked", rules(Some("9223372036854775807")), led_by(0, 3));
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    let mut waits = std::pin::pin!(replica.committed(1));
    for has in [0, 1] {
        let waiting = std::future::poll_fn(|context| Poll::Ready(waits.as_mut().poll(context))).await;
        assert!(waiting.is_pending() && !replica.is_committed(1), "the follower has {has} records at most");
        replica.read(&fetch(has, Some(1))).unwrap();
    }
    assert!(replica.is_committed(1));
    tokio::time::timeout(std::time::Duration::from_secs(30), waits).await.expect("it is woken").unwrap();
    std::fs::remove_dir_all(directory.path()).unwrap();
}

/// The high watermark of an earlier epoch is there already, so nothing but the ISR changes.
#[tokio::test]
async fn an_acknowledgement_hears_of_a_smaller_isr_though_the_high_watermark_stays() {
    let page_cache = rules(Some("9223372036854775807"));
    let (directory, replica) = partition("smaller-isr", page_cache);
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    replica.decide(&led_by(0, 1));
    assert_eq!(replica.offsets.high_watermark(), 1);
    let mut waits = std::pin::pin!(replica.committed(1));
    let first = std::future::poll_fn(|context| Poll::Ready(waits.as_mut().poll(context))).await;
    assert!(first.is_pending(), "broker 1 has said nothing in this epoch");
    let mut alone = Partition::clone(&led_by(0, 1));
    (alone.isr, alone.partition_epoch) = (vec![0].into(), 2);
    assert!(!replica.decide(&Arc::new(alone)), "neither role nor epoch are others");
    tokio::time::timeout(std::time::Duration::from_secs(30), waits).await.expect("it is woken").unwrap();
    std::fs::remove_dir_all(directory.path()).unwrap();
}

/// It was checked by what was true in its epoch, and others may have led since.
#[test]
fn an_append_lands_in_no_later_epoch_than_it_was_admitted_in() {
    let (directory, replica) = partition_of("admitted", rules(None), led_by(0, 3));
    let bytes = one_batch();
    let batch = ValidBatch::trusted(&Batch::parse(&bytes).unwrap());
    let append = |epoch| replica.append(&bytes, &batch, epoch, Origin::Client, true, 1_000).map(drop);
    append(3).unwrap();
    replica.decide(&led_by(1, 4));
    replica.decide(&led_by(0, 5));
    let record = [CoordinatorRecord { key: vec![0].into(), value: None }];
    for epoch in [3, 4, 6] {
        assert_eq!(append(epoch).unwrap_err().error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let refused = replica.append_coordinator_records(&record, epoch, 1_000).unwrap_err();
        assert_eq!(refused.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    assert_eq!(replica.end_offset(), 1);
    append(5).unwrap();
    replica.append_coordinator_records(&record, 5, 1_000).unwrap();
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn a_later_decision_brings_a_later_epoch() {
    let (directory, replica) = partition("epochs", rules(None));
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    let mut decided = Partition::default();
    (decided.replicas, decided.isr, decided.leader_epoch) = (vec![0].into(), vec![0].into(), 4);
    replica.decide(&Arc::new(decided));
    assert_eq!(replica.check_leads(0), Err(ErrorCode::FENCED_LEADER_EPOCH));
    replica.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    assert_eq!(replica.end_of_epoch(0), Some((0, 1)), "the epoch ended where the next began");
    assert_eq!(replica.end_of_epoch(4), Some((4, 2)));
    std::fs::remove_dir_all(directory.path()).unwrap();
}
