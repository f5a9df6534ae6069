//! The records of groups that are not served: the types of their keys, and the parts of their values that
//! matter here.

use std::collections::BTreeSet;

use protocol::records::{
    ConsumerGroupCurrentMemberAssignmentValue, ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue, ConsumerGroupMetadataKey, ConsumerGroupMetadataValue,
    ConsumerGroupRegularExpressionValue, ConsumerGroupTargetAssignmentMetadataValue, ShareGroupMetadataValue,
    ShareGroupStatePartitionMetadataValue, StreamsGroupCurrentMemberAssignmentValue,
    StreamsGroupMetadataValue, StreamsGroupTopologyValue, coordinator_key, coordinator_value,
};
use protocol::{Bytes, DecodeError, Message, Reader, Str, Uuid, Writer};

use super::UnservedProtocol;
use crate::CoordinatorRecord;

/// `ConsumerGroupRegularExpression`, the one type that names neither the group alone nor a member.
pub(super) const REGEX: i16 = 16;
/// `ShareGroupStatePartitionMetadata`.
pub(super) const SHARE_PARTITIONS: i16 = 15;
/// `StreamsGroupTopology`.
pub(super) const TOPOLOGY: i16 = 23;

/// The only version that keys have.
const KEY_VERSION: i16 = 0;

/// The record types of one protocol.
pub(super) struct RecordTypes {
    /// The record of the group itself; its tombstone ends the group.
    pub(super) group: i16,
    pub(super) member: i16,
    pub(super) assignment_epoch: i16,
    /// The target assignment of a member.
    pub(super) target: i16,
    /// The present assignment of a member.
    pub(super) current: i16,
    /// A further type about the whole group, which Kafka deletes with it.
    pub(super) other: i16,
}

impl UnservedProtocol {
    pub(super) fn types(self) -> RecordTypes {
        let (group, member, assignment_epoch, target, current, other) = match self {
            UnservedProtocol::Consumer => (3, 5, 6, 7, 8, 4),
            UnservedProtocol::Share => (11, 10, 12, 13, 14, SHARE_PARTITIONS),
            UnservedProtocol::Streams => (17, 19, 20, 21, 22, TOPOLOGY),
        };
        RecordTypes { group, member, assignment_epoch, target, current, other }
    }

    /// The protocol to which a type of record belongs. This includes 9, of Kafka 4.0, and 18, which was never
    /// released.
    pub(crate) fn of_record_type(record_type: i16) -> Option<UnservedProtocol> {
        match record_type {
            3..=8 | REGEX => Some(UnservedProtocol::Consumer),
            9..=SHARE_PARTITIONS => Some(UnservedProtocol::Share),
            17..=TOPOLOGY => Some(UnservedProtocol::Streams),
            _ => None,
        }
    }
}

/// The key of a record of such a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnservedKey {
    pub(crate) protocol: UnservedProtocol,
    pub(crate) record_type: i16,
    pub(crate) group_id: Str,
    /// The member or the regular expression that the record is about; empty if it is about the group.
    pub(crate) name: Str,
}

impl UnservedKey {
    /// Decodes the bytes after the type.
    ///
    /// # Errors
    /// When the bytes are not the key.
    pub(crate) fn decode(
        protocol: UnservedProtocol,
        record_type: i16,
        reader: Reader,
    ) -> Result<UnservedKey, DecodeError> {
        let types = protocol.types();
        let is_of_one = [types.member, types.target, types.current, REGEX].contains(&record_type);
        // All keys have one of two layouts, whatever their fields are called.
        let (group_id, name) = if is_of_one {
            let key: ConsumerGroupMemberMetadataKey = coordinator_key::decode_rest(reader)?;
            (key.group_id, key.member_id)
        } else {
            let key: ConsumerGroupMetadataKey = coordinator_key::decode_rest(reader)?;
            (key.group_id, Str::default())
        };
        Ok(UnservedKey { protocol, record_type, group_id: group_id.detached(), name: name.detached() })
    }

    /// Whether the record is that of the group itself.
    pub(crate) fn is_of_group(&self) -> bool {
        self.record_type == self.protocol.types().group
    }

    pub(super) fn tombstone(record_type: i16, group_id: &Str, name: Option<&Str>) -> CoordinatorRecord {
        let mut writer = Writer::new();
        writer.i16(record_type);
        let group_id = group_id.clone();
        let written = match name {
            Some(name) => ConsumerGroupMemberMetadataKey { group_id, member_id: name.clone() }
                .encode(&mut writer, KEY_VERSION),
            None => ConsumerGroupMetadataKey { group_id }.encode(&mut writer, KEY_VERSION),
        };
        written.expect("names that were stored fit");
        CoordinatorRecord { key: writer.finish().into_bytes(), value: None }
    }
}

