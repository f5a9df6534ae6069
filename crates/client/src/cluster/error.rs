//! The failures of operations on a cluster.

use std::fmt;

use protocol::ErrorCode;

use crate::connection::{ConnectError, RequestError};

/// An operation that failed.
#[derive(Debug)]
pub enum ClusterError {
    /// No bootstrap broker was given.
    NoBroker,
    /// A broker cannot be reached.
    Connect(ConnectError),
    /// A broker did not answer.
    Request(RequestError),
    /// The topic does not exist, or this client may not know of it.
    UnknownTopic {
        /// The name.
        topic: String,
    },
    /// The topic has fewer partitions.
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The requested partition.
        partition: i32,
        /// The number of partitions; they are counted from 0.
        partitions: usize,
    },
    /// The partition has no leader now.
    NoLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// No broker with this id is part of the cluster.
    UnknownBroker {
        /// The id.
        id: i32,
    },
    /// A broker rejected the request.
    Refused {
        /// Kafka's error.
        code: ErrorCode,
        /// The broker's message about it.
        message: Option<String>,
    },
}

impl ClusterError {
    /// `Ok` for [`ErrorCode::NONE`], or the rejection.
    pub(crate) fn check(code: ErrorCode, message: Option<&str>) -> Result<(), ClusterError> {
        if code == ErrorCode::NONE {
            return Ok(());
        }
        Err(ClusterError::Refused { code, message: message.filter(|m| !m.is_empty()).map(ToOwned::to_owned) })
    }

    /// The error that a broker gives for a topic.
    pub(crate) fn of_topic(topic: &str, code: ErrorCode) -> ClusterError {
        match code {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => {
                ClusterError::UnknownTopic { topic: topic.to_owned() }
            }
            code => ClusterError::Refused { code, message: None },
        }
    }

    /// Kafka's error, if a broker gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            ClusterError::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether the error may pass: a leader or coordinator moves, a broker restarts.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClusterError::NoBroker | ClusterError::UnknownPartition { .. } => false,
            // A broker that accepts and does not answer in time may be busy.
            ClusterError::Connect(ConnectError::NotKafka { error, .. }) => {
                matches!(error, RequestError::TimedOut { .. })
            }
            ClusterError::Connect(_) => true,
            ClusterError::Request(error) => error.is_retriable(),
            ClusterError::UnknownTopic { .. }
            | ClusterError::NoLeader { .. }
            | ClusterError::UnknownBroker { .. } => true,
            ClusterError::Refused { code, .. } => code.is_retriable(),
        }
    }
}

impl fmt::Display for ClusterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterError::NoBroker => write!(f, "no broker to connect to was given"),
            ClusterError::Connect(error) => error.fmt(f),
            ClusterError::Request(error) => error.fmt(f),
            ClusterError::UnknownTopic { topic } => write!(f, "there is no topic '{topic}'"),
            ClusterError::UnknownPartition { topic, partition, partitions } => {
                write!(
                    f,
                    "topic '{topic}' has no partition {partition}, only 0 to {}",
                    partitions.saturating_sub(1)
                )
            }
            ClusterError::NoLeader { topic, partition } => {
                write!(f, "no broker leads partition {partition} of topic '{topic}' now")
            }
            ClusterError::UnknownBroker { id } => write!(f, "the cluster has no broker {id}"),
            ClusterError::Refused { code, message } => {
                let message = message.as_deref().unwrap_or_else(|| code.message());
                write!(f, "{} ({})", message.trim_end_matches('.'), code.name())
            }
        }
    }
}

impl std::error::Error for ClusterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClusterError::Connect(error) => Some(error),
            ClusterError::Request(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ConnectError> for ClusterError {
    fn from(error: ConnectError) -> Self {
        ClusterError::Connect(error)
    }
}

impl From<RequestError> for ClusterError {
    fn from(error: RequestError) -> Self {
        ClusterError::Request(error)
    }
}
