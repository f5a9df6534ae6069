//! The comparison: which brokers, in which turns, and where the results go.

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

/// Room that the largest workload takes: ten GB in a broker that rewrites them meanwhile.
const DISK_GB: f64 = 25.0;

/// What is compared, how often and with how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many times each broker takes each workload that a goal speaks of; they take turns.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// How many times each takes the other workloads.
    #[arg(long, default_value_t = 3)]
    other_pairs: usize,
    /// The brokers.
    #[arg(long, value_delimiter = ',', default_value = "milena,kafka,sink,redis,rabbitmq,nats,activemq")]
    peers: Vec<Kind>,
    /// Only this part (start, throughput, latency, connections, scaling, topics, classic), or the workloads whose name contains
    /// this; may be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Only the workloads that a goal speaks of.
    #[arg(long)]
    goals: bool,
    /// Only the workloads of which the results lack rounds.
    #[arg(long)]
    missing: bool,
    /// Scales the number of messages of every workload, and how long rates are held. Results of another scale than 1 go
    /// to a file of their own.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// A look: two rounds of a tenth of the messages, and only the workloads with a goal.
    #[arg(long)]
    quick: bool,
    /// Every combination of size, partitions, codec, acks and fsync, instead of each by itself.
    #[arg(long)]
    full_matrix: bool,
    /// How long a broker may take to get a million messages in the first time, and out, in seconds; what it has done
    /// then is extrapolated.
    #[arg(long, default_value_t = 30.0)]
    limit: f64,
    /// Says how long it would take, and measures nothing.
    #[arg(long)]
    estimate: bool,
    #[command(flatten)]
    binaries: Binaries,
    #[command(flatten)]
    places: Places,
}

/// Which workloads have their turn: those that a goal speaks of come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Goals,
    Others,
}

/// What every part of the comparison is given.
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
    /// What earlier runs have measured.
    earlier: Results,
    out: PathBuf,
    clock: Clock,
}

/// A part: how many seconds it is estimated to take, and what measures it.
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
    // What must be fetched is fetched before.
    let peers = Peers::new(&options.peers, &options.binaries, &dir)?;
    if !options.estimate {
        network::enter();
    }
    let scale = options.scale * if options.quick { 0.1 } else { 1.0 };
    // What is smaller does not take the place of what counts.
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
    /// Prints what each part is estimated to take; gives the sum.
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

    /// Says so where the disk is short: it is better to know before an hour has gone.
    fn check_room(&self, dir: &Path) {
        let Ok(disk) = rustix::fs::statvfs(dir) else { return };
        let free_gb = (disk.f_bavail * disk.f_frsize) as f64 / 1e9;
        if free_gb < DISK_GB * self.scale {
            eprintln!("{free_gb:.0} GB of disk are free, and {DISK_GB} GB may be needed");
        }
    }

    /// Writes what was measured so far.
    fn keep(&self, is_part_done: bool) -> Attempt<()> {
        self.results.write(&self.out, is_part_done)
    }

    /// A workload that was estimated at so many seconds is done.
    fn done(&mut self, estimated_s: f64) {
        self.clock.done(estimated_s);
    }

    /// Prints where it is.
    fn announce(&self, part: &str, round: usize, rounds: usize, what: &str) {
        println!("{} {part}, round {round} of {rounds}: {what}", self.clock.text());
    }

    fn rounds(&self) -> usize {
        self.pairs[usize::from(self.scope == Scope::Others)]
    }

    /// Whether this workload of a part is asked for.
    fn wants(&self, part: &str, workload: &str) -> bool {
        let is_it = |only: &String| {
            let names_a_part = PARTS.iter().any(|it| it.name == only);
            if names_a_part { part == only } else { workload.contains(only.as_str()) }
        };
        self.only.is_empty() || self.only.iter().any(is_it)
    }

    /// Whether a workload is left to do: all of them are, or those of which one of these has too few rounds.
    fn is_due(&self, workload: &str, unit: Unit, peers: &[&str]) -> bool {
        self.is_due_of(self.rounds(), workload, unit, peers)
    }

    /// The same where so many rounds are enough.
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

    /// Starts those that speak Kafka's protocol, all at once: they idle while another has its turn.
    fn start_kafkas(&self) -> Attempt<Vec<Peer>> {
        let kinds = self.kafkas().into_iter();
        kinds.map(|kind| self.peers.start(kind, Setup::default())).collect()
    }
}

/// A topic that exists while this does.
struct Topic {
    name: String,
    bootstrap: String,
    is_made: bool,
}

impl Topic {
    /// `synced`: each acknowledgement waits for the disk. That is Milena's default; Kafka and Milena are told by
    /// `flush.messages`, the sink by the name.
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

    /// Deletes it; what it left to be written out is not the next one's to wait for.
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
