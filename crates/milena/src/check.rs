//! `milena check`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use clap::Args;
use runtime::task;
use serde_json::json;
use storage::fs::{File, Fs};

use self::cluster::Cluster;
use self::finding::{Finding, Weight};
use crate::failure::Failure;
use crate::output::{Output, Progress};

mod cluster;
mod directory;
mod finding;
mod partition;
mod segment;

const EXAMPLES: &str = "\
Examples:
  milena check milena-data
  milena check /disk1/kafka /disk2/kafka --jobs 8 --json

The broker must be stopped: each directory is locked meanwhile. Every record is read, and nothing
is changed. Leftovers, and what the next start mends by itself, are listed as notes, not as damage.
The exit status is 1 where there is damage.";

/// Verify the files of stopped log directories, and say how to repair what is damaged.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The directories named by log.dirs
    #[arg(value_name = "DIR", required = true)]
    dirs: Vec<PathBuf>,

    /// Partitions to read at the same time [default: the number of cores]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    /// Print one JSON object a line: each finding, and a summary at the end
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    let fs = Fs::real();
    let mut report = Report { output: Output::new(args.json), damaged: 0, notes: 0 };
    let mut locks = Vec::new();
    for dir in &args.dirs {
        locks.extend(lock(&fs, dir)?);
    }
    let mut work = Vec::new();
    let (cluster, findings) = Cluster::of(&fs, &args.dirs);
    report.tell(findings)?;
    for dir in &args.dirs {
        let (partitions, findings) = directory::check(&fs, dir, &cluster)?;
        work.extend(partitions);
        report.tell(findings)?;
    }
    check_partitions(&fs, &work, jobs(args), &mut report)?;
    let Report { mut output, damaged, notes } = report;
    output.say(format_args!(
        "{}: {}, {}",
        counted(work.len(), "partition", "partitions"),
        counted(damaged, "damaged place", "damaged places"),
        counted(notes, "note", "notes")
    ))?;
    if output.is_json() {
        output.json(
            &json!({ "kind": "summary", "partitions": work.len(), "damaged": damaged, "notes": notes }),
        )?;
    }
    output.flush()?;
    drop(locks);
    match damaged {
        0 => Ok(()),
        1 => Err(Failure::new("one place is damaged")),
        places => Err(Failure::new(format!("{places} places are damaged"))),
    }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

fn jobs(args: &CheckArgs) -> usize {
    let cores = || NonZeroUsize::new(task::parallelism()).unwrap_or(NonZeroUsize::MIN);
    args.jobs.unwrap_or_else(cores).get()
}

/// Locks a directory against brokers. Returns `None` if it has no lock file: no broker has used it at this
/// path, and creating one would change it.
fn lock(fs: &Fs, dir: &std::path::Path) -> Result<Option<File>, Failure> {
    let path = dir.join(".lock");
    if !fs.exists(&path).map_err(|error| Failure::new(error.to_string()))? {
        return Ok(None);
    }
    let lock = fs.lock(&path).map_err(|error| Failure::new(error.to_string()))?;
    match lock {
        Some(lock) => Ok(Some(lock)),
        None => Err(Failure::new(format!("a broker is running on {}", dir.display()))
            .mend("Stop it first: what it writes during the check would look like damage.")),
    }
}

/// Reads the partitions, several at a time, and reports each as soon as it is done.
#[allow(
    clippy::disallowed_methods,
    reason = "a command that reads stopped directories; nothing here is simulated"
)]
fn check_partitions(
    fs: &Fs,
    work: &[partition::Partition],
    jobs: usize,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut progress = Progress::new(!report.output.is_json());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        for _ in 0..jobs.min(work.len()) {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                while let Some(partition) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The receiver is gone once the output is closed.
                    if done.send(partition::check(fs, partition)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        for (n, findings) in results.into_iter().enumerate() {
            report.tell(findings)?;
            progress.show(|_| format!("{} of {} partitions", n + 1, work.len()));
        }
        Ok(())
    })
}

/// The findings, as they are reported.
struct Report {
    output: Output,
    damaged: usize,
    notes: usize,
}

impl Report {
    fn tell(&mut self, findings: Vec<Finding>) -> Result<(), Failure> {
        for Finding { weight, path, position, what, mend } in findings {
            let kind = match weight {
                Weight::Damage => {
                    self.damaged += 1;
                    "damage"
                }
                Weight::Note => {
                    self.notes += 1;
                    "note"
                }
            };
            let path = path.display().to_string();
            if self.output.is_json() {
                let line =
                    json!({ "kind": kind, "file": path, "position": position, "what": what, "mend": mend });
                self.output.json(&line)?;
            } else {
                let at = position.map_or_else(String::new, |position| format!(" at byte {position}"));
                self.output.say(format_args!("{kind}: {path}{at}: {what}. {mend}"))?;
            }
        }
        Ok(())
    }
}
