//! Runs a broker on a simulated machine, with clients that record their observations, under faults drawn from
//! a seed; or a metadata quorum on several machines.
//!
//! The same seed gives the same run. Exit status: 0 if every run was right, 1 if one was not, 3 if one proved
//! nothing.

mod check;
mod history;
mod node;
mod quorum;
mod run;
mod swarm;
mod workload;

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use run::{Scenario, Verdict};

/// Simulates one node, or a quorum.
#[derive(Debug, Parser)]
struct Args {
    /// Run this seed.
    #[arg(long, conflicts_with = "seeds", required_unless_present = "seeds")]
    seed: Option<u64>,
    /// Run these seeds: from the first to below the second, as in 0..100.
    #[arg(long, value_name = "A..B", value_parser = range)]
    seeds: Option<Range<u64>>,
    /// Write every event of the run to this file.
    #[arg(long, value_name = "FILE", requires = "seed")]
    trace: Option<PathBuf>,
    /// Run the metadata quorum of several nodes, without brokers.
    #[arg(long)]
    quorum: bool,
    /// Run without clients' work, which proves nothing.
    #[arg(long)]
    idle: bool,
    /// Print the log of the broker and the clients.
    #[arg(long)]
    log: bool,
    /// Put a known mistake back, and expect a run to find it: the name of a trap.
    #[arg(long, value_name = "TRAP")]
    trap: Option<String>,
    /// List the traps.
    #[arg(long, exclusive = true)]
    traps: bool,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (first, end) = text.split_once("..").ok_or("two numbers with .. between them, such as 0..100")?;
    let number = |text: &str| text.parse().map_err(|_| format!("'{text}' is not a number"));
    Ok(number(first)?..number(end)?)
}

/// The names of all traps, each with the call that puts it back.
fn traps() -> impl Iterator<Item = (String, Box<dyn Fn()>)> {
    let of_storage = storage::traps::Trap::ALL.iter().map(|trap| {
        let put_back: Box<dyn Fn()> = Box::new(|| storage::traps::set(Some(*trap)));
        (format!("{trap:?}"), put_back)
    });
    let of_groups = coordinator::traps::Trap::ALL.iter().map(|trap| {
        let put_back: Box<dyn Fn()> = Box::new(|| coordinator::traps::set(Some(*trap)));
        (format!("{trap:?}"), put_back)
    });
    let of_quorum = metadata::traps::Trap::ALL.iter().map(|trap| {
        let put_back: Box<dyn Fn()> = Box::new(|| metadata::traps::set(Some(*trap)));
        (format!("{trap:?}"), put_back)
    });
    of_storage.chain(of_groups).chain(of_quorum)
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.traps {
        for (name, _) in traps() {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    if args.log {
        tracing_subscriber::fmt().without_time().with_writer(std::io::stderr).init();
    }
    if let Some(name) = &args.trap {
        let Some((_, put_back)) = traps().find(|(trap, _)| trap == name) else {
            eprintln!("There is no trap called '{name}': --traps lists them.");
            return ExitCode::FAILURE;
        };
        put_back();
    }
    let seeds = match (args.seed, &args.seeds) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(seeds)) => seeds.clone(),
        (None, None) => unreachable!("one of the two is required"),
    };
    let mut worst = 0;
    for seed in seeds {
        let scenario = if args.quorum { Scenario::Quorum } else { Scenario::Broker };
        let verdict = run::seed(scenario, seed, args.trace.as_deref(), args.idle);
        println!("seed {seed}: {verdict}");
        let status = match verdict {
            Verdict::Right(_) => 0,
            Verdict::Wrong(..) => 1,
            Verdict::ProvedNothing(..) => 3,
        };
        // A detected fault is worse than a run that found nothing.
        worst = if worst == 1 || status == 1 { 1 } else { status.max(worst) };
        if args.trap.is_some() && status == 1 {
            println!("found with seed {seed}");
            break;
        }
    }
    ExitCode::from(worst)
}
