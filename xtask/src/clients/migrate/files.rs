//! The files of a directory between two brokers, checked by Kafka's tool and ours.

use super::super::dump::unblemished;
use super::super::{Stage, files_of};
use crate::process::{run, tail};
use crate::{Attempt, java, milena};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

const TOOL: &str = "org.apache.kafka.tools.DumpLogSegments";
const LIMIT: Duration = Duration::from_secs(120);

/// Checks that every file of the directory is sound, by Kafka's tool and by `milena check`. The next start
/// repairs leftovers of a killed broker beside segments.
pub(super) fn sound(stage: &mut Stage, prefix: &str, data: &Path, was_stopped: bool) -> Attempt<()> {
    let mut all = Vec::new();
    for partition in files_of(data)?.iter().filter(|path| path.is_dir()) {
        let name = partition.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with("-delete") && !name.starts_with("__cluster_metadata") {
            all.extend(files_of(partition)?);
        }
    }
    let of = |ending: &str| -> Vec<PathBuf> {
        all.iter().filter(|path| path.extension().is_some_and(|found| found == ending)).cloned().collect()
    };
    stage.test(&format!("{prefix}DumpLogSegments on every segment"), |_| segments(&of("log")));
    let beside: &[&str] = if was_stopped { &["index", "timeindex", "txnindex", "snapshot"] } else { &[] };
    for ending in beside {
        stage.test(&format!("{prefix}DumpLogSegments on every .{ending}"), |_| others(&of(ending), ending));
    }
    stage.test(&format!("{prefix}milena check"), |_| {
        let mut command = Command::new(milena::program()?);
        let ended = run(command.arg("check").arg(data).env_remove("MILENA_BINARY"), "", LIMIT)?;
        if ended.status.success() { Ok(()) } else { Err(tail(&ended.stdout, 12)) }
    });
    Ok(())
}

fn dump(files: &[PathBuf], options: &[&str]) -> Attempt<String> {
    let joined: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let joined = joined.join(",");
    let mut arguments = vec!["--files", &joined];
    arguments.extend(options);
    java::tool(&java::class_path()?, TOOL, &arguments, "")?.success()
}

fn segments(logs: &[PathBuf]) -> Attempt<()> {
    let text = dump(logs, &["--deep-iteration"])?;
    let batches = text.lines().filter(|line| line.contains("isvalid: true")).count();
    if batches < 50 {
        return Err(format!("only {batches} batches"));
    }
    // Compaction leaves offsets out, and the tool says so.
    unblemished(&text)
}

fn others(files: &[PathBuf], ending: &str) -> Attempt<()> {
    if files.is_empty() {
        return if ending == "txnindex" { Ok(()) } else { Err(format!("there is no file .{ending}")) };
    }
    unblemished(&dump(files, &[])?)?;
    if ending.ends_with("index") && ending != "txnindex" {
        unblemished(&dump(files, &["--index-sanity-check"])?)?;
    }
    Ok(())
}

/// Waits until the cleaner has been through a partition of `__consumer_offsets`.
pub(super) fn await_cleaned_offsets(data: &Path) -> Attempt<()> {
    let path = data.join("cleaner-offset-checkpoint");
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let is_cleaned = |line: &str| {
            line.strip_prefix("__consumer_offsets ")
                .and_then(|rest| rest.split(' ').nth(1))
                .is_some_and(|offset| offset != "0")
        };
        if text.lines().any(is_cleaned) {
            return Ok(());
        }
        sleep(Duration::from_millis(100));
    }
    Err(format!("{} has no offset of __consumer_offsets", path.display()))
}

/// Whether the batches of a partition are of one producer that began once and left nothing out.
pub(super) fn one_producer(partition: &Path, records: usize) -> Attempt<()> {
    let mut command = Command::new(milena::program()?);
    let logs = files_of(partition)?;
    let logs = logs.iter().filter(|path| path.extension().is_some_and(|ending| ending == "log"));
    command.args(["dump"]).args(logs).env_remove("MILENA_BINARY");
    let text = run(&mut command, "", LIMIT)?.success()?;
    let (mut next_sequence, mut producer) = (0, None);
    for line in text.lines().filter(|line| line.contains("baseSequence: ")) {
        let field = |name: &str| {
            let mut words = line.split(' ').skip_while(|word| *word != name);
            words.nth(1).unwrap_or_default().to_owned()
        };
        let sequence = field("baseSequence:").parse::<usize>().map_err(|error| format!("{error}: {line}"))?;
        let this = (field("producerId:"), field("producerEpoch:"));
        if sequence != next_sequence || *producer.get_or_insert(this.clone()) != this {
            return Err(format!("sequence {next_sequence} of {producer:?} should be next: {line}"));
        }
        next_sequence =
            field("lastSequence:").parse::<usize>().map_err(|error| format!("{error}: {line}"))? + 1;
    }
    if next_sequence == records { Ok(()) } else { Err(format!("{next_sequence} records of {records}")) }
}
