//! Log directories of brokers: which partitions are in which, and what becomes of those in one that fails (KIP-858).
//!
//! Kafka's brokers tell their controller by AssignReplicasToDirs and by heartbeats; here the broker asks the
//! controller in its own process.

use std::collections::BTreeSet;

use protocol::Uuid;
use protocol::records::{BrokerRegistrationChangeRecord, PartitionChangeRecord};

use super::Controller;
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

impl Controller {
    /// Notes where a broker keeps replicas. What the state has already, and partitions that are gone, give no record.
    pub fn assign_replicas_to_dirs(
        &self,
        image: &Image,
        broker: i32,
        assignments: &[Assignment],
    ) -> Vec<MetadataRecord> {
        let record = |assignment: &Assignment| {
            let partition = image.topic_by_id(assignment.topic_id)?.partition(assignment.partition)?;
            let directories = assigned(partition, broker, assignment.directory)?;
            let record = PartitionChangeRecord {
                topic_id: assignment.topic_id,
                partition_id: assignment.partition,
                directories: Some(directories),
                ..PartitionChangeRecord::default()
            };
            Some(record.into())
        };
        assignments.iter().filter_map(record).collect()
    }

    /// Takes the leader from partitions, by topic id and number, whose logs a broker that has just registered lacks.
    pub fn logs_lost(&self, lost: &[(Uuid, i32)]) -> Vec<MetadataRecord> {
        let change = |(topic_id, partition_id): &(Uuid, i32)| {
            let (topic_id, partition_id) = (*topic_id, *partition_id);
            PartitionChangeRecord {
                topic_id,
                partition_id,
                leader: NO_LEADER,
                ..PartitionChangeRecord::default()
            }
            .into()
        };
        lost.iter().map(change).collect()
    }

    /// Takes directories of a broker offline: those that are not among `online`, of which there is at least one. The
    /// partitions in them lose their leader.
    pub fn directories_offline(&self, image: &Image, broker: i32, online: &[Uuid]) -> Vec<MetadataRecord> {
        assert!(!online.is_empty(), "a broker without a directory does not go on");
        let Some(registered) = image.brokers().get(&broker) else { return Vec::new() };
        let now: BTreeSet<_> = online.iter().collect();
        if registered.log_dirs.iter().collect::<BTreeSet<_>>() == now {
            return Vec::new();
        }
        let change = BrokerRegistrationChangeRecord {
            broker_id: broker,
            broker_epoch: registered.broker_epoch,
            log_dirs: online.to_vec(),
            ..BrokerRegistrationChangeRecord::default()
        };
        let mut records = vec![change.into()];
        for topic in image.topics().iter() {
            for (partition_id, partition) in (0..).zip(&topic.partitions) {
                let serves = is_online(partition.directory_of(broker), online);
                if partition.leader == broker && !serves {
                    let record = PartitionChangeRecord {
                        topic_id: topic.id,
                        partition_id,
                        leader: NO_LEADER,
                        ..PartitionChangeRecord::default()
                    };
                    records.push(record.into());
                }
            }
        }
        records
    }
}

/// The directories of a partition once `broker` keeps its replica in `directory`; `None` where nothing changes.
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
