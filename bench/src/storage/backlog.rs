//! Reading at the start and at the end of a log of very many messages.

use std::time::Instant;

use storage::LogConfig;

use super::Bench;
use super::findings::Goal;
use super::latency::percentile;
use super::made;
use super::restart::KEEP;
use crate::Attempt;
use crate::connection::Connection;
use crate::peer::{Kind, Setup};

const MESSAGES: u64 = 100_000_000;
const VALUE_BYTES: usize = 10;
const BATCH_RECORDS: u64 = 10_000;
/// Bytes of one fetch of a backlog, and the number of fetches.
const FETCH_BYTES: i32 = 4 << 20;
const FETCHES: u64 = 50;
/// Fetches at random positions.
const SEEKS: i64 = 500;

pub(super) fn measure(bench: &mut Bench) -> Attempt<()> {
    let batches = bench.scaled(MESSAGES) / BATCH_RECORDS;
    let peer = bench.peers.start(Kind::Milena, Setup::default())?;
    let topic_id = Connection::open(&peer.bootstrap)?.create_topic("backlog", 1, &[])?;
    peer.leave();
    let batch = made::batch(BATCH_RECORDS as usize, VALUE_BYTES);
    made::in_directory(&bench.log_dir(), |directory| {
        let mut log = made::open_log(directory, "backlog", 0, Some(topic_id), &LogConfig::default())?;
        made::append(&mut log, &batch, batches)?;
        log.close().map_err(|error| error.to_string())
    })?;
    let peer = bench.peers.start(Kind::Milena, KEEP)?;
    let mut connection = Connection::open(&peer.bootstrap)?;
    let end = i64::try_from(batches * BATCH_RECORDS).expect("an offset");
    let whole_batches = FETCH_BYTES as u64 / batch.len() as u64;
    let part = i64::try_from(whole_batches * FETCHES * BATCH_RECORDS).expect("few").min(end / 2);
    let (mut speeds, mut seeks) = (Vec::new(), Vec::new());
    for round in 0..=bench.rounds.max(5) {
        let speed = [read(&mut connection, 0, part)?, read(&mut connection, end - part, end)?];
        let seek = [seek(&mut connection, 0, part)?, seek(&mut connection, end - part, end)?];
        // The first round warms up.
        if round > 0 {
            speeds.push(speed);
            seeks.push(seek);
        }
    }
    peer.leave();
    let what = format!("backlog of {} million messages", end / 1_000_000);
    let findings = &mut bench.findings;
    for (place, name) in ["start", "end"].iter().enumerate() {
        let values: Vec<f64> = speeds.iter().map(|speed| speed[place] / 1e6).collect();
        findings.add(&format!("{what}: read at its {name}"), "M msg/s", Goal::None, &values);
        let values: Vec<f64> = seeks.iter().map(|seek| seek[place]).collect();
        findings.add(&format!("{what}: one fetch at its {name}, p50"), "ms", Goal::None, &values);
    }
    let ratios: Vec<f64> = speeds.iter().map(|[start, end]| start / end).collect();
    findings.add(&format!("{what}: speed at its start / at its end"), "", Goal::AtLeast(0.9), &ratios);
    let ratios: Vec<f64> = seeks.iter().map(|[start, end]| start / end).collect();
    findings.add(
        &format!("{what}: time of a fetch at its start / at its end"),
        "",
        Goal::AtMost(1.1),
        &ratios,
    );
    Ok(())
}

/// Messages a second from one offset to another.
fn read(connection: &mut Connection, from: i64, to: i64) -> Attempt<f64> {
    let begun = Instant::now();
    let mut offset = from;
    while offset < to {
        let fetched = connection.fetch("backlog", 0, offset, FETCH_BYTES)?;
        offset = after(&fetched.records).ok_or("no batch where there are some")?;
    }
    Ok((offset - from) as f64 / begun.elapsed().as_secs_f64())
}

/// The offset after the last whole batch.
fn after(mut records: &[u8]) -> Option<i64> {
    let mut end = None;
    while let Ok(header) = record::BatchHeader::parse(records)
        && header.size_bytes() <= records.len()
    {
        end = Some(header.next_offset());
        records = &records[header.size_bytes()..];
    }
    end
}

/// The median time of a fetch of one batch at random positions between two offsets, in milliseconds.
fn seek(connection: &mut Connection, from: i64, to: i64) -> Attempt<f64> {
    let mut latencies = Vec::new();
    for number in 0..SEEKS {
        let offset = from + number.wrapping_mul(2_654_435_761) % (to - from);
        let begun = Instant::now();
        connection.fetch("backlog", 0, offset, 1)?;
        latencies.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(percentile(&latencies, 50.0))
}
