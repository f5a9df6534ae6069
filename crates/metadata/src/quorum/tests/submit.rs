//! Starting, deciding, and what others see of it.

use std::sync::Arc;

use protocol::Str;
use protocol::records::register_broker_record::BrokerEndpoint;
use protocol::records::{
    AbortTransactionRecord, ConfigRecord, FeatureLevelRecord, RemoveTopicRecord, TopicRecord,
};
use storage::fs::faults::{Fault, Faults};
use storage::fs::{Fs, Operation};

use super::*;
use crate::features::METADATA_VERSION;

#[tokio::test]
async fn a_new_log_leads_at_once_and_has_a_version() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let image = node.quorum.image();
    assert_eq!(image.feature_level(METADATA_VERSION), 30);
    // The protocol, the voters, the leader, the version.
    assert_eq!(image.offset(), 3);
    node.stop().await;
}

#[tokio::test]
async fn a_restart_is_led_in_a_later_epoch_and_knows_everything() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    assert_eq!(node.create_topic("kept", 3).await, ErrorCode::NONE);
    let before = node.quorum.image();
    node.stop().await;
    for restart in 0..3_u8 {
        let node = Node::start(dir.path()).await;
        let image = node.quorum.image();
        assert_eq!(image.topic("kept"), before.topic("kept"));
        assert_eq!(image.brokers(), before.brokers());
        assert_eq!(image.offset(), before.offset() + 1 + i64::from(restart), "one entry for each leader");
        let vote = std::fs::read_to_string(dir.metadata().join("quorum-state")).expect("a vote");
        let epoch = 2 + restart;
        assert_eq!(
            vote,
            format!(
                r#"{{"leaderId":-1,"leaderEpoch":{epoch},"votedId":1,"votedDirectoryId":"BwcHBwcHBwcHBwcHBwcHBw","data_version":1}}"#
            )
        );
        if restart == 1 { node.crash().await } else { node.stop().await }
    }
}

#[tokio::test]
async fn a_decision_sees_those_before_it_and_is_applied_when_it_returns() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    let created = (0..20).map(|_| node.create_topic("one", 1));
    let results = futures_util::future::join_all(created).await;
    let count = |code| results.iter().filter(|result| **result == code).count();
    assert_eq!(count(ErrorCode::NONE), 1);
    assert_eq!(count(ErrorCode::TOPIC_ALREADY_EXISTS), 19);
    assert_eq!(names(&node.quorum.image()), ["one"]);
    node.stop().await;
}

#[tokio::test]
async fn an_answer_without_records_waits_for_what_it_builds_on() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let topic = TopicRecord { name: "t".into(), topic_id: Uuid([1; 16]) };
    let create = node.quorum.submit(|_| ((), vec![topic.into()]));
    let look = async {
        let saw =
            node.quorum.submit(|image| (image.topic("t").is_some(), Vec::new())).await.expect("it runs");
        (saw, node.quorum.image().topic("t").is_some())
    };
    let (created, (saw, visible)) = futures_util::join!(create, look);
    let created = created.expect("it is created");
    assert_eq!((created.offset, saw.offset), (node.quorum.image().offset(), created.offset));
    let saw = saw.answer;
    assert!(!saw || visible, "an answer told of a topic that was not there yet");
    assert!(saw, "decisions are made in order");
    node.stop().await;
}

#[tokio::test]
async fn records_that_contradict_the_state_change_nothing() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let before = node.quorum.image().offset();
    let gone = RemoveTopicRecord { topic_id: Uuid([9; 16]) };
    let topic = TopicRecord { name: "t".into(), topic_id: Uuid([1; 16]) };
    let result = node.quorum.submit(|_| ((), vec![topic.into(), gone.into()])).await;
    assert!(matches!(result, Err(SubmitError::Contradiction(_))), "{result:?}");
    let sees = node.quorum.submit(|image| (image.topic("t").is_some(), Vec::new())).await;
    assert_eq!(sees, Ok(SubmitOutcome { answer: false, offset: before }));
    assert_eq!(node.quorum.image().offset(), before);
    node.stop().await;
}

/// One record of each kind that carries text, with a text that is one byte too long in one of its fields.
fn unencodable() -> Vec<MetadataRecord> {
    let long = || Str::from("x".repeat(32_768));
    let config = ConfigRecord { resource_type: 2, ..ConfigRecord::default() };
    let endpoint = BrokerEndpoint { host: long(), ..BrokerEndpoint::default() };
    let registered = RegisterBrokerRecord { broker_id: 2, ..RegisterBrokerRecord::default() };
    vec![
        TopicRecord { name: long(), topic_id: Uuid([1; 16]) }.into(),
        ConfigRecord { resource_name: long(), ..config.clone() }.into(),
        ConfigRecord { name: long(), ..config.clone() }.into(),
        ConfigRecord { value: Some(long()), ..config }.into(),
        RegisterBrokerRecord { end_points: vec![endpoint], ..registered.clone() }.into(),
        RegisterBrokerRecord { rack: Some(long()), ..registered }.into(),
        FeatureLevelRecord { name: long(), feature_level: 1 }.into(),
        AbortTransactionRecord { reason: Some(long()) }.into(),
    ]
}

