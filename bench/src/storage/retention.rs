//! Deleting much data, and its effect on requests.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use storage::LogConfig;

use super::Bench;
use super::findings::Goal;
use super::latency::{Probe, while_running};
use super::made;
use super::restart::KEEP;
use crate::Attempt;
use crate::connection::Connection;
use crate::peer::{Kind, Peer, Setup};

/// Segments of 1 GiB, most of it a hole: about 100 GB.
const SEGMENTS: u64 = 94;
const SEGMENT_BYTES: u64 = 1 << 30;
/// Half is deleted by retention, half with its topic.
const TOPICS: [&str; 2] = ["expiring", "deleted"];
const OTHER: &str = "other";
const SETTINGS: [(&str, &str); 1] = [("log.retention.check.interval.ms", "200")];
const IDLE: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(60);
/// The time that the probes go on once the files are gone: the file system still works on them, and a much
/// longer time would only make the result look like idling.
const AFTER: Duration = Duration::from_secs(1);

pub(super) fn measure(bench: &mut Bench) -> Attempt<()> {
    let segments = bench.scaled(SEGMENTS).max(2) / 2;
    let (mut idle, mut busy, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..bench.rounds {
        make(bench, segments)?;
        let peer = bench.peers.start(Kind::Milena, Setup { settings: &SETTINGS, ..KEEP })?;
        let dir = bench.log_dir();
        let batch = made::batch(1, 1000);
        let probes = [-1, 1].map(|acks| Probe::Produce { topic: OTHER, batch: &batch, acks });
        let quiet = || {
            // Write out the leftovers of earlier work first.
            rustix::fs::sync();
            let wait = || {
                std::thread::sleep(IDLE);
                Ok(())
            };
            while_running(&peer.bootstrap, &probes, wait).map(|(latencies, ())| latencies)
        };
        // Every second round idles afterwards, so that neither is always the first.
        let before = if round % 2 == 0 { Some(quiet()?) } else { None };
        rustix::fs::sync();
        let (deleting, seconds) = while_running(&peer.bootstrap, &probes, || delete(&peer, &dir))?;
        idle.push(before.map_or_else(quiet, Ok)?);
        peer.stop();
        busy.push(deleting);
        times.push(seconds);
    }
    let gigabytes = segments * 2 * SEGMENT_BYTES / 1_000_000_000;
    let what = format!("deleting {gigabytes} GB of sparse segments");
    bench.findings.add(&what, "s", Goal::None, &times);
    for (place, acks) in ["acks=all", "acks=1"].iter().enumerate() {
        let of = |rounds: &[Vec<Vec<f64>>]| -> Vec<Vec<f64>> {
            rounds.iter().map(|probes| probes[place].clone()).collect()
        };
        let what = format!("{what}: p99 of produce to another partition, {acks}");
        bench.findings.add_p99(&what, Goal::AtMost(1.5), &of(&idle), &of(&busy));
    }
    Ok(())
}

/// Deletes half by retention and half with its topic; returns the seconds until all is gone.
fn delete(peer: &Peer, dir: &Path) -> Attempt<f64> {
    let mut connection = Connection::open(&peer.bootstrap)?;
    let begun = Instant::now();
    connection.alter_topic(TOPICS[0], &[("retention.bytes", "1")])?;
    connection.delete_topic(TOPICS[1])?;
    wait_until_gone(dir)?;
    let seconds = begun.elapsed().as_secs_f64();
    std::thread::sleep(AFTER);
    Ok(seconds)
}

/// Creates the topics, with segments that start with a batch and end in a hole.
fn make(bench: &Bench, segments: u64) -> Attempt<()> {
    let peer = bench.peers.start(Kind::Milena, Setup::default())?;
    let mut connection = Connection::open(&peer.bootstrap)?;
    connection.create_topic(OTHER, 1, &[])?;
    let mut ids = Vec::new();
    for topic in TOPICS {
        ids.push(connection.create_topic(topic, 1, &[("file.delete.delay.ms", "500")])?);
    }
    peer.leave();
    let batch = made::batch(1, 1000);
    let dir = bench.log_dir();
    made::in_directory(&dir, |directory| {
        let config = LogConfig { segment_bytes: batch.len() as u32, ..LogConfig::default() };
        for (topic, id) in TOPICS.iter().zip(ids) {
            let mut log = made::open_log(directory, topic, 0, Some(id), &config)?;
            made::append(&mut log, &batch, segments + 1)?;
            log.close().map_err(|error| error.to_string())?;
        }
        Ok(())
    })?;
    for topic in TOPICS {
        stretch(&dir.join(format!("{topic}-0")), segments).map_err(|error| format!("not made: {error}"))?;
    }
    Ok(())
}

/// Extends the closed segments to their nominal length.
fn stretch(partition: &Path, segments: u64) -> std::io::Result<()> {
    for base_offset in 0..segments {
        let path = partition.join(format!("{base_offset:020}.log"));
        OpenOptions::new().write(true).open(path)?.set_len(SEGMENT_BYTES)?;
    }
    Ok(())
}

/// Waits until no large file is left, whatever its name.
fn wait_until_gone(dir: &Path) -> Attempt<()> {
    let begun = Instant::now();
    while begun.elapsed() < LIMIT {
        if !has_large(dir) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("files are still there after {LIMIT:?}"))
}

fn has_large(dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => has_large(&entry.path()),
        Ok(metadata) => metadata.len() > SEGMENT_BYTES / 2,
        Err(_) => false,
    })
}
