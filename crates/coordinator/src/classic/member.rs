//! A member of a classic group.

use protocol::messages::describe_groups_response::DescribedGroupMember;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::{Bytes, Str};

use crate::Token;

/// A request that waits for the rest of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParkedRequest {
    pub(crate) token: Token,
    pub(crate) api_version: i16,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) member_id: Str,
    /// The identity of a static member across restarts (KIP-345).
    pub(crate) group_instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) client_host: Str,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// The protocols that the member supports, most preferred first. Invariant: no name twice.
    pub(crate) protocols: Vec<JoinGroupRequestProtocol>,
    /// The assignment from the leader in this generation.
    pub(crate) assignment: Bytes,
    /// Whether it has not completed a join phase yet. A new member cannot send heartbeats, but may time out
    /// while its JoinGroup is parked: otherwise clients that give up and retry would pile up.
    pub(crate) is_new: bool,
    pub(crate) awaiting_join: Option<ParkedRequest>,
    pub(crate) awaiting_sync: Option<ParkedRequest>,
}

impl Member {
    pub(crate) fn is_awaiting_join(&self) -> bool {
        self.awaiting_join.is_some()
    }

    pub(crate) fn is_awaiting_sync(&self) -> bool {
        self.awaiting_sync.is_some()
    }

    /// Whether the member waits for the coordinator, rather than the reverse.
    pub(crate) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.is_awaiting_join() || self.is_awaiting_sync())
    }

    pub(crate) fn metadata(&self, protocol_name: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|protocol| *protocol.name == *protocol_name).map(|p| &p.metadata)
    }

    pub(crate) fn describe(&self, metadata: Bytes) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: self.member_id.clone(),
            group_instance_id: self.group_instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            member_metadata: metadata,
            member_assignment: self.assignment.clone(),
        }
    }
}
