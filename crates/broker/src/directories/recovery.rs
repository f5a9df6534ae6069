//! The work of a start after an unclean shutdown.

use storage::RecoveryReport;

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
    pub(super) fn add(&mut self, report: &RecoveryReport) {
        // Zeros behind the last batch are no records, and nothing is lost with them.
        let truncation = report.truncation.as_ref().filter(|truncation| !truncation.only_zeros);
        if report.scanned_bytes > 0 || truncation.is_some() {
            self.partitions += 1;
        }
        self.checked_bytes += report.scanned_bytes;
        if let Some(truncation) = truncation {
            self.cut_partitions += 1;
            self.cut_bytes += truncation.bytes;
        }
    }
}
