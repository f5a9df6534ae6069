//! The checkpoint files: text lines under a version and a count.
//!
//! Source: Kafka's `CheckpointFile`, `OffsetCheckpointFile` and `LeaderEpochCheckpointFile`. All
//! are replaced atomically, so a file that does not parse is damage and not a crash.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::SplitWhitespace;

use crate::fs::{self, Fs};
use crate::leader_epochs::EpochEntry;
use crate::names::TopicPartition;

/// The first line of every checkpoint file.
const VERSION: &str = "0";

/// Why a file of text cannot be used.
#[derive(Debug)]
pub enum CheckpointError {
    /// The file cannot be read.
    Fs(fs::Error),
    /// The file is malformed.
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from one.
        line: usize,
        /// The fault.
        reason: &'static str,
    },
}

impl std::fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CheckpointError::Fs(error) => error.fmt(f),
            CheckpointError::Malformed { path, line, reason } => {
                write!(f, "{} is damaged: line {line}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for CheckpointError {}

impl From<fs::Error> for CheckpointError {
    fn from(error: fs::Error) -> Self {
        CheckpointError::Fs(error)
    }
}

/// The bytes of a checkpoint file as text; `None` if it does not exist.
pub(crate) fn read_text(fs: &Fs, path: &Path) -> Result<Option<String>, CheckpointError> {
    let bytes = match fs.read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.is_not_found() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    let malformed = |_| CheckpointError::Malformed { path: path.to_owned(), line: 1, reason: "not UTF-8" };
    String::from_utf8(bytes).map(Some).map_err(malformed)
}

/// The entries of a checkpoint file, each line parsed by `parse`; empty if there is no file.
fn read<T>(
    fs: &Fs,
    path: &Path,
    parse: impl Fn(&mut SplitWhitespace<'_>) -> Option<T>,
) -> Result<Vec<T>, CheckpointError> {
    let Some(text) = read_text(fs, path)? else { return Ok(Vec::new()) };
    let malformed = |line, reason| CheckpointError::Malformed { path: path.to_owned(), line, reason };
    let mut lines = text.lines();
    // Kafka creates the files empty before it first writes them.
    let Some(version) = lines.next() else { return Ok(Vec::new()) };
    if version.trim() != VERSION {
        return Err(malformed(1, "the version is not 0"));
    }
    let count = lines.next().and_then(|line| line.trim().parse::<usize>().ok());
    let count = count.ok_or_else(|| malformed(2, "not the number of entries"))?;
    let mut entries = Vec::new();
    for (n, line) in lines.enumerate() {
        let mut words = line.split_whitespace();
        let entry = parse(&mut words).filter(|_| words.next().is_none());
        entries.push(entry.ok_or_else(|| malformed(n + 3, "not an entry"))?);
    }
    if entries.len() != count {
        return Err(malformed(2, "not the number of entries that follow"));
    }
    Ok(entries)
}

/// Reads a checkpoint of one offset per partition; empty if the file does not exist.
///
/// # Errors
/// [`CheckpointError`] if it cannot be read or parsed.
pub fn read_offsets(fs: &Fs, path: &Path) -> Result<BTreeMap<TopicPartition, i64>, CheckpointError> {
    let entry = |words: &mut SplitWhitespace<'_>| {
        let topic = words.next()?.to_owned();
        let partition = words.next()?.parse().ok()?;
        Some((TopicPartition { topic, partition }, words.next()?.parse().ok()?))
    };
    Ok(read(fs, path, entry)?.into_iter().collect())
}

/// Replaces a checkpoint of one offset per partition.
///
/// # Errors
/// The file system's error; the file is then unchanged.
pub fn write_offsets<'a>(
    fs: &Fs,
    path: &Path,
    offsets: impl ExactSizeIterator<Item = (&'a TopicPartition, &'a i64)>,
) -> fs::Result<()> {
    let mut text = format!("{VERSION}\n{}\n", offsets.len());
    for (TopicPartition { topic, partition }, offset) in offsets {
        writeln!(text, "{topic} {partition} {offset}").expect("a string takes all");
    }
    fs.replace(path, text.as_bytes())
}

/// Reads a `leader-epoch-checkpoint`; empty if it does not exist.
pub(crate) fn read_leader_epochs(fs: &Fs, path: &Path) -> Result<Vec<EpochEntry>, CheckpointError> {
    read(fs, path, |words| {
        let epoch = words.next()?.parse().ok()?;
        let start_offset = words.next()?.parse().ok()?;
        (epoch >= 0 && start_offset >= 0).then_some(EpochEntry { epoch, start_offset })
    })
}

/// Replaces a `leader-epoch-checkpoint`.
pub(crate) fn write_leader_epochs(fs: &Fs, path: &Path, entries: &[EpochEntry]) -> fs::Result<()> {
    let mut text = format!("{VERSION}\n{}\n", entries.len());
    for EpochEntry { epoch, start_offset } in entries {
        writeln!(text, "{epoch} {start_offset}").expect("a string takes all");
    }
    fs.replace(path, text.as_bytes())
}

#[cfg(test)]
mod tests;
