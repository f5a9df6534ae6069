//! The speed at which librdkafka produces, consumes, and does both at once.

use std::time::Instant;

use super::steal::undisturbed;
use super::{Comparison, Scope, Topic, warm};
use crate::Attempt;
use crate::load::{self, Load};
use crate::peer::{Kind, Peer};
use crate::raw::Replay;
use crate::results::{Results, Unit};

pub(crate) const PART: &str = "throughput";
pub(crate) const LOADED: &str = "resident memory after the load";

/// One line of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Workload {
    pub(crate) size: usize,
    pub(crate) partitions: i32,
    pub(crate) codec: &'static str,
    pub(crate) acks: &'static str,
    /// Whether the acknowledgement waits for the disk.
    pub(crate) synced: bool,
}

/// The most bytes that one run produces, uncompressed: fewer than the system lets be dirty before it makes
/// writers wait.
const RUN_BYTES: usize = 700 << 20;
/// The most messages that one run produces.
const RUN_MESSAGES: usize = 3_000_000;
/// Bytes of a replayed request's batch, as a busy client fills it.
const REPLAYED_BYTES: usize = 64 << 10;
/// The share of that in a round that only warms up.
const WARM_UP: f64 = 0.25;
/// With fewer workloads, a round that warms up is a full one.
const WARM_UP_WORKLOADS: usize = 4;

/// Seconds that the start and the end of the brokers take.
const START_S: f64 = 8.0;

const SIZES: [usize; 3] = [100, 1024, 10_240];
const PARTITIONS: [i32; 3] = [1, 6, 100];
const CODECS: [&str; 3] = ["none", "lz4", "zstd"];
/// (acks, synced); acks=1 waits for no disk.
const PROMISES: [(&str, bool); 3] = [("1", false), ("all", false), ("all", true)];

/// The simplest: one partition, no compression, acks=1.
pub(crate) const fn plain(size: usize) -> Workload {
    Workload { size, partitions: 1, codec: "none", acks: "1", synced: false }
}

impl Workload {
    /// Its name in the table, without the properties of the plain one.
    pub(crate) fn name(&self) -> String {
        let mut name =
            if self.size < 1024 { format!("{} B", self.size) } else { format!("{} KiB", self.size >> 10) };
        if self.partitions > 1 {
            name += &format!(", {} partitions", self.partitions);
        }
        if self.codec != "none" {
            name += &format!(", {}", self.codec);
        }
        name += &format!(", acks={}", self.acks);
        if self.synced {
            name += ", fsync";
        }
        name
    }

    pub(crate) fn produce(&self) -> String {
        format!("produce {}", self.name())
    }

    /// Its name for consuming: acknowledgements make no difference to a consumer.
    pub(crate) fn consume(&self) -> String {
        format!("consume {}", self.name().split(", acks").next().expect("a size"))
    }

    /// Its name for prepared requests, which avoid the limit of a client.
    pub(crate) fn replayed(&self) -> String {
        format!("replayed {}", self.produce())
    }

    pub(crate) fn at_once(&self) -> String {
        format!("produce and consume at once {}", self.name())
    }

    fn count(&self) -> usize {
        RUN_MESSAGES.min(RUN_BYTES / self.size)
    }

    /// Whether it is consumed after it was produced: once for each size, number of partitions and codec.
    fn is_consumed(&self) -> bool {
        self.acks == "1"
    }

    /// Whether it has small messages of one partition, whose batches cost a client more than a broker.
    fn is_replayed(&self) -> bool {
        let Workload { size, partitions, codec, acks, .. } = *self;
        acks == "all" && partitions == 1 && codec == "none" && size <= 1024
    }

    fn is_at_once(&self) -> bool {
        *self == plain(self.size)
    }
}

/// Each factor by itself, from the plain workload on; or all combinations.
fn matrix(full: bool) -> Vec<Workload> {
    let mut all = Vec::new();
    for size in SIZES {
        for partitions in PARTITIONS {
            for codec in CODECS {
                for (acks, synced) in PROMISES {
                    let workload = Workload { size, partitions, codec, acks, synced };
                    let special = usize::from(partitions != 1) + usize::from(codec != "none");
                    let alone = special == 0 || special == 1 && size == 1024 && acks == "1";
                    // The cost of 100 partitions matters for small messages too, and for syncing them.
                    let many =
                        codec == "none" && partitions == 100 && size != 10_240 && (acks == "1" || synced);
                    if full || alone || many {
                        all.push(workload);
                    }
                }
            }
        }
    }
    all
}

/// Whether it has a goal.
fn has_goal(workload: &Workload) -> bool {
    let Workload { size, partitions, codec, acks, synced } = *workload;
    let is_many = partitions == 100 && acks == "1";
    size <= 1024 && codec == "none" && (partitions == 1 || is_many && !synced)
}

/// The workloads of both kinds that are requested and due.
fn due(comparison: &Comparison) -> Vec<Workload> {
    let mut workloads = matrix(comparison.is_full_matrix);
    let peers: Vec<_> = comparison.kafkas().iter().map(|kind| kind.name()).collect();
    workloads.retain(|workload| {
        let names = [
            workload.produce(),
            workload.replayed(),
            workload.consume(),
            workload.at_once(),
            LOADED.to_owned(),
        ];
        has_goal(workload) == (comparison.scope == Scope::Goals)
            && names.iter().any(|name| comparison.wants(PART, name))
            && comparison.is_due(&workload.produce(), Unit::Rate, &peers)
    });
    workloads
}

