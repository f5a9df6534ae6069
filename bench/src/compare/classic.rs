//! The classic comparison of message queues: a number of messages into each broker, then out of it, with the
//! time of every tenth of them. Each broker starts empty, takes one size, and ends.

use std::time::Duration;

use super::{Comparison, Scope, Topic, clock, warm};
use crate::Attempt;
use crate::load::{self, Load};
use crate::peer::{Kind, Peer, Setup};
use crate::queue::{Job, Marks, amqp, nats, redis, stomp};
use crate::results::{Results, Series, Unit};

pub(super) const PART: &str = "classic";
pub(crate) const SIZES: [usize; 4] = [128, 512, 1_024, 10_240];

/// Messages in and out.
const COUNT: usize = 1_000_000;
/// The number of times that are noted.
const MARKS: u64 = 10;
/// The most memory that is warmed for a run; a run with more than that measures the disk.
const WARM_BYTES: usize = 1 << 30;

/// A broker, and whether its acknowledged messages are on the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contestant {
    pub(crate) kind: Kind,
    pub(crate) durable: bool,
    pub(crate) name: &'static str,
}

impl Contestant {
    /// Whether it is another kind of broker than Kafka.
    pub(crate) fn is_queue(&self) -> bool {
        !matches!(self.kind, Kind::Milena | Kind::Kafka | Kind::Sink)
    }
}

pub(crate) const CONTESTANTS: [Contestant; 10] = [
    Contestant { kind: Kind::Milena, durable: true, name: "Milena, fsync" },
    Contestant { kind: Kind::Redis, durable: true, name: "Redis, appendfsync always" },
    Contestant { kind: Kind::Rabbitmq, durable: true, name: "RabbitMQ, quorum queue" },
    Contestant { kind: Kind::Nats, durable: true, name: "JetStream, sync always" },
    Contestant { kind: Kind::Activemq, durable: true, name: "ActiveMQ, KahaDB" },
    Contestant { kind: Kind::Kafka, durable: true, name: "Kafka, fsync" },
    Contestant { kind: Kind::Milena, durable: false, name: "Milena, page cache" },
    Contestant { kind: Kind::Kafka, durable: false, name: "Kafka, page cache" },
    Contestant { kind: Kind::Redis, durable: false, name: "Redis, appendfsync everysec" },
    Contestant { kind: Kind::Nats, durable: false, name: "JetStream, sync every 2 min" },
];

pub(crate) fn name_in(size: usize) -> String {
    format!("one million in, {size} B")
}

pub(crate) fn name_out(size: usize) -> String {
    format!("one million out, {size} B")
}

/// In rounds after the first, a broker that did not finish has less time: enough to find its rate.
const AGAIN: Duration = Duration::from_secs(6);
/// Brokers with weaker promises take fewer rounds: they are only shown beside the others.
const OTHER_ROUNDS_MAX: usize = 2;
/// Seconds that a broker takes to start and to end, and to sync its leftovers.
const START_S: f64 = 4.0;

impl Contestant {
    fn scope(&self) -> Scope {
        let has_goal = self.durable && self.kind != Kind::Kafka;
        if has_goal { Scope::Goals } else { Scope::Others }
    }

    /// Estimated seconds for a million of a size, in and out.
    fn guess_s(&self, size: usize) -> [f64; 2] {
        let kib = size as f64 / 1024.0;
        match (self.kind, self.durable) {
            (Kind::Rabbitmq, _) => [30.0 + 10.0 * kib, 10.0 + 4.0 * kib],
            (Kind::Nats, true) => [500.0, 0.5],
            (Kind::Activemq, _) => [200.0, 60.0],
            (Kind::Redis, true) => [12.0 + 5.0 * kib, 3.0 + 3.0 * kib],
            _ => [1.5 + 3.0 * kib, 1.0 + 1.5 * kib],
        }
    }
}

fn rounds(comparison: &Comparison) -> usize {
    let most = if comparison.scope == Scope::Goals { usize::MAX } else { OTHER_ROUNDS_MAX };
    comparison.rounds().min(most)
}

/// Work that is due: a size, and the brokers that take it.
type Due = (usize, Vec<Contestant>);

fn due(comparison: &Comparison) -> Vec<Due> {
    let is_in = |it: &Contestant| comparison.kinds.contains(&it.kind) && it.scope() == comparison.scope;
    let contestants: Vec<_> = CONTESTANTS.into_iter().filter(is_in).collect();
    let peers: Vec<_> = contestants.iter().map(|it| it.name).collect();
    let is_due = |size: &usize| {
        let names = [name_in(*size), name_out(*size)];
        !contestants.is_empty()
            && names.iter().any(|name| comparison.wants(PART, name))
            && names.iter().any(|name| comparison.is_due_of(rounds(comparison), name, Unit::Rate, &peers))
    };
    SIZES.into_iter().filter(is_due).map(|size| (size, contestants.clone())).collect()
}

/// The time that a contestant may take in each direction.
fn limit(comparison: &Comparison, contestant: &Contestant, size: usize, round: usize) -> Duration {
    let was_cut = [name_in(size), name_out(size)].iter().any(|name| {
        let figure = comparison.results.of(name, Unit::Rate, contestant.name);
        figure.is_some_and(|figure| figure.note.is_some())
    });
    let limit = if round > 1 && was_cut { AGAIN.min(comparison.limit) } else { comparison.limit };
    limit.mul_f64(comparison.scale.clamp(0.05, 1.0))
}

