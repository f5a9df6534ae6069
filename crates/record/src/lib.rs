//! Kafka's record batch of magic 2: reading, checking, writing; and reading the message sets of magic 0 and 1 that a log
//! may hold since before.
//!
//! The crate knows bytes and nothing else. [`Batch`] is a view over the bytes of one batch and [`batches`] over those of
//! several; [`BatchHeader`] is the header alone, for a log that scans its segments; [`validate::produce`] is all that a
//! leader checks before it appends; [`BatchBuilder`] writes.
//!
//! Formats: `DefaultRecordBatch`, `DefaultRecord` and `LegacyRecord` in Kafka's source.

mod batch;
mod batch_error;
mod builder;
mod compression;
pub mod control;
mod crc;
mod header;
mod legacy;
mod record_stream;
mod records;
pub mod validate;
mod varint;

pub use batch::{Batch, Batches, batches, stored_batches};
pub use batch_error::BatchError;
pub use builder::{BatchBuilder, emptied};
pub use compression::{Compression, Compressor, DecompressError, Scratch, UnknownCodec};
pub use header::{
    Attributes, BATCH_OVERHEAD, BatchHeader, LOG_OVERHEAD, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH,
    NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, TimestampType,
};
pub use record_stream::{DecompressLimits, RecordStream, StreamError};
pub use records::{Header, Headers, RECORD_BYTES_MIN, Record, RecordFault, Records, RecordsError};
pub use validate::{InvalidBatch, ProduceRules, ValidBatch};
