//! Partitions that are moved between log directories, while they are written and read.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
};
use protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use protocol::messages::describe_log_dirs_response::DescribeLogDirsPartition;
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::{ErrorCode, Str};

use crate::crash::shared_out;
use crate::harness::broker::Broker;
use crate::harness::clients::{Producer, Report, create_topic, ids, read_all, watermarks};
use crate::harness::directory::Directory;
use crate::harness::raw::Raw;

const LIMIT: Duration = Duration::from_secs(60);

/// A limit under which nothing ever arrives.
const SLOW: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

/// A broker with two log directories.
struct Two {
    broker: Broker,
    dirs: [PathBuf; 2],
    _directory: Directory,
}

impl Two {
    fn start(settings: &[(&str, &str)]) -> Option<Two> {
        if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
            eprintln!("skipped: needs a broker of its own");
            return None;
        }
        let directory = Directory::new();
        let dirs = ["first", "second"].map(|name| directory.path().join(name));
        let log_dirs = format!("{},{}", dirs[0].display(), dirs[1].display());
        let mut all = vec![("log.dirs", log_dirs.as_str()), ("log.retention.check.interval.ms", "100")];
        all.extend(settings);
        let broker = Broker::on(&dirs[0], &all).expect("started");
        Some(Two { broker, dirs, _directory: directory })
    }

    fn raw(&self) -> Raw {
        Raw::open(self.broker.bootstrap())
    }

    /// Asks for partition 0 of a topic, or another, to be moved.
    fn alter(&self, topic: &str, partition: i32, path: &Path) -> ErrorCode {
        let topic = AlterReplicaLogDirTopic { name: topic.into(), partitions: vec![partition] };
        let dir = AlterReplicaLogDir { path: path.to_string_lossy().as_ref().into(), topics: vec![topic] };
        let response = self.raw().ask(&AlterReplicaLogDirsRequest { dirs: vec![dir] }, 2);
        response.results[0].partitions[0].error_code
    }

    /// The answer of DescribeLogDirs about partition 0 of a topic in each directory.
    fn described(&self, topic: &str) -> [Option<DescribeLogDirsPartition>; 2] {
        let response = self.raw().ask(&DescribeLogDirsRequest { topics: None, include_log_status: false }, 4);
        self.dirs.each_ref().map(|dir| {
            let result = response.results.iter().find(|result| *result.log_dir == *dir.to_string_lossy());
            let result = result.expect("every directory is described");
            let topic = result.topics.iter().find(|it| &*it.name == topic)?;
            assert_eq!(topic.partitions.len(), 1);
            Some(topic.partitions[0].clone())
        })
    }

    /// The directory of partition 0 of a topic; waits until it is in one alone.
    fn place(&self, topic: &str) -> usize {
        let deadline = Instant::now() + LIMIT;
        loop {
            match self.described(topic) {
                [Some(one), None] if !one.is_future_key => return 0,
                [None, Some(one)] if !one.is_future_key => return 1,
                other => assert!(Instant::now() < deadline, "it never arrives: {other:?}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until nothing but partitions is left in the directories: what is deleted is removed a little later.
    fn assert_clean(&self) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = self.dirs.iter().flat_map(|dir| names(dir));
            let left: Vec<String> = left
                .filter(|name| {
                    name.ends_with("-future") || name.ends_with("-delete") || name.ends_with("-stray")
                })
                .collect();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{left:?} are still there");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn limit(&self, bytes_per_second: &str) {
        let config = AlterableConfig {
            name: SLOW.into(),
            config_operation: 0,
            value: Some(Str::from(bytes_per_second)),
        };
        let resource =
            AlterConfigsResource { resource_type: 4, resource_name: Str::from(""), configs: vec![config] };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let response = self.raw().ask(&request, 1);
        assert_eq!(response.responses[0].error_code, ErrorCode::NONE);
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("listed");
    entries.map(|entry| entry.expect("listed").file_name().into_string().expect("UTF-8")).collect()
}

fn fill(two: &Two, topic: &str, ids: std::ops::Range<usize>, size: usize) {
    let producer = Producer::new(two.broker.bootstrap(), &[("batch.num.messages", "50")]);
    ids.for_each(|id| producer.send(topic, 0, id, size));
    producer.acknowledged();
}

/// Sends until there is enough; what became of it.
fn produce(bootstrap: &str, topic: &str, enough: &AtomicBool) -> Vec<Report> {
    let settings =
        [("enable.idempotence", "true"), ("acks", "all"), ("linger.ms", "1"), ("batch.num.messages", "20")];
    let producer = Producer::new(bootstrap, &settings);
    let mut id = 0;
    while !enough.load(Ordering::Relaxed) && id < 200_000 {
        for _ in 0..10 {
            producer.send(topic, 0, id, 500);
            id += 1;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    producer.reports()
}

/// Acknowledged records are there, once and in order.
fn assert_all_there(two: &Two, topic: &str, reports: &[Report]) {
    let there = ids(&read_all(two.broker.bootstrap(), topic, 0));
    assert!(there.is_sorted_by(|a, b| a < b), "once and in order");
    let acknowledged = reports.iter().filter(|report| report.error.is_none()).map(|report| report.id);
    let lost: Vec<usize> = acknowledged.filter(|id| there.binary_search(id).is_err()).collect();
    assert!(
        lost.is_empty(),
        "{} were acknowledged and are lost: {:?}",
        lost.len(),
        &lost[..lost.len().min(10)]
    );
}

#[test]
fn a_partition_goes_back_and_forth_while_it_is_written_and_read() {
    let Some(mut two) = Two::start(&[]) else { return };
    let topic = create_topic(two.broker.bootstrap(), "moves", 1, &[("segment.bytes", "1048576")]);
    let enough = AtomicBool::new(false);
    let bootstrap = two.broker.bootstrap().to_owned();
    let (reports, last) = std::thread::scope(|scope| {
        let load = scope.spawn(|| produce(&bootstrap, &topic, &enough));
        let mut at = two.place(&topic);
        for _ in 0..6 {
            let target = 1 - at;
            assert_eq!(two.alter(&topic, 0, &two.dirs[target]), ErrorCode::NONE);
            let deadline = Instant::now() + LIMIT;
            while two.place(&topic) != target {
                assert!(Instant::now() < deadline, "it never arrives");
            }
            at = target;
            // A reader of all of it, from before the move to after the next.
            let there = ids(&read_all(&bootstrap, &topic, 0));
            assert!(there.is_sorted_by(|a, b| a < b));
        }
        enough.store(true, Ordering::Relaxed);
        (load.join().expect("produced"), at)
    });
    assert!(reports.iter().all(|report| report.error.is_none()), "nothing is refused");
    assert_all_there(&two, &topic, &reports);
    two.assert_clean();
    assert!(
        two.dirs[last].join(format!("{topic}-0")).is_dir()
            && !two.dirs[1 - last].join(format!("{topic}-0")).exists()
    );
    // After a crash and after a clean stop it is where it was, with the same records.
    for crash in [true, false] {
        two.broker.end(crash);
        two.broker.restart();
        assert_eq!(two.place(&topic), last);
        assert_all_there(&two, &topic, &reports);
    }
}

#[test]
fn a_move_is_shown_held_back_and_given_up() {
    let Some(two) = Two::start(&[(SLOW, "1")]) else { return };
    let topic = create_topic(two.broker.bootstrap(), "given-up", 1, &[("segment.bytes", "1048576")]);
    fill(&two, &topic, 0..4_000, 1_000);
    let at = two.place(&topic);
    assert_eq!(two.alter(&topic, 0, &two.dirs[1 - at]), ErrorCode::NONE);
    let deadline = Instant::now() + LIMIT;
    // The least that a turn copies is copied; more is not.
    let future = loop {
        let described = two.described(&topic);
        let (here, future) = (described[at].clone().expect("it is here"), described[1 - at].clone());
        assert!(!here.is_future_key && here.partition_size > 4_000_000 && here.offset_lag == 0);
        let future = future.expect("the copy is shown");
        assert!(
            future.is_future_key && future.partition_size < 2_000_000 && future.offset_lag > 2_000,
            "{future:?}"
        );
        if future.partition_size > 0 {
            break future;
        }
        assert!(Instant::now() < deadline, "nothing is copied");
    };
    assert!(future.offset_lag < 4_000, "{future:?}");
    // The same again changes nothing; where it is already ends it.
    assert_eq!(two.alter(&topic, 0, &two.dirs[1 - at]), ErrorCode::NONE);
    assert!(two.described(&topic)[1 - at].is_some());
    assert_eq!(two.alter(&topic, 0, &two.dirs[at]), ErrorCode::NONE);
    assert_eq!(two.place(&topic), at);
    fill(&two, &topic, 4_000..4_010, 100);

    // The next is let go on by a setting that a running broker takes.
    two.limit("100000000000");
    assert_eq!(two.alter(&topic, 0, &two.dirs[1 - at]), ErrorCode::NONE);
    assert_eq!(two.place(&topic), 1 - at);
    assert_eq!(ids(&read_all(two.broker.bootstrap(), &topic, 0)).len(), 4_010);
    two.assert_clean();
}

#[test]
fn a_move_survives_a_restart_and_ends_with_its_topic() {
    let Some(mut two) = Two::start(&[(SLOW, "1")]) else { return };
    let topic = create_topic(two.broker.bootstrap(), "survives", 1, &[("segment.bytes", "1048576")]);
    let other = create_topic(two.broker.bootstrap(), "deleted", 1, &[]);
    for topic in [&topic, &other] {
        fill(&two, topic, 0..3_000, 1_000);
    }
    let (at, other_at) = (two.place(&topic), two.place(&other));
    assert_eq!(two.alter(&topic, 0, &two.dirs[1 - at]), ErrorCode::NONE);
    assert_eq!(two.alter(&other, 0, &two.dirs[1 - other_at]), ErrorCode::NONE);
    let raw_delete = protocol::messages::DeleteTopicsRequest {
        topic_names: vec![Str::from(other.as_str())],
        timeout_ms: 10_000,
        ..protocol::messages::DeleteTopicsRequest::default()
    };
    assert_eq!(two.raw().ask(&raw_delete, 5).responses[0].error_code, ErrorCode::NONE);
    for crash in [false, true] {
        two.broker.end(crash);
        two.broker.restart();
        let future = two.described(&topic)[1 - at].clone().expect("it goes on");
        assert!(future.is_future_key);
    }
    // What is deleted from the log meanwhile stays so.
    let partition = DeleteRecordsPartition { partition_index: 0, offset: 1_234 };
    let delete = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic { name: Str::from(topic.as_str()), partitions: vec![partition] }],
        timeout_ms: 10_000,
    };
    assert_eq!(two.raw().ask(&delete, 2).topics[0].partitions[0].error_code, ErrorCode::NONE);
    two.limit("100000000000");
    assert_eq!(two.place(&topic), 1 - at);
    two.broker.kill();
    two.broker.restart();
    assert_eq!(watermarks(two.broker.bootstrap(), &topic, 0), (1_234, 3_000));
    let there = ids(&read_all(two.broker.bootstrap(), &topic, 0));
    assert_eq!((there[0], there.len()), (1_234, 3_000 - 1_234));
    two.assert_clean();
}

#[test]
fn what_cannot_be_moved_is_refused_as_kafka_does() {
    let Some(two) = Two::start(&[]) else { return };
    let topic = create_topic(two.broker.bootstrap(), "refused", 1, &[]);
    let at = two.place(&topic);
    let elsewhere = two.dirs[0].with_extension("elsewhere");
    assert_eq!(two.alter(&topic, 0, &elsewhere), ErrorCode::LOG_DIR_NOT_FOUND);
    assert_eq!(two.alter(&topic, 0, &two.dirs[at]), ErrorCode::NONE, "it is there");
    assert_eq!(two.alter(&"t".repeat(214), 0, &two.dirs[0]), ErrorCode::INVALID_TOPIC_EXCEPTION);
    // For what is not here the directory is remembered.
    for dir in [&two.dirs[0], &two.dirs[1]] {
        let name = format!("{topic}-later-{}", dir.file_name().expect("a name").display());
        for partition in [0, 1] {
            assert_eq!(two.alter(&name, partition, dir), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        crate::harness::clients::try_create_topic(two.broker.bootstrap(), &name, 2, &[]).expect("created");
        for partition in [0, 1] {
            assert!(
                dir.join(format!("{name}-{partition}")).is_dir(),
                "{name}-{partition} is where it was wanted"
            );
        }
    }
    std::fs::rename(&two.dirs[1], two.dirs[1].with_extension("gone")).expect("moved");
    let deadline = Instant::now() + LIMIT;
    while two.alter(&topic, 0, &two.dirs[1]) != ErrorCode::KAFKA_STORAGE_ERROR {
        assert!(Instant::now() < deadline, "the directory does not work any more");
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_a_move_is_killed() {
    let rounds = std::env::var("MILENA_CRASH_ROUNDS").map_or(4, |text| text.parse().expect("a number"));
    shared_out(0..rounds, killed_moves_of_one_broker);
}

fn killed_moves_of_one_broker(seeds: Range<u64>) {
    let Some(mut two) = Two::start(&[]) else { return };
    let bootstrap = two.broker.bootstrap().to_owned();
    for seed in seeds {
        let mut choice = fastrand::Rng::with_seed(seed);
        let topic = create_topic(&bootstrap, "killed", 1, &[("segment.bytes", "1048576")]);
        let enough = AtomicBool::new(false);
        let reports = std::thread::scope(|scope| {
            let load = scope.spawn(|| produce(&bootstrap, &topic, &enough));
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(choice.u64(20..200)));
                let target = choice.usize(..2);
                assert_eq!(two.alter(&topic, 0, &two.dirs[target]), ErrorCode::NONE);
                std::thread::sleep(Duration::from_micros(choice.u64(..60_000)));
                two.broker.kill();
                two.broker.restart();
            }
            enough.store(true, Ordering::Relaxed);
            load.join().expect("produced")
        });
        two.place(&topic);
        assert_all_there(&two, &topic, &reports);
        two.assert_clean();
    }
}
