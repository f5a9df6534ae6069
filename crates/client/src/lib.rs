//! A client of Kafka-compatible clusters: for the command line, for brokers among themselves, for tests.
//!
//! [`Connection`] sends typed requests to one broker. [`Cluster`] knows all brokers, finds leaders and
//! coordinators, and retries when they move. On it stand [`Admin`] (topics, configurations, groups, offsets),
//! [`Producer`], [`Consumer`] (of given partitions) and [`GroupConsumer`] (of partitions that a group
//! assigns).

pub mod admin;
mod backoff;
pub mod cluster;
pub mod connection;
pub mod consumer;
pub mod group;
pub mod producer;
#[cfg(test)]
mod testing;
mod topic_partition;

pub use admin::Admin;
pub use backoff::Backoff;
pub use cluster::{Cluster, ClusterError, ClusterOptions};
pub use connection::{ConnectError, Connection, ConnectionOptions, RequestError};
pub use consumer::Consumer;
pub use group::GroupConsumer;
pub use producer::Producer;
pub use topic_partition::TopicPartition;
