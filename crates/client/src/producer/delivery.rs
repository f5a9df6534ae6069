//! What became of a record.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::cluster::ClusterError;
use crate::topic_partition::TopicPartition;

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its partition.
    pub at: TopicPartition,
    /// Its offset; `None` where no acknowledgement was asked for, or where the broker recognised a
    /// batch sent again whose offset it no longer remembers.
    pub offset: Option<i64>,
    /// The time that the broker gave it, where the topic has `LogAppendTime`.
    pub log_append_time_ms: Option<i64>,
}

/// A record that was not delivered, or of which that is not known.
#[derive(Debug, Clone)]
pub enum ProduceError {
    /// Its batch was given up.
    Failed {
        /// The partition that it was for.
        at: TopicPartition,
        /// What the last attempt met with.
        cause: Arc<ClusterError>,
        /// Whether the record may be in the log nonetheless.
        may_be_delivered: bool,
    },
    /// The producer was dropped before.
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

/// The end of a batch; the offset is that of its first record.
pub(super) type Outcome = Result<Acknowledged, ProduceError>;

/// Tells when a record has been delivered. May be dropped.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Of the batch that the record is in; `None` while it is under way.
    outcome: watch::Receiver<Option<Outcome>>,
    /// The record's place in it.
    index: i64,
}

impl Delivery {
    pub(super) fn new(outcome: watch::Receiver<Option<Outcome>>, index: i64) -> Self {
        Delivery { outcome, index }
    }

    /// Whether it is known by now what became of the record.
    pub fn is_settled(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    /// Waits until the record has been delivered or given up.
    ///
    /// # Errors
    /// [`ProduceError`]; also where the producer was dropped meanwhile.
    pub async fn settled(mut self) -> Result<Acknowledged, ProduceError> {
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
