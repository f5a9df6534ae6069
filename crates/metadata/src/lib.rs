//! The state of a cluster: what Kafka's metadata records say, who decides it, and how it is kept.
//!
//! * [`settings`]: the table of settings of brokers, topics and groups.
pub mod settings;