/// Estimated seconds of a round with this many brokers: preparation, syncing, and the bytes and messages
/// themselves.
fn round_s(workload: &Workload, scale: f64, brokers: usize) -> f64 {
    let share = workload.count() as f64 / RUN_MESSAGES as f64;
    let of_messages = 1.4 + 2.0 * share;
    let passes = 1.0
        + 0.6 * f64::from(u8::from(workload.is_consumed() || workload.is_replayed()))
        + 1.2 * f64::from(u8::from(workload.is_at_once()));
    (1.0 + of_messages * passes * scale) * brokers as f64
}

fn warm_up(workloads: &[Workload]) -> f64 {
    if workloads.len() < WARM_UP_WORKLOADS { 1.0 } else { WARM_UP }
}

pub(super) fn estimate_s(comparison: &Comparison) -> f64 {
    let workloads = due(comparison);
    if workloads.is_empty() {
        return 0.0;
    }
    let round = |scale: f64| {
        let brokers = comparison.kafkas().len();
        workloads.iter().map(|it| round_s(it, scale * comparison.scale, brokers)).sum::<f64>()
    };
    START_S + round(warm_up(&workloads)) + round(1.0) * comparison.rounds() as f64
}

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let workloads = due(comparison);
    if workloads.is_empty() {
        return Ok(());
    }
    let mut running = comparison.start_kafkas()?;
    comparison.done(START_S);
    for round in 0..=comparison.rounds() {
        // In the first round a JVM warms up; it does not count.
        let scale = comparison.scale * if round == 0 { warm_up(&workloads) } else { 1.0 };
        let mut unused = Results::default();
        comparison.results.round = round;
        for workload in &workloads {
            comparison.announce(PART, round, comparison.rounds(), &workload.name());
            let count = ((workload.count() as f64 * scale) as usize).max(1);
            undisturbed(comparison, |comparison| {
                for peer in &mut running {
                    let results = if round == 0 { &mut unused } else { &mut comparison.results };
                    if let Err(error) = turn(peer, workload, count, results) {
                        results.failed(PART, &workload.name(), peer.kind.name(), &error);
                    }
                }
            });
            running.iter_mut().try_for_each(|peer| peer.process.assert_running())?;
            comparison.done(round_s(workload, scale, running.len()));
        }
        // After only some of the load it would say less.
        let is_loaded = comparison.scope == Scope::Goals && comparison.wants(PART, LOADED) && round > 0;
        for peer in running.iter().filter(|peer| is_loaded && peer.kind != Kind::Sink) {
            let resident_mib = peer.process.resident_mib();
            comparison.results.add(PART, LOADED, Unit::Mib, peer.kind.name(), resident_mib);
        }
        comparison.keep(false)?;
    }
    running.into_iter().for_each(Peer::stop);
    Ok(())
}

/// One broker's turn at one workload.
fn turn(peer: &mut Peer, workload: &Workload, count: usize, results: &mut Results) -> Attempt<()> {
    warm(peer.dir(), count * (workload.size + 20))?;
    let topic = Topic::make(peer, workload.partitions, workload.synced)?;
    let bootstrap = peer.bootstrap.clone();
    let load = Load {
        bootstrap: &bootstrap,
        topic: &topic.name,
        partitions: workload.partitions,
        count,
        size: workload.size,
        acks: workload.acks,
        codec: workload.codec,
    };
    let size = workload.size;
    metered(peer, &workload.produce(), count, size, results, || load.produce())?;
    if workload.is_consumed() {
        metered(peer, &workload.consume(), count, size, results, || load.consume())?;
    }
    if workload.is_replayed() {
        replay(peer, workload, count, results)?;
    }
    if workload.is_at_once() {
        let second = Topic::make(peer, workload.partitions, workload.synced)?;
        let load = Load { topic: &second.name, ..load };
        metered(peer, &workload.at_once(), count, size, results, || load::at_once(&load))?;
        second.delete()?;
    }
    topic.delete()?;
    peer.process.assert_running()
}

/// One broker takes prepared requests as fast as it can from one connection.
fn replay(peer: &Peer, workload: &Workload, count: usize, results: &mut Results) -> Attempt<()> {
    let topic = Topic::make(peer, workload.partitions, workload.synced)?;
    let records = REPLAYED_BYTES / workload.size;
    let requests = count.div_ceil(records);
    let replay = Replay {
        bootstrap: &peer.bootstrap,
        topic: &topic.name,
        partitions: workload.partitions,
        connections: 1,
        // All are due at once.
        per_second: u64::MAX,
        count: requests as u64,
        records,
        size: workload.size,
        acks: -1,
    };
    metered(peer, &workload.replayed(), requests * records, workload.size, results, || {
        let begun = Instant::now();
        replay.produce()?;
        Ok(begun.elapsed().as_secs_f64())
    })?;
    topic.delete()
}

/// Runs a load; notes its rate and its cost to the broker.
fn metered(
    peer: &Peer,
    name: &str,
    count: usize,
    size: usize,
    results: &mut Results,
    run: impl FnOnce() -> Attempt<f64>,
) -> Attempt<()> {
    let before = peer.process.cpu_seconds();
    let seconds = run()?;
    let cpu = peer.process.cpu_seconds() - before;
    let count = count as f64;
    let peer = peer.kind.name();
    results.add(PART, name, Unit::Rate, peer, count / seconds);
    results.add(PART, name, Unit::CpuPerMillion, peer, cpu / (count / 1e6));
    results.add(PART, name, Unit::CpuPerGb, peer, cpu / (count * size as f64 / 1e9));
    Ok(())
}
