//! ElectLeaders (KIP-460).

use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use protocol::{ErrorCode, Str};

use super::electorate::Electorate;
use super::messages::Messages;
use super::partition_change::Election;
use super::{Controller, Decision, RECORDS_PER_REQUEST_MAX, Refusal};
use crate::image::{Image, Partition, Topic};
use crate::record::MetadataRecord;

/// `ElectionType` of an election that wants the first of the replicas to lead.
const PREFERRED: i8 = 0;
/// `ElectionType` of an election that wants any replica to lead, even one that is not in sync, if there is none.
const UNCLEAN: i8 = 1;

impl Controller {
    /// Answers an election of leaders: of the partitions asked about, or of those that lack the leader they should have.
    pub fn elect_leaders(
        &self,
        image: &Image,
        request: &ElectLeadersRequest,
    ) -> Decision<ElectLeadersResponse> {
        let election = match request.election_type {
            PREFERRED => Election::Preferred,
            UNCLEAN => Election::Unclean,
            _ => {
                let error_code = ErrorCode::INVALID_REQUEST;
                return (ElectLeadersResponse { error_code, ..ElectLeadersResponse::default() }, Vec::new());
            }
        };
        let mut messages = Messages::default();
        let mut records = Vec::new();
        let mut elect = |topic: &Str, partition_id: i32| {
            let result = self.elect_leader(image, topic, partition_id, election).and_then(|record| {
                if records.len() >= RECORDS_PER_REQUEST_MAX {
                    return Err(Refusal::too_large());
                }
                records.push(record);
                Ok(())
            });
            let (error_code, error_message) = match result {
                Ok(()) => (ErrorCode::NONE, None),
                Err(refusal) => (refusal.code, messages.admit(refusal.message)),
            };
            PartitionResult { partition_id, error_code, error_message }
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

    /// Elects a leader of one partition.
    fn elect_leader(
        &self,
        image: &Image,
        name: &Str,
        partition_id: i32,
        election: Election,
    ) -> Result<MetadataRecord, Refusal> {
        let unknown = || {
            let message = format!("No such partition as {name}-{partition_id}");
            Refusal::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message)
        };
        let topic = image.topic(name).ok_or_else(unknown)?;
        let partition = topic.partition(partition_id).ok_or_else(unknown)?;
        let (has_it, without) = match election {
            Election::Unclean => (partition.has_leader(), ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE),
            _ => (has_preferred_leader(partition), ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE),
        };
        if has_it {
            return Err(Refusal::plain(ErrorCode::ELECTION_NOT_NEEDED));
        }
        let elected = match election {
            Election::Unclean => {
                let electorate = Electorate::new(image);
                let of = (&**topic, partition_id, &**partition);
                self.change_partition(&electorate, of, |change| change.with_election(election))
            }
            _ => self.elect_preferred_leader(image, (topic, partition_id, partition)),
        };
        elected.ok_or_else(|| Refusal::plain(without))
    }

    /// Has the first of the replicas lead, if it may.
    ///
    /// A partition without a leader is left alone, unlike in Kafka: if its leader is alive nevertheless, the log is lost, and
    /// nothing but an unclean election accepts that.
    pub(super) fn elect_preferred_leader(
        &self,
        image: &Image,
        of: (&Topic, i32, &Partition),
    ) -> Option<MetadataRecord> {
        let (_, _, partition) = of;
        if !partition.has_leader() {
            return None;
        }
        let electorate = Electorate::new(image);
        self.change_partition(&electorate, of, |change| change.with_election(Election::Preferred))
    }
}

/// Whether the first of the replicas leads.
pub(super) fn has_preferred_leader(partition: &Partition) -> bool {
    partition.replicas.first() == Some(&partition.leader)
}
