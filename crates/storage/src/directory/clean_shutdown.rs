//! The `.kafka_cleanshutdown` file: every log of the directory was closed.
//!
//! JSON, `{"version":0,"brokerEpoch":N}`. Source: Kafka's `CleanShutdownFileHandler`.

use std::path::Path;

use crate::fs::{self, Fs};

const FILE: &str = ".kafka_cleanshutdown";

/// A clean shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CleanShutdown {
    /// The epoch of the broker that shut down, if the file has one. The file counts without it, too.
    pub(super) broker_epoch: Option<i64>,
}

/// The file, if it exists.
pub(super) fn read(fs: &Fs, dir: &Path) -> fs::Result<Option<CleanShutdown>> {
    match fs.read(&dir.join(FILE)) {
        Ok(bytes) => Ok(Some(CleanShutdown { broker_epoch: broker_epoch(&bytes) })),
        Err(e) if e.is_not_found() => Ok(None),
        Err(e) => Err(e),
    }
}

fn broker_epoch(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, after) = text.split_once("\"brokerEpoch\"")?;
    let number = after.trim_start().strip_prefix(':')?.trim_start();
    let end = number.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(number.len());
    number[..end].parse().ok()
}

/// Removes the file for good.
pub(super) fn remove(fs: &Fs, dir: &Path) -> fs::Result<()> {
    fs.remove_file(&dir.join(FILE))?;
    fs.sync_dir(dir)
}

/// Writes the file.
pub(super) fn write(fs: &Fs, dir: &Path, broker_epoch: i64) -> fs::Result<()> {
    let text = format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}");
    fs.replace(&dir.join(FILE), text.as_bytes())
}
