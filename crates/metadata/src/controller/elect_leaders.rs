//! ElectLeaders (KIP-460).
//!
//! A partition has one replica and that one leads it, so an election finds nothing to do, or nobody who could lead.

use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use protocol::{ErrorCode, Str};

use super::messages::Messages;
use super::{Controller, Refusal};
use crate::image::{Image, Partition};

/// Which leader is wanted.
#[derive(Clone, Copy)]
enum Election {
    /// The first of the replicas.
    Preferred = 0,
    /// Any, also one that is not in sync, where there is none.
    Unclean = 1,
}

impl Controller {
    /// Answers an election of leaders: of the partitions asked about, or of those that lack the leader they should have.
    pub fn elect_leaders(&self, image: &Image, request: &ElectLeadersRequest) -> ElectLeadersResponse {
        let election = match request.election_type {
            kind if kind == Election::Preferred as i8 => Election::Preferred,
            kind if kind == Election::Unclean as i8 => Election::Unclean,
            _ => {
                return ElectLeadersResponse {
                    error_code: ErrorCode::INVALID_REQUEST,
                    ..ElectLeadersResponse::default()
                };
            }
        };
        let mut messages = Messages::default();
        let mut elect = |topic: &Str, partition_id: i32| {
            let found = image.partition(topic, partition_id);
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
        ElectLeadersResponse { replica_election_results, ..ElectLeadersResponse::default() }
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