#[tokio::test]
async fn a_record_that_cannot_be_written_fails_its_own_decision_only() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    node.register().await;
    for (at, record) in unencodable().into_iter().enumerate() {
        let before = node.quorum.image().offset();
        let name = record.name();
        // Alone, and behind one that could be written.
        for records in [vec![record.clone()], vec![MetadataRecord::NoOp(Default::default()), record]] {
            let result = node.quorum.submit(|_| ((), records)).await;
            assert!(
                matches!(&result, Err(SubmitError::Unencodable { record, .. }) if *record == name),
                "{result:?}"
            );
        }
        assert_eq!(node.quorum.image().offset(), before, "nothing of it is in the log");
        assert_eq!(node.create_topic(&format!("after-{at}"), 1).await, ErrorCode::NONE);
    }
    node.stop().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(node.quorum.image().topics().len(), unencodable().len());
    node.stop().await;
}

#[tokio::test]
async fn a_decision_that_the_log_has_no_room_for_in_one_piece_fails_alone() {
    let dir = TempDir::new();
    let small = QuorumConfig { segment_bytes: 16 << 10, ..config() };
    let node = Node::try_start(&Fs::real(), dir.path(), small).await.expect("it starts");
    node.register().await;
    let config = |name: String, value_bytes: usize| {
        let value = Some("v".repeat(value_bytes).into());
        ConfigRecord { resource_type: 2, resource_name: "t".into(), name: name.into(), value }.into()
    };
    // More than a segment has, as one record; more than a decision may have, as many.
    let one = vec![config("long".to_owned(), 17 << 10)];
    let many: Vec<MetadataRecord> = (0..900).map(|at| config(format!("n{at}"), 10 << 10)).collect();
    for records in [one, many] {
        let result = node.quorum.submit(|_| ((), records)).await;
        assert!(matches!(result, Err(SubmitError::TooLarge { .. })), "{result:?}");
        assert_eq!(node.quorum.image().all_configs().count(), 0);
    }
    // A decision may well be larger than a segment.
    let fits: Vec<MetadataRecord> = (0..700).map(|at| config(format!("n{at}"), 10 << 10)).collect();
    node.quorum.submit(|_| ((), fits)).await.expect("it is decided");
    assert_eq!(node.create_topic("after", 1).await, ErrorCode::NONE);
    node.stop().await;
}

#[tokio::test]
async fn a_follower_gets_every_change_in_order() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let (_, mut changes) = node.quorum.follow();
    node.register().await;
    changes.next().await.expect("the quorum runs");
    let mut seen = Vec::new();
    for name in ["a", "b", "c"] {
        node.create_topic(name, 2).await;
        let change = changes.next().await.expect("the quorum runs");
        assert_eq!(change.created_topics().map(|topic| &*topic.name).collect::<Vec<_>>(), [name]);
        assert_eq!(change.changed_partitions().count(), 2);
        assert!(Arc::ptr_eq(&change.new, &node.quorum.image()));
        seen.push((change.old.offset(), change.new.offset()));
    }
    assert!(seen.windows(2).all(|pair| pair[0].1 == pair[1].0), "{seen:?}");
    node.stop().await;
    assert!(changes.next().await.is_none(), "it ends with the quorum");

    // Who follows from a start has all that is there.
    let node = Node::start(dir.path()).await;
    let (image, _) = node.quorum.follow();
    assert_eq!(names(&image), ["a", "b", "c"]);
    node.stop().await;
}

#[tokio::test]
async fn many_partitions_cost_few_syncs() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let node = Node::try_start(&Fs::faulty(faults.clone()), dir.path(), config()).await;
    let node = node.expect("it starts");
    node.register().await;
    faults.take_done();
    assert_eq!(node.create_topic("wide", 5_000).await, ErrorCode::NONE);
    let done = faults.take_done();
    let syncs = done.iter().filter(|(operation, _)| *operation == Operation::Sync).count();
    assert!((1..=3).contains(&syncs), "{syncs} syncs");
    let writes = done.iter().filter(|(operation, path)| {
        *operation == Operation::Write && path.extension().is_some_and(|extension| extension == "log")
    });
    assert!(writes.count() <= 3, "entries are appended together");
    assert_eq!(node.quorum.image().topics().partition_count(), 5_000);
    node.stop().await;
}

