//! Side-by-side benchmarks: Milena, Apache Kafka and an ideal sink take the same load in turns on the same
//! machine.
//!
//! The README beside this describes the measurements and how to read them.
#![allow(clippy::disallowed_methods, reason = "measures real time on real files; nothing here is simulated")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command that reports to a person")]

mod compare;
mod connection;
mod load;
mod machine;
mod network;
mod peer;
mod process;
mod queue;
mod raw;
mod report;
mod results;
mod schedule;
mod sink;
mod storage;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The result of a step; the error is a sentence for the person who ran the command.
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
    Compare(compare::Options),
    /// Builds a page and a table from the results.
    Report(report::Options),
    /// Measures the storage engine against its goals: starting, recovering, memory, descriptors, compaction, deletion.
    Storage(storage::Options),
    /// The ideal sink: checks each batch's CRC, appends it to a file, sends from there, and does nothing
    /// else. It calls fdatasync for topics whose name ends with `.synced`; one named `x.p6` has six
    /// partitions.
    Sink {
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:19092")]
        listen: String,
        /// Directory of its files.
        #[arg(long)]
        dir: PathBuf,
    },
    /// Fetches the compared brokers that do not speak Kafka's protocol: packages of Debian, unpacked below
    /// `target/`, and a Go module.
    FetchPeers,
}

/// Directories for data and results.
#[derive(clap::Args, Clone)]
pub(crate) struct Places {
    /// Directory of the brokers' data, on the file system of a disk [default: target/bench].
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Directory of the results, as a table and as JSON [default: the same].
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Places {
    /// Creates both directories; returns that of the data and that of the results.
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
        Command::Report(options) => report::run(&options),
        Command::Storage(options) => storage::run(&options),
        Command::Sink { listen, dir } => sink::serve(&listen, &dir),
        Command::FetchPeers => peer::Programs::new().fetch(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
