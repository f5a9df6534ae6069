//! The latency of acknowledgements, and of messages from producer to consumer, at a given rate: each message
//! is sent when it is due, and its time counts from then. Once through librdkafka, as users have it, and once
//! by replaying prepared requests of one record, without a client's share.

use hdrhistogram::Histogram;

use super::steal::undisturbed;
use super::throughput::plain;
use super::{Comparison, Scope, Topic};
use crate::Attempt;
use crate::load::{self, Load};
use crate::peer::{Kind, Peer};
use crate::raw::Replay;
use crate::results::{Results, Unit, spread};
use crate::schedule::percentile_ms;

pub(super) const PART: &str = "latency";

pub(crate) const PER_SECOND: [u64; 4] = [1_000, 10_000, 50_000, 100_000];
/// The time that each rate is held.
const SECONDS: f64 = 10.0;
/// The same for rates without a goal.
const OTHER_SECONDS: f64 = 6.0;
const SIZE: usize = 100;
/// Stands for half of the rate at which the slower of the brokers produces and consumes at once.
pub(crate) const HALF: u64 = 0;

/// The latency that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Until the acknowledgement, one record a request.
    Single,
    /// Until the acknowledgement; messages that gather while a request is in flight go in one.
    Produce,
    /// Until a consumer has it.
    EndToEnd,
    /// The same, one record a request.
    Pair,
    /// Prepared requests, until the acknowledgement.
    RawProduce,
    /// Prepared requests, until another connection has fetched them.
    RawEndToEnd,
}

/// A rate, and whether acknowledgements wait for the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) what: What,
    pub(crate) per_second: u64,
    pub(crate) synced: bool,
}

impl Pace {
    pub(crate) fn name(&self) -> String {
        let what = match self.what {
            What::Single => "single-record produce",
            What::Produce => "produce",
            What::EndToEnd => "end to end",
            What::Pair => "single-record produce and fetch",
            What::RawProduce => "raw produce",
            What::RawEndToEnd => "raw end to end",
        };
        let synced = if self.synced { ", fsync" } else { "" };
        let rate = match self.per_second {
            HALF => "half of what saturates".to_owned(),
            per_second => format!("{} k/s", per_second / 1_000),
        };
        format!("{what} at {rate}, acks=all{synced}")
    }

    /// Whether it has a goal.
    fn has_goal(&self) -> bool {
        match self.what {
            What::Single | What::Pair => !self.synced,
            What::Produce => self.per_second <= 10_000,
            What::EndToEnd => self.per_second == HALF,
            What::RawProduce | What::RawEndToEnd => false,
        }
    }

    /// The brokers that take it.
    fn is_for(&self, kind: Kind) -> bool {
        match kind {
            // Kafka syncs for one request after the other and does not keep up with these rates.
            Kind::Kafka => !self.synced,
            // The sink shows the minimum of client and kernel.
            Kind::Sink => {
                self.what == What::Produce
                    || self.per_second == HALF
                    || self.what == What::RawProduce && !self.synced
            }
            _ => true,
        }
    }

    pub(crate) fn percentile(&self, which: &str) -> String {
        format!("{}: {which}", self.name())
    }
}

/// Each of the rates by itself.
fn paces() -> Vec<Pace> {
    let mut paces = Vec::new();
    for synced in [false, true] {
        for what in [What::Single, What::Pair] {
            paces.push(Pace { what, per_second: 1_000, synced });
        }
        for what in [What::Produce, What::EndToEnd, What::RawProduce, What::RawEndToEnd] {
            let is_raw = matches!(what, What::RawProduce | What::RawEndToEnd);
            // The cost of a disk at high rates already shows in the acknowledgements.
            let is_slow_only = is_raw || synced && what == What::EndToEnd;
            let rates = PER_SECOND.into_iter().filter(|rate| !is_slow_only || *rate <= 10_000);
            paces.extend(rates.map(|per_second| Pace { what, per_second, synced }));
        }
    }
    paces.push(Pace { what: What::EndToEnd, per_second: HALF, synced: false });
    paces
}

/// The rates that are requested and due, with their brokers.
fn due(comparison: &Comparison) -> Vec<(Pace, Vec<Kind>)> {
    let with_kinds = |pace: Pace| {
        let kinds = comparison.kafkas().into_iter().filter(|kind| pace.is_for(*kind));
        (pace, kinds.collect::<Vec<_>>())
    };
    let mut paces: Vec<_> = paces().into_iter().map(with_kinds).collect();
    paces.retain(|(pace, kinds)| {
        let peers: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        pace.has_goal() == (comparison.scope == Scope::Goals)
            && comparison.wants(PART, &pace.name())
            && comparison.is_due(&pace.percentile("p99"), Unit::Ms, &peers)
    });
    paces
}