#[tokio::test]
async fn proposals_overlap_their_syncs() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let node = Node::try_start(&Fs::faulty(faults.clone()), dir.path(), config()).await;
    let node = node.expect("it starts");
    faults.take_done();
    let set = |i: usize| {
        let record = ConfigRecord {
            resource_type: 2,
            resource_name: "t".into(),
            name: format!("n{i}").into(),
            value: Some("v".into()),
        };
        node.quorum.submit(move |_| ((), vec![record.into()]))
    };
    let results = futures_util::future::join_all((0..500).map(set)).await;
    assert!(results.iter().all(Result::is_ok));
    let done = faults.take_done();
    let syncs = done.iter().filter(|(operation, _)| *operation == Operation::Sync).count();
    assert!(syncs < 400, "{syncs} syncs for 500 decisions at once");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_that_ends_by_itself_says_so() {
    let dir = TempDir::new();
    let faults = Arc::new(Faults::default());
    let node = Node::try_start(&Fs::faulty(faults.clone()), dir.path(), config()).await.expect("it starts");
    node.register().await;
    assert_eq!(node.create_topic("sound", 1).await, ErrorCode::NONE);
    let error = std::io::ErrorKind::Other;
    faults.add(Fault { operation: Operation::Sync, path_end: ".log", after: 0, times: 1, error });
    let (ended, result) = tokio::join!(node.quorum.ended(), async {
        let topic = TopicRecord { name: "lost".into(), topic_id: Uuid([1; 16]) };
        node.quorum.submit(|_| ((), vec![topic.into()])).await
    });
    assert_eq!(result, Err(SubmitError::Stopped(ended)));
    let after = node.quorum.submit(|_| ((), vec![MetadataRecord::NoOp(Default::default())])).await;
    assert!(matches!(after, Err(SubmitError::Stopped(_))), "{after:?}");
}

#[tokio::test]
async fn a_change_that_nobody_acts_on_holds_up_nothing() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    // It takes what came before, and then is busy with it for as long as the test lasts.
    let (_, mut changes) = node.quorum.follow();
    node.register().await;
    changes.next().await.expect("a change");
    for i in 0..50 {
        assert_eq!(node.create_topic(&format!("t{i}"), 1).await, ErrorCode::NONE);
        assert_eq!(node.quorum.image().topics().len(), i + 1);
    }
    let all = changes.next().await.expect("the rest, in one piece");
    assert_eq!((all.created_topics().count(), all.new.offset()), (50, node.quorum.image().offset()));
    node.stop().await;
}

#[tokio::test]
async fn its_status_follows_what_is_written() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let before = node.quorum.status();
    let [voter] = &before.voters[..] else { panic!("{before:?}") };
    assert_eq!((before.leader, voter.id.id), (Some(voter.id), 1));
    assert_eq!(voter.id.directory_id, config().directory_id);
    assert_eq!((before.leader_epoch, before.high_watermark), (1, node.quorum.image().offset() + 1));
    node.register().await;
    let after = node.quorum.status();
    assert!(after.high_watermark > before.high_watermark);
    assert_eq!(after.high_watermark, node.quorum.image().offset() + 1);
    assert_eq!(after.voters[0].log_end_offset, Some(after.high_watermark));
    node.stop().await;
    let node = Node::start(dir.path()).await;
    assert_eq!(node.quorum.status().leader_epoch, 2, "each start is an election");
    node.stop().await;
}

#[tokio::test]
async fn a_decision_of_very_many_records_is_written_in_parts() {
    let dir = TempDir::new();
    let node = Node::start(dir.path()).await;
    let before = node.quorum.image().offset();
    let topics = |count: u32, from: u32| -> Vec<MetadataRecord> {
        let topic = |number: u32| {
            let topic_id = Uuid(u128::from(number + 1).to_be_bytes());
            TopicRecord { name: number.to_string().into(), topic_id }.into()
        };
        (from..from + count).map(topic).collect()
    };
    let decided = node.quorum.submit_in_office(|_, _| ((), topics(25_000, 0))).await.expect("it is written");
    let image = node.quorum.image();
    // Three transactions, each with its beginning and its end.
    assert_eq!((decided.offset, image.offset()), (before + 25_000 + 6, before + 25_000 + 6));
    assert_eq!(image.topics().len(), 25_000);
    // A part that contradicts the state leaves those before it.
    let mut records = topics(15_000, 30_000);
    records.push(RemoveTopicRecord { topic_id: Uuid([0xff; 16]) }.into());
    let result = node.quorum.submit_in_office(|_, _| ((), records)).await;
    assert!(matches!(result, Err(SubmitError::Contradiction(_))), "{result:?}");
    assert_eq!(node.quorum.image().topics().len(), 35_000);
    node.stop().await;
}
