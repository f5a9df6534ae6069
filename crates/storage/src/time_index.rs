//! The entries of a `.timeindex` file: timestamp to offset.
//!
//! Twelve bytes each: the greatest timestamp of the segment so far (i64), and the last offset of
//! the batch that has it less the segment's base offset (i32). Source: Kafka's `TimeIndex`.

/// Bytes of an entry.
pub(crate) const ENTRY_BYTES: usize = 12;

/// An entry of the time index: the greatest timestamp up to some point of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// In ms since the epoch.
    pub(crate) timestamp: i64,
    /// The last offset of the batch that has it, less the base offset of the segment.
    pub(crate) relative_offset: u32,
}

impl TimeEntry {
    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; ENTRY_BYTES]) -> TimeEntry {
        let (timestamp, relative_offset) = bytes.split_at(8);
        TimeEntry {
            timestamp: i64::from_be_bytes(timestamp.try_into().expect("8 bytes")),
            relative_offset: u32::from_be_bytes(relative_offset.try_into().expect("4 bytes")),
        }
    }
}

/// The first entries of a file that can be right: timestamps rise, offsets do not fall, and none is at
/// `next_relative_offset` or beyond. A crash leaves zeros for a block that was not written.
pub(crate) fn valid_prefix(bytes: &[u8], next_relative_offset: u32) -> &[[u8; ENTRY_BYTES]] {
    let (entries, _) = bytes.as_chunks::<ENTRY_BYTES>();
    let mut valid = 0;
    let mut last: Option<TimeEntry> = None;
    for bytes in entries {
        let entry = TimeEntry::from_bytes(*bytes);
        let rises = last.is_none_or(|last| {
            entry.timestamp > last.timestamp && entry.relative_offset >= last.relative_offset
        });
        // A hole looks like a timestamp of zero at offset zero, an entry that Kafka never needs.
        let is_hole = entry.timestamp == 0 && entry.relative_offset == 0;
        if !rises || is_hole || entry.relative_offset >= next_relative_offset {
            break;
        }
        last = Some(entry);
        valid += 1;
    }
    &entries[..valid]
}

#[cfg(test)]
mod tests;
