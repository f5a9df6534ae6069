//! The work of a start after an unclean shutdown.

use storage::Recovered;

/// The result of opening the logs after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Partitions whose ends were checked: those with records past their recovery points.
    pub partitions: usize,
    /// Bytes of them that were read and whose checksums were verified.
    pub checked_bytes: u64,
    /// Partitions of which a torn or damaged end was cut.
    pub cut_partitions: usize,
    /// Bytes that were cut.
    pub cut_bytes: u64,
}

impl Recovery {
    /// Counts a log that was opened.
    pub(super) fn add(&mut self, recovered: &Recovered) {
        // Zeros behind the last batch are no records, and nothing is lost with them.
        let cut = recovered.cut.as_ref().filter(|cut| !cut.only_zeros);
        if recovered.scanned_bytes > 0 || cut.is_some() {
            self.partitions += 1;
        }
        self.checked_bytes += recovered.scanned_bytes;
        if let Some(cut) = cut {
            self.cut_partitions += 1;
            self.cut_bytes += cut.bytes;
        }
    }
}
