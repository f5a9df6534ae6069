//! Copying from one file to another without passing the bytes through this process.

use std::io;

use super::handle::Handle;
use super::{Error, File, Operation};

/// Bytes of one copy if the kernel does not copy.
const BUFFER_BYTES: usize = 256 * 1024;

/// Why bytes were not copied: which of the two files failed decides which log directory did.
#[derive(Debug)]
pub(crate) enum CopyRangeError {
    /// The file that is copied cannot be read.
    Read(Error),
    /// The copy cannot be written.
    Write(Error),
}

impl File {
    /// Copies `len` bytes at `position` of `source` to the same position here. The kernel copies; if it
    /// cannot between the two file systems, and to find out which of the files fails, the bytes go through
    /// memory.
    ///
    /// # Errors
    /// [`CopyRangeError`] with the file that failed; some of the bytes may have been written.
    pub(crate) fn copy_from(&self, source: &File, position: u64, len: u64) -> Result<(), CopyRangeError> {
        let (read, write) = (&source.open, &self.open);
        read.fs.before(Operation::Read, &read.path).map_err(CopyRangeError::Read)?;
        write.fs.before(Operation::Write, &write.path).map_err(CopyRangeError::Write)?;
        let copied = in_kernel(&write.handle, &read.handle, position, len);
        self.copy_through_memory(source, position + copied, len - copied)
    }

    fn copy_through_memory(&self, source: &File, position: u64, len: u64) -> Result<(), CopyRangeError> {
        let buffer = usize::try_from(len).map_or(BUFFER_BYTES, |len| len.min(BUFFER_BYTES));
        let mut buffer = vec![0; buffer];
        let (mut position, end) = (position, position + len);
        while position < end {
            let part = usize::try_from(end - position).map_or(buffer.len(), |left| left.min(buffer.len()));
            let bytes = &mut buffer[..part];
            source.read_exact_at(bytes, position).map_err(CopyRangeError::Read)?;
            self.write_all_at(bytes, position).map_err(CopyRangeError::Write)?;
            position += part as u64;
        }
        Ok(())
    }
}

/// The number of bytes that the kernel has copied.
fn in_kernel(to: &Handle, from: &Handle, position: u64, len: u64) -> u64 {
    let (Some(to), Some(from)) = (to.real(), from.real()) else { return 0 };
    let mut copied = 0;
    while copied < len {
        let (mut read_at, mut write_at) = (position + copied, position + copied);
        let left = usize::try_from(len - copied).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), left) {
            Ok(0) => break,
            Ok(n) => copied += n as u64,
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    copied
}

#[cfg(test)]
mod tests;
