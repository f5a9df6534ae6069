//! Kafka's error codes.

use std::fmt;

/// An error of the protocol. A code that is not in the table is kept as it is.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct ErrorCode(pub i16);

/// Whether the same request may succeed later.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Retriable,
    Final,
}

use Again::{Final, Retriable};

struct ErrorEntry {
    name: &'static str,
    again: Again,
    message: &'static str,
}

macro_rules! error_codes {
    ($($code:literal $name:ident $again:ident $message:literal)*) => {
        impl ErrorCode {
            $(#[doc = $message] pub const $name: ErrorCode = ErrorCode($code);)*

            fn known(self) -> Option<&'static ErrorEntry> {
                match self.0 {
                    $($code => {
                        const KNOWN: &ErrorEntry =
                            &ErrorEntry { name: stringify!($name), again: $again, message: $message };
                        Some(KNOWN)
                    })*
                    _ => None,
                }
            }

            /// Every code in the table, `UNKNOWN_SERVER_ERROR` first.
            pub fn all() -> impl Iterator<Item = ErrorCode> {
                [$(ErrorCode($code)),*].into_iter()
            }
        }
    };
}

impl ErrorCode {
    /// Whether there is no error.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether there is an error.
    pub fn is_error(self) -> bool {
        self != Self::NONE
    }

