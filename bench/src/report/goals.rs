//! The goals of the project beside its peers, and whether they are reached.

use std::collections::BTreeMap;

use crate::compare::{classic, latency, start, throughput};
use crate::results::{Figure, Ratio, Results, Unit, ratio, spread};
use latency::{HALF, Pace, What};
use throughput::Workload;

const MILENA: &str = "Milena";
const KAFKA: &str = "Kafka 4.3.1";
const SINK: &str = "ideal sink";

/// Fewer rounds than this are marked as few.
const ROUNDS: usize = 5;

/// The bound on a ratio.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(super) fn text(self) -> String {
        match self {
            Bound::AtLeast(limit) => format!("at least {limit}"),
            Bound::AtMost(limit) => format!("at most 1/{:.0}", 1.0 / limit),
        }
    }

    fn holds(self, ratio: f64) -> bool {
        match self {
            Bound::AtLeast(limit) => ratio >= limit,
            Bound::AtMost(limit) => ratio <= limit,
        }
    }
}

/// A figure by its name.
#[derive(Clone, Debug)]
struct Of {
    workload: String,
    peer: &'static str,
}

/// One goal.
struct Goal {
    name: String,
    unit: Unit,
    bound: Bound,
    ours: Of,
    /// The best of them counts.
    others: Vec<Of>,
}

/// A goal and its result.
pub(super) struct GoalResult {
    pub(super) name: String,
    pub(super) against: String,
    pub(super) bound: Bound,
    /// Both figures and their unit; `None` if it was not measured.
    pub(super) found: Option<Measurement>,
    pub(super) reason: Option<String>,
}

pub(super) struct Measurement {
    pub(super) unit: Unit,
    pub(super) ours: f64,
    pub(super) theirs: f64,
    /// The ratio over the rounds.
    pub(super) ratio: Ratio,
    /// The number of rounds that both have.
    pub(super) rounds: usize,
    /// A note on the other figure.
    pub(super) note: Option<String>,
    pub(super) is_reached: bool,
}

