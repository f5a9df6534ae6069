//! The cost of an unused partition.

use std::time::Duration;

use super::Bench;
use super::findings::Goal;
use super::restart::KEEP;
use crate::Attempt;
use crate::connection::Connection;
use crate::peer::{Kind, Peer, Setup};

const PARTITIONS: u64 = 10_000;
/// 2 KB.
const BYTES_MAX: f64 = 2000.0;

pub(super) fn measure(bench: &mut Bench) -> Attempt<()> {
    let partitions = i32::try_from(bench.scaled(PARTITIONS)).expect("few");
    let (mut fresh, mut restarted) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        let peer = bench.peers.start(Kind::Milena, Setup::default())?;
        warm(&peer)?;
        peer.leave();
        let peer = bench.peers.start(Kind::Milena, KEEP)?;
        warm(&peer)?;
        let none = peer.process.resident_mib();
        Connection::open(&peer.bootstrap)?.create_topic("memory", partitions, &[])?;
        let made = resident(&peer);
        peer.leave();
        let peer = bench.peers.start(Kind::Milena, KEEP)?;
        warm(&peer)?;
        let opened = resident(&peer);
        peer.leave();
        let each = |mib: f64| (mib - none) * 1024.0 * 1024.0 / f64::from(partitions);
        fresh.push(each(made));
        restarted.push(each(opened));
    }
    let what = format!("resident memory of an idle partition, of {partitions}");
    bench.findings.add(&format!("{what}, opened"), "bytes", Goal::AtMost(BYTES_MAX), &restarted);
    bench.findings.add(&format!("{what}, made"), "bytes", Goal::AtMost(BYTES_MAX), &fresh);
    Ok(())
}

/// Makes the broker do a little of everything, so that its code and its threads are in memory.
fn warm(peer: &Peer) -> Attempt<()> {
    let mut connection = Connection::open(&peer.bootstrap)?;
    let _exists_already = connection.create_topic("warm", 1, &[]);
    connection.produce("warm", 0, &super::made::batch(1, 100), -1)?;
    connection.fetch("warm", 0, 0, 1000)?;
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

fn resident(peer: &Peer) -> f64 {
    std::thread::sleep(Duration::from_secs(1));
    peer.process.resident_mib()
}
