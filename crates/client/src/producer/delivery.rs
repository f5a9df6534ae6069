//! The outcome of sending a record.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::cluster::ClusterError;
use crate::topic_partition::TopicPartition;

/// The place of a delivered record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMetadata {
    /// Its partition.
    pub at: TopicPartition,
    /// Its offset; `None` if no acknowledgement was requested, or if the broker recognised a batch sent again
    /// whose offset it no longer remembers.
    pub offset: Option<i64>,
    /// The time that the broker gave it, if the topic has `LogAppendTime`.
    pub log_append_time_ms: Option<i64>,
}

/// A record that was not delivered, or may not have been.
#[derive(Debug, Clone)]
pub enum ProduceError {
    /// Its batch was given up.
    Failed {
        /// The partition of the record.
        at: TopicPartition,
        /// The failure of the last attempt.
        cause: Arc<ClusterError>,
        /// Whether the record may be in the log nonetheless.
        may_be_delivered: bool,
    },
    /// The producer was dropped first.
    Abandoned,
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProduceError::Failed { at, cause, may_be_delivered: false } => {
                write!(f, "not delivered to {at}: {cause}")
            }
            ProduceError::Failed { at, cause, may_be_delivered: true } => {
                write!(f, "not acknowledged by {at}, though it may have been delivered: {cause}")
            }
            ProduceError::Abandoned => write!(f, "the producer was dropped before the record was delivered"),
        }
    }
}

impl std::error::Error for ProduceError {}

/// The outcome of a batch; the offset is that of its first record.
pub(super) type Outcome = Result<RecordMetadata, ProduceError>;

/// Reports the outcome of a record. May be dropped.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The outcome of the record's batch; `None` while it is in flight.
    outcome: watch::Receiver<Option<Outcome>>,
    /// The record's place in it.
    index: i64,
}

impl Delivery {
    pub(super) fn new(outcome: watch::Receiver<Option<Outcome>>, index: i64) -> Self {
        Delivery { outcome, index }
    }

    /// Whether the outcome of the record is known.
    pub fn is_settled(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    /// Waits until the record has been delivered or given up.
    ///
    /// # Errors
    /// [`ProduceError`] if it was given up, or if the producer was dropped first.
    pub async fn settled(mut self) -> Result<RecordMetadata, ProduceError> {
        let outcome = match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_) => None,
        };
        match outcome {
            Some(Ok(mut acknowledged)) => {
                acknowledged.offset = acknowledged.offset.map(|base| base + self.index);
                Ok(acknowledged)
            }
            Some(Err(error)) => Err(error),
            None => Err(ProduceError::Abandoned),
        }
    }
}
