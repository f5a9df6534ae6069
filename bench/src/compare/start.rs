//! From the command to the first acknowledged produce, and the memory of an idle broker.

use std::thread::sleep;
use std::time::Duration;

use super::{Comparison, Scope, Topic, warm};
use crate::Attempt;
use crate::connection::Connection;
use crate::load::{self, Load};
use crate::peer::{Kind, Setup};
use crate::results::Unit;

pub(crate) const PART: &str = "start";
pub(crate) const EMPTY: &str = "start to first acknowledged produce, empty directory";
pub(crate) const MANY: &str = "start to first acknowledged produce, 1,000 partitions";
pub(crate) const KILLED: &str = "start to first acknowledged produce, after kill -9 with 1 GB dirty";
pub(crate) const IDLE: &str = "resident memory, idle";

/// Keeps the data of an earlier broker.
const KEEP: Setup<'static> = Setup { durable: false, settings: &[], keep: true, descriptors_max: None };

/// A measurement, whether it has a goal, and the seconds of a round with both brokers.
struct Measurement {
    name: &'static str,
    scope: Scope,
    estimate_s: f64,
    measure: fn(&mut Comparison, Kind) -> Attempt<()>,
}

const MEASUREMENTS: [Measurement; 3] = [
    Measurement { name: EMPTY, scope: Scope::Goals, estimate_s: 11.0, measure: empty },
    Measurement { name: MANY, scope: Scope::Others, estimate_s: 28.0, measure: many },
    Measurement { name: KILLED, scope: Scope::Others, estimate_s: 32.0, measure: killed },
];

fn kinds(comparison: &Comparison) -> Vec<Kind> {
    comparison.kafkas().into_iter().filter(|kind| *kind != Kind::Sink).collect()
}

fn due(comparison: &Comparison) -> Vec<&'static Measurement> {
    let peers: Vec<_> = kinds(comparison).iter().map(|kind| kind.name()).collect();
    let is_due = |it: &&Measurement| {
        it.scope == comparison.scope
            && (comparison.wants(PART, it.name) || it.name == EMPTY && comparison.wants(PART, IDLE))
            && comparison.is_due(it.name, Unit::Ms, &peers)
    };
    MEASUREMENTS.iter().filter(is_due).collect()
}

pub(super) fn estimate_s(comparison: &Comparison) -> f64 {
    due(comparison).iter().map(|it| it.estimate_s).sum::<f64>() * comparison.rounds() as f64
}

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let due = due(comparison);
    for round in 1..=comparison.rounds() {
        comparison.results.round = round;
        for it in &due {
            comparison.announce(PART, round, comparison.rounds(), it.name);
            for kind in kinds(comparison) {
                if let Err(error) = (it.measure)(comparison, kind) {
                    comparison.results.failed(PART, it.name, kind.name(), &error);
                }
            }
            comparison.done(it.estimate_s);
        }
        comparison.keep(false)?;
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

/// Restarts it on its data; returns the time to the first acknowledgement.
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
