//! The requests to the coordinator of a group.

use protocol::messages::{
    JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest,
};
use protocol::{Str, Uuid};

/// The part of a request that the coordinator needs beside its body.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestContext {
    /// The version of the API that the client speaks.
    pub api_version: i16,
    /// The client id in the request header, or empty if there is none.
    pub client_id: Str,
    /// The client's address. Kafka writes it as `/127.0.0.1`, and tools display it like that.
    pub client_host: Str,
    /// A fresh random UUID, for the member id if the request creates a member.
    pub random_uuid: Uuid,
}

/// A request on which the coordinator of a group decides. The reply may have to wait.
#[derive(Clone, Debug)]
pub enum GroupRequest {
    /// JoinGroup, versions 0 to 9. The reply comes at once, or when the members have joined.
    JoinGroup(RequestContext, JoinGroupRequest),
    /// SyncGroup, versions 0 to 5. The reply comes at once, or when the leader's assignments are stored.
    SyncGroup(RequestContext, SyncGroupRequest),
    /// LeaveGroup, versions 0 to 5.
    LeaveGroup(RequestContext, LeaveGroupRequest),
    /// OffsetCommit, versions 2 to 10.
    ///
    /// The host has removed topics and partitions that do not exist, and has set the name and the id of the
    /// others in every version: the offset is stored under the name, together with the id. The response has
    /// both.
    OffsetCommit(RequestContext, OffsetCommitRequest),
    /// OffsetDelete, version 0. The host has removed topics and partitions that do not exist.
    OffsetDelete(OffsetDeleteRequest),
    /// DeleteGroups, versions 0 to 2, for these groups, which are in the shard's partition.
    DeleteGroups(Vec<Str>),
}
