//! Many connections: a thousand idle ones, and two hundred that produce one record a request.

use super::{Comparison, Scope, Topic};
use crate::Attempt;
use crate::peer::{Kind, Peer};
use crate::raw::{self, Replay};
use crate::results::{Results, Unit};
use crate::schedule::percentile_ms;

pub(super) const PART: &str = "connections";

const IDLE: usize = 1_000;
const BUSY: usize = 200;
const PER_SECOND: u64 = 5_000;
const SECONDS: f64 = 10.0;
const NAME: &str = "1,000 idle and 200 busy connections, 5 k/s single records, acks=all";

/// Seconds of a round with both brokers, without the load itself, and of their start and end.
const ROUND_S: f64 = 4.0;
const START_S: f64 = 8.0;

fn is_due(comparison: &Comparison) -> bool {
    let peers: Vec<_> = comparison.kafkas().iter().map(|kind| kind.name()).collect();
    let peers: Vec<_> = peers.into_iter().filter(|name| *name != Kind::Sink.name()).collect();
    comparison.scope == Scope::Others
        && comparison.wants(PART, NAME)
        && comparison.is_due(NAME, Unit::CpuPerMillion, &peers)
}

fn round_s(comparison: &Comparison) -> f64 {
    ROUND_S + 2.0 * seconds(comparison)
}

fn seconds(comparison: &Comparison) -> f64 {
    SECONDS * comparison.scale.clamp(0.2, 1.0)
}

pub(super) fn estimate_s(comparison: &Comparison) -> f64 {
    let rounds = comparison.rounds() as f64 + 1.0;
    if is_due(comparison) { START_S + rounds * round_s(comparison) } else { 0.0 }
}

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    if !is_due(comparison) {
        return Ok(());
    }
    let running = comparison.start_kafkas()?;
    comparison.done(START_S);
    let seconds = seconds(comparison);
    for round in 0..=comparison.rounds() {
        comparison.announce(PART, round, comparison.rounds(), NAME);
        comparison.results.round = round;
        let mut unused = Results::default();
        for peer in running.iter().filter(|peer| peer.kind != Kind::Sink) {
            let results = if round == 0 { &mut unused } else { &mut comparison.results };
            if let Err(error) = turn(peer, seconds, results) {
                results.failed(PART, NAME, peer.kind.name(), &error);
            }
        }
        comparison.done(round_s(comparison));
        comparison.keep(false)?;
    }
    running.into_iter().for_each(Peer::stop);
    Ok(())
}

fn turn(peer: &Peer, seconds: f64, results: &mut Results) -> Attempt<()> {
    let who = peer.kind.name();
    let before_mib = peer.process.resident_mib();
    let idle = raw::idle(&peer.bootstrap, IDLE)?;
    let more_mib = peer.process.resident_mib() - before_mib;
    results.add(PART, "memory of 1,000 idle connections", Unit::Mib, who, more_mib.max(0.0));
    let topic = Topic::make(peer, 6, false)?;
    let replay = Replay {
        bootstrap: &peer.bootstrap,
        topic: &topic.name,
        partitions: 6,
        connections: BUSY,
        per_second: PER_SECOND,
        count: (PER_SECOND as f64 * seconds) as u64,
        records: 1,
        size: 100,
        acks: -1,
    };
    let before = peer.process.cpu_seconds();
    let latencies = replay.produce()?;
    let cpu = peer.process.cpu_seconds() - before;
    results.add(PART, NAME, Unit::CpuPerMillion, who, cpu / (replay.count as f64 / 1e6));
    for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
        results.add(PART, &format!("{NAME}: {name}"), Unit::Ms, who, percentile_ms(&latencies, percent));
    }
    drop(idle);
    topic.delete()
}
