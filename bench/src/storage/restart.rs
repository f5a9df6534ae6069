//! From the command to the first answers, after a clean stop.

use std::time::Instant;

use super::Bench;
use super::findings::Goal;
use super::made;
use crate::Attempt;
use crate::connection::Connection;
use crate::peer::{Kind, Peer, Setup};
use storage::LogConfig;

const PARTITIONS: u64 = 1_000;
/// 20 GB in all.
const PARTITION_BYTES: u64 = 20_000_000;
/// The usual size of a busy producer's batches.
const BATCH_RECORDS: usize = 16;

pub(super) const KEEP: Setup<'static> =
    Setup { durable: false, settings: &[], keep: true, descriptors_max: None };

pub(super) fn measure(bench: &mut Bench) -> Attempt<()> {
    let partitions = i32::try_from(bench.scaled(PARTITIONS)).expect("few");
    let peer = bench.peers.start(Kind::Milena, Setup::default())?;
    let topic_id = Connection::open(&peer.bootstrap)?.create_topic("restart", partitions, &[])?;
    peer.leave();
    let batch = made::batch(BATCH_RECORDS, 1000);
    let times = PARTITION_BYTES / batch.len() as u64;
    made::in_directory(&bench.log_dir(), |directory| {
        for partition in 0..partitions {
            let id = Some(topic_id);
            let mut log = made::open_log(directory, "restart", partition, id, &LogConfig::default())?;
            made::append(&mut log, &batch, times)?;
            log.close().map_err(|error| error.to_string())?;
        }
        Ok(())
    })?;
    let mut times = Vec::new();
    for _ in 0..bench.rounds.max(5) {
        let (peer, ms) = serving(bench, "restart", partitions - 1)?;
        times.push(ms);
        peer.leave();
    }
    let gigabytes =
        batch.len() as f64 * PARTITION_BYTES as f64 / batch.len() as f64 * f64::from(partitions) / 1e9;
    let what = format!("clean restart to serving, {partitions} partitions, {gigabytes:.1} GB");
    bench.findings.add(&what, "ms", Goal::AtMost(300.0), &times);
    Ok(())
}

/// Starts Milena on its data; returns the milliseconds until it has answered a fetch of the partition's first
/// records and a produce to it.
pub(super) fn serving(bench: &Bench, topic: &str, partition: i32) -> Attempt<(Peer, f64)> {
    let batch = made::batch(1, 100);
    let peer = bench.peers.start(Kind::Milena, KEEP)?;
    let mut connection = Connection::open(&peer.bootstrap)?;
    let fetched = connection.fetch(topic, partition, 0, 100_000)?;
    assert!(!fetched.records.is_empty(), "what was written is served");
    connection.produce(topic, partition, &batch, 1)?;
    let ms = Instant::now().duration_since(peer.started).as_secs_f64() * 1e3;
    Ok((peer, ms))
}
