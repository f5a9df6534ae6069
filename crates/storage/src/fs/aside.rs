//! Reading files in the background, without displacing what other readers have in the page cache.

use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::path::Path;

use rustix::fs::Advice;
use rustix::io::ReadWriteFlags;

use super::{File, Fs, Mode, Operation, Result};

impl Fs {
    /// Opens a file for [`File::read_aside_at`].
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn open_aside(&self, path: &Path) -> Result<File> {
        let file = self.open(path, Mode::Read)?;
        if let Some(real) = file.open.handle.real() {
            // Without read-ahead only the requested pages enter the cache, and only of those is it known whether they
            // were there before. If the system ignores the advice, more stays in the cache.
            let _ = rustix::fs::fadvise(real, 0, None, Advice::Random);
        }
        Ok(file)
    }
}

impl File {
    /// Reads as [`File::read_at`] does. Pages that had to be read from the disk are dropped from the page
    /// cache again, and pages that were there stay.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn read_aside_at(&self, bytes: &mut [u8], position: u64) -> Result<usize> {
        let Some(real) = self.open.handle.real() else { return self.read_at(bytes, position) };
        self.open.fs.before(Operation::Read, &self.open.path)?;
        let max = self.open.fs.transfer_max(bytes.len());
        // If the file system cannot say what is cached, everything is read and dropped.
        let at_hand = &mut [IoSliceMut::new(&mut bytes[..max])];
        let at_hand = rustix::io::preadv2(real, at_hand, position, ReadWriteFlags::NOWAIT).unwrap_or(0);
        if at_hand == bytes.len() {
            return Ok(at_hand);
        }
        let from = position + at_hand as u64;
        let read = self.read_at(&mut bytes[at_hand..], from)?;
        if let Some(len) = NonZeroU64::new(read as u64) {
            let _ = rustix::fs::fadvise(real, from, Some(len), Advice::DontNeed);
        }
        Ok(at_hand + read)
    }
}

#[cfg(test)]
mod tests;
