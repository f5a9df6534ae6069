//! Kafka's metadata records, any of them.

use protocol::records as kafka;
use protocol::records::framed;
use protocol::{Bytes, DecodeError, EncodeError};

/// Declares [`MetadataRecord`]: each line is a variant, Kafka's record, and its versions with the
/// `metadata.version` from which each is written (`MetadataVersion.java`). A record without a version for a
/// level does not exist there.
macro_rules! metadata_records {
    ($($variant:ident($record:ident) [$($since:literal => $version:literal),*]),* $(,)?) => {
        /// One record of the metadata log.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each variant is Kafka's record of that name")]
        pub enum MetadataRecord {
            $($variant(kafka::$record),)*
        }

        impl MetadataRecord {
            /// Kafka's name of the record.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($record),)*
                }
            }

            /// The version in which a record of this type is written at `level` of `metadata.version`; `None`
            /// if the level has no such record.
            pub fn version_at(&self, level: i16) -> Option<i16> {
                let versions: &[(i16, i16)] = match self {
                    $(Self::$variant(_) => &[$(($since, $version)),*],)*
                };
                versions.iter().rfind(|(since, _)| *since <= level).map(|(_, version)| *version)
            }

            /// Encodes the value of the record in its frame, as in a batch.
            ///
            /// # Errors
            /// [`EncodeError`] if a text is too long for the format, or a field has a value that `version`
            /// cannot express.
            pub fn encode(&self, version: i16) -> Result<Bytes, EncodeError> {
                match self {
                    $(Self::$variant(record) => framed::encode(record, version),)*
                }
            }

            /// Decodes the value of a record, and also returns its version.
            ///
            /// # Errors
            /// [`UnreadableRecord`] if the bytes are not a record, or are of an unknown type.
            pub fn decode(bytes: Bytes) -> Result<(Self, i16), UnreadableRecord> {
                let (key, version, reader) = framed::split(bytes)?;
                match key {
                    $(
                        <kafka::$record as kafka::FramedRecord>::API_KEY => {
                            Ok((Self::$variant(framed::decode_rest(reader, version)?), version))
                        }
                    )*
                    _ => Err(UnreadableRecord::UnknownType(key)),
                }
            }
        }

        $(
            impl From<kafka::$record> for MetadataRecord {
                fn from(record: kafka::$record) -> Self {
                    Self::$variant(record)
                }
            }
        )*
    };
}

metadata_records! {
    RegisterBroker(RegisterBrokerRecord) [7 => 1, 8 => 2, 17 => 3, 30 => 4],
    UnregisterBroker(UnregisterBrokerRecord) [7 => 0],
    Topic(TopicRecord) [7 => 0],
    Partition(PartitionRecord) [7 => 0, 17 => 1, 23 => 2],
    Config(ConfigRecord) [7 => 0],
    PartitionChange(PartitionChangeRecord) [7 => 0, 17 => 1, 23 => 2],
    FenceBroker(FenceBrokerRecord) [7 => 0],
    UnfenceBroker(UnfenceBrokerRecord) [7 => 0],
    RemoveTopic(RemoveTopicRecord) [7 => 0],
    DelegationToken(DelegationTokenRecord) [14 => 0],
    UserScramCredential(UserScramCredentialRecord) [11 => 0],
    FeatureLevel(FeatureLevelRecord) [7 => 0],
    ClientQuota(ClientQuotaRecord) [7 => 0],
    ProducerIds(ProducerIdsRecord) [7 => 0],
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) [7 => 1, 17 => 2, 30 => 3],
    AccessControlEntry(AccessControlEntryRecord) [7 => 0],
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord) [7 => 0],
    NoOp(NoOpRecord) [7 => 0],
    ZkMigration(ZkMigrationStateRecord) [8 => 0],
    RemoveUserScramCredential(RemoveUserScramCredentialRecord) [11 => 0],
    BeginTransaction(BeginTransactionRecord) [13 => 0],
    EndTransaction(EndTransactionRecord) [13 => 0],
    AbortTransaction(AbortTransactionRecord) [13 => 0],
    RemoveDelegationToken(RemoveDelegationTokenRecord) [14 => 0],
    RegisterController(RegisterControllerRecord) [15 => 0],
    ClearElr(ClearElrRecord) [23 => 0],
    UnregisterController(UnregisterControllerRecord) [33 => 0],
}

/// The reason why bytes are not a metadata record.
#[derive(Clone, Debug, PartialEq)]
pub enum UnreadableRecord {
    /// The bytes are damaged.
    Damaged(DecodeError),
    /// The type is unknown: a newer version wrote the record.
    UnknownType(i16),
}

impl From<DecodeError> for UnreadableRecord {
    fn from(error: DecodeError) -> Self {
        Self::Damaged(error)
    }
}

impl std::fmt::Display for UnreadableRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(error) => write!(f, "a metadata record cannot be read: {error}"),
            Self::UnknownType(key) => {
                write!(f, "a metadata record has the unknown type {key}: a newer version wrote it")
            }
        }
    }
}

impl std::error::Error for UnreadableRecord {}

#[cfg(test)]
mod tests;
