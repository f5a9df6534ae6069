//! The sink's storage: one file for each partition, and the end of each batch in it.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Instant;

/// The positions of a batch's CRC, of the part that it covers, and of its record count.
const CRC_AT: usize = 17;
const COVERED_AT: usize = 21;
const COUNT_AT: usize = 57;
/// Bytes of a batch's header.
pub(super) const HEADER_BYTES: usize = 61;

/// The name of a topic with this many partitions, whose batches are synced before they are acknowledged, or
/// not. Milena and Kafka are configured when the topic is created; the sink, which creates topics on demand,
/// reads it from the name.
pub(crate) fn name(what: &str, partitions: i32, synced: bool) -> String {
    format!("{what}.p{partitions}{}", if synced { ".synced" } else { "" })
}

/// A topic and its partitions.
pub(super) struct Topic {
    logs: Vec<Mutex<Log>>,
    pub(super) synced: bool,
    /// Connections that wait for something to fetch.
    waiting: AtomicUsize,
    appended: (Mutex<()>, Condvar),
}

struct Log {
    file: File,
    end_offset: i64,
    /// The offset after each batch, and the position after it.
    ends: Vec<(i64, u64)>,
}

/// Bytes of a partition's file, the answer to a fetch.
pub(crate) struct Region {
    pub(super) partition: i32,
    pub(super) end_offset: i64,
    pub(super) position: u64,
    pub(super) length: usize,
}

impl Topic {
    /// Creates the files of a topic, as its name says.
    pub(super) fn make(name: &str, dir: &Path) -> io::Result<Topic> {
        let mut partitions = name.split('.').filter_map(|part| part.strip_prefix('p')?.parse().ok());
        let partitions: usize = partitions.next_back().unwrap_or(1);
        let logs = (0..partitions).map(|partition| {
            let path = dir.join(format!("{name}-{partition}"));
            let file = OpenOptions::new().create(true).truncate(true).write(true).read(true).open(&path)?;
            // The space is free again when the sink forgets the topic.
            std::fs::remove_file(path)?;
            Ok(Mutex::new(Log { file, end_offset: 0, ends: Vec::new() }))
        });
        Ok(Topic {
            logs: logs.collect::<io::Result<_>>()?,
            synced: name.ends_with(".synced"),
            waiting: AtomicUsize::new(0),
            appended: (Mutex::default(), Condvar::new()),
        })
    }

    pub(super) fn partitions(&self) -> i32 {
        i32::try_from(self.logs.len()).expect("few")
    }

    fn log(&self, partition: i32) -> Option<&Mutex<Log>> {
        self.logs.get(usize::try_from(partition).ok()?)
    }

    /// Checks a batch's CRC and appends it; returns its offset, or `None` if it is broken or there is no such
    /// partition.
    pub(super) fn append(&self, partition: i32, batch: &[u8]) -> Option<i64> {
        let number =
            |at: usize| batch.get(at..at + 4).map(|it| u32::from_be_bytes([it[0], it[1], it[2], it[3]]));
        let said = number(CRC_AT)?;
        let found = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, batch.get(COVERED_AT..)?);
        if u64::from(said) != found {
            return None;
        }
        let count = i64::from(number(COUNT_AT)?);
        let mut log = self.log(partition)?.lock().expect("not poisoned");
        let base_offset = log.end_offset;
        let stamped = base_offset.to_be_bytes();
        let parts = [IoSlice::new(&stamped), IoSlice::new(&batch[8..])];
        let written = log.file.write_vectored(&parts).expect("appended");
        assert_eq!(written, batch.len(), "a file takes all of a write");
        log.end_offset += count;
        let position = log.ends.last().map_or(0, |(_, position)| *position);
        let end_offset = log.end_offset;
        log.ends.push((end_offset, position + batch.len() as u64));
        drop(log);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let _held = self.appended.0.lock().expect("not poisoned");
            self.appended.1.notify_all();
        }
        Some(base_offset)
    }

    /// Syncs a partition's file.
    pub(super) fn sync(&self, partition: i32) {
        if let Some(log) = self.log(partition) {
            log.lock().expect("not poisoned").file.sync_data().expect("on the disk");
        }
    }

    /// A second descriptor of a partition's file, to send from it without holding its lock.
    pub(super) fn file(&self, partition: i32) -> Option<File> {
        self.log(partition)?.lock().expect("not poisoned").file.try_clone().ok()
    }

    /// The data for each (partition, offset, most bytes), at most `bytes_max` together. Waits until
    /// `deadline` if there is none.
    pub(super) fn fetch(
        &self,
        wanted: &[(i32, i64, usize)],
        bytes_max: usize,
        deadline: Instant,
    ) -> Vec<Region> {
        let regions = self.regions(wanted, bytes_max);
        if regions.iter().any(|region| region.length > 0) {
            return regions;
        }
        let mut held = self.appended.0.lock().expect("not poisoned");
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let regions = loop {
            let regions = self.regions(wanted, bytes_max);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || regions.iter().any(|region| region.length > 0) {
                break regions;
            }
            held = self.appended.1.wait_timeout(held, left).expect("not poisoned").0;
        };
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        regions
    }

    fn regions(&self, wanted: &[(i32, i64, usize)], mut bytes_max: usize) -> Vec<Region> {
        let mut regions = Vec::with_capacity(wanted.len());
        for (partition, offset, max) in wanted {
            let Some(log) = self.log(*partition) else { continue };
            let log = log.lock().expect("not poisoned");
            let at = log.ends.partition_point(|(end, _)| end <= offset);
            let position = at.checked_sub(1).map_or(0, |before| log.ends[before].1);
            let first = log.ends.get(at).map_or(0, |(_, end)| end - position) as usize;
            let all = log.ends.last().map_or(0, |(_, end)| end - position) as usize;
            let length = all.min((*max).min(bytes_max).max(if bytes_max > 0 { first } else { 0 }));
            bytes_max = bytes_max.saturating_sub(length);
            regions.push(Region { partition: *partition, end_offset: log.end_offset, position, length });
        }
        regions
    }
}

/// Reads a region into a buffer: a small one is not worth a system call of its own to send.
pub(super) fn read(file: &File, region: &Region, into: &mut Vec<u8>) {
    let start = into.len();
    into.resize(start + region.length, 0);
    file.read_exact_at(&mut into[start..], region.position).expect("it was written");
}

#[cfg(test)]
mod tests;
