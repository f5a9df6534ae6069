//! The result of an append: its place in the log, or Kafka's error.

use protocol::ErrorCode;
use record::InvalidBatch;

/// The records of one append, with their place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppendedRecords {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    /// The time that the broker stamped, or -1 if the producer's timestamps stay.
    pub(crate) log_append_time_ms: i64,
    pub(crate) log_start_offset: i64,
}

/// The reason why records were not appended, for a produce response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error_code: ErrorCode,
    pub(crate) message: Option<String>,
    /// The invalid records, by their position in the batch (KIP-467).
    pub(crate) records: Vec<(i32, String)>,
    /// The log start offset if Kafka reports it with the error, else -1.
    pub(crate) log_start_offset: i64,
}

impl Refusal {
    pub(crate) fn new(error_code: ErrorCode, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::from(error_code) }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(error_code: ErrorCode) -> Self {
        Self { error_code, message: None, records: Vec::new(), log_start_offset: -1 }
    }
}

impl From<InvalidBatch> for Refusal {
    fn from(invalid: InvalidBatch) -> Self {
        let records = invalid.record_errors().iter();
        let records = records.map(|error| (error.batch_index, error.rejection.to_string())).collect();
        Self { records, ..Self::new(ErrorCode(invalid.error_code()), invalid.to_string()) }
    }
}
