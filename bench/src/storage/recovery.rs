//! From the command to the first answers, after a kill with much past the recovery point.

use super::Bench;
use super::findings::Goal;
use super::made;
use super::restart::serving;
use crate::Attempt;
use crate::connection::Connection;
use crate::peer::{Kind, Setup};

const BYTES: u64 = 2_000_000_000;
const BATCH_RECORDS: usize = 16;
/// Syncs nothing and writes no recovery point before the kill.
const SETTINGS: [(&str, &str); 1] = [("log.flush.offset.checkpoint.interval.ms", "3600000")];
const TOPIC: [(&str, &str); 2] = [("flush.messages", "9223372036854775807"), ("segment.bytes", "2147483647")];

pub(super) fn measure(bench: &mut Bench) -> Attempt<()> {
    let bytes = bench.scaled(BYTES);
    for partitions in [1, 8] {
        let (mut speeds, mut times, mut cpu_speeds) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.rounds {
            let peer = bench.peers.start(Kind::Milena, Setup { settings: &SETTINGS, ..Setup::default() })?;
            let written = fill(&peer.bootstrap, partitions, bytes)?;
            peer.kill();
            let (peer, ms) = serving(bench, "recovery", partitions - 1)?;
            let cpu_seconds = peer.process.cpu_seconds();
            peer.leave();
            cpu_speeds.push(written as f64 / 1e9 / cpu_seconds);
            speeds.push(written as f64 / 1e6 / ms);
            times.push(ms);
        }
        let gigabytes = bytes as f64 / 1e9;
        let what = format!("after kill -9 with {gigabytes:.1} GB unflushed in {partitions} partitions");
        bench.findings.add(&format!("{what}, to serving"), "ms", Goal::None, &times);
        bench.findings.add(&format!("{what}, scanned"), "GB/s", Goal::AtLeast(1.5), &speeds);
        // On a shared machine this shows the broker's own need.
        bench.findings.add(&format!("{what}, bytes over its CPU time"), "GB/s", Goal::None, &cpu_speeds);
    }
    Ok(())
}

/// Produces this many bytes to the partitions of a new topic; returns the actual number.
fn fill(bootstrap: &str, partitions: i32, bytes: u64) -> Attempt<u64> {
    let batch = made::batch(BATCH_RECORDS, 1000);
    let mut connection = Connection::open(bootstrap)?;
    connection.create_topic("recovery", partitions, &TOPIC)?;
    let mut written = 0;
    while written < bytes {
        for partition in 0..partitions {
            connection.produce("recovery", partition, &batch, 1)?;
            written += batch.len() as u64;
        }
    }
    Ok(written)
}
