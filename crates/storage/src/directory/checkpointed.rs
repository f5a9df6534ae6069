//! The offsets in the checkpoint files of a log directory, as a start finds them.

use std::collections::BTreeMap;
use std::path::Path;

use super::{HIGH_WATERMARKS_FILE, LOG_START_OFFSETS_FILE, RECOVERY_POINTS_FILE};
use crate::checkpoint::{self, CheckpointError};
use crate::fs::{self, Fs};
use crate::names::TopicPartition;

type OffsetMap = BTreeMap<TopicPartition, i64>;

/// The offsets in the checkpoint files. A file that cannot be parsed counts as lost, as in Kafka: the logs have the
/// same facts, except for records that were deleted from the start of a segment.
pub(super) struct CheckpointedOffsets {
    /// `None` if the file is lost. One that was never written is empty.
    recovery_points: Option<OffsetMap>,
    log_start_offsets: OffsetMap,
    high_watermarks: OffsetMap,
}

impl CheckpointedOffsets {
    /// Reads the files, and warns of those that cannot be parsed.
    pub(super) fn read(fs: &Fs, dir: &Path) -> fs::Result<CheckpointedOffsets> {
        let is_written = |file| fs.exists(&dir.join(file));
        let recovery_points =
            match read(fs, dir, RECOVERY_POINTS_FILE, "the recovery points count from zero")? {
                // They are always written before the high watermarks: if only the file of those exists, this one is
                // lost.
                Some(points) if points.is_empty() && !is_written(RECOVERY_POINTS_FILE)? => {
                    (!is_written(HIGH_WATERMARKS_FILE)?).then_some(points)
                }
                found => found,
            };
        let starts = "records that were deleted and are still in a segment reappear";
        let log_start_offsets = read(fs, dir, LOG_START_OFFSETS_FILE, starts)?.unwrap_or_default();
        let high_watermarks = read(fs, dir, HIGH_WATERMARKS_FILE, "the high watermarks are set again")?;
        let high_watermarks = high_watermarks.unwrap_or_default();
        Ok(CheckpointedOffsets { recovery_points, log_start_offsets, high_watermarks })
    }

    /// Whether the recovery points are lost, so that nothing says what was durable.
    pub(super) fn lacks_recovery_points(&self) -> bool {
        self.recovery_points.is_none()
    }

    /// The recovery points, log start offsets and high watermarks.
    pub(super) fn all(&self) -> [&OffsetMap; 3] {
        static NONE: OffsetMap = BTreeMap::new();
        let recovery_points = self.recovery_points.as_ref().unwrap_or(&NONE);
        [recovery_points, &self.log_start_offsets, &self.high_watermarks]
    }
}

/// The offsets of a file; `None` if it cannot be parsed.
fn read(fs: &Fs, dir: &Path, file: &str, consequence: &str) -> fs::Result<Option<OffsetMap>> {
    match checkpoint::read_offsets(fs, &dir.join(file)) {
        Ok(offsets) => Ok(Some(offsets)),
        Err(CheckpointError::Fs(error)) => Err(error),
        Err(malformed) => {
            tracing::warn!("{malformed}; {consequence}");
            Ok(None)
        }
    }
}