/// The relevant part of a value. If it cannot be decoded, because it is of a later version for instance, only
/// its presence counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnservedRecord {
    Group { epoch: i32, validated_topology_epoch: i32 },
    AssignmentEpoch(i32),
    Member { is_classic: bool, topics: Vec<Str> },
    Target,
    Current { epoch: i32, is_stable: bool },
    Regex(Vec<Str>),
    Topology { epoch: i32, topics: Vec<Str> },
    SharePartitions(BTreeSet<(Uuid, i32)>),
    Other,
}

/// The state that Kafka writes for a member that has reached its assignment, in a consumer group and in a
/// streams group.
const CONSUMER_STABLE: i8 = 0;
const STREAMS_STABLE: i8 = 1;

impl UnservedRecord {
    pub(crate) fn decode(key: &UnservedKey, value: Bytes) -> UnservedRecord {
        let types = key.protocol.types();
        match key.record_type {
            it if it == types.group => group(key.protocol, value),
            it if it == types.assignment_epoch => {
                // The values of all three protocols have the same fields.
                let value = coordinator_value::decode::<ConsumerGroupTargetAssignmentMetadataValue>(value);
                UnservedRecord::AssignmentEpoch(value.map_or(0, |value| value.assignment_epoch))
            }
            it if it == types.member => member(key.protocol, value),
            it if it == types.target => UnservedRecord::Target,
            it if it == types.current => current(key.protocol, value),
            REGEX => {
                let value = coordinator_value::decode::<ConsumerGroupRegularExpressionValue>(value);
                UnservedRecord::Regex(value.map(|value| detached(&value.topics)).unwrap_or_default())
            }
            TOPOLOGY => topology(value),
            SHARE_PARTITIONS => share_partitions(value),
            _ => UnservedRecord::Other,
        }
    }
}

fn detached(names: &[Str]) -> Vec<Str> {
    names.iter().map(Str::detached).collect()
}

fn group(protocol: UnservedProtocol, value: Bytes) -> UnservedRecord {
    let (epoch, validated_topology_epoch) = match protocol {
        UnservedProtocol::Consumer => {
            let value = coordinator_value::decode::<ConsumerGroupMetadataValue>(value);
            (value.map_or(0, |value| value.epoch), -1)
        }
        UnservedProtocol::Share => {
            let value = coordinator_value::decode::<ShareGroupMetadataValue>(value);
            (value.map_or(0, |value| value.epoch), -1)
        }
        UnservedProtocol::Streams => {
            let value = coordinator_value::decode::<StreamsGroupMetadataValue>(value);
            value.map_or((0, -1), |value| (value.epoch, value.validated_topology_epoch))
        }
    };
    UnservedRecord::Group { epoch, validated_topology_epoch }
}

fn member(protocol: UnservedProtocol, value: Bytes) -> UnservedRecord {
    let mut member = UnservedRecord::Member { is_classic: false, topics: Vec::new() };
    if protocol == UnservedProtocol::Consumer
        && let Ok(value) = coordinator_value::decode::<ConsumerGroupMemberMetadataValue>(value)
    {
        let is_classic = value.classic_member_metadata.is_some();
        member = UnservedRecord::Member { is_classic, topics: detached(&value.subscribed_topic_names) };
    }
    member
}

fn current(protocol: UnservedProtocol, value: Bytes) -> UnservedRecord {
    let (epoch, is_stable) = match protocol {
        UnservedProtocol::Consumer => {
            let value = coordinator_value::decode::<ConsumerGroupCurrentMemberAssignmentValue>(value);
            value.map_or((0, false), |value| (value.member_epoch, value.state == CONSUMER_STABLE))
        }
        // No request depends on the epoch of a member of a share group.
        UnservedProtocol::Share => (0, true),
        UnservedProtocol::Streams => {
            let value = coordinator_value::decode::<StreamsGroupCurrentMemberAssignmentValue>(value);
            value.map_or((0, false), |value| (value.member_epoch, value.state == STREAMS_STABLE))
        }
    };
    UnservedRecord::Current { epoch, is_stable }
}

fn topology(value: Bytes) -> UnservedRecord {
    let Ok(value) = coordinator_value::decode::<StreamsGroupTopologyValue>(value) else {
        return UnservedRecord::Topology { epoch: -1, topics: Vec::new() };
    };
    let topics = value.subtopologies.iter().flat_map(|subtopology| {
        let repartitioned = subtopology.repartition_source_topics.iter().map(|topic| &topic.name);
        subtopology.source_topics.iter().chain(repartitioned).map(Str::detached)
    });
    UnservedRecord::Topology { epoch: value.epoch, topics: topics.collect() }
}

fn share_partitions(value: Bytes) -> UnservedRecord {
    let value = coordinator_value::decode::<ShareGroupStatePartitionMetadataValue>(value).unwrap_or_default();
    let topics = value.initializing_topics.iter().chain(&value.initialized_topics);
    let partitions =
        topics.flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic_id, *partition)));
    UnservedRecord::SharePartitions(partitions.collect())
}
