//! The workloads, and the turns in which the brokers take them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::peer::{Kind, Peer, Peers, Setup};
use crate::report::{Results, Unit};
use crate::{Attempt, Options, load};

/// Produce and then consume so many messages.
struct Throughput {
    name: &'static str,
    count: usize,
    size: usize,
    acks: &'static str,
    /// The acknowledgement waits for the disk: Kafka is told by `flush.messages=1`, which is Milena's default.
    sync: bool,
    /// Whether what was produced is then consumed.
    consumed: bool,
}

const THROUGHPUT: [Throughput; 4] = [
    Throughput { name: "100 B, acks=1", count: 4_000_000, size: 100, acks: "1", sync: false, consumed: true },
    Throughput { name: "1 KiB, acks=1", count: 700_000, size: 1024, acks: "1", sync: false, consumed: true },
    Throughput {
        name: "100 B, acks=all, fsync",
        count: 4_000_000,
        size: 100,
        acks: "all",
        sync: true,
        consumed: false,
    },
    Throughput {
        name: "1 KiB, acks=all, fsync",
        count: 700_000,
        size: 1024,
        acks: "all",
        sync: true,
        consumed: false,
    },
];

/// Kafka, which calls fsync for one request after the other, does not keep up with this rate; it keeps its default here
/// and acknowledges from the page cache.
const PACED: &str = "1,000 single records/s, acks=all, fsync but for Kafka";
const START: &str = "start to first acknowledged produce";
const IDLE: &str = "resident memory after start";
const LOADED: &str = "resident memory after the load";

pub(crate) fn run(options: &Options) -> Attempt<()> {
    let (dir, out) = options.places.make()?;
    let peers = Peers::new(&options.peers, &options.binaries, &dir)?;
    let mut results = Results::default();
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    if wanted(START) {
        starts(options, &peers, &mut results)?;
    }
    for sync in [false, true] {
        let workloads: Vec<_> =
            THROUGHPUT.iter().filter(|one| one.sync == sync && wanted(one.name)).collect();
        let paced = sync && wanted(PACED);
        if !workloads.is_empty() || paced {
            rounds(options, &peers, &workloads, paced, &mut results)?;
        }
    }
    let table = results.markdown(&options.peers);
    println!("\n{table}");
    fs::write(out.join("compare.md"), &table).map_err(|error| format!("cannot write the table: {error}"))?;
    fs::write(out.join("compare.json"), results.json())
        .map_err(|error| format!("cannot write the results: {error}"))
}

/// Each broker on an empty directory, from the command to the first acknowledgement.
fn starts(options: &Options, peers: &Peers, results: &mut Results) -> Attempt<()> {
    for _ in 0..options.pairs {
        for kind in options.peers.iter().copied().filter(|kind| *kind != Kind::Sink) {
            let peer = peers.start(kind, Setup { sync: true, ..Setup::default() })?;
            load::first_message(&peer.bootstrap)?;
            results.add(START, Unit::Ms, kind, peer.started.elapsed().as_secs_f64() * 1e3);
            std::thread::sleep(Duration::from_secs(1));
            results.add(IDLE, Unit::Mib, kind, peer.process.resident_mib());
            peer.stop();
        }
    }
    Ok(())
}

/// All brokers run all the time and take turns; the first round, in which a Java machine warms up, does not count.
fn rounds(
    options: &Options,
    peers: &Peers,
    workloads: &[&Throughput],
    paced: bool,
    results: &mut Results,
) -> Attempt<()> {
    let sync = paced || workloads.iter().any(|workload| workload.sync);
    let mut running = Vec::new();
    for kind in &options.peers {
        running.push(peers.start(*kind, Setup { sync, ..Setup::default() })?);
    }
    let mut unused = Results::default();
    for round in 0..=options.pairs {
        println!("round {round} of {}{}", options.pairs, if round == 0 { ", to warm up" } else { "" });
        let results = if round == 0 { &mut unused } else { &mut *results };
        for workload in workloads {
            for peer in &mut running {
                throughput(peer, workload, options.scale, results)?;
            }
        }
        for peer in running.iter_mut().filter(|_| paced) {
            single_records(peer, results)?;
        }
    }
    for peer in running {
        if peer.kind != Kind::Sink && !sync {
            results.add(LOADED, Unit::Mib, peer.kind, peer.process.resident_mib());
        }
        peer.stop();
    }
    Ok(())
}

