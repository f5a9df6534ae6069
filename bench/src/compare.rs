//! The comparison: which brokers, in which turns, and where the results go.

pub(crate) mod classic;
mod connections;
pub(crate) mod latency;
mod scaling;
pub(crate) mod start;
pub(crate) mod throughput;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::machine::Machine;
use crate::peer::{Binaries, Kind, Peer, Peers, Setup};
use crate::results::Results;
use crate::sink::topic_name;
use crate::{Attempt, Places, load, raw};

/// What is compared, how often and with how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many times each broker takes each workload; they take turns.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// The brokers.
    #[arg(long, value_delimiter = ',', default_value = "milena,kafka,sink,redis,rabbitmq,nats,activemq")]
    peers: Vec<Kind>,
    /// Only workloads whose name contains this: a part (start, throughput,
    /// latency, connections, scaling, classic), or the name of one workload.
    #[arg(long)]
    only: Option<String>,
    /// Scales the number of messages of every workload.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// A look in less than ten minutes: two rounds of a tenth of the messages, and only the workloads with a goal.
    #[arg(long)]
    quick: bool,
    /// Every combination of size, partitions, codec, acks and fsync, instead of each by itself.
    #[arg(long)]
    full_matrix: bool,
    #[command(flatten)]
    binaries: Binaries,
    #[command(flatten)]
    places: Places,
}

/// What every part of the comparison is given.
struct Comparison {
    peers: Peers,
    kinds: Vec<Kind>,
    pairs: usize,
    scale: f64,
    only: Option<String>,
    quick: bool,
    full_matrix: bool,
    results: Results,
    out: PathBuf,
}

type Part = (&'static str, fn(&mut Comparison) -> Attempt<()>);

const PARTS: [Part; 6] = [
    ("start", start::measure),
    ("throughput", throughput::measure),
    ("latency", latency::measure),
    ("connections", connections::measure),
    ("scaling", scaling::measure),
    ("classic", classic::measure),
];

pub(crate) fn run(options: &Options) -> Attempt<()> {
    let (dir, out) = options.places.make()?;
    let mut comparison = Comparison {
        peers: Peers::new(&options.peers, &options.binaries, &dir)?,
        kinds: options.peers.clone(),
        pairs: if options.quick { options.pairs.min(2) } else { options.pairs.max(1) },
        scale: options.scale * if options.quick { 0.1 } else { 1.0 },
        only: options.only.clone(),
        quick: options.quick,
        full_matrix: options.full_matrix,
        results: Results { machine: Machine::this(), ..Results::default() },
        out: out.join("results.json"),
    };
    for (name, measure) in PARTS {
        if let Err(error) = measure(&mut comparison) {
            comparison.results.failed(name, &error);
        }
        comparison.results.write(&comparison.out)?;
    }
    println!("written to {}; `bench report` makes a page of it", comparison.out.display());
    Ok(())
}

impl Comparison {
    /// Whether this workload of a part is asked for.
    fn wants(&self, part: &str, workload: &str) -> bool {
        self.only.as_ref().is_none_or(|only| part == only || workload.contains(only.as_str()))
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
