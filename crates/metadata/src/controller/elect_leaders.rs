//! ElectLeaders (KIP-460).
//!
//! A partition has one replica and that one leads it, so an election finds nothing to do, or nobody who could lead. If its
//! directory works and nobody leads all the same, the log of that replica is lost: an unclean election then accepts that,
//! as it accepts in Kafka that records are lost.

use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use protocol::records::PartitionChangeRecord;
use protocol::{ErrorCode, Str, Uuid};

use super::messages::Messages;
use super::{Controller, Decision, Refusal};
use crate::image::{Image, Partition};
use crate::record::MetadataRecord;

/// The kind of leader.
#[derive(Clone, Copy)]
enum Election {
    /// The first of the replicas.
    Preferred = 0,
    /// Any, even one that is not in sync, if there is none.
    Unclean = 1,
}

impl Controller {
    /// Answers an election of leaders: of the partitions asked about, or of those that lack the leader they should have.
    pub fn elect_leaders(
        &self,
        image: &Image,
        request: &ElectLeadersRequest,
    ) -> Decision<ElectLeadersResponse> {
        let election = match request.election_type {
            kind if kind == Election::Preferred as i8 => Election::Preferred,
            kind if kind == Election::Unclean as i8 => Election::Unclean,
            _ => {
                let error_code = ErrorCode::INVALID_REQUEST;
                return (ElectLeadersResponse { error_code, ..ElectLeadersResponse::default() }, Vec::new());
            }
        };
        let mut messages = Messages::default();
        let mut records = Vec::new();
        let mut elect = |topic: &Str, partition_id: i32| {
            let found = image.partition(topic, partition_id);
            let topic_id = image.topic(topic).map_or(Uuid::ZERO, |topic| topic.id);
            if let (Election::Unclean, Some(partition)) = (election, found)
                && !partition.has_leader()
                && self.may_serve(image, partition)
            {
                records.push(self.lead_anew(topic_id, partition_id, partition));
                return PartitionResult { partition_id, ..PartitionResult::default() };
            }
            let refusal = refuse(election, found.map(|partition| &**partition), topic, partition_id);
            let error_message = messages.admit(refusal.message);
            PartitionResult { partition_id, error_code: refusal.code, error_message }
        };
        let replica_election_results = match &request.topic_partitions {
            Some(asked) => asked
                .iter()
                .map(|asked| ReplicaElectionResult {
                    topic: asked.topic.clone(),
                    partition_result: asked.partitions.iter().map(|id| elect(&asked.topic, *id)).collect(),
                })
                .collect(),
            None => image
                .topics()
                .iter()
                .map(|topic| ReplicaElectionResult {
                    topic: topic.name.clone(),
                    partition_result: (0..)
                        .zip(&topic.partitions)
                        .map(|(id, _)| elect(&topic.name, id))
                        .filter(|result| result.error_code != ErrorCode::ELECTION_NOT_NEEDED)
                        .collect(),
                })
                .collect(),
        };
        (ElectLeadersResponse { replica_election_results, ..ElectLeadersResponse::default() }, records)
    }

    /// Whether this node has a replica of a partition, in a directory that works.
    fn may_serve(&self, image: &Image, partition: &Partition) -> bool {
        let broker = image.brokers().get(&self.node_id);
        partition.replicas.contains(&self.node_id)
            && broker.is_some_and(|broker| partition.is_served_by(broker))
    }

    /// Has this node lead a partition whose log it has lost.
    fn lead_anew(&self, topic_id: Uuid, partition_id: i32, partition: &Partition) -> MetadataRecord {
        let is_in_sync = partition.isr.contains(&self.node_id);
        PartitionChangeRecord {
            topic_id,
            partition_id,
            leader: self.node_id,
            isr: (!is_in_sync).then(|| vec![self.node_id]),
            ..PartitionChangeRecord::default()
        }
        .into()
    }
}

/// Why there is no election.
fn refuse(election: Election, partition: Option<&Partition>, topic: &str, id: i32) -> Refusal {
    let Some(partition) = partition else {
        let message = format!("No such partition as {topic}-{id}");
        return Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
    };
    let (has_it, without) = match election {
        Election::Preferred => {
            let preferred = partition.replicas.first() == Some(&partition.leader);
            (preferred, ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE)
        }
        Election::Unclean => (partition.has_leader(), ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE),
    };
    Refusal::plain(if has_it { ErrorCode::ELECTION_NOT_NEEDED } else { without })
}