fn goal(
    name: &str,
    unit: Unit,
    bound: Bound,
    ours: (&str, &'static str),
    other: (&str, &'static str),
) -> Goal {
    let of = |(workload, peer): (&str, &'static str)| Of { workload: workload.to_owned(), peer };
    Goal { name: name.to_owned(), unit, bound, ours: of(ours), others: vec![of(other)] }
}

fn throughput_goals(goals: &mut Vec<Goal>) {
    let rate = Unit::Rate;
    for size in [100, 1024] {
        let plain = throughput::plain(size);
        let page_cache = Workload { acks: "all", ..plain };
        let synced = Workload { synced: true, ..page_cache };
        let [one, all, disk] = [plain.produce(), page_cache.produce(), synced.produce()];
        goals.push(goal(&one, rate, Bound::AtLeast(0.8), (&one, MILENA), (&one, SINK)));
        let name = format!("{one}; beside Kafka");
        let factor = if size == 100 { 1.0 } else { 2.0 };
        goals.push(goal(&name, rate, Bound::AtLeast(factor), (&one, MILENA), (&one, KAFKA)));
        goals.push(goal(&disk, rate, Bound::AtLeast(1.0), (&disk, MILENA), (&disk, SINK)));
        let name = format!("{disk}; acks=1 without");
        goals.push(goal(&name, rate, Bound::AtLeast(0.67), (&disk, MILENA), (&one, MILENA)));
        let factor = if size == 100 { 1.5 } else { 3.0 };
        // librdkafka is the limit of small messages; prepared requests have none.
        let replayed = [synced.replayed(), page_cache.replayed()];
        for [ours, theirs] in [[&disk, &all], [&replayed[0], &replayed[1]]] {
            let name = format!("{ours}; Kafka without fsync");
            goals.push(goal(&name, rate, Bound::AtLeast(factor), (ours, MILENA), (theirs, KAFKA)));
        }
        let consume = plain.consume();
        goals.push(goal(&consume, rate, Bound::AtLeast(0.8), (&consume, MILENA), (&consume, SINK)));
        let many = Workload { partitions: 100, ..plain };
        let name = many.consume();
        let with_one = format!("{name}; with one");
        goals.push(goal(&with_one, rate, Bound::AtLeast(0.8), (&name, MILENA), (&consume, MILENA)));
        let cpu = Unit::CpuPerMillion;
        let name = format!("CPU of {one}");
        goals.push(goal(&name, cpu, Bound::AtMost(1.0 / 5.0), (&one, MILENA), (&one, KAFKA)));
        let name = format!("CPU of {consume}");
        goals.push(goal(&name, cpu, Bound::AtMost(1.0 / 2.0), (&consume, MILENA), (&consume, KAFKA)));
    }
}

fn latency_goals(goals: &mut Vec<Goal>) {
    let pace = |what, per_second, synced| Pace { what, per_second, synced };
    for what in [What::Single, What::Pair] {
        let pace = pace(what, 1_000, false).name();
        let name = format!("CPU of {pace}");
        let sixth = Bound::AtMost(1.0 / 6.0);
        goals.push(goal(&name, Unit::CpuPerMillion, sixth, (&pace, MILENA), (&pace, KAFKA)));
    }
    for per_second in [1_000, 10_000] {
        let p99 = |synced| pace(What::Produce, per_second, synced).percentile("p99");
        let name = format!("{}; Kafka without fsync", p99(true));
        let half = Bound::AtMost(1.0 / 2.0);
        goals.push(goal(&name, Unit::Ms, half, (&p99(true), MILENA), (&p99(false), KAFKA)));
        let fifth = Bound::AtMost(1.0 / 5.0);
        goals.push(goal(&p99(false), Unit::Ms, fifth, (&p99(false), MILENA), (&p99(false), KAFKA)));
    }
    let name = pace(What::EndToEnd, HALF, false).percentile("p99");
    goals.push(goal(&name, Unit::Ms, Bound::AtMost(1.0 / 10.0), (&name, MILENA), (&name, KAFKA)));
}

fn goals() -> Vec<Goal> {
    let mut goals = Vec::new();
    throughput_goals(&mut goals);
    latency_goals(&mut goals);
    for name in [start::IDLE, throughput::LOADED] {
        goals.push(goal(name, Unit::Mib, Bound::AtMost(1.0 / 10.0), (name, MILENA), (name, KAFKA)));
    }
    let name = start::EMPTY;
    goals.push(goal(name, Unit::Ms, Bound::AtMost(1.0 / 50.0), (name, MILENA), (name, KAFKA)));
    let queues = classic::CONTESTANTS.into_iter().filter(|it| it.durable && it.is_queue());
    let queues: Vec<_> = queues.map(|it| it.name).collect();
    for size in classic::SIZES {
        for name in [classic::name_in(size), classic::name_out(size)] {
            let of = |peer| Of { workload: name.clone(), peer };
            goals.push(Goal {
                name: name.clone(),
                unit: Unit::Rate,
                bound: Bound::AtLeast(1.0),
                ours: of(classic::CONTESTANTS[0].name),
                others: queues.iter().map(|peer| of(peer)).collect(),
            });
        }
    }
    goals
}

/// Judges the results by each goal.
pub(super) fn judge(results: &Results, reasons: &BTreeMap<String, String>) -> Vec<GoalResult> {
    let judge = |goal: Goal| {
        let ours = results.of(&goal.ours.workload, goal.unit, goal.ours.peer);
        let others = goal.others.iter();
        let others =
            others.filter_map(|of| results.of(&of.workload, goal.unit, of.peer).map(|it| (of.peer, it)));
        let median = |figure: &Figure| spread(&figure.values).0;
        let best = others.reduce(|one, other| {
            let more = median(other.1) > median(one.1);
            if more == (goal.unit == Unit::Rate) { other } else { one }
        });
        let found = ours.zip(best).and_then(|(ours, (_, theirs))| {
            let ratio = ratio(ours, theirs)?;
            Some(Measurement {
                unit: goal.unit,
                ours: median(ours),
                theirs: median(theirs),
                ratio,
                rounds: ours.values.len().min(theirs.values.len()),
                note: theirs.note.clone(),
                is_reached: goal.bound.holds(ratio.median),
            })
        });
        let against = match (best, goal.others.as_slice()) {
            (Some((peer, _)), _) => peer,
            (None, [only]) => only.peer,
            (None, _) => "the best of the others, each durable",
        };
        let reason = reasons.get(&goal.name).cloned();
        let against = if goal.ours.peer == against { "itself" } else { against };
        GoalResult { against: against.to_owned(), name: goal.name, bound: goal.bound, found, reason }
    };
    goals().into_iter().map(judge).collect()
}

impl GoalResult {
    pub(super) fn verdict(&self) -> &'static str {
        match &self.found {
            None => "not measured",
            Some(found) if found.is_reached => "reached",
            Some(_) => "not reached",
        }
    }

    /// The ratio and its range.
    pub(super) fn ratio(&self) -> String {
        self.found.as_ref().map_or(String::new(), |found| found.ratio.text())
    }

    /// Remarks on the quality of the measurement, and the reason for a missed goal.
    pub(super) fn remarks(&self) -> Vec<String> {
        let Some(found) = &self.found else { return Vec::new() };
        let mut remarks = Vec::new();
        if !found.is_reached {
            let reason = self.reason.clone();
            remarks.push(reason.unwrap_or_else(|| "The reason is not known yet.".to_owned()));
        }
        let (least, greatest) = (self.bound.holds(found.ratio.least), self.bound.holds(found.ratio.greatest));
        if least != greatest {
            remarks.push("The range has the goal in it.".to_owned());
        }
        if found.rounds < ROUNDS {
            let plural = if found.rounds == 1 { "" } else { "s" };
            remarks.push(format!("{} round{plural} only.", found.rounds));
        }
        if !found.ratio.is_paired {
            remarks.push("Of two runs.".to_owned());
        }
        remarks.extend(found.note.as_ref().map(|note| format!("{}: {note}.", self.against)));
        remarks
    }

    /// Our figure and the other one.
    pub(super) fn figures(&self) -> [String; 2] {
        let text = |value: fn(&Measurement) -> f64| {
            let text =
                |found: &Measurement| format!("{} {}", found.unit.text(value(found)), found.unit.name());
            self.found.as_ref().map_or(String::new(), text)
        };
        [text(|found| found.ours), text(|found| found.theirs)]
    }
}

#[cfg(test)]
mod tests;