    /// Kafka's name, or `UNKNOWN` for a code that is not in the table.
    pub fn name(self) -> &'static str {
        self.known().map_or("UNKNOWN", |known| known.name)
    }

    /// The meaning of the code, in a sentence for people.
    pub fn message(self) -> &'static str {
        self.known().map_or("The error code is unknown.", |known| known.message)
    }

    /// Whether Kafka's clients send the same request again.
    pub fn is_retriable(self) -> bool {
        self.known().is_some_and(|known| known.again == Retriable)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

error_codes! {
    -1 UNKNOWN_SERVER_ERROR Final "The server failed in a way that no other code describes."
    0 NONE Final "No error."
    1 OFFSET_OUT_OF_RANGE Final "The log of the partition does not have this offset."
    2 CORRUPT_MESSAGE Retriable "A record batch is damaged, too small, or lacks a key that its topic needs."
    3 UNKNOWN_TOPIC_OR_PARTITION Retriable "There is no such topic or partition here."
    4 INVALID_FETCH_SIZE Final "The fetch asks for an impossible number of bytes."
    5 LEADER_NOT_AVAILABLE Retriable "The partition has no leader at the moment."
    6 NOT_LEADER_OR_FOLLOWER Retriable "This broker is not the leader, or not a replica, of the partition."
    7 REQUEST_TIMED_OUT Retriable "The request was not completed in time."
    8 BROKER_NOT_AVAILABLE Final "The broker cannot be reached."
    9 REPLICA_NOT_AVAILABLE Retriable "This broker has no replica of the partition that could answer."
    10 MESSAGE_TOO_LARGE Final "A record batch is larger than the topic allows."
    11 STALE_CONTROLLER_EPOCH Final "Another controller has taken over."
    12 OFFSET_METADATA_TOO_LARGE Final "The metadata of a committed offset is longer than allowed."
    13 NETWORK_EXCEPTION Retriable "The connection ended before the answer arrived."
    14 COORDINATOR_LOAD_IN_PROGRESS Retriable "The coordinator is still reading its state."
    15 COORDINATOR_NOT_AVAILABLE Retriable "There is no coordinator at the moment."
    16 NOT_COORDINATOR Retriable "Another broker coordinates this."
    17 INVALID_TOPIC_EXCEPTION Final "A topic may not have this name, or not be used in this way."
    18 RECORD_LIST_TOO_LARGE Final "The record batch is larger than a segment."
    19 NOT_ENOUGH_REPLICAS Retriable "Too few replicas are in sync to take the records."
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND Retriable "The records are written, but too few replicas are in sync."
    21 INVALID_REQUIRED_ACKS Final "Acks must be 0, 1 or all."
    22 ILLEGAL_GENERATION Final "The group is at another generation."
    23 INCONSISTENT_GROUP_PROTOCOL Final "The member has no protocol in common with its group."
    24 INVALID_GROUP_ID Final "A group may not have this id."
    25 UNKNOWN_MEMBER_ID Final "The group has no member with this id."
    26 INVALID_SESSION_TIMEOUT Final "The session timeout is outside the broker's limits."
    27 REBALANCE_IN_PROGRESS Final "The group is rebalancing; its members have to join again."
    28 INVALID_COMMIT_OFFSET_SIZE Final "The commit is too large to be written."
    29 TOPIC_AUTHORIZATION_FAILED Final "The principal may not do this with the topic."
    30 GROUP_AUTHORIZATION_FAILED Final "The principal may not do this with the group."
    31 CLUSTER_AUTHORIZATION_FAILED Final "The principal may not do this with the cluster."
    32 INVALID_TIMESTAMP Final "A record's timestamp is too far from the broker's time."
    33 UNSUPPORTED_SASL_MECHANISM Final "The broker does not offer this SASL mechanism."
    34 ILLEGAL_SASL_STATE Final "The request does not belong to this step of authentication."
    35 UNSUPPORTED_VERSION Final "The broker does not have this version of the API."
    36 TOPIC_ALREADY_EXISTS Final "There is a topic with this name."
    37 INVALID_PARTITIONS Final "A topic cannot have this number of partitions."
    38 INVALID_REPLICATION_FACTOR Final "There cannot be this number of replicas."
    39 INVALID_REPLICA_ASSIGNMENT Final "The replicas cannot be placed in this way."
    40 INVALID_CONFIG Final "A setting has an impossible value."
    41 NOT_CONTROLLER Retriable "Another node is the controller."
    42 INVALID_REQUEST Final "The request contradicts itself or the protocol."
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT Final "The format of the stored records does not allow this."
    44 POLICY_VIOLATION Final "A policy of the cluster forbids this."
    45 OUT_OF_ORDER_SEQUENCE_NUMBER Final "Records of the producer are missing before these."
    46 DUPLICATE_SEQUENCE_NUMBER Final "These records of the producer are already written."
    47 INVALID_PRODUCER_EPOCH Final "A newer producer has taken over this producer id."
    48 INVALID_TXN_STATE Final "The transaction is in a state that does not allow this."
    49 INVALID_PRODUCER_ID_MAPPING Final "The transactional id belongs to another producer id."
    50 INVALID_TRANSACTION_TIMEOUT Final "The transaction timeout is longer than the broker allows."
    51 CONCURRENT_TRANSACTIONS Retriable "The transaction is busy with another request."
    52 TRANSACTION_COORDINATOR_FENCED Final "Another transaction coordinator has taken over."
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED Final "The principal may not use the transactional id."
    54 SECURITY_DISABLED Final "The cluster has no authorization to change."
    55 OPERATION_NOT_ATTEMPTED Final "An earlier part of the request failed, so this part was not attempted."
    56 KAFKA_STORAGE_ERROR Retriable "The disk under the log failed."
    57 LOG_DIR_NOT_FOUND Final "The broker has no such log directory."
    58 SASL_AUTHENTICATION_FAILED Final "The client could not be authenticated."
    59 UNKNOWN_PRODUCER_ID Final "The partition no longer knows this producer."
    60 REASSIGNMENT_IN_PROGRESS Final "The partition is being moved."
    61 DELEGATION_TOKEN_AUTH_DISABLED Final "The cluster does not use delegation tokens."
    62 DELEGATION_TOKEN_NOT_FOUND Final "There is no such delegation token."
    63 DELEGATION_TOKEN_OWNER_MISMATCH Final "The principal neither owns nor may renew the delegation token."
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED Final "Delegation tokens cannot be handled over this connection."
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED Final "The principal may not do this with the delegation token."
    66 DELEGATION_TOKEN_EXPIRED Final "The delegation token has expired."
    67 INVALID_PRINCIPAL_TYPE Final "There are no principals of this type."
    68 NON_EMPTY_GROUP Final "The group still has members."
    69 GROUP_ID_NOT_FOUND Final "There is no such group."
    70 FETCH_SESSION_ID_NOT_FOUND Retriable "There is no such fetch session."
    71 INVALID_FETCH_SESSION_EPOCH Retriable "The fetch session is at another epoch."
    72 LISTENER_NOT_FOUND Retriable "The leader has no listener of this name."
    73 TOPIC_DELETION_DISABLED Final "The cluster does not delete topics."
    74 FENCED_LEADER_EPOCH Retriable "The partition has a newer leader epoch than the request."
    75 UNKNOWN_LEADER_EPOCH Retriable "The request has a newer leader epoch than this broker knows."
    76 UNSUPPORTED_COMPRESSION_TYPE Final "The records are compressed in a way that the client cannot read."
    77 STALE_BROKER_EPOCH Final "The broker has registered again since."
    78 OFFSET_NOT_AVAILABLE Retriable "The new leader does not know its high watermark yet."
    79 MEMBER_ID_REQUIRED Final "The member has to join again with the id it was given."
    80 PREFERRED_LEADER_NOT_AVAILABLE Retriable "The preferred leader cannot lead."
    81 GROUP_MAX_SIZE_REACHED Final "The group has as many members as it may have."
    82 FENCED_INSTANCE_ID Final "Another member has taken over this group instance id."
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE Retriable "No replica may become the leader."
    84 ELECTION_NOT_NEEDED Retriable "The partition has the leader that it should have."
    85 NO_REASSIGNMENT_IN_PROGRESS Final "The partition is not being moved."
    86 GROUP_SUBSCRIBED_TO_TOPIC Final "The group consumes the topic, so its offsets stay."
    87 INVALID_RECORD Final "A record breaks a rule of its topic."
    88 UNSTABLE_OFFSET_COMMIT Retriable "A transaction that commits these offsets is still open."
    89 THROTTLING_QUOTA_EXCEEDED Retriable "The quota is used up for now."
    90 PRODUCER_FENCED Final "A newer producer has taken over this transactional id."
    91 RESOURCE_NOT_FOUND Final "There is no such resource."
    92 DUPLICATE_RESOURCE Final "The request names a resource twice."
    93 UNACCEPTABLE_CREDENTIAL Final "The credential is not as strong as it has to be."
    94 INCONSISTENT_VOTER_SET Final "The sender or the receiver is not a voter."
    95 INVALID_UPDATE_VERSION Final "The feature cannot be brought to this version."
    96 FEATURE_UPDATE_FAILED Final "The features could not be changed."
    97 PRINCIPAL_DESERIALIZATION_FAILURE Final "The principal of a forwarded request cannot be read."
    98 SNAPSHOT_NOT_FOUND Final "There is no such snapshot."
    99 POSITION_OUT_OF_RANGE Final "The position is not in the snapshot."
    100 UNKNOWN_TOPIC_ID Retriable "No topic has this id here."
    101 DUPLICATE_BROKER_REGISTRATION Final "Another broker is registered with this id."
    102 BROKER_ID_NOT_REGISTERED Final "No broker is registered with this id."
    103 INCONSISTENT_TOPIC_ID Retriable "The log belongs to another topic id."
    104 INCONSISTENT_CLUSTER_ID Final "This is another cluster."
    105 TRANSACTIONAL_ID_NOT_FOUND Final "There is no such transactional id."
    106 FETCH_SESSION_TOPIC_ID_ERROR Retriable "The fetch session mixes topic ids and names."
    107 INELIGIBLE_REPLICA Final "A replica may not be among those in sync."
    108 NEW_LEADER_ELECTED Final "The change is made, and it has brought a new leader."
    109 OFFSET_MOVED_TO_TIERED_STORAGE Final "The offset is in remote storage only."
    110 FENCED_MEMBER_EPOCH Final "The member has been fenced and has to join again with no partitions."
    111 UNRELEASED_INSTANCE_ID Final "Another member still has this group instance id."
    112 UNSUPPORTED_ASSIGNOR Final "The group cannot use this assignor."
    113 STALE_MEMBER_EPOCH Final "The member has a newer epoch than the request."
    114 MISMATCHED_ENDPOINT_TYPE Final "The request was meant for a node of another role."
    115 UNSUPPORTED_ENDPOINT_TYPE Final "There are no nodes of this role here."
    116 UNKNOWN_CONTROLLER_ID Final "There is no controller with this id."
    117 UNKNOWN_SUBSCRIPTION_ID Final "The telemetry subscription is not the current one."
    118 TELEMETRY_TOO_LARGE Final "The metrics are larger than the broker takes."
    119 INVALID_REGISTRATION Final "The controller rejects the registration."
    120 TRANSACTION_ABORTABLE Final "The transaction has to be aborted; its producer can go on."
    121 INVALID_RECORD_STATE Final "The record is in a state that does not allow the acknowledgement."
    122 SHARE_SESSION_NOT_FOUND Retriable "There is no such share session."
    123 INVALID_SHARE_SESSION_EPOCH Retriable "The share session is at another epoch."
    124 FENCED_STATE_EPOCH Final "The state of the share group is at another epoch."
    125 INVALID_VOTER_KEY Final "The voter has another id or directory."
    126 DUPLICATE_VOTER Final "The node is already a voter."
    127 VOTER_NOT_FOUND Final "The node is not a voter."
    128 INVALID_REGULAR_EXPRESSION Final "The regular expression cannot be read."
    129 REBOOTSTRAP_REQUIRED Final "The client has to start over from its bootstrap servers."
    130 STREAMS_INVALID_TOPOLOGY Final "The topology contradicts itself."
    131 STREAMS_INVALID_TOPOLOGY_EPOCH Final "The topology is at another epoch."
    132 STREAMS_TOPOLOGY_FENCED Final "The topology has been replaced by a newer one."
    133 SHARE_SESSION_LIMIT_REACHED Retriable "There are as many share sessions as there may be."
}
