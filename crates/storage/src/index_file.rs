//! A file of fixed-size entries in ascending order: what the offset and the time index have in
//! common.
//!
//! Nothing is mapped into memory. New entries gather in a short tail and are written together, so that an append costs
//! no system call here; lookups bisect the file with positional reads. The file has no checksum and is never synced by
//! itself before its segment is: after a crash it is checked and completed from the log.

use crate::fs::{self, File};

/// The number of entries to gather before a write: one small write for every 256 KiB of log at Kafka's default
/// interval, and little memory for a partition that is idle.
const TAIL_ENTRIES_MAX: usize = 64;

/// The number of bytes at which a lookup reads the rest in one go.
const PAGE_BYTES: usize = 1536;

/// The entries of an index of the active segment: those in the file and those not yet written.
#[derive(Debug, Default)]
pub(crate) struct IndexTail<const N: usize> {
    /// Entries in the file.
    written: u32,
    /// Entries after those. `None` if there are none: most partitions are idle.
    #[allow(clippy::box_collection, reason = "a third of the bytes where there are none")]
    unwritten: Option<Box<Vec<[u8; N]>>>,
}

impl<const N: usize> IndexTail<N> {
    /// An index whose file holds `written` entries.
    pub(crate) fn new(written: u32) -> IndexTail<N> {
        IndexTail { written, unwritten: None }
    }

    /// All entries.
    pub(crate) fn len(&self) -> u32 {
        self.written + self.unwritten().len() as u32
    }

    /// Adds an entry, which must be above the last.
    pub(crate) fn push(&mut self, entry: [u8; N]) {
        self.unwritten.get_or_insert_default().push(entry);
    }

    /// Whether the tail is long enough to be written.
    pub(crate) fn is_due(&self) -> bool {
        self.unwritten().len() >= TAIL_ENTRIES_MAX
    }

    /// Whether the file lacks entries.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.unwritten().is_empty()
    }

    /// The entries that no file has.
    pub(crate) fn unwritten_bytes(&self) -> &[u8] {
        self.unwritten().as_flattened()
    }

    fn unwritten(&self) -> &[[u8; N]] {
        self.unwritten.as_ref().map_or(&[], |unwritten| unwritten)
    }

    /// Writes the tail to the file.
    pub(crate) fn write(&mut self, file: &File) -> fs::Result<()> {
        let position = u64::from(self.written) * N as u64;
        file.write_all_at(self.unwritten_bytes(), position)?;
        self.written += self.unwritten().len() as u32;
        self.unwritten = None;
        Ok(())
    }

    /// The last of the entries that are `not_above`, which is true of a first part of them. Calls `file` only if the
    /// tail has none of them.
    pub(crate) fn floor(
        &self,
        file: impl FnOnce() -> fs::Result<File>,
        not_above: impl Fn(&[u8; N]) -> bool,
    ) -> fs::Result<Option<[u8; N]>> {
        let in_tail = self.unwritten().partition_point(&not_above);
        if in_tail > 0 {
            return Ok(Some(self.unwritten()[in_tail - 1]));
        }
        if self.written == 0 {
            return Ok(None);
        }
        floor(&file()?, self.written, not_above)
    }
}

/// The whole entries in a file.
pub(crate) fn entries_in<const N: usize>(file: &File) -> fs::Result<u32> {
    Ok(u32::try_from(file.len()? / N as u64).unwrap_or(u32::MAX))
}

/// The entry at `index` of a file that has it.
pub(crate) fn entry_at<const N: usize>(file: &File, index: u32) -> fs::Result<[u8; N]> {
    let mut entry = [0; N];
    file.read_exact_at(&mut entry, u64::from(index) * N as u64)?;
    Ok(entry)
}

/// The last of the `entries` in a file that are `not_above`.
pub(crate) fn floor<const N: usize>(
    file: &File,
    entries: u32,
    not_above: impl Fn(&[u8; N]) -> bool,
) -> fs::Result<Option<[u8; N]>> {
    match count(file, entries, not_above)? {
        0 => Ok(None),
        n => entry_at(file, n - 1).map(Some),
    }
}

/// The number of the `entries` in a file that are `not_above`.
pub(crate) fn count<const N: usize>(
    file: &File,
    entries: u32,
    not_above: impl Fn(&[u8; N]) -> bool,
) -> fs::Result<u32> {
    let (mut low, mut high) = (0, entries);
    while (high - low) as usize * N > PAGE_BYTES {
        let middle = low + (high - low) / 2;
        if not_above(&entry_at(file, middle)?) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let mut page = [0; PAGE_BYTES];
    let page = &mut page[..(high - low) as usize * N];
    file.read_exact_at(page, u64::from(low) * N as u64)?;
    let (entries, _) = page.as_chunks::<N>();
    Ok(low + entries.partition_point(not_above) as u32)
}

#[cfg(test)]
mod tests;
