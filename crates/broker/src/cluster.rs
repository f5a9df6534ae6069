//! The cluster as this broker knows it.

mod nodes;
mod producer_ids;

pub(crate) use nodes::{
    CLUSTER_OPERATIONS, GROUP_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS, live_nodes, node,
};
pub(crate) use producer_ids::ProducerIds;
