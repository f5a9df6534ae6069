//! Log directories of brokers: which partitions are in which, and what becomes of those in one that fails (KIP-858).

use std::collections::BTreeMap;

use protocol::messages::assign_replicas_to_dirs_request;
use protocol::messages::assign_replicas_to_dirs_response::{DirectoryData, PartitionData, TopicData};
use protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};
use protocol::records::{BrokerRegistrationChangeRecord, PartitionChangeRecord, RegisterBrokerRecord};
use protocol::{ErrorCode, Uuid};

use super::brokers::registered;
use super::electorate::Electorate;
use super::partition_change::Election;
use super::{Controller, Decision};
use crate::image::directories::is_online;
use crate::image::{Image, NO_LEADER, Partition};
use crate::record::MetadataRecord;

/// A replica and the directory that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// The directory.
    pub directory: Uuid,
}

impl Assignment {
    /// The request by which a broker assigns its replicas to directories.
    pub fn request(broker_id: i32, broker_epoch: i64, assignments: &[Self]) -> AssignReplicasToDirsRequest {
        use assign_replicas_to_dirs_request::{DirectoryData, PartitionData, TopicData};
        let mut directories: BTreeMap<Uuid, BTreeMap<Uuid, Vec<PartitionData>>> = BTreeMap::new();
        for Assignment { topic_id, partition, directory } in assignments {
            let partitions = directories.entry(*directory).or_default().entry(*topic_id).or_default();
            partitions.push(PartitionData { partition_index: *partition });
        }
        let topic = |(topic_id, partitions)| TopicData { topic_id, partitions };
        let directory = |(id, topics): (_, BTreeMap<_, _>)| DirectoryData {
            id,
            topics: topics.into_iter().map(topic).collect(),
        };
        let directories = directories.into_iter().map(directory).collect();
        AssignReplicasToDirsRequest { broker_id, broker_epoch, directories }
    }
}

impl Controller {
    /// Notes in which directories a broker keeps replicas. One in a directory that does not work loses its leader.
    pub fn assign_replicas_to_dirs(
        &self,
        image: &Image,
        request: &AssignReplicasToDirsRequest,
    ) -> Decision<AssignReplicasToDirsResponse> {
        let broker = match registered(image, request.broker_id, request.broker_epoch) {
            Ok(broker) => broker,
            Err(error_code) => {
                let response = AssignReplicasToDirsResponse { error_code, ..Default::default() };
                return (response, Vec::new());
            }
        };
        let mut records = Vec::new();
        let mut assign = |directory, topic_id, partition_index| match self.assign(
            image,
            broker,
            directory,
            (topic_id, partition_index),
        ) {
            Ok(record) => {
                records.extend(record);
                PartitionData { partition_index, error_code: ErrorCode::NONE }
            }
            Err(error_code) => PartitionData { partition_index, error_code },
        };
        let directories = request.directories.iter().map(|directory| {
            let topics = directory.topics.iter().map(|topic| {
                let partitions = topic.partitions.iter();
                let partitions =
                    partitions.map(|it| assign(directory.id, topic.topic_id, it.partition_index));
                TopicData { topic_id: topic.topic_id, partitions: partitions.collect() }
            });
            DirectoryData { id: directory.id, topics: topics.collect() }
        });
        let directories = directories.collect();
        (AssignReplicasToDirsResponse { directories, ..Default::default() }, records)
    }

    /// Takes the leader from partitions, by topic id and number, whose logs a broker that has just registered lacks.
    pub fn logs_lost(&self, lost: &[(Uuid, i32)]) -> Vec<MetadataRecord> {
        let without = |(topic_id, partition_id): &(Uuid, i32)| without_leader(*topic_id, *partition_id);
        lost.iter().map(without).collect()
    }

    /// Takes directories of a broker offline. Its replicas in them leave the ISR, and others lead.
    pub(super) fn directories_offline(
        &self,
        image: &Image,
        broker: &RegisterBrokerRecord,
        offline: &[Uuid],
    ) -> Vec<MetadataRecord> {
        let (failed, online): (Vec<Uuid>, _) = broker.log_dirs.iter().partition(|id| offline.contains(*id));
        if failed.is_empty() {
            return Vec::new();
        }
        let broker_id = broker.broker_id;
        let is_lost = |partition: &Partition| failed.contains(&partition.directory_of(broker_id));
        let mut records = self.change_partitions(
            &Electorate::without(image, broker_id),
            |partition| partition.isr.contains(&broker_id) && is_lost(partition),
            |change| change.without_isr_member(broker_id),
        );
        let change = BrokerRegistrationChangeRecord {
            broker_id,
            broker_epoch: broker.broker_epoch,
            log_dirs: online,
            ..BrokerRegistrationChangeRecord::default()
        };
        records.push(change.into());
        records
    }

    /// Assigns a broker's replica to a directory; returns the record, or `None` if the state has it already.
    fn assign(
        &self,
        image: &Image,
        broker: &RegisterBrokerRecord,
        directory: Uuid,
        (topic_id, partition_id): (Uuid, i32),
    ) -> Result<Option<MetadataRecord>, ErrorCode> {
        let topic = image.topic_by_id(topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let partition = topic.partition(partition_id).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let broker_id = broker.broker_id;
        if !partition.replicas.contains(&broker_id) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let directories = assigned(partition, broker_id, directory);
        let of = (&**topic, partition_id, &**partition);
        Ok(if is_online(directory, &broker.log_dirs) {
            // No election: a partition without a leader may be so because this very log is lost.
            self.change_partition(&Electorate::new(image), of, |change| {
                change.with_directories(directories).with_election(Election::Keep)
            })
        } else {
            self.change_partition(&Electorate::without(image, broker_id), of, |change| {
                change.with_directories(directories).without_isr_member(broker_id)
            })
        })
    }
}

fn without_leader(topic_id: Uuid, partition_id: i32) -> MetadataRecord {
    PartitionChangeRecord { topic_id, partition_id, leader: NO_LEADER, ..PartitionChangeRecord::default() }
        .into()
}

/// The directories of a partition once `broker` has its replica in `directory`; `None` if nothing changes.
pub(super) fn assigned(partition: &Partition, broker: i32, directory: Uuid) -> Option<Vec<Uuid>> {
    let at = partition.replicas.iter().position(|replica| *replica == broker)?;
    let mut directories = partition.directories.to_vec();
    directories.resize(partition.replicas.len(), Uuid::ZERO);
    if directories[at] == directory && partition.directories.len() == directories.len() {
        return None;
    }
    directories[at] = directory;
    Some(directories)
}
