//! Many connections: a thousand that do nothing, and two hundred that produce one record a request.

use super::{Comparison, Topic};
use crate::Attempt;
use crate::peer::{Kind, Peer};
use crate::raw::{self, Replay};
use crate::results::{Results, Unit};
use crate::schedule::percentile_ms;

pub(super) const PART: &str = "connections";

const IDLE: usize = 1_000;
const BUSY: usize = 200;
const PER_SECOND: u64 = 5_000;
const SECONDS: f64 = 5.0;
const NAME: &str = "1,000 idle and 200 busy connections, 5 k/s single records, acks=all";

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    if !comparison.wants(PART, NAME) {
        return Ok(());
    }
    let running = comparison.start_kafkas()?;
    let seconds = SECONDS * comparison.scale.clamp(0.2, 1.0);
    for round in 0..=comparison.pairs {
        println!("{PART}, round {round} of {}", comparison.pairs);
        let mut unused = Results::default();
        for peer in running.iter().filter(|peer| peer.kind != Kind::Sink) {
            let results = if round == 0 { &mut unused } else { &mut comparison.results };
            if let Err(error) = turn(peer, seconds, results) {
                results.failed(&format!("{}, {NAME}", peer.kind.name()), &error);
            }
        }
        comparison.results.write(&comparison.out)?;
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
