//! The state of a cluster: what Kafka's metadata records say, who decides it, and how it is kept.
//!
//! * [`settings`]: the table of settings of brokers, topics and groups.
//! * [`record`]: any of Kafka's metadata records.
//! * [`image`]: the state that records lead to, as a value.
//! * [`replay`]: reading the log of records, transactions as a whole.
//! * [`controller`]: requests about the cluster, decided.
pub mod controller;
pub mod image;
pub mod record;
pub mod replay;
pub mod settings;

pub use controller::Controller;
pub use image::{Change, ConfigResource, Delta, Image, Partition, ResourceType, Topic};
pub use record::MetadataRecord;