fn turn_s(comparison: &Comparison, contestant: &Contestant, size: usize, round: usize) -> f64 {
    let most = comparison.limit.as_secs_f64();
    let guess = contestant.guess_s(size).map(|seconds| seconds * comparison.scale);
    let is_slow = guess.iter().any(|seconds| *seconds > most);
    let most = if round > 1 && is_slow { AGAIN.as_secs_f64().min(most) } else { most };
    START_S + guess.iter().map(|seconds| seconds.min(most)).sum::<f64>()
}

pub(super) fn estimate_s(comparison: &Comparison) -> f64 {
    let turns = due(comparison);
    let turn = |round| {
        let turns = turns.iter().flat_map(|(size, who)| who.iter().map(move |it| (size, it)));
        turns.map(|(size, it)| turn_s(comparison, it, *size, round)).sum::<f64>()
    };
    turn(1) + turn(2) * (rounds(comparison) - 1) as f64
}

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let count = comparison.scaled(COUNT) as u64;
    let due = due(comparison);
    for round in 1..=rounds(comparison) {
        comparison.results.round = round;
        for (size, contestants) in &due {
            for contestant in contestants {
                comparison.announce(
                    PART,
                    round,
                    rounds(comparison),
                    &format!("{}, {size} B", contestant.name),
                );
                let limit = limit(comparison, contestant, *size, round);
                if let Err(error) = turn(comparison, contestant, count, *size, limit) {
                    comparison.results.failed(PART, &format!(" {size} B"), contestant.name, &error);
                }
                comparison.done(turn_s(comparison, contestant, *size, round));
            }
            comparison.keep(false)?;
        }
    }
    Ok(())
}

fn turn(
    comparison: &mut Comparison,
    contestant: &Contestant,
    count: u64,
    size: usize,
    limit: Duration,
) -> Attempt<()> {
    let setup = Setup { durable: contestant.durable, ..Setup::default() };
    let peer = comparison.peers.start(contestant.kind, setup)?;
    warm(peer.dir(), (count as usize * (size + 60)).min(WARM_BYTES))?;
    let outcome = in_and_out(&peer, contestant, count, size, limit, &mut comparison.results);
    peer.stop();
    rustix::fs::sync();
    std::thread::sleep(Duration::from_millis(200));
    outcome
}

/// Notes the result of one direction, of a million or of as many as there were.
fn note(
    results: &mut Results,
    contestant: &Contestant,
    workload: String,
    (count, kept): (u64, u64),
    cpu: f64,
    marks: Marks,
) {
    let peer = contestant.name.to_owned();
    let done = marks.seen();
    results.add(PART, &workload, Unit::Rate, &peer, marks.rate());
    results.add(PART, &workload, Unit::CpuPerMillion, &peer, cpu / (done.max(1) as f64 / 1e6));
    if done < count {
        let (whole_s, how_many) = (count as f64 / marks.rate(), Unit::Rate.text(done as f64));
        let what = if done < kept {
            let seconds = marks.points.last().map_or(0.0, |(_, seconds)| *seconds);
            format!("ended after {seconds:.1} s with {how_many}")
        } else {
            format!("of the {how_many} that it had taken")
        };
        let note = format!("{what}; all would take {}", clock::minutes(whole_s));
        results.note(PART, &workload, Unit::Rate, &peer, &note);
    }
    let (part, points) = (PART.to_owned(), marks.points);
    let (along, run) = ("messages".to_owned(), results.machine.run());
    results.draw(Series { part, workload, unit: Unit::Seconds, along, peer, points, run });
}

fn in_and_out(
    peer: &Peer,
    contestant: &Contestant,
    count: u64,
    size: usize,
    limit: Duration,
    results: &mut Results,
) -> Attempt<()> {
    let job = Job { address: &peer.bootstrap, count, size, every: count.div_ceil(MARKS), limit };
    let topic = match contestant.kind {
        Kind::Milena | Kind::Kafka | Kind::Sink => Some(Topic::make(peer, 1, contestant.durable)?),
        _ => None,
    };
    let load = |topic, count: u64| Load {
        bootstrap: &peer.bootstrap,
        topic,
        partitions: 1,
        count: count as usize,
        size,
        acks: "all",
        codec: "none",
    };
    let load = |count| topic.as_ref().map(|topic| load(topic.name.as_str(), count));
    let before = peer.process.cpu_seconds();
    let marks = match (contestant.kind, load(count)) {
        (Kind::Redis, _) => redis::put(&job)?,
        (Kind::Rabbitmq, _) => amqp::put(&job)?,
        (Kind::Nats, _) => nats::put(&job)?,
        (Kind::Activemq, _) => stomp::put(&job)?,
        (_, Some(load)) => load::put(&load, job.every, limit)?,
        (_, None) => unreachable!("it has a topic"),
    };
    let between = peer.process.cpu_seconds();
    let kept = marks.seen();
    note(results, contestant, name_in(size), (count, count), between - before, marks);
    if kept == 0 {
        return Err(format!("nothing was acknowledged in {limit:?}"));
    }
    // What is in comes out.
    let job = Job { count: kept, every: kept.div_ceil(MARKS).min(job.every), ..job };
    let marks = match (contestant.kind, load(kept)) {
        (Kind::Redis, _) => redis::take(&job)?,
        (Kind::Rabbitmq, _) => amqp::take(&job)?,
        (Kind::Nats, _) => nats::take(&job)?,
        (Kind::Activemq, _) => stomp::take(&job)?,
        (_, Some(load)) => load::take(&load, job.every, limit)?,
        (_, None) => unreachable!("it has a topic"),
    };
    let cpu = peer.process.cpu_seconds() - between;
    note(results, contestant, name_out(size), (count, kept), cpu, marks);
    Ok(())
}
