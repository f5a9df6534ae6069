//! Decisions that were not made.

use std::fmt;

use protocol::EncodeError;

use super::raft::VoterId;
use crate::image::ApplyError;

/// Why a decision was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitError {
    /// The disk is full. Nothing was changed, and it may succeed later. Kafka:
    /// `KAFKA_STORAGE_ERROR`.
    DiskFull,
    /// The log cannot hold a record: a text is longer than its field. Nothing was changed. Kafka:
    /// `UNKNOWN_SERVER_ERROR`.
    Unencodable {
        /// Kafka's name of the record.
        record: &'static str,
        /// The field, and what is wrong with it.
        error: EncodeError,
    },
    /// The records take more bytes than one decision may, or one of them more than a segment has. Nothing was changed.
    /// Kafka: `RECORD_LIST_TOO_LARGE`.
    TooLarge {
        /// Bytes that they would take in the log.
        size_bytes: usize,
        /// Bytes that they may take.
        max_bytes: usize,
    },
    /// The records contradict the state: whoever decided is wrong. Nothing was changed. Kafka:
    /// `UNKNOWN_SERVER_ERROR`.
    Contradiction(ApplyError),
    /// Another node leads the quorum, or none does. Nothing was changed. Kafka: `NOT_CONTROLLER`.
    NotLeader {
        /// The leader, if this node knows of one.
        leader: Option<VoterId>,
    },
    /// This node stopped leading the quorum before the records were committed. Whether the decision stands is for the
    /// next leader to say. Kafka: `NOT_CONTROLLER`.
    Deposed,
    /// No majority of the voters has confirmed the records in time. Whether the decision stands shows once one can be
    /// reached. Kafka: `NOT_CONTROLLER`.
    Unconfirmed,
    /// The quorum has stopped, because its log failed or by [`super::Quorum::shutdown`]. Whether the
    /// decision stands is not known before the next start. Kafka: `NOT_CONTROLLER`.
    Stopped(String),
}

impl SubmitError {
    /// Whether nothing that this node proposed in its term can be relied on any more.
    pub(super) fn is_deposed(&self) -> bool {
        matches!(self, Self::NotLeader { .. } | Self::Deposed)
    }
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskFull => f.write_str("the disk with the metadata log is full: free some space"),
            Self::Unencodable { record, error } => write!(f, "a {record} cannot be written: {error}"),
            Self::TooLarge { size_bytes, max_bytes } => write!(
                f,
                "the change takes {size_bytes} bytes of the metadata log; the limit is {max_bytes}: split \
                 the request"
            ),
            Self::Contradiction(error) => error.fmt(f),
            Self::NotLeader { leader: Some(leader) } => {
                write!(f, "this node does not lead the metadata quorum, {leader} does")
            }
            Self::NotLeader { leader: None } => f.write_str("no node leads the metadata quorum"),
            Self::Deposed => f.write_str(
                "this node stopped leading the metadata quorum before the change was committed; it may or may not stand",
            ),
            Self::Unconfirmed => f.write_str(
                "no majority of the voters of the metadata quorum has confirmed the change in time; it may or may not stand",
            ),
            Self::Stopped(reason) => write!(f, "the metadata quorum has stopped: {reason}"),
        }
    }
}

impl std::error::Error for SubmitError {}
