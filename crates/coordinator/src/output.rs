//! What goes into the coordinator beside a request, and what comes out.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use protocol::messages::{
    DeleteGroupsResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupResponse, OffsetCommitResponse,
    OffsetDeleteResponse, SyncGroupResponse,
};
use protocol::{ErrorCode, Str, Uuid};

use crate::classic::ClassicGroup;
use crate::records::CoordinatorRecord;

/// Names one request, so that its reply finds its way back. The shell chooses it; every token given
/// to the coordinator comes back in exactly one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// What the coordinator needs to know about a request that is not in its body.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestContext {
    /// The version of the API that the client speaks.
    pub api_version: i16,
    /// The client id of the request header, empty if there was none.
    pub client_id: Str,
    /// The client's address. Kafka writes it as `/127.0.0.1`, and tools show it as it is.
    pub client_host: Str,
    /// A fresh random UUID. It makes the member id, if the request leads to a new member.
    pub random_uuid: Uuid,
}

/// What a request or the passing of time led to.
#[derive(Debug, Default)]
#[must_use = "its replies must be sent and its append made"]
pub struct Output {
    /// Replies that depend on no record of `append`.
    pub replies: Vec<(Token, Reply)>,
    /// One batch of records to append before the coordinator is asked anything else.
    pub append: Option<Append>,
}

impl Output {
    pub(crate) fn reply(token: Token, reply: Reply) -> Output {
        Output { replies: vec![(token, reply)], append: None }
    }

    pub(crate) fn append(append: Append) -> Output {
        Output { replies: Vec::new(), append: Some(append) }
    }
}

/// Records to append to `__consumer_offsets` as one batch, so that either all or none are stored.
///
/// Hand it back by [`append_succeeded`](crate::GroupCoordinator::append_succeeded) or
/// [`append_failed`](crate::GroupCoordinator::append_failed). Until then the coordinator's persisted
/// state is as if the request had never come, and it may not be asked anything.
#[must_use = "the coordinator waits for its outcome"]
pub struct Append {
    /// The records, never empty.
    pub records: Vec<CoordinatorRecord>,
    /// Batches that follow when this one is stored. Deletions of many offsets do not fit into one.
    pub(crate) rest: VecDeque<Vec<CoordinatorRecord>>,
    /// The reply that waits for the last of them.
    pub(crate) reply: Option<(Token, Reply)>,
    pub(crate) then: Then,
}

impl Append {
    pub(crate) fn new(records: Vec<CoordinatorRecord>, then: Then) -> Append {
        assert!(!records.is_empty(), "there is something to append");
        Append { records, rest: VecDeque::new(), reply: None, then }
    }

    /// Records that delete something, in batches of about `batch_max_bytes`. What is not stored of them
    /// when one fails is deleted another time. `None` if there is nothing to delete.
    pub(crate) fn deletion(records: Vec<CoordinatorRecord>, batch_max_bytes: usize) -> Option<Append> {
        let mut batches: VecDeque<Vec<CoordinatorRecord>> = VecDeque::new();
        let mut batch_bytes = 0;
        for record in records {
            batch_bytes += record.size();
            match batches.back_mut() {
                Some(batch) if batch_bytes <= batch_max_bytes => batch.push(record),
                _ => {
                    batch_bytes = record.size();
                    batches.push_back(vec![record]);
                }
            }
        }
        let first = batches.pop_front()?;
        Some(Append { rest: batches, ..Append::new(first, Then::Replay) })
    }

    pub(crate) fn with_reply(mut self, token: Token, reply: Reply) -> Append {
        assert!(self.reply.is_none(), "an append is waited for by one request");
        self.reply = Some((token, reply));
        self
    }
}

impl fmt::Debug for Append {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Append").field("records", &self.records).field("reply", &self.reply).finish()
    }
}

/// What the coordinator does once the records are stored.
pub(crate) enum Then {
    /// Take the records in, as loading them from the log would.
    Replay,
    /// Take the records in, which make an empty group of another protocol a classic one, and have the client join it.
    Join { token: Token, context: RequestContext, request: Box<JoinGroupRequest> },
    /// The leader's assignments are stored: hand them out; the group is stable.
    Stabilize { group_id: Str, assignments: Vec<(Str, Bytes)> },
    /// A static member came back under a new member id: put the group in place that has it.
    ReplaceStaticMember { group: Box<ClassicGroup> },
    /// The log knows that the group is empty.
    StoreEmpty { group_id: Str },
}

/// The answer to one request. Only requests whose answer may have to wait have one; the others are
/// answered by the method's return value.
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

impl Reply {
    /// The reply to send instead when what this one claims could not be made durable: the same
    /// request answered with what `error`, met by the log, means to a client of the coordinator.
    /// What was an error already stays as it is.
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

/// What a failure to append means to a client of the coordinator: it should find the coordinator
/// again, or wait for it, rather than doubt the offsets topic (Kafka's
/// `CoordinatorOperationExceptionHelper`).
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
