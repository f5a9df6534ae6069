//! Compacting a log most of whose keys are written again later: its speed, its memory, and its effect on
//! requests.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use protocol::Bytes;
use record::{BatchBuilder, Compression};

use super::Bench;
use super::findings::{Findings, Goal};
use super::latency::{Probe, while_running};
use super::made;
use crate::Attempt;
use crate::connection::Connection;
use crate::peer::{Kind, Peer, Setup};
use crate::process::resident_kib;

const MESSAGES: u64 = 1_000_000;
/// Nine of ten messages are followed by another of their key.
const MESSAGES_OF_A_KEY: u64 = 10;
const VALUE_BYTES: usize = 1000;
const BATCH_RECORDS: u64 = 16;
const SEGMENT_BYTES: u64 = 100_000_000;

const SETTINGS: [(&str, &str); 1] = [("log.cleaner.backoff.ms", "100")];
/// The longest time of one compaction.
const LIMIT: Duration = Duration::from_secs(60);
/// The time that the probes run on the idle broker.
const IDLE: Duration = Duration::from_secs(5);

const KAFKA_ROUNDS_MAX: usize = 5;

const TOPIC: &str = "compacted";
const OTHER: &str = "other";

/// The result of one compaction.
struct Run {
    seconds: f64,
    cpu_seconds: f64,
    /// Memory above that before, in MiB.
    memory_mib: f64,
    idle: Vec<Vec<f64>>,
    busy: Vec<Vec<f64>>,
}

const PROBES: [&str; 4] = [
    "produce to the compacted partition",
    "fetch from the compacted partition",
    "produce to another",
    "fetch from another",
];

pub(super) fn measure(bench: &mut Bench) -> Attempt<()> {
    let messages = bench.scaled(MESSAGES);
    let mut runs: Vec<Vec<Run>> = bench.kinds.iter().map(|_| Vec::new()).collect();
    for round in 0..bench.rounds {
        for (place, kind) in bench.kinds.clone().into_iter().enumerate() {
            // Kafka's time varies little.
            if kind == Kind::Kafka && round >= KAFKA_ROUNDS_MAX {
                continue;
            }
            let peer = bench.peers.start(kind, Setup { settings: &SETTINGS, ..Setup::default() })?;
            let run = compact(&peer, &bench.peers.log_dir_of(kind), messages);
            peer.stop();
            // The other broker's result is worth having still.
            match run {
                Ok(run) => {
                    println!("  {}: {:.2} s, {:.1} MiB", kind.name(), run.seconds, run.memory_mib);
                    runs[place].push(run);
                }
                Err(error) => bench.findings.failed(&format!("compaction, {}", kind.name()), &error),
            }
        }
    }
    report(bench, &runs, messages);
    Ok(())
}

fn report(bench: &mut Bench, runs: &[Vec<Run>], messages: u64) {
    let of = |kind: Kind| {
        let place = bench.kinds.iter().position(|other| *other == kind)?;
        Some(&runs[place]).filter(|runs| !runs.is_empty())
    };
    let gigabytes = messages as f64 * VALUE_BYTES as f64 / 1e9;
    let what = format!("compaction of {gigabytes:.2} GB, 90 % of it superseded");
    let findings = &mut bench.findings;
    for kind in [Kind::Milena, Kind::Kafka] {
        let Some(runs) = of(kind) else { continue };
        let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        let cpu: Vec<f64> = runs.iter().map(|run| run.cpu_seconds).collect();
        findings.add(&format!("{what}, {}", kind.name()), "s", Goal::None, &seconds);
        findings.add(&format!("{what}, {}: CPU of it all", kind.name()), "s", Goal::None, &cpu);
    }
    if let (Some(ours), Some(theirs)) = (of(Kind::Milena), of(Kind::Kafka)) {
        let ratios: Vec<f64> =
            ours.iter().zip(theirs).map(|(ours, theirs)| theirs.seconds / ours.seconds).collect();
        findings.add(&format!("{what}: Kafka's time / Milena's"), "", Goal::AtLeast(2.0), &ratios);
    }
    for kind in [Kind::Milena, Kind::Kafka] {
        let Some(runs) = of(kind) else { continue };
        report_others(findings, &what, kind, runs);
    }
}

