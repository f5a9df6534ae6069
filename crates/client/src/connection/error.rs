//! The failures of connections and requests.

use std::ops::RangeInclusive;
use std::time::Duration;
use std::{fmt, io};

use protocol::{ApiKey, DecodeError, EncodeError};

/// No connection to a broker.
#[derive(Debug)]
pub enum ConnectError {
    /// The system cannot connect: the name does not resolve, the port is closed, no route.
    Unreachable {
        /// `host:port`.
        address: String,
        /// The system's error.
        error: io::Error,
    },
    /// It took too long.
    TimedOut {
        /// `host:port`.
        address: String,
        /// The time that it took.
        after: Duration,
    },
    /// Something listens there and does not answer as a Kafka broker does.
    NotKafka {
        /// `host:port`.
        address: String,
        /// The failure of the first request.
        error: RequestError,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Unreachable { address, error } => write!(f, "cannot connect to {address}: {error}"),
            ConnectError::TimedOut { address, after } => {
                write!(f, "cannot connect to {address}: no answer within {} s", after.as_secs_f64())
            }
            ConnectError::NotKafka { address, error } => {
                write!(f, "{address} does not answer as a Kafka broker does: {error}")
            }
        }
    }
}

impl std::error::Error for ConnectError {}

/// No answer to a request.
#[derive(Debug)]
pub enum RequestError {
    /// The connection is closed, by either side. Whether the broker acted on the request is unknown.
    Closed {
        /// `host:port`.
        address: String,
        /// The reason.
        reason: String,
    },
    /// No answer came in time. Whether the broker acted on the request is unknown.
    TimedOut {
        /// `host:port`.
        address: String,
        /// The API that was called.
        api: ApiKey,
        /// The time that it waited.
        after: Duration,
    },
    /// The broker serves no version of the API that this client speaks.
    NoCommonVersion {
        /// The API.
        api: ApiKey,
        /// The versions that the broker serves; `None` if it does not have the API.
        broker: Option<RangeInclusive<i16>>,
        /// The versions that are acceptable here.
        ours: RangeInclusive<i16>,
    },
    /// The request cannot be encoded in the version that both sides speak.
    Unencodable {
        /// The API.
        api: ApiKey,
        /// The version.
        version: i16,
        /// The field that does not fit.
        error: EncodeError,
    },
    /// The answer is not what the protocol says it should be. The connection is closed.
    Malformed {
        /// `host:port`.
        address: String,
        /// The API that was called.
        api: ApiKey,
        /// The fault in the answer.
        error: DecodeError,
    },
}

impl RequestError {
    /// Whether it may work on another connection.
    pub fn is_retriable(&self) -> bool {
        matches!(self, RequestError::Closed { .. } | RequestError::TimedOut { .. })
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Closed { address, reason } => {
                write!(f, "the connection to {address} is closed: {reason}")
            }
            RequestError::TimedOut { address, api, after } => {
                write!(f, "{address} did not answer a request of {api} within {} s", after.as_secs_f64())
            }
            RequestError::NoCommonVersion { api, broker: None, .. } => {
                write!(f, "the broker does not serve {api}")
            }
            RequestError::NoCommonVersion { api, broker: Some(broker), ours } => write!(
                f,
                "the broker serves {api} in versions {} to {}, but this client speaks {} to {}",
                broker.start(),
                broker.end(),
                ours.start(),
                ours.end()
            ),
            RequestError::Unencodable { api, version, error } => {
                write!(f, "{api} in version {version} cannot carry this request: {error}")
            }
            RequestError::Malformed { address, api, error } => {
                write!(f, "{address} gave a malformed answer to {api}: {error}")
            }
        }
    }
}

impl std::error::Error for RequestError {}
