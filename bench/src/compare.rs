//! The comparison: the brokers, their turns, and the files of the results.

pub(crate) mod classic;
mod clock;
mod connections;
pub(crate) mod latency;
mod scaling;
pub(crate) mod start;
mod steal;
pub(crate) mod throughput;
mod topics;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use clock::Clock;

use crate::machine::Machine;
use crate::peer::{Binaries, Kind, Peer, Peers, Setup};
use crate::results::{Results, Unit};
use crate::sink::topic_name;
use crate::{Attempt, Places, load, network, raw};

/// Disk space for the largest workload: ten GB in a broker that rewrites them at the same time.
const DISK_GB: f64 = 25.0;

/// The brokers and workloads to compare, and how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rounds of each workload with a goal; the brokers take turns.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Rounds of the other workloads.
    #[arg(long, default_value_t = 3)]
    other_pairs: usize,
    /// The brokers to compare.
    #[arg(long, value_delimiter = ',', default_value = "milena,kafka,sink,redis,rabbitmq,nats,activemq")]
    peers: Vec<Kind>,
    /// Only this part (start, throughput, latency, connections, scaling, topics, classic), or the workloads
    /// whose name contains this; may be repeated.
    #[arg(long)]
    only: Vec<String>,
    /// Only workloads with a goal.
    #[arg(long)]
    goals: bool,
    /// Only workloads whose results lack rounds.
    #[arg(long)]
    missing: bool,
    /// Scales the number of messages of every workload, and the time that rates are held. Results of another
    /// scale than 1 go to a file of their own.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// A quick look: two rounds with a tenth of the messages, and only the workloads with a goal.
    #[arg(long)]
    quick: bool,
    /// Every combination of size, partitions, codec, acks and fsync, instead of each by itself.
    #[arg(long)]
    full_matrix: bool,
    /// The time that a broker may take to get a million messages in the first time, and out, in seconds; a
    /// longer run is ended and extrapolated.
    #[arg(long, default_value_t = 30.0)]
    limit: f64,
    /// Print the estimated time, and measure nothing.
    #[arg(long)]
    estimate: bool,
    #[command(flatten)]
    binaries: Binaries,
    #[command(flatten)]
    places: Places,
}

/// The workloads of a pass: those with a goal come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Goals,
    Others,
}

/// The context of every part of the comparison.
struct Comparison {
    peers: Peers,
    kinds: Vec<Kind>,
    /// Rounds of workloads with a goal, and of others.
    pairs: [usize; 2],
    scope: Scope,
    scale: f64,
    limit: Duration,
    only: Vec<String>,
    is_missing_only: bool,
    is_full_matrix: bool,
    results: Results,
    /// The results of earlier runs.
    earlier: Results,
    out: PathBuf,
    clock: Clock,
}

/// A part: its estimated seconds, and the function that measures it.
struct Part {
    name: &'static str,
    estimate_s: fn(&Comparison) -> f64,
    measure: fn(&mut Comparison) -> Attempt<()>,
}

const PARTS: [Part; 7] = [
    Part { name: start::PART, estimate_s: start::estimate_s, measure: start::measure },
    Part { name: throughput::PART, estimate_s: throughput::estimate_s, measure: throughput::measure },
    Part { name: latency::PART, estimate_s: latency::estimate_s, measure: latency::measure },
    Part { name: connections::PART, estimate_s: connections::estimate_s, measure: connections::measure },
    Part { name: scaling::PART, estimate_s: scaling::estimate_s, measure: scaling::measure },
    Part { name: topics::PART, estimate_s: topics::estimate_s, measure: topics::measure },
    Part { name: classic::PART, estimate_s: classic::estimate_s, measure: classic::measure },
];

pub(crate) fn run(options: &Options) -> Attempt<()> {
    let (dir, out) = options.places.make()?;
    // Fetch everything beforehand.
    let peers = Peers::new(&options.peers, &options.binaries, &dir)?;
    if !options.estimate {
        network::enter();
    }
    let scale = options.scale * if options.quick { 0.1 } else { 1.0 };
    // Smaller results do not replace those that count.
    let out = out.join(if scale < 1.0 { "results-scaled.json" } else { "results.json" });
    let pairs = [options.pairs, options.other_pairs];
    let mut comparison = Comparison {
        peers,
        kinds: options.peers.clone(),
        pairs: pairs.map(|pairs| if options.quick { pairs.min(2) } else { pairs.max(1) }),
        scope: Scope::Goals,
        scale,
        limit: Duration::from_secs_f64(options.limit.max(1.0)),
        only: options.only.clone(),
        is_missing_only: options.missing,
        is_full_matrix: options.full_matrix,
        results: Results { machine: Machine::this(), ..Results::default() },
        earlier: Results::read(&out)?,
        out,
        clock: Clock::new(0.0),
    };
    let is_goals_only = options.goals || options.quick;
    let scopes = if is_goals_only { vec![Scope::Goals] } else { vec![Scope::Goals, Scope::Others] };
    let turns: Vec<_> = scopes.iter().flat_map(|scope| PARTS.iter().map(|part| (*scope, part))).collect();
    comparison.clock = Clock::new(comparison.estimate_s(&turns));
    if options.estimate {
        return Ok(());
    }
    comparison.check_room(&dir);
    for (scope, part) in turns {
        comparison.scope = scope;
        let outcome = (part.measure)(&mut comparison);
        if let Err(error) = &outcome {
            comparison.results.failed(part.name, "", "", error);
        }
        comparison.keep(outcome.is_ok())?;
    }
    println!("written to {}; `bench report` makes a page of it", comparison.out.display());
    Ok(())
}