/// The time that a rate is held: shorter in the round that warms up.
fn seconds(comparison: &Comparison, round: usize) -> f64 {
    let share = if round == 0 { 0.3 } else { 1.0 };
    let seconds = if comparison.scope == Scope::Goals { SECONDS } else { OTHER_SECONDS };
    seconds * (comparison.scale * share).clamp(0.1, 1.0)
}

/// Seconds for making and deleting a topic and syncing, around each measurement.
const TURN_S: f64 = 1.0;
const START_S: f64 = 8.0;

pub(super) fn estimate_s(comparison: &Comparison) -> f64 {
    let turns: usize = due(comparison).iter().map(|(_, kinds)| kinds.len()).sum();
    if turns == 0 {
        return 0.0;
    }
    let round = |round| turns as f64 * (TURN_S + seconds(comparison, round));
    START_S + round(0) + round(1) * comparison.rounds() as f64
}

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let mut paces = due(comparison);
    let half = half_of_saturation(comparison);
    if let Some(at) = paces.iter().position(|(pace, _)| pace.per_second == HALF && half.is_none()) {
        let why = "nothing was produced and consumed at once, so it is not known what saturates";
        comparison.results.failed(PART, &paces.remove(at).0.name(), "", why);
    }
    if paces.is_empty() {
        return Ok(());
    }
    let mut running = comparison.start_kafkas()?;
    comparison.done(START_S);
    for round in 0..=comparison.rounds() {
        let seconds = seconds(comparison, round);
        let mut unused = Results::default();
        comparison.results.round = round;
        for (pace, kinds) in &paces {
            comparison.announce(PART, round, comparison.rounds(), &pace.name());
            let per_second = if pace.per_second == HALF { half.unwrap_or(1) } else { pace.per_second };
            undisturbed(comparison, |comparison| {
                for peer in running.iter_mut().filter(|peer| kinds.contains(&peer.kind)) {
                    let results = if round == 0 { &mut unused } else { &mut comparison.results };
                    if let Err(error) = turn(peer, *pace, per_second, seconds, results) {
                        results.failed(PART, &pace.name(), peer.kind.name(), &error);
                    }
                    comparison.done(TURN_S + seconds);
                }
            });
            running.iter_mut().try_for_each(|peer| peer.process.assert_running())?;
        }
        comparison.keep(false)?;
    }
    running.into_iter().for_each(Peer::stop);
    Ok(())
}

/// Half of the saturation, from the throughput of this run or an earlier one.
fn half_of_saturation(comparison: &Comparison) -> Option<u64> {
    let name = plain(SIZE).at_once();
    let rate = |kind: &Kind| {
        let of =
            |results: &Results| results.of(&name, Unit::Rate, kind.name()).map(|it| spread(&it.values).0);
        of(&comparison.results).or_else(|| of(&comparison.earlier))
    };
    let slowest = comparison.kafkas().iter().filter_map(rate).reduce(f64::min)?;
    Some(((slowest / 2.0) as u64).max(1))
}

fn turn(peer: &Peer, pace: Pace, per_second: u64, seconds: f64, results: &mut Results) -> Attempt<()> {
    let topic = Topic::make(peer, 1, pace.synced)?;
    let load = Load {
        bootstrap: &peer.bootstrap,
        topic: &topic.name,
        partitions: 1,
        count: (per_second as f64 * seconds) as usize,
        size: SIZE,
        acks: "all",
        codec: "none",
    };
    let replay = Replay {
        bootstrap: &peer.bootstrap,
        topic: &topic.name,
        partitions: 1,
        connections: 1,
        per_second,
        count: load.count as u64,
        records: 1,
        size: SIZE,
        acks: -1,
    };
    let before = peer.process.cpu_seconds();
    let latencies = match pace.what {
        What::Single => load::paced(&load, per_second, true)?,
        What::Produce => load::paced(&load, per_second, false)?,
        What::EndToEnd => load::end_to_end(&load, per_second, false)?,
        What::Pair => load::end_to_end(&load, per_second, true)?,
        What::RawProduce => replay.produce()?,
        What::RawEndToEnd => replay.end_to_end()?,
    };
    let cpu = peer.process.cpu_seconds() - before;
    if pace.per_second == HALF {
        results.add(PART, &pace.name(), Unit::Rate, peer.kind.name(), per_second as f64);
    }
    let millions = load.count as f64 / 1e6;
    results.add(PART, &pace.name(), Unit::CpuPerMillion, peer.kind.name(), cpu / millions);
    note(&pace, &latencies, peer.kind, results);
    topic.delete()
}

fn note(pace: &Pace, latencies: &Histogram<u64>, kind: Kind, results: &mut Results) {
    for (name, percent) in [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9)] {
        let value = percentile_ms(latencies, percent);
        results.add(PART, &pace.percentile(name), Unit::Ms, kind.name(), value);
    }
}
