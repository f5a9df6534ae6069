//! The goals of the storage engine: the time until it serves after a stop and after a crash, the costs of an
//! idle partition, and the effect of background work on requests.

mod backlog;
mod compaction;
mod descriptors;
mod findings;
mod latency;
pub(crate) mod made;
mod memory;
mod recovery;
mod restart;
mod retention;

use std::fs;
use std::path::{Path, PathBuf};

use findings::Findings;

use crate::peer::{Binaries, Kind, Peers};
use crate::{Attempt, Places};

/// The measurements to take, and how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Times that each measurement is taken [default: 9 for retention and compaction, whose p99 needs the
    /// requests of many, and 3 for the others].
    #[arg(long)]
    rounds: Option<usize>,
    /// Only measurements whose name contains this: restart, recovery, memory, descriptors, compaction,
    /// backlog, retention.
    #[arg(long)]
    only: Option<String>,
    /// Scales the partitions, segments, bytes and messages of every measurement.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Leaves out Kafka, which only compaction is compared with.
    #[arg(long)]
    without_kafka: bool,
    #[command(flatten)]
    binaries: Binaries,
    #[command(flatten)]
    places: Places,
}

/// The context of every measurement.
struct Bench {
    peers: Peers,
    kinds: Vec<Kind>,
    /// Rounds of the current measurement.
    rounds: usize,
    scale: f64,
    findings: Findings,
}

impl Bench {
    /// This many, scaled; at least one.
    fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.scale) as u64).max(1)
    }

    /// Milena's log directory.
    fn log_dir(&self) -> PathBuf {
        self.peers.log_dir_of(Kind::Milena)
    }
}

/// A measurement by its name.
struct Measurement {
    name: &'static str,
    rounds: usize,
    /// Minutes of a quiet machine with two cores.
    minutes: f64,
    measure: fn(&mut Bench) -> Attempt<()>,
}

const MEASUREMENTS: [Measurement; 7] = [
    Measurement { name: "restart", rounds: 5, minutes: 1.5, measure: restart::measure },
    Measurement { name: "recovery", rounds: 3, minutes: 1.5, measure: recovery::measure },
    Measurement { name: "memory", rounds: 3, minutes: 2.0, measure: memory::measure },
    Measurement { name: "descriptors", rounds: 1, minutes: 3.0, measure: descriptors::measure },
    Measurement { name: "compaction", rounds: 9, minutes: 5.5, measure: compaction::measure },
    Measurement { name: "backlog", rounds: 5, minutes: 1.0, measure: backlog::measure },
    Measurement { name: "retention", rounds: 9, minutes: 3.0, measure: retention::measure },
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
        rounds: 1,
        scale: options.scale,
        findings: Findings::default(),
    };
    let wanted: Vec<_> = MEASUREMENTS.iter().filter(|it| wanted(it.name)).collect();
    for (at, Measurement { name, rounds, measure, .. }) in wanted.iter().enumerate() {
        let left: f64 = wanted[at..].iter().map(|it| it.minutes).sum();
        println!("{name} ... (all that is left: about {left:.0} minutes at full size on a quiet machine)");
        bench.rounds = options.rounds.unwrap_or(*rounds).max(1);
        let outcome = measure(&mut bench);
        // It may take more space than the next one finds.
        for kind in &bench.kinds {
            let _ = fs::remove_dir_all(bench.peers.dir_of(*kind));
        }
        if let Err(error) = outcome {
            bench.findings.failed(name, &error);
        }
        // The run may be aborted.
        write(&bench.findings, &out)?;
    }
    println!("\n{}", bench.findings.markdown());
    Ok(())
}

fn write(findings: &Findings, out: &Path) -> Attempt<()> {
    fs::write(out.join("storage.md"), findings.markdown())
        .and_then(|()| fs::write(out.join("storage.json"), findings.json()))
        .map_err(|error| format!("cannot write the results: {error}"))
}
