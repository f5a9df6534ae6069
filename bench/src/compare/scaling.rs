//! The costs of a broker as its partitions increase, and as a topic's backlog grows.

use std::time::Instant;

use super::{Comparison, Scope, Topic, warm};
use crate::Attempt;
use crate::load::{self, Load};
use crate::peer::{Kind, Peer, Setup};
use crate::results::{Results, Series, Unit};
use crate::schedule::percentile_ms;

pub(super) const PART: &str = "scaling";

const PARTITIONS: [i32; 5] = [1, 10, 100, 1_000, 10_000];
/// MB of backlog, with messages of 1 KiB.
const BACKLOG_MB: [usize; 4] = [10, 100, 1_000, 4_000];
/// They take long, and their shape is enough.
const ROUNDS_MAX: usize = 2;

/// The measurements at each number of partitions.
const PARTITION_CURVES: [(&str, Unit); 4] = [
    ("resident memory with so many idle partitions", Unit::Mib),
    ("creating a topic of so many partitions", Unit::Seconds),
    ("p99 of single records at 1 k/s beside so many idle partitions", Unit::Ms),
    ("CPU of single records at 1 k/s beside so many idle partitions", Unit::CpuPerMillion),
];
/// The measurements at each size of a backlog.
const BACKLOG_CURVES: [(&str, Unit); 3] = [
    ("consuming a backlog from its start", Unit::Rate),
    ("producing to a partition with a backlog", Unit::Rate),
    ("p99 of single records at 1 k/s to a partition with a backlog", Unit::Ms),
];

/// Seconds of one round with both brokers.
const PARTITIONS_S: f64 = 120.0;
const BACKLOG_S: f64 = 110.0;

/// Whether the curves along the partitions, and those along the backlog, are requested and due.
fn due(comparison: &Comparison) -> [bool; 2] {
    let has = |name: &str| {
        let rounds = |kind: &Kind| comparison.earlier.curves(PART, name, kind.name());
        kinds(comparison).iter().map(rounds).min().unwrap_or(0)
    };
    let is_due = |curves: &[(&str, Unit)]| {
        comparison.scope == Scope::Others
            && curves.iter().any(|(name, _)| comparison.wants(PART, name))
            && (!comparison.is_missing_only || curves.iter().any(|(name, _)| has(name) < rounds(comparison)))
    };
    [is_due(&PARTITION_CURVES), is_due(&BACKLOG_CURVES)]
}

fn kinds(comparison: &Comparison) -> Vec<Kind> {
    comparison.kafkas().into_iter().filter(|kind| *kind != Kind::Sink).collect()
}

fn rounds(comparison: &Comparison) -> usize {
    comparison.rounds().min(ROUNDS_MAX)
}

pub(super) fn estimate_s(comparison: &Comparison) -> f64 {
    let [partitions, backlog] = due(comparison);
    let [partitions, backlog] = [partitions, backlog].map(|it| f64::from(u8::from(it)));
    let scale = comparison.scale.clamp(0.15, 1.0);
    (partitions * PARTITIONS_S + backlog * BACKLOG_S) * scale * rounds(comparison) as f64
}

pub(super) fn measure(comparison: &mut Comparison) -> Attempt<()> {
    let [partitions, backlog] = due(comparison);
    let scale = comparison.scale.clamp(0.15, 1.0);
    for round in (1..=rounds(comparison)).take_while(|_| partitions || backlog) {
        comparison.results.round = round;
        for kind in kinds(comparison) {
            if partitions {
                comparison.announce(
                    PART,
                    round,
                    rounds(comparison),
                    &format!("{}, idle partitions", kind.name()),
                );
                let mut rows = Vec::new();
                let outcome = with_partitions(comparison, kind, &mut rows);
                note(comparison, kind, "partitions", &PARTITION_CURVES, (rows, outcome));
                comparison.done(PARTITIONS_S * scale / 2.0);
            }
            if backlog {
                comparison.announce(PART, round, rounds(comparison), &format!("{}, a backlog", kind.name()));
                let mut rows = Vec::new();
                let outcome = with_backlog(comparison, kind, &mut rows);
                note(comparison, kind, "MB of backlog", &BACKLOG_CURVES, (rows, outcome));
                comparison.done(BACKLOG_S * scale / 2.0);
            }
        }
        comparison.keep(false)?;
    }
    Ok(())
}

/// The results at one number of partitions, or at one size of a backlog.
type Row<const N: usize> = (f64, [f64; N]);

