//! The entries of a `.txnindex` file: the aborted transactions whose marker is in the segment.
//!
//! 34 bytes each: i16 version 0, i64 producer id, i64 first offset, i64 last offset (the marker's), i64 last
//! stable offset. The file exists only if there are any. Source: Kafka's `TransactionIndex` and `AbortedTxn`.

use crate::fs::{self, File};

/// Bytes of an entry.
pub(crate) const ENTRY_BYTES: usize = 34;

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// The producer whose transaction it was.
    pub producer_id: i64,
    /// The offset of its first batch.
    pub first_offset: i64,
    /// The offset of its marker.
    pub last_offset: i64,
    /// The last stable offset once it was over: transactions below it have no later entry.
    pub last_stable_offset: i64,
}

impl AbortedTxn {
    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[2..10].copy_from_slice(&self.producer_id.to_be_bytes());
        bytes[10..18].copy_from_slice(&self.first_offset.to_be_bytes());
        bytes[18..26].copy_from_slice(&self.last_offset.to_be_bytes());
        bytes[26..34].copy_from_slice(&self.last_stable_offset.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> AbortedTxn {
        let field = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        AbortedTxn {
            producer_id: field(2),
            first_offset: field(10),
            last_offset: field(18),
            last_stable_offset: field(26),
        }
    }
}

/// All entries of a file. A partial entry, which a crash may leave, is ignored.
pub(crate) fn read(file: &File) -> fs::Result<Vec<AbortedTxn>> {
    let len = usize::try_from(file.len()?).expect("an index fits in memory");
    let mut bytes = vec![0; len];
    let read = file.read_at(&mut bytes, 0)?;
    let (entries, _) = bytes[..read].as_chunks::<ENTRY_BYTES>();
    Ok(entries.iter().map(AbortedTxn::from_bytes).collect())
}

/// Removes the entries whose marker is at `offset` or above, and leftovers of a crash after them: also zeros,
/// if the file had grown and its bytes were not written.
pub(crate) fn truncate(file: &File, offset: i64) -> fs::Result<()> {
    let keep = can_be_right(file, offset)?.len();
    file.truncate((keep * ENTRY_BYTES) as u64)
}

/// The first entries, as long as they can be right and have their marker below `offset`.
pub(crate) fn can_be_right(file: &File, offset: i64) -> fs::Result<Vec<AbortedTxn>> {
    let mut previous = -1;
    let can_be_right = |txn: &&AbortedTxn| {
        let follows = txn.first_offset < txn.last_offset && txn.last_offset > previous;
        previous = txn.last_offset;
        follows && txn.last_offset < offset
    };
    let mut entries = read(file)?;
    entries.truncate(entries.iter().take_while(can_be_right).count());
    Ok(entries)
}

/// Adds an entry.
pub(crate) fn append(file: &File, txn: AbortedTxn) -> fs::Result<()> {
    let end = file.len()? / ENTRY_BYTES as u64 * ENTRY_BYTES as u64;
    file.write_all_at(&txn.to_bytes(), end).inspect_err(|_| {
        // Readers ignore a partial entry, but it should not stay.
        let _ = file.truncate(end);
    })
}

#[cfg(test)]
mod tests;