/// Notes the latencies of requests meanwhile.
fn report_others(findings: &mut Findings, what: &str, kind: Kind, runs: &[Run]) {
    let ours = kind == Kind::Milena;
    let memory: Vec<f64> = runs.iter().map(|run| run.memory_mib).collect();
    let goal = if ours { Goal::AtMost(64.0) } else { Goal::None };
    findings.add(&format!("{what}: {}'s memory above idle", kind.name()), "MiB", goal, &memory);
    for (place, probe) in PROBES.iter().enumerate() {
        let of = |latencies: fn(&Run) -> &[Vec<f64>]| -> Vec<Vec<f64>> {
            runs.iter().map(|run| latencies(run)[place].clone()).collect()
        };
        let goal = if ours { Goal::AtMost(1.5) } else { Goal::None };
        let what = format!("{what}, {}: p99 of {probe}", kind.name());
        findings.add_p99(&what, goal, &of(|run| &run.idle), &of(|run| &run.busy));
    }
}

fn compact(peer: &Peer, log_dir: &Path, messages: u64) -> Attempt<Run> {
    let mut connection = Connection::open(&peer.bootstrap)?;
    let segment_bytes = SEGMENT_BYTES.min(messages * VALUE_BYTES as u64 / 10).to_string();
    let settings = [("segment.bytes", segment_bytes.as_str()), ("flush.messages", "9223372036854775807")];
    connection.create_topic(TOPIC, 1, &settings)?;
    connection.create_topic(OTHER, 1, &settings[1..])?;
    let end = fill(&mut connection, TOPIC, messages)?;
    let other_end = fill(&mut connection, OTHER, messages / 20)?;
    // The compaction must not wait for leftovers of the filling.
    rustix::fs::sync();
    let keyed = batch(messages, 1);
    let probes = [
        Probe::Produce { topic: TOPIC, batch: &keyed, acks: 1 },
        Probe::Fetch { topic: TOPIC, end },
        Probe::Produce { topic: OTHER, batch: &keyed, acks: 1 },
        Probe::Fetch { topic: OTHER, end: other_end },
    ];
    let wait = || {
        std::thread::sleep(IDLE);
        Ok(())
    };
    let (idle, ()) = while_running(&peer.bootstrap, &probes, wait)?;
    rustix::fs::sync();
    let (memory, cpu) = (peer.process.resident_mib(), peer.process.cpu_seconds());
    let work = || {
        let begun = Instant::now();
        let settings = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01")];
        connection.alter_topic(TOPIC, &settings)?;
        let peak_kib = wait_until_clean(log_dir, peer.process.id(), end * 8 / 10)?;
        Ok((begun.elapsed().as_secs_f64(), peak_kib))
    };
    let (busy, (seconds, peak_kib)) = while_running(&peer.bootstrap, &probes, work)?;
    let cpu_seconds = peer.process.cpu_seconds() - cpu;
    Ok(Run { seconds, cpu_seconds, memory_mib: peak_kib / 1024.0 - memory, idle, busy })
}

/// Waits until the log is clean up to `offset`, by the checkpoint that both brokers write; returns the most
/// resident memory meanwhile.
fn wait_until_clean(log_dir: &Path, process: u32, offset: i64) -> Attempt<f64> {
    let path = log_dir.join("cleaner-offset-checkpoint");
    let begun = Instant::now();
    let mut peak_kib: f64 = 0.0;
    while begun.elapsed() < LIMIT {
        peak_kib = peak_kib.max(resident_kib(process));
        let text = fs::read_to_string(&path).unwrap_or_default();
        let prefix = format!("{TOPIC} 0 ");
        let clean = text.lines().find_map(|line| line.strip_prefix(&prefix)?.parse::<i64>().ok());
        if clean.is_some_and(|clean| clean >= offset) {
            return Ok(peak_kib);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(format!("the log is not clean after {LIMIT:?}"))
}

/// Produces this many messages to partition 0; returns the offset after the last.
fn fill(connection: &mut Connection, topic: &str, messages: u64) -> Attempt<i64> {
    let mut end = 0;
    for number in 0..messages.div_ceil(BATCH_RECORDS) {
        let batch = batch(number * BATCH_RECORDS, messages / MESSAGES_OF_A_KEY);
        end = connection.produce(topic, 0, &batch, 1)? + BATCH_RECORDS as i64;
    }
    Ok(end)
}

/// A batch whose records have keys among `keys`, in random order.
fn batch(first: u64, keys: u64) -> Bytes {
    let mut builder = BatchBuilder::new(Compression::None);
    let value = [b'x'; VALUE_BYTES];
    let now_ms = made::now_ms();
    for number in first..first + BATCH_RECORDS {
        // One step of SplitMix64.
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let key = format!("key-{:08}", (mixed ^ (mixed >> 31)) % keys.max(1));
        builder.push(now_ms, Some(key.as_bytes()), Some(&value), &[]);
    }
    Bytes::from(builder.build())
}
