//! Kafka's metadata records, any of them.

use protocol::records as kafka;
use protocol::records::framed;
use protocol::{Bytes, DecodeError, EncodeError};

/// Declares [`MetadataRecord`]: each line is a variant, Kafka's record, and the version that is
/// written at `metadata.version` 4.3-IV0 (`MetadataVersion.java`).
macro_rules! metadata_records {
    ($($variant:ident($record:ident) $version:literal),* $(,)?) => {
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

            /// The value of the record as it stands in a batch, in its frame.
            ///
            /// # Errors
            /// Where a text is longer than the format allows.
            pub fn encode(&self) -> Result<Bytes, EncodeError> {
                match self {
                    $(Self::$variant(record) => framed::encode(record, $version),)*
                }
            }

            /// Reads the value of a record.
            ///
            /// # Errors
            /// [`UnreadableRecord`] where the bytes are not a record, or not one that is known.
            pub fn decode(bytes: Bytes) -> Result<Self, UnreadableRecord> {
                let (key, version, reader) = framed::split(bytes)?;
                match key {
                    $(
                        <kafka::$record as kafka::FramedRecord>::API_KEY => {
                            Ok(Self::$variant(framed::decode_rest(reader, version)?))
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
    RegisterBroker(RegisterBrokerRecord) 4,
    UnregisterBroker(UnregisterBrokerRecord) 0,
    Topic(TopicRecord) 0,
    Partition(PartitionRecord) 2,
    Config(ConfigRecord) 0,
    PartitionChange(PartitionChangeRecord) 2,
    FenceBroker(FenceBrokerRecord) 0,
    UnfenceBroker(UnfenceBrokerRecord) 0,
    RemoveTopic(RemoveTopicRecord) 0,
    DelegationToken(DelegationTokenRecord) 0,
    UserScramCredential(UserScramCredentialRecord) 0,
    FeatureLevel(FeatureLevelRecord) 0,
    ClientQuota(ClientQuotaRecord) 0,
    ProducerIds(ProducerIdsRecord) 0,
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) 3,
    AccessControlEntry(AccessControlEntryRecord) 0,
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord) 0,
    NoOp(NoOpRecord) 0,
    ZkMigration(ZkMigrationStateRecord) 0,
    RemoveUserScramCredential(RemoveUserScramCredentialRecord) 0,
    BeginTransaction(BeginTransactionRecord) 0,
    EndTransaction(EndTransactionRecord) 0,
    AbortTransaction(AbortTransactionRecord) 0,
    RemoveDelegationToken(RemoveDelegationTokenRecord) 0,
    RegisterController(RegisterControllerRecord) 0,
    ClearElr(ClearElrRecord) 0,
}

/// Why bytes are no metadata record.
#[derive(Clone, Debug, PartialEq)]
pub enum UnreadableRecord {
    /// The bytes are damaged.
    Damaged(DecodeError),
    /// A record of this type is not known: a newer version wrote it.
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
                write!(f, "a metadata record has type {key}, which is unknown: a newer version wrote it")
            }
        }
    }
}

impl std::error::Error for UnreadableRecord {}

#[cfg(test)]
mod tests;