impl Comparison {
    /// Prints the estimated time of each part; returns the sum.
    fn estimate_s(&mut self, turns: &[(Scope, &Part)]) -> f64 {
        let mut sum_s = 0.0;
        for (scope, part) in turns {
            self.scope = *scope;
            let seconds = (part.estimate_s)(self);
            if seconds > 0.0 {
                let what = if *scope == Scope::Goals { "what has a goal" } else { "the rest" };
                println!("{:12} {what:16} about {}", part.name, clock::minutes(seconds));
            }
            sum_s += seconds;
        }
        println!("{:29} about {} on two cores with nothing else to do", "all of it", clock::minutes(sum_s));
        sum_s
    }

    /// Warns if the disk is short of space: better now than after an hour.
    fn check_room(&self, dir: &Path) {
        let Ok(disk) = rustix::fs::statvfs(dir) else { return };
        let free_gb = (disk.f_bavail * disk.f_frsize) as f64 / 1e9;
        if free_gb < DISK_GB * self.scale {
            eprintln!("{free_gb:.0} GB of disk are free, and {DISK_GB} GB may be needed");
        }
    }

    /// Writes the results so far.
    fn keep(&self, is_part_done: bool) -> Attempt<()> {
        self.results.write(&self.out, is_part_done)
    }

    /// Notes that a workload with this estimate is done.
    fn done(&mut self, estimated_s: f64) {
        self.clock.done(estimated_s);
    }

    /// Prints the progress.
    fn announce(&self, part: &str, round: usize, rounds: usize, what: &str) {
        println!("{} {part}, round {round} of {rounds}: {what}", self.clock.text());
    }

    fn rounds(&self) -> usize {
        self.pairs[usize::from(self.scope == Scope::Others)]
    }

    /// Whether this workload of a part was requested.
    fn wants(&self, part: &str, workload: &str) -> bool {
        let is_it = |only: &String| {
            let names_a_part = PARTS.iter().any(|it| it.name == only);
            if names_a_part { part == only } else { workload.contains(only.as_str()) }
        };
        self.only.is_empty() || self.only.iter().any(is_it)
    }

    /// Whether a workload is due: all of them are, or those with too few rounds of one of these brokers.
    fn is_due(&self, workload: &str, unit: Unit, peers: &[&str]) -> bool {
        self.is_due_of(self.rounds(), workload, unit, peers)
    }

    /// The same with this number of rounds as enough.
    fn is_due_of(&self, rounds: usize, workload: &str, unit: Unit, peers: &[&str]) -> bool {
        let has = |peer: &str| self.earlier.of(workload, unit, peer).map_or(0, |it| it.values.len());
        !self.is_missing_only || peers.iter().any(|peer| has(peer) < rounds)
    }

    fn scaled(&self, count: usize) -> usize {
        ((count as f64 * self.scale) as usize).max(1)
    }

    /// The brokers that speak Kafka's protocol.
    fn kafkas(&self) -> Vec<Kind> {
        let speaks = |kind: &Kind| matches!(kind, Kind::Milena | Kind::Kafka | Kind::Sink);
        self.kinds.iter().copied().filter(speaks).collect()
    }

    /// Starts the brokers that speak Kafka's protocol, all at once: they idle while another has its turn.
    fn start_kafkas(&self) -> Attempt<Vec<Peer>> {
        let kinds = self.kafkas().into_iter();
        kinds.map(|kind| self.peers.start(kind, Setup::default())).collect()
    }
}

/// A topic that exists as long as this.
struct Topic {
    name: String,
    bootstrap: String,
    is_made: bool,
}

impl Topic {
    /// Creates a topic; with `synced`, each acknowledgement waits for the disk. That is Milena's default;
    /// Kafka and Milena are configured by `flush.messages`, the sink by the name.
    fn make(peer: &Peer, partitions: i32, synced: bool) -> Attempt<Topic> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("bench-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let name = topic_name(&name, partitions, synced);
        let is_made = peer.kind != Kind::Sink;
        if is_made {
            let every = if synced { "1" } else { "9223372036854775807" };
            load::create_topic(&peer.bootstrap, &name, partitions, &[("flush.messages", every)])?;
        } else {
            raw::ask_for(&peer.bootstrap, &name)?;
        }
        Ok(Topic { name, bootstrap: peer.bootstrap.clone(), is_made })
    }

    /// Deletes it, and syncs, so that the next one does not wait for its leftovers.
    fn delete(self) -> Attempt<()> {
        if self.is_made {
            load::delete_topic(&self.bootstrap, &self.name)?;
        }
        rustix::fs::sync();
        Ok(())
    }
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
