//! The classic comparison of message queues: so many messages into each broker, then out of it, and the time of every
//! tenth of them. Each broker starts anew, takes one size, and ends.

use std::time::Duration;

use super::{Comparison, Topic, warm};
use crate::Attempt;
use crate::load::{self, Load};
use crate::peer::{Kind, Peer, Setup};
use crate::queue::{Job, Marks, amqp, nats, redis, stomp};
use crate::results::{Results, Series, Unit};

pub(super) const PART: &str = "classic";
pub(crate) const SIZES: [usize; 4] = [128, 512, 1_024, 10_240];

/// Messages in and out.
const COUNT: usize = 1_000_000;
/// The time is noted this often.
const MARKS: u64 = 10;
/// Most of the memory that is warmed for a run; of a run with more than that the disk is measured.
const WARM_BYTES: usize = 2 << 30;

/// A broker, and whether what it acknowledges is on the disk.
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

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let sizes = SIZES.into_iter();
    let sizes: Vec<_> = sizes
        .filter(|size| [name_in(*size), name_out(*size)].iter().any(|name| comparison.wants(PART, name)))
        .collect();
    let contestants = CONTESTANTS.into_iter().filter(|it| comparison.kinds.contains(&it.kind));
    // A look leaves out those that promise less.
    let contestants: Vec<_> = contestants.filter(|it| it.durable || !comparison.quick).collect();
    let count = comparison.scaled(COUNT) / if comparison.quick { 5 } else { 1 };
    let rounds = if comparison.quick { 1 } else { comparison.pairs };
    for round in 1..=rounds {
        for size in &sizes {
            println!("{PART}, round {round} of {rounds}, {size} B");
            for contestant in &contestants {
                if let Err(error) = turn(comparison, contestant, count as u64, *size) {
                    comparison.results.failed(&format!("{}, {size} B", contestant.name), &error);
                }
                comparison.results.write(&comparison.out)?;
            }
        }
    }
    Ok(())
}

fn turn(comparison: &mut Comparison, contestant: &Contestant, count: u64, size: usize) -> Attempt<()> {
    let setup = Setup { durable: contestant.durable, ..Setup::default() };
    let peer = comparison.peers.start(contestant.kind, setup)?;
    warm(peer.dir(), (count as usize * (size + 60)).min(WARM_BYTES))?;
    let outcome = in_and_out(&peer, contestant, count, size, &mut comparison.results);
    peer.stop();
    rustix::fs::sync();
    std::thread::sleep(Duration::from_millis(200));
    outcome
}

fn in_and_out(
    peer: &Peer,
    contestant: &Contestant,
    count: u64,
    size: usize,
    results: &mut Results,
) -> Attempt<()> {
    let job = Job { address: &peer.bootstrap, count, size, every: count.div_ceil(MARKS) };
    let mut note = |workload: String, cpu: f64, marks: Marks| {
        let peer = contestant.name.to_owned();
        results.add(PART, &workload, Unit::Rate, &peer, marks.rate());
        results.add(PART, &workload, Unit::CpuPerMillion, &peer, cpu / (count as f64 / 1e6));
        let along = "messages".to_owned();
        let (part, points) = (PART.to_owned(), marks.points);
        results.draw(Series { part, workload, unit: Unit::Seconds, along, peer, points });
    };
    let topic = match contestant.kind {
        Kind::Milena | Kind::Kafka | Kind::Sink => Some(Topic::make(peer, 1, contestant.durable)?),
        _ => None,
    };
    let load = |topic| Load {
        bootstrap: &peer.bootstrap,
        topic,
        partitions: 1,
        count: count as usize,
        size,
        acks: "all",
        codec: "none",
    };
    let load = topic.as_ref().map(|topic| load(topic.name.as_str()));
    let before = peer.process.cpu_seconds();
    let marks = match (contestant.kind, &load) {
        (Kind::Redis, _) => redis::put(&job)?,
        (Kind::Rabbitmq, _) => amqp::put(&job)?,
        (Kind::Nats, _) => nats::put(&job)?,
        (Kind::Activemq, _) => stomp::put(&job)?,
        (_, Some(load)) => load::put(load, job.every)?,
        (_, None) => unreachable!("it has a topic"),
    };
    let between = peer.process.cpu_seconds();
    note(name_in(size), between - before, marks);
    let marks = match (contestant.kind, &load) {
        (Kind::Redis, _) => redis::take(&job)?,
        (Kind::Rabbitmq, _) => amqp::take(&job)?,
        (Kind::Nats, _) => nats::take(&job)?,
        (Kind::Activemq, _) => stomp::take(&job)?,
        (_, Some(load)) => load::take(load, job.every)?,
        (_, None) => unreachable!("it has a topic"),
    };
    note(name_out(size), peer.process.cpu_seconds() - between, marks);
    Ok(())
}
