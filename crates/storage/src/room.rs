//! The room of a log directory, and the reserve in it that records of clients leave free.
//!
//! A disk that is full to its last byte cannot be mended from inside: checkpoints, the metadata log, committed offsets,
//! and with them the deletion of records and topics, all need a little room. So records of clients are refused while
//! there still is some, and accepted again once there is more.
//!
//! The volume is asked rarely: each answer grants bytes, and an append within those costs one subtraction.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::fs::{self, Fs, Operation, Space};

/// The grant if nothing is reserved.
const UNLIMITED: i64 = i64::MAX / 2;

/// The grant while records of clients are rejected: so small that no append fits.
const NOTHING: i64 = i64::MIN / 2;

/// The smallest grant, if there is as much: checks stay few near the reserve as well.
const GRANT_BYTES_MIN: u64 = 256 << 10;

/// The part of a volume that is reserved at most, so that a small one can be used.
const RESERVED_PART_MAX: u64 = 10;

/// By how much the room must exceed the reserve, at least, before clients are heard again.
const RESUME_BYTES_MIN: u64 = 64 << 10;

/// Looks at the room between two complaints about a disk that refuses what it has room for.
const LOOKS_BETWEEN_COMPLAINTS: u32 = 60;

/// Whose bytes are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A client's: the reserve is not for them.
    Client,
    /// Of a partition that moves here: the reserve is not for them, and no client is refused because of them.
    Copy,
    /// The broker's own, as committed offsets and compacted segments: half of the reserve is for them, the other half
    /// for the metadata log, checkpoints and indexes, with which room can be made.
    Own,
}

/// The bytes that may still be written to a log directory.
#[derive(Debug)]
pub(crate) struct Room {
    dir: Arc<Path>,
    /// The reserve that is asked for; with 0 nothing is refused before the disk refuses it.
    reserved_bytes: AtomicU64,
    /// Bytes that may be appended before the volume is asked again.
    granted: AtomicI64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// While records of clients are refused: the room from which on they are accepted.
    resume_bytes: Option<u64>,
    /// Looks at the room before the next complaint.
    quiet_looks: u32,
}

impl Room {
    pub(crate) fn new(dir: &Path) -> Room {
        Room {
            dir: dir.into(),
            reserved_bytes: AtomicU64::new(0),
            granted: AtomicI64::new(UNLIMITED),
            state: Mutex::default(),
        }
    }

    /// Sets the reserve. Once, before anything is appended.
    pub(crate) fn set_reserved_bytes(&self, bytes: u64) {
        self.reserved_bytes.store(bytes, Ordering::Relaxed);
        self.granted.store(if bytes == 0 { UNLIMITED } else { 0 }, Ordering::Relaxed);
    }

