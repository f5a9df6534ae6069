//! AlterPartitionReassignments and ListPartitionReassignments (KIP-455).
//!
//! No partition moves between brokers yet: the only assignment that can be asked for is the present one.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::alter_partition_reassignments_request::ReassignablePartition;
use protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use protocol::{ErrorCode, Str};

use super::messages::Messages;
use super::placement::Placement;
use super::{Controller, Refusal};
use crate::image::{Image, Partition, Topic};

impl Controller {
    /// Answers whether partitions may have other replicas. Those that they have they keep, and that changes nothing.
    pub fn alter_partition_reassignments(
        &self,
        image: &Image,
        request: &AlterPartitionReassignmentsRequest,
    ) -> AlterPartitionReassignmentsResponse {
        let placement = Placement::new(image);
        let may_resize = request.allow_replication_factor_change;
        let mut messages = Messages::default();
        let responses = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let result = reassign(image, &placement, may_resize, &topic.name, asked);
                let (error_code, error_message) = match result {
                    Ok(()) => (ErrorCode::NONE, None),
                    Err(refusal) => (refusal.code, messages.admit(refusal.message)),
                };
                let partition_index = asked.partition_index;
                ReassignablePartitionResponse { partition_index, error_code, error_message }
            });
            ReassignableTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
        });
        AlterPartitionReassignmentsResponse {
            allow_replication_factor_change: may_resize,
            responses: responses.collect(),
            ..AlterPartitionReassignmentsResponse::default()
        }
    }

    /// Lists the partitions that are being moved to other brokers: all of them, or those of the ones asked for.
    pub fn list_partition_reassignments(
        &self,
        image: &Image,
        request: &ListPartitionReassignmentsRequest,
    ) -> ListPartitionReassignmentsResponse {
        let topics = match &request.topics {
            None => image.topics().iter().filter_map(|topic| ongoing(topic, None)).collect(),
            Some(asked) => {
                // What is asked for twice is answered once: a short request leads to no long answer.
                let mut distinct: BTreeMap<&Str, BTreeSet<i32>> = BTreeMap::new();
                for asked in asked {
                    distinct.entry(&asked.name).or_default().extend(&asked.partition_indexes);
                }
                let distinct = distinct.into_iter().filter(|(_, indexes)| !indexes.is_empty());
                distinct.filter_map(|(name, indexes)| ongoing(image.topic(name)?, Some(&indexes))).collect()
            }
        };
        ListPartitionReassignmentsResponse { topics, ..ListPartitionReassignmentsResponse::default() }
    }
}

fn reassign(
    image: &Image,
    placement: &Placement<'_>,
    may_resize: bool,
    topic: &Str,
    asked: &ReassignablePartition,
) -> Result<(), Refusal> {
    let index = asked.partition_index;
    let unknown = |what: String| Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, what);
    let found =
        image.topic(topic).ok_or_else(|| unknown(format!("Unable to find a topic named {topic}.")))?;
    let partition = found
        .partition(index)
        .ok_or_else(|| unknown(format!("Unable to find partition {topic}:{index}.")))?;
    let Some(replicas) = &asked.replicas else {
        // One that another cluster has begun is kept as it came.
        let code = if partition.is_reassigned() {
            ErrorCode::INVALID_REPLICA_ASSIGNMENT
        } else {
            ErrorCode::NO_REASSIGNMENT_IN_PROGRESS
        };
        return Err(Refusal::plain(code));
    };
    if !may_resize && replicas.len() != partition.replicas.len() {
        let (before, after) = (partition.replicas.len(), replicas.len());
        let message = format!("The replication factor is changed from {before} to {after}");
        return Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
    }
    placement.check_chosen(replicas, None)?;
    if **replicas != *partition.replicas {
        let message = "Milena does not move partitions between brokers yet.";
        return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    }
    Ok(())
}

/// The partitions of a topic that are being moved, of those in `only` or of all; `None` if there are none.
fn ongoing(topic: &Topic, only: Option<&BTreeSet<i32>>) -> Option<OngoingTopicReassignment> {
    let is_asked = |index: &i32| only.is_none_or(|only| only.contains(index));
    let moved = (0..)
        .zip(&topic.partitions)
        .filter(|(index, partition)| partition.is_reassigned() && is_asked(index));
    let partitions: Vec<_> = moved.map(|(index, partition)| describe(index, partition)).collect();
    (!partitions.is_empty()).then(|| OngoingTopicReassignment { name: topic.name.clone(), partitions })
}

fn describe(partition_index: i32, partition: &Partition) -> OngoingPartitionReassignment {
    OngoingPartitionReassignment {
        partition_index,
        replicas: partition.replicas.to_vec(),
        adding_replicas: partition.adding_replicas().to_vec(),
        removing_replicas: partition.removing_replicas().to_vec(),
    }
}
