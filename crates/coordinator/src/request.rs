//! Requests to the coordinator of a group.

use protocol::messages::{
    JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest,
};
use protocol::{Str, Uuid};

/// The part of a request that the coordinator needs beside its body.
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

/// A request that the coordinator of a group decides. The reply may have to wait.
#[derive(Clone, Debug)]
pub enum GroupRequest {
    /// JoinGroup, versions 0 to 9. The reply comes at once, or when the group has gathered.
    JoinGroup(RequestContext, JoinGroupRequest),
    /// SyncGroup, versions 0 to 5. The reply comes at once, or when the leader has handed in the assignments and they are
    /// stored.
    SyncGroup(RequestContext, SyncGroupRequest),
    /// LeaveGroup, versions 0 to 5.
    LeaveGroup(RequestContext, LeaveGroupRequest),
    /// OffsetCommit, versions 2 to 10.
    ///
    /// The host has left out the topics and partitions that do not exist, and has set the name and the id of the others
    /// in every version: the offset is stored under the name, together with the id. The response has both.
    OffsetCommit(RequestContext, OffsetCommitRequest),
    /// OffsetDelete, version 0. The host has left out topics and partitions that do not exist.
    OffsetDelete(OffsetDeleteRequest),
    /// DeleteGroups, versions 0 to 2, of these groups, which live in the shard's partition.
    DeleteGroups(Vec<Str>),
}
