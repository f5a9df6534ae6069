//! The `partition.metadata` file: which topic a partition's directory belongs to.
//!
//! Two lines, `version: 0` and `topic_id: ` with the id, without a newline at the end. Source:
//! Kafka's `PartitionMetadataFile`.

use std::path::Path;

use crate::checkpoint::{CheckpointError, read_text};
use crate::fs::{self, Fs, Mode};
use crate::uuid;

const FILE: &str = "partition.metadata";

/// The text before the id.
const TEXT: &str = "version: 0\ntopic_id: ";

/// The topic id in a partition's directory; `None` if the file does not exist, or if a crash has torn it.
pub(crate) fn read_topic_id(fs: &Fs, dir: &Path) -> Result<Option<[u8; 16]>, CheckpointError> {
    let path = dir.join(FILE);
    let Some(text) = read_text(fs, &path)?.filter(|text| !is_torn(text)) else { return Ok(None) };
    let malformed = |line, reason| CheckpointError::Malformed { path: path.clone(), line, reason };
    let mut lines = text.lines();
    if lines.next().map(str::trim_end) != Some("version: 0") {
        return Err(malformed(1, "the version is not 0"));
    }
    let topic_id = lines.next().and_then(|line| line.strip_prefix("topic_id: "));
    let topic_id = topic_id.and_then(|id| uuid::decode(id.trim_end()));
    topic_id.map(Some).ok_or_else(|| malformed(2, "not the id of a topic"))
}

/// Whether the file is what a crash leaves of one that was not synced: a first part, or zeros.
fn is_torn(text: &str) -> bool {
    let written = text.trim_end_matches('\0');
    let whole = format!("{TEXT}{}", uuid::encode([0; 16]));
    let is_part = TEXT.starts_with(written) || written.starts_with(TEXT);
    is_part && written.len() < whole.len() && !written.contains('\0')
}

/// Writes the topic id of a partition's directory, not yet durable: the first sync of its log makes it so, and creating
/// a thousand partitions needs no sync.
pub(crate) fn write_topic_id(fs: &Fs, dir: &Path, topic_id: [u8; 16]) -> fs::Result<()> {
    let text = format!("{TEXT}{}", uuid::encode(topic_id));
    fs.open(&dir.join(FILE), Mode::CreateEmpty)?.write_all_at(text.as_bytes(), 0)
}

/// Makes the topic id of a partition's directory durable.
pub(crate) fn sync_topic_id(fs: &Fs, dir: &Path) -> fs::Result<()> {
    match fs.open(&dir.join(FILE), Mode::Write).and_then(|file| file.sync_data()) {
        Err(e) if e.is_not_found() => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
