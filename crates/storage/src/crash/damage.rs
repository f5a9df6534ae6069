//! A bit flipped on the disk before a log is opened after a crash.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastrand::Rng;

use super::history::{Failure, open_directory, open_log};
use super::partition::{Entry, Partition};
use crate::fs::Fs;
use crate::fs::simulated::Disk;
use crate::names::SegmentFile;
use crate::{Log, OpenError, ReadError, RecoveryReport, checkpoint};

/// Bytes of a batch that no checksum covers: its base offset, and the leader epoch with the magic
/// between its length and the checksum.
const UNPROTECTED: [std::ops::Range<usize>; 2] = [0..8, 12..16];

/// Flips a bit of a file of a partition, opens the partition, and compares the batches served with the `right` ones:
/// either the log or the checksum of the batch reports the damage, or it changes nothing.
pub(super) fn is_told(
    disk: &Arc<Disk>,
    partition: &Partition,
    right: &[Entry],
    now_ms: i64,
    random: &mut Rng,
) {
    let Some((path, position)) = turn_a_bit(disk, partition, random) else { return };
    let opened = open_directory(disk).and_then(|directory| {
        let offsets = read_recovery_point(disk, partition);
        Log::open(&directory, open_log(partition, now_ms))
            .map(|(log, recovered)| (directory, log, recovered, offsets))
            .map_err(Failure::Log)
    });
    let at = format!("{} with a bit turned in byte {position} of {}", partition.name, path.display());
    match opened {
        Ok((_directory, log, recovered, recovery_point)) => {
            let log = DamagedLog { log, recovered, recovery_point, path, at };
            log.serves_what_is_right_or_says_so(right);
        }
        Err(Failure::Log(OpenError::Damaged(damage))) => {
            let is_of_it = damage.path.parent() == path.parent();
            assert!(is_of_it, "{at}: {damage} names another");
        }
        Err(Failure::Log(OpenError::Checkpoint(_) | OpenError::TopicId { .. })) => {
            let is_log = path.extension().is_some_and(|extension| extension == "log");
            assert!(!is_log, "{at}: another file is said to be damaged");
        }
        Err(failure) => panic!("{at}: {failure:?}"),
    }
}

fn read_recovery_point(disk: &Arc<Disk>, partition: &Partition) -> i64 {
    let path = Path::new("/data/recovery-point-offset-checkpoint");
    let offsets = checkpoint::read_offsets(&Fs::simulated(disk.clone()), path);
    offsets.ok().and_then(|offsets| offsets.get(&partition.name).copied()).unwrap_or(0)
}

/// Flips a bit of a file of the partition, in most cases of a log file.
fn turn_a_bit(disk: &Arc<Disk>, partition: &Partition, random: &mut Rng) -> Option<(PathBuf, usize)> {
    let dir = Path::new("/data").join(partition.name.to_string());
    let files = Fs::simulated(disk.clone()).list(&dir).ok()?;
    let only_logs = random.u8(..10) < 6;
    let is_log = |name: &str| name.ends_with(SegmentFile::Log.suffix());
    let files: Vec<_> =
        files.into_iter().filter(|file| file.len > 0 && (!only_logs || is_log(&file.name))).collect();
    let file = files.get(random.usize(..files.len().max(1)))?;
    let path = dir.join(&file.name);
    let position = random.usize(..file.len as usize);
    if is_log(&file.name) {
        let bytes = disk.bytes(&path);
        let mut batches = record::batches(&bytes);
        let mut start = 0;
        while batches.next().is_some_and(|batch| batch.is_ok()) && batches.position() <= position {
            start = batches.position();
        }
        if UNPROTECTED.iter().any(|range| range.contains(&(position - start))) {
            return None;
        }
    }
    disk.flip(&path, position, random.u8(..8));
    Some((path, position))
}

/// A log with a flipped bit.
struct DamagedLog {
    log: Log,
    recovered: RecoveryReport,
    recovery_point: i64,
    path: PathBuf,
    at: String,
}

impl DamagedLog {
    fn serves_what_is_right_or_says_so(&self, right: &[Entry]) {
        let is_log = self.path.extension().is_some_and(|extension| extension == "log");
        let is_index = self.path.extension().is_some_and(|extension| extension == "index");
        if !is_log && !is_index {
            // These have no checksum: opening and reading must merely go on.
            for entry in right {
                let _ = self.read(entry.header.base_offset.max(self.log.log_start_offset()));
            }
            return;
        }
        for entry in right {
            let offset = entry.header.base_offset.max(self.log.log_start_offset());
            if offset >= self.log.end_offset() {
                self.may_end_before(entry, right);
                return;
            }
            match self.read(offset) {
                Ok(bytes) if bytes.starts_with(&entry.bytes) => {}
                Ok(bytes) => {
                    let is_wrong = record::Batch::parse(&bytes).and_then(|batch| batch.verify_crc()).is_err();
                    assert!(is_wrong, "{}: other records than at {offset} are served", self.at);
                }
                Err(ReadError::Damaged(damage)) => {
                    assert_eq!(damage.path.parent(), self.path.parent(), "{}: {damage}", self.at);
                }
                Err(error) => panic!("{}: {error}", self.at),
            }
        }
    }

    fn read(&self, offset: i64) -> Result<Vec<u8>, ReadError> {
        match self.log.read(offset, 1, true, i64::MAX)? {
            Some(slice) => Ok(slice.read()?),
            None => Ok(Vec::new()),
        }
    }

    /// Batches that were not yet known to be durable are truncated at the damage, as after a torn write, and
    /// opening the log reports it.
    fn may_end_before(&self, entry: &Entry, right: &[Entry]) {
        let (end, durable) = (self.log.end_offset(), self.recovery_point);
        let missing = entry.header.base_offset;
        assert!(end >= durable, "{}: it ends at {end}, and was durable up to {durable}", self.at);
        let is_told = self
            .recovered
            .truncation
            .as_ref()
            .is_some_and(|cut| cut.damage.path.parent() == self.path.parent());
        let last = right.last().map_or(end, |entry| entry.header.next_offset());
        assert!(
            is_told || end >= last,
            "{}: it lacks {missing} and what follows, and does not say so",
            self.at
        );
    }
}
