//! The free space of a log directory, and the reserve in it that records of clients leave free.
//!
//! On a disk that is full to its last byte nothing can be deleted properly: checkpoints, the metadata log and committed
//! offsets, and with them the deletion of records and topics, all need a little space. So records of clients are
//! rejected while there still is some, and accepted again once there is more.
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

/// The divisor for the largest reserve of a volume, a tenth of it, so that a small volume can be used.
const RESERVED_PART_MAX: u64 = 10;

/// The least free space beyond the reserve at which records of clients are accepted again.
const RESUME_BYTES_MIN: u64 = 64 << 10;

/// The number of checks between two warnings about a disk that rejects writes although it has free space.
const LOOKS_BETWEEN_COMPLAINTS: u32 = 60;

/// The origin of the bytes to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A client. It may not use the reserve.
    Client,
    /// A partition that moves here. It may not use the reserve, and clients are not rejected on its account.
    Copy,
    /// The broker itself, with committed offsets and compacted segments. It may use half of the reserve. The other half
    /// is for the metadata log, checkpoints and indexes, which deleting anything needs.
    Own,
}

/// The bytes that may still be written to a log directory.
#[derive(Debug)]
pub(crate) struct Room {
    dir: Arc<Path>,
    /// The configured reserve. With 0 nothing is rejected before the disk rejects it.
    reserved_bytes: AtomicU64,
    /// Bytes that may be appended before the volume is asked again.
    granted: AtomicI64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// While records of clients are rejected: the free space at which they are accepted again.
    resume_bytes: Option<u64>,
    /// The number of checks before the next warning.
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

    /// Sets the reserve. Call it once, before anything is appended.
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

    /// Counts bytes that are written in any case.
    pub(crate) fn count(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX / 4);
        // If nothing is left of the grant, the next append of a client asks the volume.
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
        // A volume that does not report its space rejects writes itself.
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
                // A warning, as at the beginning of the shortage.
                tracing::warn!(
                    dir = %self.dir.display(), usable_bytes,
                    "the disk of the log directory has free space again: records of clients are accepted"
                );
            }
            Some(_) => {}
        }
        Ok(state.resume_bytes.is_some())
    }

    /// Notes that a write has met a full disk, or that no descriptor was left to open a file.
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
            // A quota or the number of files is at its limit. The free space shows neither, so each write has to find
            // out.
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
        // Only a part is granted: other directories and other programs may use the same volume.
        let spare = space.usable_bytes.saturating_sub(self.reserve(space)).saturating_sub(bytes);
        let granted = (spare / 4).max(spare.min(GRANT_BYTES_MIN));
        self.granted.store(i64::try_from(granted).unwrap_or(UNLIMITED).min(UNLIMITED), Ordering::Relaxed);
    }

    fn reserve(&self, space: &Space) -> u64 {
        self.reserved_bytes.load(Ordering::Relaxed).min(space.total_bytes / RESERVED_PART_MAX)
    }

    /// The free space at which records of clients are accepted again: more than that at which they were rejected, or
    /// the two would alternate with every batch.
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
