//! The table of the APIs that Milena serves. It drives dispatch, the ApiVersions answer and `docs/api.md`; a
//! request for any other API gets no answer.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use protocol::messages::RequestHeader;
use protocol::{ApiKey, DecodeError, Message, Reader};

use crate::api;
use crate::broker::Broker;
use crate::call::Call;
use crate::peer::{ListenerType, Peer};
use crate::reply::{Reply, Responder};

mod unserved_request;

use unserved_request::UnservedRequest;

/// One API.
pub struct Api {
    /// Its key.
    pub key: ApiKey,
    /// Its versions.
    pub versions: RangeInclusive<i16>,
    /// The listeners that serve it.
    pub listeners: Listeners,
    handle: fn(Call<'_>, Reader) -> Result<Reply, DecodeError>,
}

/// The listeners that serve an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listeners {
    /// Those for clients.
    Brokers,
    /// Those of `controller.listener.names`.
    Controllers,
    /// The same, with `unstable.api.versions.enable`: clusters of several brokers are not finished.
    Unstable,
    /// All.
    All,
}

impl Api {
    /// Whether a broker's listeners of a type serve it.
    fn is_on(&self, broker: &Broker, listener_type: ListenerType) -> bool {
        let is_controller = listener_type == ListenerType::Controller;
        match self.listeners {
            Listeners::Brokers => !is_controller,
            Listeners::Controllers => is_controller,
            Listeners::Unstable => is_controller && broker.config.unstable_api_versions_enable,
            Listeners::All => true,
        }
    }
}

/// Decodes a request of one type and calls the handler. Bytes after the message are ignored, as in Kafka:
/// librdkafka sends three of them after a Metadata request for all topics.
macro_rules! api {
    ($key:ident, $versions:expr, $handler:path $(, with $table:expr)?) => {
        api!($key, $versions, $handler, on Brokers $(, with $table)?)
    };
    ($key:ident, $versions:expr, $handler:path, on $listeners:ident $(, with $table:expr)?) => {
        Api {
            key: ApiKey::$key,
            versions: $versions,
            listeners: Listeners::$listeners,
            handle: |call, mut body| {
                let request = Message::decode(&mut body, call.version())?;
                Ok($handler(call, request $(, $table)?))
            },
        }
    };
}

/// All APIs, by key.
pub static APIS: &[Api] = &[
    api!(Produce, 3..=13, api::produce::handle),
    api!(Fetch, 4..=18, api::fetch::handle, on All),
    api!(ListOffsets, 1..=11, api::list_offsets::handle),
    api!(Metadata, 0..=13, api::metadata::handle),
    api!(OffsetCommit, 2..=10, api::offset_commit::handle),
    api!(OffsetFetch, 1..=10, api::offset_fetch::handle),
    api!(FindCoordinator, 0..=6, api::find_coordinator::handle),
    api!(JoinGroup, 0..=9, api::join_group::handle),
    api!(Heartbeat, 0..=4, api::heartbeat::handle),
    api!(LeaveGroup, 0..=5, api::leave_group::handle),
    api!(SyncGroup, 0..=5, api::sync_group::handle),
    api!(DescribeGroups, 0..=6, api::describe_groups::handle),
    api!(ListGroups, 0..=5, api::list_groups::handle),
    api!(ApiVersions, 0..=4, api::api_versions::handle, on All, with served),
    api!(CreateTopics, 2..=7, api::create_topics::handle, on All),
    api!(DeleteTopics, 1..=6, api::delete_topics::handle, on All),
    api!(DeleteRecords, 0..=2, api::delete_records::handle),
    api!(InitProducerId, 0..=5, api::init_producer_id::handle),
    api!(OffsetForLeaderEpoch, 2..=4, api::offset_for_leader_epoch::handle),
    api!(DescribeAcls, 1..=3, api::describe_acls::handle, on All),
    api!(CreateAcls, 1..=3, api::create_acls::handle, on All),
    api!(DeleteAcls, 1..=3, api::delete_acls::handle, on All),
    api!(DescribeConfigs, 1..=4, api::describe_configs::handle, on All),
    api!(AlterConfigs, 0..=2, api::alter_configs::handle, on All),
    api!(AlterReplicaLogDirs, 1..=2, api::alter_replica_log_dirs::handle),
    api!(DescribeLogDirs, 1..=5, api::describe_log_dirs::handle),
    api!(CreatePartitions, 0..=3, api::create_partitions::handle, on All),
    api!(DeleteGroups, 0..=2, api::delete_groups::handle),
    api!(ElectLeaders, 0..=2, api::elect_leaders::handle, on All),
    api!(IncrementalAlterConfigs, 0..=1, api::incremental_alter_configs::handle, on All),
    api!(AlterPartitionReassignments, 0..=1, api::alter_partition_reassignments::handle, on All),
    api!(ListPartitionReassignments, 0..=0, api::list_partition_reassignments::handle, on All),
    api!(OffsetDelete, 0..=0, api::offset_delete::handle),
    api!(DescribeQuorum, 0..=2, api::describe_quorum::handle, on All),
    api!(AlterPartition, 2..=3, api::alter_partition::handle, on Unstable),
    api!(FetchSnapshot, 0..=1, api::fetch_snapshot::handle, on Controllers),
    api!(DescribeCluster, 0..=2, api::describe_cluster::handle, on All),
    api!(DescribeProducers, 0..=0, api::describe_producers::handle),
    api!(BrokerRegistration, 0..=4, api::broker_registration::handle, on Unstable),
    api!(BrokerHeartbeat, 0..=2, api::broker_heartbeat::handle, on Unstable),
    api!(UnregisterBroker, 0..=0, api::unregister_broker::handle, on Unstable),
    api!(AllocateProducerIds, 0..=0, api::allocate_producer_ids::handle, on Unstable),
    api!(AssignReplicasToDirs, 0..=0, api::assign_replicas_to_dirs::handle, on Unstable),
    api!(ListConfigResources, 0..=1, api::list_config_resources::handle),
    api!(DescribeTopicPartitions, 0..=0, api::describe_topic_partitions::handle),
];

