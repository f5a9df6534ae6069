//! Side-by-side benchmarks: Milena, Apache Kafka and an ideal sink take the same load in turns on the same machine.
//!
//! See the README beside this for what is measured and how to read it.
#![allow(clippy::disallowed_methods, reason = "measures real time on real files; nothing here is simulated")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that reports to a person")]

mod compare;
mod connection;
mod load;
mod peer;
mod process;
mod report;
mod sink;
mod storage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What went wrong, as a sentence for the person who ran the command.
pub(crate) type Attempt<T> = Result<T, String>;

#[derive(Parser)]
#[command(about = "Measures Milena beside Kafka 4.3.1 and beside an ideal sink")]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the workloads against each broker in turns and prints the ratios.
    Compare(Options),
    /// Measures the storage engine against its goals: starting, recovering, memory, descriptors, compaction, deletion.
    Storage(storage::Options),
    /// The ideal sink: answers a producer, checks each batch's CRC, appends it to a file, and does nothing else.
    Sink {
        /// Where it listens.
        #[arg(long, default_value = "127.0.0.1:19092")]
        listen: String,
        /// Where its files go.
        #[arg(long)]
        dir: PathBuf,
        /// Calls fdatasync before each acknowledgement.
        #[arg(long)]
        sync: bool,
    },
}

/// What is compared, how often and with how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How many times each broker takes each workload; they take turns.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// The brokers: milena, kafka, sink. The first is compared with each of the others.
    #[arg(long, value_delimiter = ',', default_value = "milena,kafka,sink")]
    peers: Vec<peer::Kind>,
    /// Only workloads whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Scales the number of messages of every workload.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    #[command(flatten)]
    binaries: peer::Binaries,
    #[command(flatten)]
    places: Places,
}

/// Where files go.
#[derive(clap::Args, Clone)]
pub(crate) struct Places {
    /// Where the brokers' data go: a file system on a disk [default: target/bench].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where the results go, as a table and as JSON [default: the same].
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Places {
    /// Makes both directories; gives that of the data and that of the results.
    fn make(&self) -> Attempt<(PathBuf, PathBuf)> {
        let dir = self.dir.clone().unwrap_or_else(|| xtask::workshop().with_file_name("bench"));
        let out = self.out.clone().unwrap_or_else(|| dir.clone());
        for path in [&dir, &out] {
            std::fs::create_dir_all(path)
                .map_err(|error| format!("cannot make {}: {error}", path.display()))?;
        }
        Ok((dir, out))
    }
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Compare(options) => compare::run(&options),
        Command::Storage(options) => storage::run(&options),
        Command::Sink { listen, dir, sync } => sink::serve(&listen, &dir, sync),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