    /// Admits a write of this many bytes.
    ///
    /// # Errors
    /// `StorageFull` if the space beyond the reserve does not suffice.
    #[inline]
    pub(crate) fn admit(&self, fs: &Fs, bytes: usize, purpose: Purpose) -> fs::Result<()> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX / 4);
        if self.granted.fetch_sub(bytes, Ordering::Relaxed) >= bytes {
            return Ok(());
        }
        self.ask(fs, bytes.unsigned_abs(), purpose)
    }

    /// Bytes are about to be written for which nobody is refused.
    pub(crate) fn count(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX / 4);
        // With nothing granted the next client's append asks.
        let _ = self.granted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |granted| {
            (granted > 0).then(|| granted - bytes.min(granted))
        });
    }

    #[cold]
    fn ask(&self, fs: &Fs, bytes: u64, purpose: Purpose) -> fs::Result<()> {
        let mut state = self.state.lock();
        if purpose == Purpose::Client && state.resume_bytes.is_some() {
            return Err(self.refusal());
        }
        // A volume that does not say what room it has refuses what it has no room for.
        let Ok(Some(space)) = self.space(fs) else { return Ok(()) };
        let reserve = self.reserve(&space);
        let left_free = match purpose {
            Purpose::Client | Purpose::Copy => reserve,
            Purpose::Own => reserve / 2,
        };
        if space.usable_bytes < left_free.saturating_add(bytes) {
            if purpose == Purpose::Client {
                self.refuse(&mut state, &space, bytes);
            }
            return Err(self.refusal());
        }
        if state.resume_bytes.is_none() {
            self.grant(&space, bytes);
        }
        Ok(())
    }

    /// Checks the free space. Returns whether records of clients are rejected from here on. Call it every
    /// second or so.
    ///
    /// # Errors
    /// The file system's error.
    pub(crate) fn look(&self, fs: &Fs) -> fs::Result<bool> {
        let mut state = self.state.lock();
        state.quiet_looks = state.quiet_looks.saturating_sub(1);
        if self.reserved_bytes.load(Ordering::Relaxed) == 0 {
            return Ok(false);
        }
        let Some(space) = self.space(fs)? else { return Ok(false) };
        match state.resume_bytes {
            None if space.usable_bytes < self.reserve(&space) => self.refuse(&mut state, &space, 0),
            None => self.grant(&space, 0),
            Some(resume_bytes) if space.usable_bytes >= resume_bytes => {
                state.resume_bytes = None;
                self.grant(&space, 0);
                let usable_bytes = space.usable_bytes;
                // As loud as its beginning.
                tracing::warn!(
                    dir = %self.dir.display(), usable_bytes,
                    "the disk of the log directory has free space again: records of clients are accepted"
                );
            }
            Some(_) => {}
        }
        Ok(state.resume_bytes.is_some())
    }

    /// A write has met a full disk, or a file could not be opened for want of a descriptor.
    pub(crate) fn met_full(&self, fs: &Fs, error: &fs::Error) {
        let mut state = self.state.lock();
        if error.is_out_of_descriptors() {
            if state.quiet_looks == 0 {
                state.quiet_looks = LOOKS_BETWEEN_COMPLAINTS;
                complain_of_descriptors(&self.dir, error);
            }
            return;
        }
        if state.resume_bytes.is_some() {
            return;
        }
        let Ok(Some(space)) = self.space(fs) else { return };
        let has_reserve = self.reserved_bytes.load(Ordering::Relaxed) > 0;
        if has_reserve && space.usable_bytes < self.resume_bytes(&space, 0) {
            self.refuse(&mut state, &space, 0);
        } else if state.quiet_looks == 0 {
            // A quota, or no more files: the room says nothing of either, and each write has to find out for itself.
            state.quiet_looks = LOOKS_BETWEEN_COMPLAINTS;
            let usable_bytes = space.usable_bytes;
            tracing::warn!(
                dir = %self.dir.display(), usable_bytes,
                "the disk of the log directory is full, or a quota or its number of files is reached: free \
                 some space, or delete topics or records ({error})"
            );
        }
    }

    /// The space on the volume; `None` if the file system counts no bytes.
    fn space(&self, fs: &Fs) -> fs::Result<Option<Space>> {
        Ok(Some(fs.space(&self.dir)?).filter(|space| space.total_bytes > 0))
    }

    fn refuse(&self, state: &mut State, space: &Space, wanted_bytes: u64) {
        let resume_bytes = self.resume_bytes(space, wanted_bytes);
        state.resume_bytes = Some(resume_bytes);
        self.granted.store(NOTHING, Ordering::Relaxed);
        let (usable_bytes, reserved_bytes) = (space.usable_bytes, self.reserve(space));
        tracing::warn!(
            dir = %self.dir.display(), usable_bytes, reserved_bytes, resume_bytes,
            "the disk of the log directory is full except for its reserve (log.dir.reserved.bytes): records \
             of clients are rejected until resume_bytes are free. Free some space on the disk, delete \
             topics or records, or shorten their retention"
        );
    }

    fn grant(&self, space: &Space, bytes: u64) {
        if self.reserved_bytes.load(Ordering::Relaxed) == 0 {
            self.granted.store(UNLIMITED, Ordering::Relaxed);
            return;
        }
        // A part of it: other directories, and other programs, may be on the same volume.
        let spare = space.usable_bytes.saturating_sub(self.reserve(space)).saturating_sub(bytes);
        let granted = (spare / 4).max(spare.min(GRANT_BYTES_MIN));
        self.granted.store(i64::try_from(granted).unwrap_or(UNLIMITED).min(UNLIMITED), Ordering::Relaxed);
    }

    fn reserve(&self, space: &Space) -> u64 {
        self.reserved_bytes.load(Ordering::Relaxed).min(space.total_bytes / RESERVED_PART_MAX)
    }

    /// The room from which on clients are heard again: more than that at which they were refused, or the two would
    /// follow each other with every batch.
    fn resume_bytes(&self, space: &Space, wanted_bytes: u64) -> u64 {
        let reserve = self.reserve(space);
        reserve.saturating_add((reserve / 4).max(RESUME_BYTES_MIN).max(wanted_bytes))
    }

    fn refusal(&self) -> fs::Error {
        let what = "the disk is full except for its reserve (log.dir.reserved.bytes)";
        fs::Error {
            operation: Operation::Write,
            path: self.dir.to_path_buf(),
            source: io::Error::new(io::ErrorKind::StorageFull, what),
        }
    }
}

fn complain_of_descriptors(dir: &Path, error: &fs::Error) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    tracing::warn!(
        dir = %dir.display(), limit,
        "no file descriptor is left, and requests that need one fail: raise the limit of this process \
         (ulimit -n, or LimitNOFILE= of its service) or that of the system (fs.file-max) ({error})"
    );
}

#[cfg(test)]
mod tests;
