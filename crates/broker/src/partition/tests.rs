#![allow(clippy::disallowed_methods, reason = "a test makes and removes a directory of its own")]

use metadata::settings::{BrokerConfig, Configs};
use storage::fs::Fs;
use storage::{LogDirectory, OpenDirectory, OpenLog, TopicPartition};

use super::*;

fn one_batch() -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push(1_000, Some(b"key"), Some(b"value"), &[]);
    builder.build()
}

/// Settings with `flush.messages` as given, or the default.
fn rules(flush_messages: Option<&str>) -> PartitionRules {
    let given = flush_messages.map(|value| ("log.flush.interval.messages".to_owned(), value.to_owned()));
    let given: Configs = given.into_iter().collect();
    let mut broker = BrokerConfig::start(&given).unwrap();
    // The records of these tests are old.
    broker.topic_defaults.message_timestamp_before_max_ms = i64::MAX;
    PartitionRules::new(broker.topic_defaults.clone(), &broker)
}

/// A partition in a directory whose flusher runs only when the test runs it.
fn partition(name: &str, rules: PartitionRules) -> (LogDirectory, Partition) {
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
    let leadership = Leadership { leader_epoch: 0, isr_len: 1 };
    let log_dir = Arc::new(LogDir::offline(directory.path().to_owned()));
    (directory, Partition::lead(Str::from(name), 0, leadership, rules.into(), log, log_dir))
}

#[tokio::test]
async fn an_acks_all_append_is_durable_only_when_the_flusher_has_synced_it() {
    let (directory, partition) = partition("durable", rules(None));
    let appended = partition.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    let end_offset = appended.last_offset + 1;
    assert_eq!(partition.end_offset(), end_offset, "it can be read at once");
    assert!(!partition.is_durable(end_offset), "nothing has synced it");
    let mut acknowledged = std::pin::pin!(partition.durable(end_offset));
    tokio::select! {
        biased;
        _ = &mut acknowledged => panic!("acknowledged before it is on disk"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(directory.flusher().run_round(), 1);
    acknowledged.await.unwrap();
    assert!(partition.is_durable(end_offset));
    std::fs::remove_dir_all(directory.path()).unwrap();
}

#[test]
fn a_larger_flush_messages_asks_for_no_sync() {
    let (directory, partition) = partition("page-cache", rules(Some("9223372036854775807")));
    let appended = partition.append_produced(&one_batch(), 9, true, 1_000).unwrap();
    assert!(partition.is_durable(appended.last_offset + 1), "as durable as its topic asks");
    assert_eq!(directory.flusher().run_round(), 0, "nothing waits for the disk");
    std::fs::remove_dir_all(directory.path()).unwrap();
}
