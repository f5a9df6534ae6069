//! From the command to the first acknowledged produce, and the memory of a broker that has nothing to do.

use std::thread::sleep;
use std::time::Duration;

use super::{Comparison, Topic, warm};
use crate::Attempt;
use crate::connection::Connection;
use crate::load::{self, Load};
use crate::peer::{Kind, Setup};
use crate::results::Unit;

pub(super) const PART: &str = "start";
pub(crate) const EMPTY: &str = "start to first acknowledged produce, empty directory";
pub(crate) const MANY: &str = "start to first acknowledged produce, 1,000 partitions";
pub(crate) const KILLED: &str = "start to first acknowledged produce, after kill -9 with 1 GB dirty";
pub(crate) const IDLE: &str = "resident memory, idle";

/// What an earlier one left is opened.
const KEEP: Setup<'static> = Setup { durable: false, settings: &[], keep: true, descriptors_max: None };

/// A measurement by its name.
type Measurement = (&'static str, fn(&mut Comparison, Kind) -> Attempt<()>);

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let measurements: [Measurement; 3] = [(EMPTY, empty), (MANY, many), (KILLED, killed)];
    for round in 1..=comparison.pairs {
        for (name, measure) in measurements {
            let wanted = comparison.wants(PART, name) || name == EMPTY && comparison.wants(PART, IDLE);
            if !wanted {
                continue;
            }
            println!("{PART}, round {round} of {}", comparison.pairs);
            for kind in comparison.kafkas().into_iter().filter(|kind| *kind != Kind::Sink) {
                if let Err(error) = measure(comparison, kind) {
                    comparison.results.failed(&format!("{}, {name}", kind.name()), &error);
                }
            }
        }
    }
    Ok(())
}

fn empty(comparison: &mut Comparison, kind: Kind) -> Attempt<()> {
    let peer = comparison.peers.start(kind, Setup::default())?;
    load::first_message(&peer.bootstrap)?;
    let elapsed_ms = peer.started.elapsed().as_secs_f64() * 1e3;
    comparison.results.add(PART, EMPTY, Unit::Ms, kind.name(), elapsed_ms);
    sleep(Duration::from_secs(1));
    comparison.results.add(PART, IDLE, Unit::Mib, kind.name(), peer.process.resident_mib());
    peer.stop();
    Ok(())
}

/// Starts it again, on what it has; gives the time to the first acknowledgement.
fn again(comparison: &mut Comparison, kind: Kind, name: &str) -> Attempt<()> {
    let peer = comparison.peers.start(kind, KEEP)?;
    load::first_message(&peer.bootstrap)?;
    let elapsed_ms = peer.started.elapsed().as_secs_f64() * 1e3;
    comparison.results.add(PART, name, Unit::Ms, kind.name(), elapsed_ms);
    peer.stop();
    Ok(())
}

fn many(comparison: &mut Comparison, kind: Kind) -> Attempt<()> {
    let peer = comparison.peers.start(kind, Setup::default())?;
    load::first_message(&peer.bootstrap)?;
    let count = comparison.scaled(1_000);
    Connection::open(&peer.bootstrap)?.create_topic("many", i32::try_from(count).expect("thousands"), &[])?;
    peer.leave();
    again(comparison, kind, MANY)
}

fn killed(comparison: &mut Comparison, kind: Kind) -> Attempt<()> {
    let peer = comparison.peers.start(kind, Setup::default())?;
    load::first_message(&peer.bootstrap)?;
    let count = comparison.scaled(1_000_000_000 / 1_024);
    warm(peer.dir(), count * 1_024)?;
    let topic = Topic::make(&peer, 1, false)?;
    let load = Load {
        bootstrap: &peer.bootstrap,
        topic: &topic.name,
        partitions: 1,
        count,
        size: 1_024,
        acks: "1",
        codec: "none",
    };
    load.produce()?;
    peer.kill();
    again(comparison, kind, KILLED)
}
