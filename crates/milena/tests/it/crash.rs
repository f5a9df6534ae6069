//! kill -9 under load, in rounds that a seed decides: nothing acknowledged is lost, nothing is there twice,
//! order stays.
//!
//! `MILENA_CRASH_ROUNDS` sets the number of rounds, `MILENA_CRASH_SEED` the first seed.

use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::harness::broker::Broker;
use crate::harness::clients::{
    LIMIT, Producer, Report, consumer, create_topic, id_of, read_partitions, watermarks,
};

const PARTITIONS: i32 = 3;

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => default,
    }
}

/// Runs many rounds on several brokers at once, for they wait more than they work.
pub(crate) fn shared_out(seeds: Range<u64>, go_through: impl Fn(Range<u64>) + Sync) {
    const AT_A_TIME: u64 = 13;
    let go_through = &go_through;
    std::thread::scope(|scope| {
        for first in seeds.clone().step_by(AT_A_TIME as usize) {
            scope.spawn(move || go_through(first..seeds.end.min(first + AT_A_TIME)));
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost() {
    let rounds = number("MILENA_CRASH_ROUNDS", 5);
    let first = number("MILENA_CRASH_SEED", 1);
    shared_out(first..first + rounds, rounds_of_one_broker);
}

fn rounds_of_one_broker(seeds: Range<u64>) {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let mut ends = Vec::new();
    for seed in seeds {
        let topic = round(&mut broker, seed);
        let marks: Vec<_> = (0..PARTITIONS).map(|p| watermarks(broker.bootstrap(), &topic, p)).collect();
        ends.push((topic, marks));
        eprintln!("seed {seed}: {:?}", ends.last());
    }
    // What earlier rounds left is still there after all the later crashes.
    for (topic, marks) in ends {
        let now: Vec<_> = (0..PARTITIONS).map(|p| watermarks(broker.bootstrap(), &topic, p)).collect();
        assert_eq!(now, marks, "{topic}");
    }
}

/// The plan of one round, by its seed.
struct Plan {
    idempotent: bool,
    acks: &'static str,
    codec: &'static str,
    size: usize,
    segment_bytes: &'static str,
    /// Time under load before each crash, in milliseconds.
    crashes_ms: Vec<u64>,
    /// Bytes of noise behind the last batch, as a torn write leaves them.
    torn_bytes: usize,
}

impl Plan {
    fn new(seed: u64) -> Plan {
        let mut choice = fastrand::Rng::with_seed(seed);
        let acks = if choice.u8(..4) == 0 { "1" } else { "all" };
        Plan {
            idempotent: acks == "all" && choice.u8(..4) != 0,
            acks,
            codec: ["none", "none", "lz4", "zstd", "gzip", "snappy"][choice.usize(..6)],
            size: choice.usize(20..2_000),
            segment_bytes: ["1048576", "1073741824"][choice.usize(..2)],
            crashes_ms: (0..choice.usize(1..3)).map(|_| choice.u64(20..400)).collect(),
            torn_bytes: if choice.bool() { choice.usize(1..3_000) } else { 0 },
        }
    }
}

/// Produces while the broker is killed and comes back, then compares what is there with what was promised.
fn round(broker: &mut Broker, seed: u64) -> String {
    let plan = Plan::new(seed);
    let bootstrap = broker.bootstrap().to_owned();
    let topic = create_topic(&bootstrap, "crash", PARTITIONS, &[("segment.bytes", plan.segment_bytes)]);
    let enough = AtomicBool::new(false);
    let reports = std::thread::scope(|scope| {
        let load = scope.spawn(|| produce(&bootstrap, &topic, &plan, &enough));
        let committing = scope.spawn(|| commit(&bootstrap, &topic, &enough));
        for (nth, ms) in plan.crashes_ms.iter().enumerate() {
            std::thread::sleep(Duration::from_millis(*ms));
            broker.kill();
            if nth == 0 && plan.torn_bytes > 0 {
                tear(broker, &topic, plan.torn_bytes, seed);
            }
            broker.restart();
        }
        std::thread::sleep(Duration::from_millis(100));
        enough.store(true, Ordering::Relaxed);
        let (group, last) = committing.join().expect("committed");
        assert!(committed(&bootstrap, &group, &topic) >= last, "seed {seed}: a committed offset went back");
        load.join().expect("produced")
    });
    check(&bootstrap, &topic, &plan, &reports, seed);
    topic
}

/// Sends until there is enough; the number of a message tells its place among those of its partition.
fn produce(bootstrap: &str, topic: &str, plan: &Plan, enough: &AtomicBool) -> Vec<Report> {
    let idempotent = plan.idempotent.to_string();
    let settings = [
        ("enable.idempotence", idempotent.as_str()),
        ("acks", plan.acks),
        ("compression.codec", plan.codec),
        ("batch.num.messages", "100"),
        ("linger.ms", "1"),
    ];
    let producer = Producer::new(bootstrap, &settings);
    let mut id = 0;
    while !enough.load(Ordering::Relaxed) && id < 30_000 {
        for _ in 0..9 {
            let partition = i32::try_from(id % 3).expect("small");
            producer.send(topic, partition, id, plan.size);
            id += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let reports = producer.reports();
    assert_eq!(reports.len(), id, "one report for each message");
    assert_eq!(producer.fatal_error(), None);
    reports
}

/// Commits ever higher offsets for a group until there is enough; gives the last that was acknowledged.
fn commit(bootstrap: &str, topic: &str, enough: &AtomicBool) -> (String, i64) {
    let group = format!("{topic}-group");
    let consumer = consumer(bootstrap, &group, &[]);
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    let (mut next, mut acknowledged) = (1, -1);
    while !enough.load(Ordering::Relaxed) {
        list.set_partition_offset(topic, 0, Offset::Offset(next)).expect("an offset");
        if consumer.commit(&list, CommitMode::Sync).is_ok() {
            acknowledged = next;
        }
        next += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    (group, acknowledged)
}

fn committed(bootstrap: &str, group: &str, topic: &str) -> i64 {
    let consumer = consumer(bootstrap, group, &[]);
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, 0);
    let found = consumer.committed_offsets(list, LIMIT).expect("committed offsets");
    match found.find_partition(topic, 0).expect("asked for").offset() {
        Offset::Offset(offset) => offset,
        _ => -1,
    }
}

/// Leaves what a write leaves that the machine did not live to finish.
fn tear(broker: &Broker, topic: &str, torn_bytes: usize, seed: u64) {
    let mut noise = fastrand::Rng::with_seed(seed);
    for partition in 0..PARTITIONS {
        let directory = broker.data().join(format!("{topic}-{partition}"));
        let logs = std::fs::read_dir(directory).expect("the partition's directory");
        let mut logs: Vec<_> = logs
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect();
        logs.sort();
        let mut active =
            OpenOptions::new().append(true).open(logs.pop().expect("a segment")).expect("opened");
        let torn: Vec<u8> = (0..torn_bytes).map(|_| noise.u8(..)).collect();
        active.write_all(&torn).expect("written");
    }
}

fn check(bootstrap: &str, topic: &str, plan: &Plan, reports: &[Report], seed: u64) {
    let read = read_partitions(bootstrap, topic, PARTITIONS);
    let mut by_offset = Vec::new();
    for (partition, messages) in read.iter().enumerate() {
        let found: Vec<_> = messages.iter().map(|m| id_of(m.payload().expect("a payload"))).collect();
        for (at, message) in messages.iter().enumerate() {
            assert_eq!(message.offset(), i64::try_from(at).expect("small"), "seed {seed}: a gap");
            assert!(
                message.payload() == Some(crate::harness::clients::payload(found[at], plan.size).as_slice()),
                "seed {seed}: message {} of partition {partition} is not as it was sent",
                found[at]
            );
        }
        if plan.idempotent {
            let sent: Vec<_> = (0..reports.len()).filter(|id| id % 3 == partition).collect();
            assert!(found == sent, "seed {seed}: partition {partition} has not each message once, in order");
        }
        by_offset.push(found);
    }
    for report in reports.iter().filter(|report| report.error.is_none()) {
        let found = usize::try_from(report.partition).ok().map(|partition| &by_offset[partition]);
        let at = usize::try_from(report.offset).ok();
        // A retry that finds its batch already there may be acknowledged without its offset.
        let there = match (found, at) {
            (Some(found), Some(at)) => found.get(at) == Some(&report.id),
            (Some(found), None) => found.contains(&report.id),
            (None, _) => false,
        };
        assert!(there, "seed {seed}: acknowledged and lost: {report:?}");
    }
    let refused = reports.iter().filter(|report| report.error.is_some()).count();
    assert_eq!(refused, 0, "seed {seed}: each message is delivered in the end");
}