/// Notes the results so far. Each of the columns after the first becomes a curve along the first.
fn note<const N: usize>(
    comparison: &mut Comparison,
    kind: Kind,
    along: &str,
    curves: &[(&str, Unit); N],
    (rows, outcome): (Vec<Row<N>>, Attempt<()>),
) {
    let results: &mut Results = &mut comparison.results;
    if let Err(error) = outcome {
        let what = if along == "partitions" { along } else { "backlog" };
        results.failed(PART, what, kind.name(), &error);
    }
    if rows.is_empty() {
        return;
    }
    for (at, (name, unit)) in curves.iter().enumerate() {
        let points: Vec<_> = rows.iter().map(|(x, values)| (*x, values[at])).collect();
        println!("  {:26} {name}, {}: {points:?}", kind.name(), unit.name());
        results.draw(Series {
            part: PART.to_owned(),
            workload: (*name).to_owned(),
            unit: *unit,
            along: along.to_owned(),
            peer: kind.name().to_owned(),
            points,
            run: results.machine.run(),
        });
    }
}

fn with_partitions(comparison: &Comparison, kind: Kind, rows: &mut Vec<Row<4>>) -> Attempt<()> {
    let peer = comparison.peers.start(kind, Setup::default())?;
    load::first_message(&peer.bootstrap)?;
    for count in PARTITIONS {
        let count =
            if comparison.scale < 1.0 { count.min((10_000.0 * comparison.scale) as i32) } else { count };
        if rows.last().is_some_and(|(before, _)| *before >= f64::from(count)) {
            break;
        }
        let begun = Instant::now();
        let mut connection = crate::connection::Connection::open(&peer.bootstrap)?;
        connection.create_topic(&format!("idle-{count}"), count, &[])?;
        let seconds = begun.elapsed().as_secs_f64();
        let (p99_ms, cpu) = single_records(comparison, &peer, None)?;
        rows.push((f64::from(count), [peer.process.resident_mib(), seconds, p99_ms, cpu]));
        connection.delete_topic(&format!("idle-{count}"))?;
    }
    peer.stop();
    Ok(())
}

/// p99 in ms, and CPU seconds for a million, of a thousand single records a second.
fn single_records(comparison: &Comparison, peer: &Peer, topic: Option<&Topic>) -> Attempt<(f64, f64)> {
    let own = match topic {
        Some(_) => None,
        None => Some(Topic::make(peer, 1, false)?),
    };
    let seconds = 3.0 * comparison.scale.clamp(0.3, 1.0);
    let load = Load {
        bootstrap: &peer.bootstrap,
        topic: &topic.or(own.as_ref()).expect("given or made").name,
        partitions: 1,
        count: (1_000.0 * seconds) as usize,
        size: 100,
        acks: "all",
        codec: "none",
    };
    let before = peer.process.cpu_seconds();
    let latencies = load::paced(&load, 1_000, true)?;
    let cpu = (peer.process.cpu_seconds() - before) / (load.count as f64 / 1e6);
    own.map_or(Ok(()), Topic::delete)?;
    Ok((percentile_ms(&latencies, 99.0), cpu))
}

fn with_backlog(comparison: &Comparison, kind: Kind, rows: &mut Vec<Row<3>>) -> Attempt<()> {
    let peer = comparison.peers.start(kind, Setup::default())?;
    let topic = Topic::make(&peer, 1, false)?;
    let load = Load {
        bootstrap: &peer.bootstrap,
        topic: &topic.name,
        partitions: 1,
        count: 0,
        size: 1_024,
        acks: "1",
        codec: "none",
    };
    let mut held = 0;
    for megabytes in BACKLOG_MB {
        let count = comparison.scaled(megabytes * 1_000_000 / load.size);
        let missing = count.saturating_sub(held).max(1);
        warm(peer.dir(), (missing * load.size).min(1 << 30))?;
        let produced = Load { count: missing, ..load };
        let rate = missing as f64 / produced.produce()?;
        held += missing;
        rustix::fs::sync();
        // As much from each, so that only the data after it differs.
        let consumed = Load { count: held.min(comparison.scaled(100_000_000 / load.size)), ..load };
        let consume_rate = consumed.count as f64 / consumed.consume()?.max(1e-6);
        let (p99_ms, _) = single_records(comparison, &peer, Some(&topic))?;
        rows.push((held as f64 * load.size as f64 / 1e6, [consume_rate, rate, p99_ms]));
    }
    topic.delete()?;
    peer.stop();
    Ok(())
}
