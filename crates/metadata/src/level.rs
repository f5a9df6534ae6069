//! The records that a level of `metadata.version` can express (Kafka's `MetadataVersion`).
//!
//! A cluster's metadata is written for the broker that may open it next, which reads only the records of its
//! level. Proposals go through [`express`], so that the state in memory and the log agree. The version of
//! each record is in the table of [`crate::record`].

use protocol::records::{
    BrokerRegistrationChangeRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord,
};

use crate::features::{METADATA_VERSION, METADATA_VERSION_NEW};
use crate::image::Image;
use crate::record::MetadataRecord;

/// Brokers that need no new leader epoch when the ISR shrinks (KAFKA-15021), from 3.6-IV0 on.
const SHRINKS_IN_ONE_EPOCH: i16 = 12;
/// Transactions of metadata records (KIP-868), from 3.6-IV1 on. Below it, records that belong together are
/// one batch.
const TRANSACTIONS: i16 = 13;
/// Directories of replicas and of brokers (KIP-858), from 3.7-IV2 on.
const DIRECTORIES: i16 = 17;
/// Eligible leader replicas (KIP-966), from 4.0-IV1 on.
const ELIGIBLE_LEADER_REPLICAS: i16 = 23;
/// Cordoned log directories (KIP-1066), from 4.3-IV0 on.
const CORDONED_DIRECTORIES: i16 = 30;

/// The levels with Kafka's names for them.
const NAMES: [(i16, &str); 27] = [
    (7, "3.3-IV3"),
    (8, "3.4-IV0"),
    (9, "3.5-IV0"),
    (10, "3.5-IV1"),
    (11, "3.5-IV2"),
    (12, "3.6-IV0"),
    (13, "3.6-IV1"),
    (14, "3.6-IV2"),
    (15, "3.7-IV0"),
    (16, "3.7-IV1"),
    (17, "3.7-IV2"),
    (18, "3.7-IV3"),
    (19, "3.7-IV4"),
    (20, "3.8-IV0"),
    (21, "3.9-IV0"),
    (22, "4.0-IV0"),
    (23, "4.0-IV1"),
    (24, "4.0-IV2"),
    (25, "4.0-IV3"),
    (26, "4.1-IV0"),
    (27, "4.1-IV1"),
    (28, "4.2-IV0"),
    (29, "4.2-IV1"),
    (30, "4.3-IV0"),
    (31, "4.4-IV0"),
    (32, "4.4-IV1"),
    (33, "4.4-IV2"),
];

/// The level with Kafka's name, for people: `14 (3.6-IV2)`.
pub fn named(level: i16) -> String {
    match NAMES.iter().find(|(known, _)| *known == level) {
        Some((_, name)) => format!("{level} ({name})"),
        None => level.to_string(),
    }
}

/// The level at which the records after `image` are written.
pub fn of(image: &Image) -> i16 {
    match image.feature_level(METADATA_VERSION) {
        0 => METADATA_VERSION_NEW,
        level => level,
    }
}

/// The level at which a decision after `image` is written: its own, if it sets one.
pub(crate) fn of_decision(records: &[MetadataRecord], image: &Image) -> i16 {
    set_by_any(records).unwrap_or_else(|| of(image))
}

/// The level that records set, such as the first ones of a cluster.
///
/// # Panics
/// If the records set none.
pub(crate) fn set_by(records: &[MetadataRecord]) -> i16 {
    set_by_any(records).expect("a cluster begins with its metadata.version")
}

fn set_by_any(records: &[MetadataRecord]) -> Option<i16> {
    records.iter().find_map(|record| match record {
        MetadataRecord::FeatureLevel(feature) if &*feature.name == METADATA_VERSION => {
            Some(feature.feature_level)
        }
        _ => None,
    })
}

/// Whether records that belong together may form a transaction, rather than one batch.
pub fn has_transactions(level: i16) -> bool {
    level >= TRANSACTIONS
}

/// Whether a level has the log directories of replicas. A level that does not can have only one directory on
/// each broker.
pub fn has_directories(level: i16) -> bool {
    level >= DIRECTORIES
}

/// Whether the leader epoch of a partition has to grow when its ISR shrinks.
pub(crate) fn bumps_leader_epoch_on_shrink(level: i16) -> bool {
    level < SHRINKS_IN_ONE_EPOCH
}

/// The part of a record that `level` can express; `None` if nothing of it remains.
pub fn express(record: MetadataRecord, level: i16) -> Option<MetadataRecord> {
    record.version_at(level)?;
    match record {
        MetadataRecord::RegisterBroker(record) => Some(registration(record, level).into()),
        MetadataRecord::BrokerRegistrationChange(record) => {
            let record = registration_change(record, level);
            let (broker_id, broker_epoch) = (record.broker_id, record.broker_epoch);
            let empty = BrokerRegistrationChangeRecord { broker_id, broker_epoch, ..Default::default() };
            (record != empty).then(|| record.into())
        }
        MetadataRecord::Partition(record) => Some(partition(record, level).into()),
        MetadataRecord::PartitionChange(record) => {
            let record = partition_change(record, level);
            let (topic_id, partition_id) = (record.topic_id, record.partition_id);
            let empty = PartitionChangeRecord { topic_id, partition_id, ..Default::default() };
            (record != empty).then(|| record.into())
        }
        other => Some(other),
    }
}

fn registration(mut record: RegisterBrokerRecord, level: i16) -> RegisterBrokerRecord {
    if !has_directories(level) {
        record.log_dirs = Vec::new();
    }
    if level < CORDONED_DIRECTORIES {
        record.cordoned_log_dirs = None;
    }
    record
}

fn registration_change(
    mut record: BrokerRegistrationChangeRecord,
    level: i16,
) -> BrokerRegistrationChangeRecord {
    if !has_directories(level) {
        record.log_dirs = Vec::new();
    }
    if level < CORDONED_DIRECTORIES {
        record.cordoned_log_dirs = None;
    }
    record
}

fn partition(mut record: PartitionRecord, level: i16) -> PartitionRecord {
    if !has_directories(level) {
        record.directories = Vec::new();
    }
    if level < ELIGIBLE_LEADER_REPLICAS {
        record.eligible_leader_replicas = None;
        record.last_known_elr = None;
    }
    record
}

fn partition_change(mut record: PartitionChangeRecord, level: i16) -> PartitionChangeRecord {
    if !has_directories(level) {
        record.directories = None;
    }
    if level < ELIGIBLE_LEADER_REPLICAS {
        record.eligible_leader_replicas = None;
        record.last_known_elr = None;
    }
    record
}

#[cfg(test)]
mod tests;
