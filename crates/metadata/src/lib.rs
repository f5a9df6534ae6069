//! The state of a cluster: Kafka's metadata records, the decisions of the controller, and the quorum that
//! stores them.
//!
//! * [`record`]: any of Kafka's metadata records.
//! * [`image`]: the state after some records, as a value.
//! * [`replay`]: applying the log of records, and transactions as a whole.
//! * [`controller`]: decisions on requests about the cluster.
//! * [`features`]: the features of a cluster and their levels.
//! * [`level`]: the records that a level of `metadata.version` can express.
//! * [`quorum`]: agreement on the records, and their log on disk.
pub mod controller;
pub mod features;
pub mod image;
pub mod level;
pub mod quorum;
pub mod record;
pub mod replay;
pub mod traps;

pub use controller::{Controller, check_topic_name, is_internal_topic};
pub use image::{Change, ConfigResource, Delta, Image, Partition, ResourceType, Topic};
pub use quorum::{Quorum, QuorumConfig, StartError, SubmitError};
pub use record::MetadataRecord;
