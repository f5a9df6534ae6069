//! The entries of an `.index` file: offset to position.
//!
//! Eight bytes each: the last offset of a batch less the segment's base offset (i32), and the position of
//! that batch in the `.log` file (i32). Source: Kafka's `OffsetIndex`.

/// Bytes of an entry.
pub(crate) const ENTRY_BYTES: usize = 8;

/// An entry of the offset index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// The last offset of a batch, less the base offset of the segment.
    pub(crate) relative_offset: u32,
    /// The position of that batch in the log file.
    pub(crate) position: u32,
}

impl OffsetEntry {
    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let entry = u64::from(self.relative_offset) << 32 | u64::from(self.position);
        entry.to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; ENTRY_BYTES]) -> OffsetEntry {
        let entry = u64::from_be_bytes(bytes);
        OffsetEntry { relative_offset: (entry >> 32) as u32, position: entry as u32 }
    }
}

/// The first entries of a file that can be right: both fields rise, and no position is beyond the log. A
/// crash leaves zeros for a block that was not written.
pub(crate) fn valid_prefix(bytes: &[u8], log_bytes: u32) -> &[[u8; ENTRY_BYTES]] {
    let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
    let mut valid = 0;
    let mut last: Option<OffsetEntry> = None;
    for bytes in entries {
        let entry = OffsetEntry::from_bytes(*bytes);
        let rises = match last {
            None => entry.position > 0,
            Some(last) => entry.relative_offset > last.relative_offset && entry.position > last.position,
        };
        if !rises || entry.position >= log_bytes || entry.relative_offset > i32::MAX as u32 {
            break;
        }
        last = Some(entry);
        valid += 1;
    }
    &entries[..valid]
}

#[cfg(test)]
mod tests;
