//! Whether bytes of a file are in the page cache, and bringing them there.

use std::io::{ErrorKind, IoSliceMut};

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

use super::{File, Operation, Result};

/// The number of bytes to read at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// The distance between probed bytes: the kernel reads and drops neighbours together.
const STRIDE_BYTES: usize = 256 * 1024;

impl File {
    /// Whether reading `len` bytes from `position` needs no disk, judged by a few of them. Also true if that
    /// is unknown: the file ends before them, or its file system does not answer.
    pub fn is_cached(&self, position: u64, len: usize) -> bool {
        let Some(last) = len.checked_sub(1) else { return true };
        let Some(file) = self.open.handle.real() else { return true };
        let places = (0..last).step_by(STRIDE_BYTES).chain([last]);
        for place in places {
            let mut byte = [0];
            let mut into = [IoSliceMut::new(&mut byte)];
            let at = position + place as u64;
            if rustix::io::preadv2(file, &mut into, at, ReadWriteFlags::NOWAIT) == Err(Errno::AGAIN) {
                return false;
            }
        }
        true
    }

    /// Reads as [`File::read_exact_at`] does if that needs no disk, in one system call; returns `false` if it
    /// does.
    ///
    /// # Errors
    /// See [`File::read_exact_at`].
    pub fn read_cached(&self, bytes: &mut [u8], position: u64) -> Result<bool> {
        let Some(file) = self.open.handle.real() else {
            return self.read_exact_at(bytes, position).map(|()| true);
        };
        self.open.fs.before(Operation::Read, &self.open.path)?;
        let len = bytes.len();
        match rustix::io::preadv2(file, &mut [IoSliceMut::new(bytes)], position, ReadWriteFlags::NOWAIT) {
            Ok(read) if read == len => Ok(true),
            Ok(_) if self.len()? < position + len as u64 => {
                Err(self.error(Operation::Read, ErrorKind::UnexpectedEof))
            }
            Ok(_) | Err(Errno::AGAIN) => Ok(false),
            // Interrupted, not supported by the file system, or broken: an ordinary read finds out.
            Err(_) => self.read_exact_at(bytes, position).map(|()| true),
        }
    }

    /// Brings `len` bytes from `position` into the page cache; waits for the disk. An error is ignored: reading the
    /// bytes meets it again and reports it.
    pub fn bring_into_cache(&self, position: u64, len: usize) {
        if let Some(file) = self.open.handle.real() {
            let _ =
                rustix::fs::fadvise(file, position, std::num::NonZeroU64::new(len as u64), Advice::WillNeed);
        }
        let mut buffer = [0; BUFFER_BYTES];
        let mut done = 0;
        while done < len {
            let part = (len - done).min(BUFFER_BYTES);
            match self.read_at(&mut buffer[..part], position + done as u64) {
                Ok(read) if read == part => done += part,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test looks at the files behind the seam")]

    use rustix::fs::Advice;

    use crate::fs::{Fs, Mode};
    use crate::testing::TempDir;

    #[test]
    fn bytes_that_the_kernel_has_dropped_are_told_apart_and_brought_back() {
        const LEN: usize = 3 << 20;
        let dir = TempDir::new();
        let file = Fs::real().open(&dir.path().join("f"), Mode::Create).unwrap();
        file.write_all_at(&vec![7; LEN], 0).unwrap();
        assert!(file.is_cached(0, LEN), "just written");
        assert!(file.is_cached(LEN as u64, 10) && file.is_cached(0, 0), "there is nothing to wait for");
        file.sync_data().unwrap();
        let drop = |position, len| {
            rustix::fs::fadvise(&file, position, std::num::NonZeroU64::new(len), Advice::DontNeed).unwrap();
        };
        drop(1 << 20, 1 << 20);
        if file.is_cached(1 << 20, 1 << 20) {
            // A file system in memory keeps what it has.
            return;
        }
        assert!(file.is_cached(0, 1 << 20), "only the middle was dropped");
        drop(1 << 20, 1 << 20);
        assert!(!file.is_cached(0, LEN), "the middle is seen from both sides");
        drop(0, 3 << 20);
        assert!(!file.read_cached(&mut [0; 10_000], 0).unwrap());
        file.bring_into_cache(0, LEN);
        assert!(file.is_cached(0, LEN));
        let mut bytes = [0; 10_000];
        assert!(file.read_cached(&mut bytes, 5).unwrap() && bytes == [7; 10_000]);
        let error = file.read_cached(&mut bytes, LEN as u64 - 9_999).unwrap_err();
        assert_eq!(error.source.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}
