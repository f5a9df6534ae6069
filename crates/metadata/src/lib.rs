//! The state of a cluster: what Kafka's metadata records say, who decides it, and how it is kept.
//!
//! * [`record`]: any of Kafka's metadata records.
//! * [`image`]: the state that records lead to, as a value.
//! * [`replay`]: reading the log of records, transactions as a whole.
//! * [`controller`]: requests about the cluster, decided.
//! * [`features`]: the features of a cluster and their levels.
//! * [`level`]: what a level of `metadata.version` can express.
//! * [`quorum`]: agreement on the records, and their log on disk.
pub mod controller;
pub mod features;
pub mod image;
pub mod level;
pub mod quorum;
pub mod record;
pub mod replay;

pub use controller::{Controller, check_topic_name, is_internal_topic};
pub use image::{Change, ConfigResource, Delta, Image, Partition, ResourceType, Topic};
pub use quorum::{Quorum, QuorumConfig, StartError, SubmitError};
pub use record::MetadataRecord;
