//! The cost of appending and reading in CPU time, without a network: `cargo run --release -p storage
//! --example cost`.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "it measures, and says what it has measured"
)]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use record::{Batch, BatchBuilder, Compression, ValidBatch};
use storage::fs::Fs;
use storage::{Log, LogConfig, LogDirectory, OpenDirectory, OpenLog, Origin, TopicPartition};

fn main() {
    let path = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let path = path.join(format!("milena-storage-cost-{}", std::process::id()));
    let open = OpenDirectory { fs: Fs::real(), path: path.clone(), open_files_max: 1000 };
    let directory = LogDirectory::open(open).expect("a directory");
    for (value_bytes, batches) in [(100, 1_000_000), (1000, 500_000), (16_000, 60_000)] {
        let mut log = open_log(&directory, value_bytes);
        append(&mut log, value_bytes, batches, None);
        log.set_high_watermark(log.end_offset());
        read(&log, value_bytes, batches);
        remove(&directory, log);
    }
    let mut log = open_log(&directory, 1);
    append(&mut log, 100, 1_000_000, Some(7));
    let start = Instant::now();
    log.flush().expect("a disk");
    println!("flush of all that: {:?}", start.elapsed());
    remove(&directory, log);
    recover(&directory);
    drop(directory);
    std::fs::remove_dir_all(path).expect("it is ours");
}

/// The time that this thread has been on a CPU: what others do on the machine does not count.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says it");
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok()).expect("its first number");
    Duration::from_nanos(ns)
}

fn open_log(directory: &LogDirectory, topic: usize) -> Log {
    let open = OpenLog {
        partition: TopicPartition { topic: format!("topic-{topic}"), partition: 0 },
        topic_id: None,
        config: LogConfig::default().into(),
        now_ms: 0,
        jitter_seed: 0,
        accept_damage: false,
    };
    Log::open(directory, open).expect("a log").0
}

fn remove(directory: &LogDirectory, log: Log) {
    let partition = log.partition().clone();
    drop(log);
    let path = directory.rename_deleted(&partition, "x").expect("a directory");
    directory.remove(&path).expect("a directory");
}

/// Appends batches of one record, of no producer or of an idempotent one.
fn append(log: &mut Log, value_bytes: usize, batches: i32, producer: Option<i64>) {
    let build = |sequence: i32| {
        let mut builder = BatchBuilder::new(Compression::None);
        if let Some(id) = producer {
            builder = builder.producer(id, 0, sequence);
        }
        builder.push(1, None, Some(&vec![b'x'; value_bytes]), &[]);
        builder.build()
    };
    let bytes = build(0);
    let mut valid = ValidBatch::trusted(&Batch::parse(&bytes).expect("a batch"));
    let start = cpu_time();
    for sequence in 0..batches {
        if producer.is_some() {
            valid.header.base_sequence = sequence;
        }
        log.append_as_leader(&bytes, &valid, 0, Origin::Client, 1).expect("it appends");
    }
    let ns = (cpu_time() - start).as_nanos() as f64 / f64::from(batches);
    let per_s = bytes.len() as f64 / ns;
    let kind = if producer.is_some() { "idempotent" } else { "plain" };
    println!("append, {kind}, {} bytes: {ns:.0} ns, {per_s:.2} GB/s", bytes.len());
}

/// Opens a log again as after a crash, with nothing checkpointed.
fn recover(directory: &LogDirectory) {
    let mut log = open_log(directory, 2);
    append(&mut log, 16_000, 60_000, None);
    let bytes = log.size_bytes();
    drop(log);
    let start = cpu_time();
    let log = open_log(directory, 2);
    let elapsed = cpu_time() - start;
    let per_s = bytes as f64 / elapsed.as_nanos() as f64;
    println!("recovery of {bytes} bytes: {elapsed:?}, {per_s:.2} GB/s");
    remove(directory, log);
}

fn read(log: &Log, value_bytes: usize, batches: i32) {
    let rounds = 200_000;
    let time = |what: &str, offset: &dyn Fn(i64) -> i64| {
        let start = cpu_time();
        for n in 0..rounds {
            black_box(log.read(offset(n), 65_536, true, i64::MAX).expect("it reads"));
        }
        let ns = (cpu_time() - start).as_nanos() as f64 / rounds as f64;
        println!("find at {what}, value of {value_bytes} bytes: {ns:.0} ns");
    };
    let batches = i64::from(batches);
    time("the end", &|_| batches - 1);
    time("the start", &|_| 0);
    time("any offset", &|n| n.wrapping_mul(2_654_435_761) % batches);
}
