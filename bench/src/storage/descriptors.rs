//! Many more segments than descriptors.

use std::fs;
use std::path::Path;
use std::time::Instant;

use protocol::messages::produce_request::PartitionProduceData;
use protocol::{Bytes, Records, Uuid};
use storage::{LogConfig, TopicPartition};

use super::Bench;
use super::findings::Goal;
use super::made;
use super::restart::KEEP;
use crate::Attempt;
use crate::connection::Connection;
use crate::peer::{Kind, Peer, Setup};

const PARTITIONS: u64 = 10_000;
const SEGMENTS: u64 = 10;
const DESCRIPTORS: u32 = 4096;
/// Partitions in one request.
const TOGETHER: usize = 100;

pub(super) fn measure(bench: &mut Bench) -> Attempt<()> {
    let partitions = i32::try_from(bench.scaled(PARTITIONS)).expect("few");
    let limited = Setup { descriptors_max: Some(DESCRIPTORS), ..KEEP };
    let peer =
        bench.peers.start(Kind::Milena, Setup { descriptors_max: Some(DESCRIPTORS), ..Setup::default() })?;
    let topic_id = Connection::open(&peer.bootstrap)?.create_topic("many", partitions, &[])?;
    let made_s = peer.started.elapsed().as_secs_f64();
    peer.leave();
    let batch = made::batch(1, 100);
    fill(&bench.log_dir(), partitions, topic_id, &batch)?;

    let peer = bench.peers.start(Kind::Milena, limited)?;
    Connection::open(&peer.bootstrap)?.fetch("many", partitions - 1, 0, 1000)?;
    let opened_ms = peer.started.elapsed().as_secs_f64() * 1e3;
    let mut descriptors = vec![peer.process.descriptors() as f64];
    let begun = Instant::now();
    let answers = use_all(&peer, partitions, &batch, &mut descriptors)?;
    let seconds = begun.elapsed().as_secs_f64();
    peer.leave();

    let many =
        format!("{partitions} partitions with {} segments, {DESCRIPTORS} descriptors", answers / 11 * 10);
    let findings = &mut bench.findings;
    findings.add(&format!("{many}: made"), "s", Goal::None, &[made_s]);
    findings.add(&format!("{many}: opened"), "ms", Goal::None, &[opened_ms]);
    let expected = (partitions as f64) * (SEGMENTS + 1) as f64;
    findings.add(
        &format!("{many}: fetches and produces that succeed"),
        "",
        Goal::AtLeast(expected),
        &[answers as f64],
    );
    findings.add(&format!("{many}: a second"), "", Goal::None, &[answers as f64 / seconds]);
    findings.add(&format!("{many}: descriptors"), "", Goal::AtMost(f64::from(DESCRIPTORS)), &descriptors);
    Ok(())
}

/// Gives each partition its segments, one batch in each: one is written and the others are copies.
fn fill(dir: &Path, partitions: i32, topic_id: Uuid, batch: &Bytes) -> Attempt<()> {
    made::in_directory(dir, |directory| {
        let config = LogConfig { segment_bytes: batch.len() as u32, ..LogConfig::default() };
        let mut log = made::open_log(directory, "many", 0, Some(topic_id), &config)?;
        made::append(&mut log, batch, SEGMENTS)?;
        log.close().map_err(|error| error.to_string())
    })?;
    let copied = (1..partitions).try_for_each(|partition| copy(dir, partition));
    copied.map_err(|error| format!("not copied: {error}"))?;
    let path = dir.join("recovery-point-offset-checkpoint");
    let fs = storage::fs::Fs::real();
    let mut offsets = storage::read_offsets(&fs, &path).map_err(|error| error.to_string())?;
    for partition in 1..partitions {
        offsets.insert(TopicPartition { topic: "many".to_owned(), partition }, SEGMENTS as i64);
    }
    storage::write_offsets(&fs, &path, offsets.iter()).map_err(|error| error.to_string())
}

fn copy(dir: &Path, partition: i32) -> std::io::Result<()> {
    let to = dir.join(format!("many-{partition}"));
    for old in fs::read_dir(&to)? {
        fs::remove_file(old?.path())?;
    }
    for file in fs::read_dir(dir.join("many-0"))? {
        let file = file?;
        let bytes = fs::read(file.path())?;
        fs::write(to.join(file.file_name()), bytes)?;
    }
    Ok(())
}

/// Fetches from every segment of every partition, and produces to every partition; returns how many were
/// answered.
fn use_all(peer: &Peer, partitions: i32, batch: &Bytes, descriptors: &mut Vec<f64>) -> Attempt<u64> {
    let mut connection = Connection::open(&peer.bootstrap)?;
    let all: Vec<i32> = (0..partitions).collect();
    let mut answers = 0;
    for offset in 0..SEGMENTS as i64 {
        for some in all.chunks(TOGETHER) {
            let places: Vec<(i32, i64)> = some.iter().map(|partition| (*partition, offset)).collect();
            let fetched = connection.fetch_all("many", &places, 1000)?;
            answers += fetched.iter().filter(|fetched| !fetched.records.is_empty()).count() as u64;
        }
        descriptors.push(peer.process.descriptors() as f64);
    }
    for some in all.chunks(TOGETHER) {
        let data = some.iter().map(|partition| PartitionProduceData {
            index: *partition,
            records: Records::Bytes(batch.clone()),
        });
        answers += connection.produce_all("many", data.collect(), -1)?.len() as u64;
    }
    descriptors.push(peer.process.descriptors() as f64);
    Ok(answers)
}