fn throughput(peer: &mut Peer, workload: &Throughput, scale: f64, results: &mut Results) -> Attempt<()> {
    let count = (workload.count as f64 * scale) as usize;
    warm(peer.dir(), count * (workload.size + 20))?;
    let topic = unique("bench");
    let settings: &[(&str, &str)] = if workload.sync { &[("flush.messages", "1")] } else { &[] };
    if peer.kind != Kind::Sink {
        load::create_topic(&peer.bootstrap, &topic, settings)?;
    }
    let millions = count as f64 / 1e6;
    let cpu = peer.process.cpu_seconds();
    let seconds = load::produce(&peer.bootstrap, &topic, count, workload.size, workload.acks)?;
    let name = format!("produce {}", workload.name);
    results.add(&name, Unit::Rate, peer.kind, count as f64 / seconds);
    results.add(&name, Unit::CpuPerMillion, peer.kind, (peer.process.cpu_seconds() - cpu) / millions);
    if workload.consumed && peer.kind != Kind::Sink {
        let cpu = peer.process.cpu_seconds();
        let seconds = load::consume(&peer.bootstrap, &topic, count)?;
        let name = format!("consume {}", workload.name.split(',').next().expect("a size"));
        results.add(&name, Unit::Rate, peer.kind, count as f64 / seconds);
        results.add(&name, Unit::CpuPerMillion, peer.kind, (peer.process.cpu_seconds() - cpu) / millions);
    }
    if peer.kind != Kind::Sink {
        load::delete_topic(&peer.bootstrap, &topic)?;
    }
    peer.process.assert_running()?;
    // What this run left to be written out is not the next one's to wait for.
    rustix::fs::sync();
    Ok(())
}

/// What a small message costs, and how long its sender waits.
fn single_records(peer: &mut Peer, results: &mut Results) -> Attempt<()> {
    const PER_SECOND: u32 = 1_000;
    const SECONDS: u32 = 4;
    let topic = unique("paced");
    if peer.kind != Kind::Sink {
        load::create_topic(&peer.bootstrap, &topic, &[])?;
    }
    let cpu = peer.process.cpu_seconds();
    let latencies = load::paced(&peer.bootstrap, &topic, PER_SECOND, SECONDS)?;
    let millions = f64::from(PER_SECOND * SECONDS) / 1e6;
    results.add(PACED, Unit::CpuPerMillion, peer.kind, (peer.process.cpu_seconds() - cpu) / millions);
    results.add(&format!("{PACED}: p50"), Unit::Ms, peer.kind, latencies[latencies.len() / 2]);
    results.add(&format!("{PACED}: p99"), Unit::Ms, peer.kind, latencies[latencies.len() * 99 / 100]);
    Ok(())
}

/// Writes and deletes as much as the run will write: the first use of memory costs several times the second.
fn warm(dir: &Path, bytes: usize) -> Attempt<()> {
    let path = dir.join("warm");
    let written = fs::File::create(&path).and_then(|mut file| {
        let chunk = vec![1; 1 << 20];
        (0..bytes >> 20).try_for_each(|_| file.write_all(&chunk))
    });
    let removed = fs::remove_file(&path);
    written.and(removed).map_err(|error| format!("cannot warm the memory: {error}"))?;
    std::thread::sleep(Duration::from_millis(200));
    Ok(())
}

/// A topic's name that no earlier run against the same broker had.
fn unique(what: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
