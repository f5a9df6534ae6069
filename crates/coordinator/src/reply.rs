//! The replies of all coordinators. Each response has one conversion.

use protocol::ErrorCode;
use protocol::Str;
use protocol::messages::{
    DeleteGroupsResponse, JoinGroupResponse, LeaveGroupResponse, OffsetCommitResponse, OffsetDeleteResponse,
    SyncGroupResponse,
};

/// The answer to one request on which a shard has decided. Questions, which change nothing that is stored,
/// are answered by methods of the shard instead.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// JoinGroup.
    JoinGroup(JoinGroupResponse),
    /// SyncGroup.
    SyncGroup(SyncGroupResponse),
    /// LeaveGroup.
    LeaveGroup(LeaveGroupResponse),
    /// OffsetCommit.
    OffsetCommit(OffsetCommitResponse),
    /// OffsetDelete.
    OffsetDelete(OffsetDeleteResponse),
    /// DeleteGroups.
    DeleteGroups(DeleteGroupsResponse),
}

/// Converts between a reply and its response. The reply to another request is returned unchanged.
macro_rules! conversion {
    ($variant:ident, $response:ty) => {
        impl TryFrom<Reply> for $response {
            type Error = Reply;

            fn try_from(reply: Reply) -> Result<Self, Reply> {
                match reply {
                    Reply::$variant(response) => Ok(response),
                    other => Err(other),
                }
            }
        }

        impl From<$response> for Reply {
            fn from(response: $response) -> Reply {
                Reply::$variant(response)
            }
        }
    };
}

conversion!(JoinGroup, JoinGroupResponse);
conversion!(SyncGroup, SyncGroupResponse);
conversion!(LeaveGroup, LeaveGroupResponse);
conversion!(OffsetCommit, OffsetCommitResponse);
conversion!(OffsetDelete, OffsetDeleteResponse);
conversion!(DeleteGroups, DeleteGroupsResponse);

impl Reply {
    /// The reply to send instead if this one depends on records that could not be made durable: the same
    /// request answered with the client's version of `error`, which the log reported. An error stays as it
    /// is.
    pub fn into_error(self, error: ErrorCode) -> Reply {
        let error = coordinator_error(error);
        match self {
            Reply::JoinGroup(mut response) => {
                if response.error_code == ErrorCode::NONE {
                    response.error_code = error;
                    response.member_id = Str::default();
                    response.members.clear();
                    response.skip_assignment = false;
                }
                Reply::JoinGroup(response)
            }
            Reply::SyncGroup(response) if response.error_code == ErrorCode::NONE => {
                Reply::SyncGroup(SyncGroupResponse { error_code: error, ..Default::default() })
            }
            Reply::LeaveGroup(response) if response.error_code == ErrorCode::NONE => {
                Reply::LeaveGroup(LeaveGroupResponse { error_code: error, ..Default::default() })
            }
            Reply::OffsetCommit(mut response) => {
                for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    partition.error_code = error;
                }
                Reply::OffsetCommit(response)
            }
            Reply::OffsetDelete(response) if response.error_code == ErrorCode::NONE => {
                Reply::OffsetDelete(OffsetDeleteResponse { error_code: error, ..Default::default() })
            }
            Reply::DeleteGroups(mut response) => {
                for result in response.results.iter_mut().filter(|r| r.error_code == ErrorCode::NONE) {
                    result.error_code = error;
                }
                Reply::DeleteGroups(response)
            }
            already_an_error => already_an_error,
        }
    }
}

/// The client's version of an append error: the client should find the coordinator again, or wait for it,
/// rather than doubt the offsets topic (Kafka's `CoordinatorOperationExceptionHelper`).
pub(crate) fn coordinator_error(append_error: ErrorCode) -> ErrorCode {
    match append_error {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::REQUEST_TIMED_OUT => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::KAFKA_STORAGE_ERROR => ErrorCode::NOT_COORDINATOR,
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE | ErrorCode::INVALID_FETCH_SIZE => {
            ErrorCode::UNKNOWN_SERVER_ERROR
        }
        other => other,
    }
}
