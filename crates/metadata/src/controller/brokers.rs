//! Brokers: registration, and what they take from the controller.

use protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, BrokerRegistrationRequest,
    BrokerRegistrationResponse,
};
use protocol::records::{PartitionChangeRecord, ProducerIdsRecord, RegisterBrokerRecord};
use protocol::{ErrorCode, Uuid};

use super::directories::assigned;
use super::registration::registration;
use super::{Controller, Decision};
use crate::image::directories::is_online;
use crate::image::{Image, NO_LEADER, Partition, Topic};
use crate::record::MetadataRecord;

/// Producer ids in a block, as in Kafka.
pub(super) const PRODUCER_ID_BLOCK_LEN: i32 = 1000;

impl Controller {
    /// Registers the only broker of a cluster, which leads at once what it led before. It is fenced until
    /// [`Self::unfence_broker`]. See [`Self::broker_registration`] for one of several.
    ///
    /// A broker that comes back as another process has a new incarnation, and what it had not
    /// synced may be gone: the leader epoch of each partition that it leads grows, so that a
    /// consumer that has read more than there is now finds out (KIP-320).
    ///
    /// `found` says in which directory the broker has found its replica of a partition, by the
    /// topic's id and the partition's number. A partition in a directory that is not among those of
    /// the request has no leader until it is back.
    pub fn register_broker(
        &self,
        image: &Image,
        request: &BrokerRegistrationRequest,
        found: impl Fn(&Topic, i32) -> Option<Uuid>,
    ) -> Decision<BrokerRegistrationResponse> {
        let record = registration(image, request);
        let broker_epoch = record.broker_epoch;
        let returns = image
            .brokers()
            .get(&request.broker_id)
            .is_some_and(|known| known.incarnation_id != request.incarnation_id);
        let mut records = vec![record.into()];
        if returns {
            records.extend(elect_again(image, request, found));
        }
        (BrokerRegistrationResponse { broker_epoch, ..BrokerRegistrationResponse::default() }, records)
    }

    /// Gives a broker producer ids that no other has.
    pub fn allocate_producer_ids(
        &self,
        image: &Image,
        request: &AllocateProducerIdsRequest,
    ) -> Decision<AllocateProducerIdsResponse> {
        let refuse = |error_code| {
            (AllocateProducerIdsResponse { error_code, ..AllocateProducerIdsResponse::default() }, Vec::new())
        };
        let (broker_id, broker_epoch) = (request.broker_id, request.broker_epoch);
        if let Err(error_code) = registered(image, broker_id, broker_epoch) {
            return refuse(error_code);
        }
        let producer_id_start = image.next_producer_id();
        let Some(next_producer_id) = producer_id_start.checked_add(PRODUCER_ID_BLOCK_LEN.into()) else {
            return refuse(ErrorCode::UNKNOWN_SERVER_ERROR);
        };
        let response = AllocateProducerIdsResponse {
            producer_id_start,
            producer_id_len: PRODUCER_ID_BLOCK_LEN,
            ..AllocateProducerIdsResponse::default()
        };
        (response, vec![ProducerIdsRecord { broker_id, broker_epoch, next_producer_id }.into()])
    }
}

/// The registration of a broker that says its epoch.
pub(super) fn registered(
    image: &Image,
    broker_id: i32,
    broker_epoch: i64,
) -> Result<&RegisterBrokerRecord, ErrorCode> {
    match image.brokers().get(&broker_id) {
        Some(broker) if broker.broker_epoch == broker_epoch => Ok(broker),
        // A broker that is not registered has been, if it names an epoch (`ClusterControlManager.checkBrokerEpoch`).
        _ => Err(ErrorCode::STALE_BROKER_EPOCH),
    }
}

/// Elects a broker that is back for each partition that it leads, and for each that has no leader and that it
/// may lead: Kafka takes the leader away from the partitions of a broker that stops. Notes its directories;
/// partitions in directories that do not work lose their leader.
fn elect_again(
    image: &Image,
    request: &BrokerRegistrationRequest,
    found: impl Fn(&Topic, i32) -> Option<Uuid>,
) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    for topic in image.topics().iter() {
        for (partition_id, partition) in (0..).zip(&topic.partitions) {
            let change = return_of(partition, request, found(topic, partition_id));
            if change != PartitionChangeRecord::default() {
                let topic_id = topic.id;
                records.push(PartitionChangeRecord { topic_id, partition_id, ..change }.into());
            }
        }
    }
    records
}

/// The change of a partition when a broker returns and has found its replica in a directory.
fn return_of(
    partition: &Partition,
    request: &BrokerRegistrationRequest,
    found: Option<Uuid>,
) -> PartitionChangeRecord {
    let broker = request.broker_id;
    let directories = found.and_then(|directory| assigned(partition, broker, directory));
    let directory = found.unwrap_or_else(|| partition.directory_of(broker));
    let change = PartitionChangeRecord { directories, ..PartitionChangeRecord::default() };
    match is_online(directory, &request.log_dirs) {
        true if may_lead(partition, broker) => {
            let alone = !partition.isr.contains(&broker);
            let emptied = |replicas: &[i32]| (alone && !replicas.is_empty()).then(Vec::new);
            PartitionChangeRecord {
                leader: broker,
                isr: alone.then(|| vec![broker]),
                eligible_leader_replicas: emptied(partition.eligible_leader_replicas()),
                last_known_elr: emptied(partition.last_known_elr()),
                ..change
            }
        }
        false if partition.leader == broker => PartitionChangeRecord { leader: NO_LEADER, ..change },
        _ => change,
    }
}

/// Whether a broker leads a partition or, if none does, has all of its committed records, or was the last
/// that had them (KIP-966).
fn may_lead(partition: &Partition, broker: i32) -> bool {
    let holds = |replicas: &[i32]| replicas.contains(&broker);
    let is_left = holds(&partition.isr)
        || holds(partition.eligible_leader_replicas())
        || partition.last_known_elr() == [broker];
    partition.leader == broker || (!partition.has_leader() && is_left)
}
