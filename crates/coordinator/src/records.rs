//! The records of `__consumer_offsets`, in Kafka's format: a key of type and fields, a value of
//! version and fields, no value for a tombstone.

use bytes::Bytes;
use protocol::records::{
    CoordinatorKey, GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey, OffsetCommitKey,
    OffsetCommitValue, coordinator_key, coordinator_value,
};
use protocol::{DecodeError, EncodeError, Str};

use crate::record::CoordinatorRecord;
use crate::unserved::{UnservedKey, UnservedProtocol};

/// The version of Kafka 4.1 and later. Version 4 adds the topic id.
const OFFSET_COMMIT_VALUE_VERSION: i16 = 4;

/// The only version with a time of expiry.
const OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRE_TIMESTAMP: i16 = 1;

const GROUP_METADATA_VALUE_VERSION: i16 = 3;

impl CoordinatorRecord {
    /// # Errors
    /// The error if a name is too long for the format.
    pub(crate) fn offset_commit(
        key: &OffsetCommitKey,
        value: &OffsetCommitValue,
    ) -> Result<CoordinatorRecord, EncodeError> {
        let version = if value.expire_timestamp == -1 {
            OFFSET_COMMIT_VALUE_VERSION
        } else {
            OFFSET_COMMIT_VALUE_VERSION_WITH_EXPIRE_TIMESTAMP
        };
        let value = Some(coordinator_value::encode(value, version)?);
        Ok(CoordinatorRecord { key: coordinator_key::encode(key)?, value })
    }

    pub(crate) fn offset_tombstone(group: &Str, topic: &Str, partition: i32) -> CoordinatorRecord {
        let key = OffsetCommitKey { group: group.clone(), topic: topic.clone(), partition };
        let key = coordinator_key::encode(&key).expect("names that were stored fit");
        CoordinatorRecord { key, value: None }
    }

    /// # Errors
    /// The error if a name is too long for the format.
    pub(crate) fn group_metadata(
        group: &Str,
        value: &GroupMetadataValue,
    ) -> Result<CoordinatorRecord, EncodeError> {
        let key = coordinator_key::encode(&GroupMetadataKey { group: group.clone() })?;
        let value = Some(coordinator_value::encode(value, GROUP_METADATA_VALUE_VERSION)?);
        Ok(CoordinatorRecord { key, value })
    }

    pub(crate) fn group_tombstone(group: &Str) -> CoordinatorRecord {
        let key = GroupMetadataKey { group: group.clone() };
        let key = coordinator_key::encode(&key).expect("a group id of a request fits");
        CoordinatorRecord { key, value: None }
    }
}

/// The decoded key of a record.
#[derive(Debug, PartialEq)]
pub(crate) enum Key {
    OffsetCommit(OffsetCommitKey),
    GroupMetadata(GroupMetadataKey),
    /// A record of a group whose protocol is not served.
    Unserved(UnservedKey),
    /// A type that this coordinator does not know.
    Other(i16),
}

impl Key {
    pub(crate) fn decode(key: Bytes) -> Result<Key, DecodeError> {
        let (record_type, reader) = coordinator_key::split(key)?;
        Ok(match record_type {
            // Kafka before 0.9 wrote this type; the fields are the same.
            LegacyOffsetCommitKey::RECORD_TYPE | OffsetCommitKey::RECORD_TYPE => {
                Key::OffsetCommit(coordinator_key::decode_rest(reader)?)
            }
            GroupMetadataKey::RECORD_TYPE => Key::GroupMetadata(coordinator_key::decode_rest(reader)?),
            other => match UnservedProtocol::of_record_type(other) {
                Some(protocol) => Key::Unserved(UnservedKey::decode(protocol, other, reader)?),
                None => Key::Other(other),
            },
        })
    }
}
