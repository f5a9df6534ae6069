//! Writing the checkpoint files of a log directory.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{DirectoryState, LOG_START_OFFSETS_FILE, NotedOffsets, Offsets, RECOVERY_POINTS_FILE};
use crate::checkpoint;
use crate::flusher::FlushState;
use crate::fs;
use crate::names::TopicPartition;

impl DirectoryState {
    /// Makes sure that the checkpoint files have no recovery point above `offset` for a partition whose log is about to
    /// be truncated there, and no log start offset above the log's: after a crash they would say that bytes are
    /// missing.
    pub(crate) fn lower_recovery_point(&self, log: &FlushState, offset: i64) -> fs::Result<()> {
        log.offsets.lower_flushed(offset);
        let log_start_offset = log.offsets.start();
        let written = self.partitions.lock().get(&log.partition.name).map(|known| known.noted().written[1]);
        if written.is_some_and(|(recovery, start)| recovery > offset || start > log_start_offset) {
            self.checkpoint_log_offsets()?;
        }
        Ok(())
    }

    /// Whether the log of a partition has reached `offset` according to the checkpoint files.
    pub(crate) fn tells_of(&self, partition: &TopicPartition, offset: i64) -> bool {
        let partitions = self.partitions.lock();
        partitions.get(partition).is_some_and(|known| {
            let [low, _] = known.noted().written;
            low.0.max(low.1) >= offset
        })
    }

    /// Whether the checkpoint files have this log start offset of a partition.
    pub(crate) fn has_checkpointed_start(&self, partition: &TopicPartition, offset: i64) -> bool {
        let partitions = self.partitions.lock();
        partitions
            .get(partition)
            .is_some_and(|known| known.noted().written.iter().all(|(_, start)| *start == offset))
    }

    pub(crate) fn checkpoint_log_offsets(&self) -> fs::Result<()> {
        self.write_log_offsets().map_err(|error| self.health.meet(error))
    }

    fn write_log_offsets(&self) -> fs::Result<()> {
        // Held throughout, so that an older state never overwrites a newer one.
        let mut partitions = self.partitions.lock();
        let mut recovery_points = BTreeMap::new();
        let mut log_start_offsets = BTreeMap::new();
        let known = partitions.iter().map(|(name, known)| (name.clone(), known.offsets()));
        let arriving =
            self.arriving.lock().clone().into_iter().map(|(name, offsets)| (Arc::new(name), offsets));
        let absent = self.absent.lock().clone().into_iter().map(|(name, offsets)| (Arc::new(name), offsets));
        for (name, offsets) in absent.chain(known).chain(arriving) {
            recovery_points.insert(name.clone(), offsets.recovery_point);
            if offsets.log_start_offset > 0 {
                log_start_offsets.insert(name, offsets.log_start_offset);
            }
        }
        let new = |name: &Arc<TopicPartition>| {
            (recovery_points[name], log_start_offsets.get(name).copied().unwrap_or(0))
        };
        for (name, known) in partitions.iter_mut() {
            let (noted, (recovery, start)) = (known.noted(), new(name));
            let [low, high] = noted.written;
            let written =
                [(low.0.min(recovery), low.1.min(start)), (high.0.max(recovery), high.1.max(start))];
            known.note(NotedOffsets { written, ..noted });
        }
        if partitions.iter().any(|(name, known)| new(name).1 < known.noted().written[1].1) {
            // If a start is lowered, its recovery point is lowered first: the batches between the two may be gone.
            let mut lower = recovery_points.clone();
            for (name, known) in partitions.iter() {
                lower.insert(name.clone(), known.noted().written[0].0);
            }
            checkpoint::write_offsets(
                &self.fs,
                &self.path.join(RECOVERY_POINTS_FILE),
                lower.iter().map(plain),
            )?;
        }
        // Starts come before recovery points: if a log was emptied and continues further on, only its new start
        // explains its recovery point.
        checkpoint::write_offsets(
            &self.fs,
            &self.path.join(LOG_START_OFFSETS_FILE),
            log_start_offsets.iter().map(plain),
        )?;
        checkpoint::write_offsets(
            &self.fs,
            &self.path.join(RECOVERY_POINTS_FILE),
            recovery_points.iter().map(plain),
        )?;
        for (name, known) in partitions.iter_mut() {
            known.note(NotedOffsets { written: [new(name); 2], ..known.noted() });
        }
        Ok(())
    }

    pub(super) fn write(&self, file: &str, offset: impl Fn(Offsets) -> i64) -> fs::Result<()> {
        let written = {
            let partitions = self.partitions.lock();
            let absent = self.absent.lock();
            let known = partitions.iter().map(|(name, known)| (name.clone(), offset(known.offsets())));
            let absent = absent.iter().map(|(name, offsets)| (Arc::new(name.clone()), offset(*offsets)));
            let offsets: BTreeMap<_, _> = absent.chain(known).collect();
            checkpoint::write_offsets(&self.fs, &self.path.join(file), offsets.iter().map(plain))
        };
        written.map_err(|error| self.health.meet(error))
    }
}

/// Whether writing the checkpoints of log offsets failed because there was no space for the log start offsets: then
/// none has changed.
pub(crate) fn left_starts_alone(error: &fs::Error) -> bool {
    let name = error.path.file_name().and_then(|name| name.to_str());
    error.passes() && name.is_some_and(|name| name.starts_with(LOG_START_OFFSETS_FILE))
}

fn plain<'a>((name, offset): (&'a Arc<TopicPartition>, &'a i64)) -> (&'a TopicPartition, &'a i64) {
    (name, offset)
}
