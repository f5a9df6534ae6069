//! The work of a start after an unclean shutdown.

use storage::RecoveryReport;

/// The result of opening the logs after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Partitions with records past their recovery points, whose ends were checked.
    pub partitions: usize,
    /// Bytes that were read in them and whose checksums were verified.
    pub checked_bytes: u64,
    /// Partitions whose torn or damaged end was truncated.
    pub cut_partitions: usize,
    /// Bytes that were truncated.
    pub cut_bytes: u64,
}

impl Recovery {
    /// Counts a log that was opened.
    pub(super) fn add(&mut self, report: &RecoveryReport) {
        // Zeros after the last batch are not records: truncating them loses nothing.
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
