//! What the storage engine must reach: how soon it serves after a stop and after a crash, what an idle partition
//! costs, and whether what it does in the background is felt.

mod backlog;
mod compaction;
mod descriptors;
mod findings;
mod latency;
mod made;
mod memory;
mod recovery;
mod restart;
mod retention;

use std::fs;
use std::path::PathBuf;

use findings::Findings;

use crate::peer::{Binaries, Kind, Peers};
use crate::{Attempt, Places};

/// What is measured, how often and with how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many times each measurement is taken, where one run does not give many.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only measurements whose name contains this: restart, recovery, memory, descriptors, compaction, backlog,
    /// retention.
    #[arg(long)]
    only: Option<String>,
    /// Scales the partitions, segments, bytes and messages of every measurement.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Leaves Kafka out, with which only compaction is compared.
    #[arg(long)]
    without_kafka: bool,
    #[command(flatten)]
    binaries: Binaries,
    #[command(flatten)]
    places: Places,
}

/// What every measurement is given.
struct Bench {
    peers: Peers,
    kinds: Vec<Kind>,
    rounds: usize,
    scale: f64,
    findings: Findings,
}

impl Bench {
    /// So many of them, scaled; never none.
    fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.scale) as u64).max(1)
    }

    /// Where Milena has its log directory.
    fn log_dir(&self) -> PathBuf {
        self.peers.log_dir_of(Kind::Milena)
    }
}

/// A measurement by its name.
type Measurement = (&'static str, fn(&mut Bench) -> Attempt<()>);

const MEASUREMENTS: [Measurement; 7] = [
    ("restart", restart::measure),
    ("recovery", recovery::measure),
    ("memory", memory::measure),
    ("descriptors", descriptors::measure),
    ("compaction", compaction::measure),
    ("backlog", backlog::measure),
    ("retention", retention::measure),
];

pub(crate) fn run(options: &Options) -> Attempt<()> {
    let (dir, out) = options.places.make()?;
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let mut kinds = vec![Kind::Milena];
    if !options.without_kafka && wanted("compaction") {
        kinds.push(Kind::Kafka);
    }
    let mut bench = Bench {
        peers: Peers::new(&kinds, &options.binaries, &dir)?,
        kinds,
        rounds: options.rounds.max(1),
        scale: options.scale,
        findings: Findings::default(),
    };
    for (name, measure) in MEASUREMENTS.iter().filter(|(name, _)| wanted(name)) {
        println!("{name} ...");
        let outcome = measure(&mut bench);
        // It may take more room than the next one finds.
        for kind in &bench.kinds {
            let _ = fs::remove_dir_all(bench.peers.dir_of(*kind));
        }
        if let Err(error) = outcome {
            bench.findings.failed(name, &error);
        }
    }
    let table = bench.findings.markdown();
    println!("\n{table}");
    fs::write(out.join("storage.md"), &table).map_err(|error| format!("cannot write the table: {error}"))?;
    fs::write(out.join("storage.json"), bench.findings.json())
        .map_err(|error| format!("cannot write the results: {error}"))
}