/// The key and the versions of each API that a broker's listeners of a type serve, in the order of [`APIS`].
fn served(
    broker: &Broker,
    listener_type: ListenerType,
) -> impl Iterator<Item = (ApiKey, RangeInclusive<i16>)> + use<'_> {
    let served = APIS.iter().filter(move |api| api.is_on(broker, listener_type));
    served.map(|api| (api.key, api.versions.clone()))
}

/// The reason why a request ends its connection. Kafka answers none of these either.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The frame ends before its API key, version and correlation id.
    NoHeader,
    /// The API, or its version, is not served.
    NotServed(UnservedRequest),
    /// The request does not decode.
    Malformed { key: ApiKey, version: i16, error: DecodeError },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => f.write_str("a request without a header"),
            Self::NotServed(request) => request.fmt(f),
            Self::Malformed { key, version, error } => {
                write!(f, "a malformed request, {} version {version}: {error}", key.name())
            }
        }
    }
}

/// The place in [`APIS`] of an API key.
fn find(key: i16) -> Option<usize> {
    APIS.iter().position(|api| api.key.as_i16() == key)
}

/// Handles one request.
///
/// # Errors
/// [`RequestError`] if the connection must end.
pub(crate) fn handle(broker: &Arc<Broker>, peer: &Arc<Peer>, frame: Bytes) -> Result<Reply, RequestError> {
    let (key, version, correlation_id) = peek(&frame).ok_or(RequestError::NoHeader)?;
    let not_served = |is_here| RequestError::NotServed(UnservedRequest::of(&frame, key, version, is_here));
    let Some(index) = find(key) else { return Err(not_served(false)) };
    let api = &APIS[index];
    if !api.is_on(broker, peer.listener_type) {
        return Err(not_served(false));
    }
    if !api.versions.contains(&version) {
        if api.key == ApiKey::ApiVersions {
            // A client that is newer than this broker learns here which versions there are (KIP-511).
            return Ok(api::api_versions::unsupported_version(correlation_id, &api.versions));
        }
        return Err(not_served(true));
    }
    // Only the records of a produce are worth a slice of the receive buffer. Other requests are copied, so
    // that nothing that a handler keeps holds the buffer.
    let frame = if api.key == ApiKey::Produce { frame } else { Bytes::copy_from_slice(&frame) };
    let malformed = |error| RequestError::Malformed { key: api.key, version, error };
    let mut reader = Reader::new(frame);
    let header_version = api.key.request_header_version(version);
    let header = RequestHeader::decode(&mut reader, header_version).map_err(malformed)?;
    let responder = Responder { version, correlation_id };
    broker.traffic.count_request(index);
    let call = Call { broker, peer, client_id: header.client_id, responder };
    (api.handle)(call, reader).map_err(malformed)
}

/// Whether the request in `frame` is a produce.
pub(crate) fn is_produce(frame: &[u8]) -> bool {
    peek(frame).is_some_and(|(key, ..)| key == ApiKey::Produce.as_i16())
}

/// The beginning of every header: API key, version and correlation id.
fn peek(frame: &[u8]) -> Option<(i16, i16, i32)> {
    let (key, rest) = frame.split_first_chunk::<2>()?;
    let (version, rest) = rest.split_first_chunk::<2>()?;
    let correlation_id = rest.first_chunk::<4>()?;
    Some((i16::from_be_bytes(*key), i16::from_be_bytes(*version), i32::from_be_bytes(*correlation_id)))
}

#[cfg(test)]
mod tests;
