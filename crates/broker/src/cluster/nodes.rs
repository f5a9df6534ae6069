//! The cluster as clients see it: its brokers and their addresses.

use metadata::Image;
use protocol::Str;
use protocol::records::RegisterBrokerRecord;

/// Authorized operations if the request did not ask for them.
pub(crate) const OPERATIONS_NOT_ASKED: i32 = i32::MIN;
/// All operations on a topic, as a bit set: READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE,
/// DESCRIBE_CONFIGS and ALTER_CONFIGS (Kafka's `AclEntry.supportedOperations`).
pub(crate) const TOPIC_OPERATIONS: i32 = bits(&[3, 4, 5, 6, 7, 8, 10, 11]);
/// All operations on a group: READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS and ALTER_CONFIGS.
pub(crate) const GROUP_OPERATIONS: i32 = bits(&[3, 6, 8, 10, 11]);
/// All operations on the cluster: CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS,
/// ALTER_CONFIGS and IDEMPOTENT_WRITE.
pub(crate) const CLUSTER_OPERATIONS: i32 = bits(&[5, 7, 8, 9, 10, 11, 12]);

const fn bits(operations: &[u32]) -> i32 {
    let mut set = 0;
    let mut at = 0;
    while at < operations.len() {
        set |= 1 << operations[at];
        at += 1;
    }
    set
}

/// A broker, as a client of one listener reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: Str,
    pub(crate) port: i32,
    pub(crate) rack: Option<Str>,
}

impl Node {
    fn of(broker: &RegisterBrokerRecord, listener: &str) -> Option<Self> {
        let endpoint = broker.end_points.iter().find(|endpoint| &*endpoint.name == listener)?;
        Some(Self {
            id: broker.broker_id,
            host: endpoint.host.clone(),
            port: i32::from(endpoint.port),
            rack: broker.rack.clone(),
        })
    }
}

/// The brokers that serve, as a client of `listener` reaches them.
pub(crate) fn live_nodes(image: &Image, listener: &str) -> Vec<Node> {
    image.live_brokers().filter_map(|id| Node::of(image.brokers().get(&id)?, listener)).collect()
}

/// One broker, fenced or not.
pub(crate) fn node(image: &Image, id: i32, listener: &str) -> Option<Node> {
    Node::of(image.brokers().get(&id)?, listener)
}
