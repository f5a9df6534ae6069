//! The controller's decisions: a request and the state in, a response and records out.
//!
//! Nothing here waits, writes, or knows the time; random identities are passed in. A decision is true once
//! [`crate::quorum::Quorum`] has its records on disk. A request has Kafka's error for each of its items; an
//! item that fails leaves the others alone.

mod alter_configs;
mod alter_partition;
mod balance;
mod brokers;
mod config_effects;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_configs;
mod directories;
mod elect_leaders;
mod electorate;
mod heartbeat;
mod heartbeats;
mod list_config_resources;
mod messages;
mod office;
mod partition_change;
mod placement;
mod racks;
mod reassignments;
mod registration;
mod request;
mod tick;
mod topic_name;
mod without_effect;

use std::sync::Arc;

use protocol::{ErrorCode, Str};
use settings::{Configs, Layers, Scope, Value};

pub use directories::Assignment;
pub use office::Office;
pub use partition_change::data_losses;
pub use request::{ControllerRequest, RequestContext};
pub use tick::TickOutcome;
pub use topic_name::{TOPIC_NAME_LENGTH_MAX, check_topic_name, is_internal_topic};
pub use without_effect::settings_without_effect;

use crate::image::Image;
use crate::record::MetadataRecord;

/// A response, and the records that make it true.
pub type Decision<R> = (R, Vec<MetadataRecord>);

/// The records that one request may lead to, so that none can fill the log (as in Kafka).
pub const RECORDS_PER_REQUEST_MAX: usize = 10_000;

/// The name of the metadata log, which is no topic that a client can create.
pub const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

/// Decides requests about the cluster by the settings that this node was started with.
#[derive(Clone, Debug)]
pub struct Controller {
    node_id: i32,
    given: Arc<Configs>,
    /// The id of the cluster; `None` if any will do.
    cluster_id: Option<Str>,
}

/// Why an item of a request fails.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    code: ErrorCode,
    message: Option<Str>,
}

impl Refusal {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: Some(messages::shortened(Str::from(message.into()))) }
    }

    /// With the text that the error itself has.
    fn plain(code: ErrorCode) -> Self {
        Self { code, message: Some(Str::from_static(code.message())) }
    }

    fn too_large() -> Self {
        let message = format!(
            "Unable to perform excessively large batch operation: one request may lead to \
             {RECORDS_PER_REQUEST_MAX} records at most. Split it."
        );
        Self::new(ErrorCode::POLICY_VIOLATION, message)
    }
}

impl Controller {
    /// The controller on node `node_id`, which was started with the settings `given`.
    pub fn new(node_id: i32, given: Arc<Configs>) -> Self {
        Self { node_id, given, cluster_id: None }
    }

    /// The controller of the cluster with that id: brokers of others may not register.
    pub fn of_cluster(self, id: impl Into<Str>) -> Self {
        Self { cluster_id: Some(id.into()), ..self }
    }

    fn layers<'a>(&'a self, image: &'a Image) -> Layers<'a> {
        image.layers(None, self.node_id, &self.given)
    }

    fn setting(&self, image: &Image, name: &'static str) -> Value {
        self.layers(image).value(Scope::Broker, name)
    }
}

/// Notes which of `keys` come more than once: those items fail, all of them.
fn repeated<K: Ord>(keys: impl Iterator<Item = K>) -> std::collections::BTreeSet<K> {
    let mut seen = std::collections::BTreeSet::new();
    let mut repeated = std::collections::BTreeSet::new();
    for key in keys {
        if let Some(key) = seen.replace(key) {
            repeated.insert(key);
        }
    }
    repeated
}

#[cfg(test)]
pub(crate) mod tests;
