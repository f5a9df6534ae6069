//! Sockets: accept connections, take requests from them in order, and send replies in the same order.

mod connection;
mod inbox;
mod limits;
mod listener;
mod outbox;
mod rare_log;

use std::sync::Arc;

use settings::BrokerConfig;

use crate::broker::Broker;
use limits::{AnswerMemory, ConnectionLimits, RequestMemory};
use rare_log::RareLog;

pub(crate) use listener::accept;

/// The state that all connections share.
pub(crate) struct Server {
    broker: Arc<Broker>,
    limits: Arc<ConnectionLimits>,
    request_memory: Arc<RequestMemory>,
    answer_memory: Arc<AnswerMemory>,
    /// Limits the log lines about requests that are not served.
    refused_log: RareLog,
    /// Limits the log lines about connections that are not accepted.
    not_accepted_log: RareLog,
}

impl Server {
    /// Starts without connections. There are descriptors for `connections_max` of them.
    pub(crate) fn new(broker: Arc<Broker>, connections_max: usize) -> Arc<Self> {
        let config = &broker.config;
        let limit = |value: i32| usize::try_from(value).unwrap_or(0);
        let (max, per_ip) = (limit(config.max_connections), limit(config.max_connections_per_ip));
        Arc::new(Self {
            limits: ConnectionLimits::new(max, connections_max, per_ip),
            request_memory: RequestMemory::new(request_bytes_max(config)),
            answer_memory: AnswerMemory::new(runtime::memory_bytes() / 4),
            refused_log: RareLog::default(),
            not_accepted_log: RareLog::default(),
            broker,
        })
    }

    pub(crate) fn broker(&self) -> &Arc<Broker> {
        &self.broker
    }

    /// The number of open connections.
    pub(crate) fn open_connections(&self) -> usize {
        self.limits.open_connections()
    }

    /// The bytes of requests that were received and are not handled yet.
    pub(crate) fn request_memory_bytes(&self) -> usize {
        self.request_memory.used_bytes()
    }
}

/// `queued.max.request.bytes`, or a quarter of the machine's memory.
fn request_bytes_max(config: &BrokerConfig) -> usize {
    usize::try_from(config.queued_max_request_bytes).unwrap_or_else(|_| runtime::memory_bytes() / 4)
}
