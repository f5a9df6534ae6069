//! Thousands of topics and partitions: creating them, and stopping and starting with them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Comparison, Scope};
use crate::Attempt;
use crate::connection::Connection;
use crate::load;
use crate::peer::{Kind, Peer, Setup};
use crate::results::Unit;
use crate::storage::made::batch;

pub(crate) const PART: &str = "topics";

/// Keeps the data of an earlier broker.
const KEEP: Setup<'static> = Setup { durable: false, settings: &[], keep: true, descriptors_max: None };

/// They take long, and differ by far.
const ROUNDS_MAX: usize = 2;

/// The time that a created partition may take until it accepts records.
const USABLE_MAX: Duration = Duration::from_secs(300);

/// A number of topics, created in a number of requests.
struct Many {
    /// Its name.
    what: &'static str,
    topics: usize,
    partitions: i32,
    per_request: usize,
    /// Whether it is also stopped, started, killed and started again with them.
    is_restarted: bool,
    /// Seconds of a round with both brokers.
    estimate_s: f64,
}

const ALL: [Many; 3] = [
    Many {
        what: "5,000 topics, 500 in a request",
        topics: 5_000,
        partitions: 1,
        per_request: 500,
        is_restarted: true,
        estimate_s: 110.0,
    },
    Many {
        what: "5,000 topics, one in a request",
        topics: 5_000,
        partitions: 1,
        per_request: 1,
        is_restarted: false,
        estimate_s: 50.0,
    },
    Many {
        what: "20,000 partitions of ten topics",
        topics: 10,
        partitions: 2_000,
        per_request: 1,
        is_restarted: true,
        estimate_s: 300.0,
    },
];

impl Many {
    fn created(&self) -> String {
        format!("{}: from the first request to a record in the last", self.what)
    }

    fn stopped(&self) -> String {
        format!("{}: a clean stop", self.what)
    }

    fn started(&self) -> String {
        format!("{}: start after it to a record in the last", self.what)
    }

    fn killed(&self) -> String {
        format!("{}: start after kill -9 to a record in the last", self.what)
    }
}

fn kinds(comparison: &Comparison) -> Vec<Kind> {
    comparison.kafkas().into_iter().filter(|kind| *kind != Kind::Sink).collect()
}

fn due(comparison: &Comparison) -> Vec<&'static Many> {
    let peers: Vec<_> = kinds(comparison).iter().map(|kind| kind.name()).collect();
    let is_due = |it: &&Many| {
        comparison.scope == Scope::Others
            && comparison.wants(PART, it.what)
            && comparison.is_due_of(rounds(comparison), &it.created(), Unit::Seconds, &peers)
    };
    ALL.iter().filter(is_due).collect()
}

fn rounds(comparison: &Comparison) -> usize {
    comparison.rounds().min(ROUNDS_MAX)
}

pub(super) fn estimate_s(comparison: &Comparison) -> f64 {
    due(comparison).iter().map(|it| it.estimate_s).sum::<f64>() * rounds(comparison) as f64
}

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let due = due(comparison);
    for round in (1..=rounds(comparison)).take_while(|_| !due.is_empty()) {
        comparison.results.round = round;
        for it in &due {
            comparison.announce(PART, round, rounds(comparison), it.what);
            for kind in kinds(comparison) {
                if let Err(error) = many(comparison, kind, it) {
                    comparison.results.failed(PART, it.what, kind.name(), &error);
                }
            }
            comparison.done(it.estimate_s);
        }
        comparison.keep(false)?;
    }
    Ok(())
}

fn many(comparison: &mut Comparison, kind: Kind, many: &Many) -> Attempt<()> {
    let peer = comparison.peers.start(kind, Setup::default())?;
    load::first_message(&peer.bootstrap)?;
    let count = if many.topics > 100 { comparison.scaled(many.topics) } else { many.topics };
    let names: Vec<String> = (0..count).map(|n| format!("many-{n:05}")).collect();
    let last = (names.last().expect("at least one").as_str(), many.partitions - 1);
    let begun = Instant::now();
    let mut connection = Connection::open(&peer.bootstrap)?;
    for names in names.chunks(many.per_request) {
        connection.create_topics(names, many.partitions)?;
    }
    until_usable(&peer, last)?;
    comparison.seconds(kind, &many.created(), begun);
    if !many.is_restarted {
        peer.stop();
        return Ok(());
    }
    // The time of a stop must not include the disk's earlier work.
    rustix::fs::sync();
    let begun = Instant::now();
    peer.leave();
    comparison.seconds(kind, &many.stopped(), begun);
    let peer = comparison.peers.start(kind, KEEP)?;
    until_usable(&peer, last)?;
    comparison.seconds(kind, &many.started(), peer.started);
    peer.kill();
    let peer = comparison.peers.start(kind, KEEP)?;
    until_usable(&peer, last)?;
    comparison.seconds(kind, &many.killed(), peer.started);
    peer.stop();
    Ok(())
}

/// Produces to a partition until that is acknowledged.
fn until_usable(peer: &Peer, (topic, partition): (&str, i32)) -> Attempt<()> {
    let record = batch(1, 100);
    let begun = Instant::now();
    loop {
        let produced =
            Connection::open(&peer.bootstrap).and_then(|mut it| it.produce(topic, partition, &record, -1));
        match produced {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > USABLE_MAX => return Err(error),
            Err(_) => sleep(Duration::from_millis(10)),
        }
    }
}

impl Comparison {
    fn seconds(&mut self, kind: Kind, workload: &str, begun: Instant) {
        self.results.add(PART, workload, Unit::Seconds, kind.name(), begun.elapsed().as_secs_f64());
    }
}
