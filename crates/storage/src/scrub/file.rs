//! Reading a file of batches that is part of no [`crate::Log`]: of the metadata.

use std::path::Path;

use record::BatchError;

use crate::fs::Fs;
use crate::inspect::{Batches, Region};

use super::{FAULTS_MAX, Fault, FaultReason, ScrubError, ScrubReport, unreadable};

/// Reads a file of batches to its end: every checksum. A missing file has no fault.
///
/// Bytes after the last whole batch of a file that `is_growing` may be a batch that is being written, and are no fault.
/// Calls `spend` with the number of bytes read. It may wait.
///
/// # Errors
/// [`ScrubError`]; a file that cannot be read is no error but a [`Fault`].
pub fn scrub_file(
    fs: &Fs,
    path: &Path,
    is_growing: bool,
    mut spend: impl FnMut(u64) -> Result<(), ScrubError>,
) -> Result<ScrubReport, ScrubError> {
    let mut scrubbed = ScrubReport::default();
    let mut batches = match Batches::open(fs, path) {
        Ok(batches) => batches,
        Err(error) if error.is_not_found() => return Ok(scrubbed),
        Err(error) => {
            scrubbed.faults.push(unreadable(path, 0, 0, error)?);
            return Ok(scrubbed);
        }
    };
    let (mut end, mut offset) = (0, 0);
    let mut behind_last = Vec::new();
    while scrubbed.faults.len() < FAULTS_MAX {
        let (position, bytes, error) = match batches.next_region() {
            Ok(None) => break,
            Ok(Some((position, Region::Batch(batch, checked)))) => {
                let bytes = batch.bytes().len() as u64;
                if checked.is_ok() {
                    scrubbed.faults.append(&mut behind_last);
                    offset = batch.header().next_offset();
                }
                (position, bytes, checked.err())
            }
            Ok(Some((position, Region::Damage { error, bytes }))) => (position, bytes, Some(error)),
            Ok(Some((position, Region::Zeros { bytes }))) => (position, bytes, Some(BatchError::Length(0))),
            Err(error) => {
                scrubbed.faults.append(&mut behind_last);
                scrubbed.faults.push(unreadable(path, end, offset, error)?);
                break;
            }
        };
        if let Some(error) = error {
            let reason = FaultReason::Batch { error, bytes };
            behind_last.push(Fault { path: path.to_owned(), position, offset, reason });
        }
        end = position + bytes;
        scrubbed.bytes += bytes;
        spend(bytes)?;
    }
    if !is_growing {
        scrubbed.faults.append(&mut behind_last);
    }
    Ok(scrubbed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

    use super::*;
    use crate::testing::{NOW_MS, TempDir, batch};

    #[test]
    fn each_damaged_batch_is_a_fault_but_for_the_end_of_a_file_that_grows() {
        let dir = TempDir::new();
        let path = dir.path().join("file");
        let one = batch(2, NOW_MS, 100);
        let len = one.len() as u64;
        let scrub = |bytes: &[u8], is_growing| {
            std::fs::write(&path, bytes).unwrap();
            let mut told = 0;
            let spend = |bytes| {
                told += bytes;
                Ok(())
            };
            let scrubbed = scrub_file(&Fs::real(), &path, is_growing, spend).unwrap();
            assert_eq!((scrubbed.bytes, told), (bytes.len() as u64, bytes.len() as u64));
            scrubbed.faults.iter().map(|fault| (fault.position, fault.offset)).collect::<Vec<_>>()
        };
        let whole = one.repeat(3);
        assert_eq!(scrub(&whole, false), []);
        let mut flipped = whole.clone();
        flipped[one.len() + 70] ^= 1;
        for is_growing in [false, true] {
            assert_eq!(scrub(&flipped, is_growing), [(len, 2)]);
        }
        let torn = &whole[..whole.len() - 5];
        assert_eq!((scrub(torn, false), scrub(torn, true)), (vec![(2 * len, 2)], vec![]));
        let fault = scrub_file(&Fs::real(), dir.path(), true, |_| Ok(())).unwrap().faults.pop().unwrap();
        assert!(matches!(fault.reason, FaultReason::Unreadable(_)), "a directory is no file: {fault:?}");
        let stopped = scrub_file(&Fs::real(), &path, true, |_| Err(ScrubError::Stopped));
        assert!(matches!(stopped, Err(ScrubError::Stopped)));
        std::fs::remove_file(&path).unwrap();
        assert!(scrub_file(&Fs::real(), &path, false, |_| Ok(())).unwrap().faults.is_empty());
    }
}
