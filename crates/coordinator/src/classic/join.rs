//! JoinGroup: a client joins the group, with the protocols that it supports.

use std::collections::BTreeSet;

use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use protocol::{Bytes, ErrorCode, Str, Uuid};

use crate::classic::{Member, Operation, ParkedRequest, State};
use crate::{Append, RequestContext};

/// The time that a new member waits for its first generation. Its session timeout does not apply yet, since
/// it cannot send heartbeats; but if its client has gone away, it must not stay for ever.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1_000;

/// The first version in which a dynamic member gets its id first and joins with it (KIP-394).
const MEMBER_ID_REQUIRED_VERSION: i16 = 4;

/// The most member ids that a group gives out to clients that have not returned with them. Anyone can ask,
/// any number of times, and each id is kept for a session timeout.
const PENDING_JOIN_MAX: usize = 10_000;

impl Operation<'_> {
    pub(crate) fn join(
        &mut self,
        parked: ParkedRequest,
        context: &RequestContext,
        mut request: JoinGroupRequest,
    ) -> Option<Append> {
        keep_first_of_each(&mut request.protocols);
        if !self.accepts_joining_member(&request.member_id) {
            self.remove_member(&request.member_id);
            self.reply_join_error(parked, &Str::default(), ErrorCode::GROUP_MAX_SIZE_REACHED);
            return None;
        }
        if !self.group.supports_protocols(&request.protocol_type, &request.protocols) {
            self.reply_join_error(parked, &request.member_id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
            return None;
        }
        if request.member_id.is_empty() {
            self.join_new_member(parked, context, &request)
        } else {
            self.join_existing_member(parked, context, &request)
        }
    }

    /// Whether the group has space for the member.
    fn accepts_joining_member(&self, member_id: &str) -> bool {
        let member = self.group.member(member_id);
        let group_max_size = self.settings.group_max_size;
        match self.group.state() {
            State::Empty => true,
            // Only members that have rejoined count: if the limit was lowered below the group's size, the
            // last ones to rejoin are removed.
            State::PreparingRebalance { .. } => {
                member.is_some_and(Member::is_awaiting_join) || self.group.awaiting_join() < group_max_size
            }
            State::CompletingRebalance | State::Stable => {
                member.is_some() || self.group.members().len() < group_max_size
            }
        }
    }

    fn join_new_member(
        &mut self,
        parked: ParkedRequest,
        context: &RequestContext,
        request: &JoinGroupRequest,
    ) -> Option<Append> {
        let prefix = request.group_instance_id.as_ref().unwrap_or(&context.client_id);
        let member_id = Str::from(format!("{prefix}-{}", hyphenated(context.random_uuid)));
        if !Str::fits(&member_id) {
            self.reply_join_error(parked, &Str::default(), ErrorCode::INVALID_REQUEST);
            return None;
        }
        if let Some(instance_id) = &request.group_instance_id {
            return match self.group.static_member_id(instance_id).cloned() {
                Some(old_id) => self.join_returning_static_member(parked, request, &old_id, &member_id),
                None => self.add_member(parked, context, request, &member_id),
            };
        }
        if context.api_version < MEMBER_ID_REQUIRED_VERSION {
            return self.add_member(parked, context, request, &member_id);
        }
        if self.group.pending_join.len() >= PENDING_JOIN_MAX {
            self.reply_join_error(parked, &Str::default(), ErrorCode::GROUP_MAX_SIZE_REACHED);
            return None;
        }
        self.group.pending_join.insert(member_id.clone());
        self.schedule_session(&member_id, i64::from(request.session_timeout_ms));
        self.reply_join_error(parked, &member_id, ErrorCode::MEMBER_ID_REQUIRED);
        None
    }

    fn join_existing_member(
        &mut self,
        parked: ParkedRequest,
        context: &RequestContext,
        request: &JoinGroupRequest,
    ) -> Option<Append> {
        let member_id = &request.member_id;
        if self.group.pending_join.contains(member_id) {
            if request.group_instance_id.is_some() {
                // Static members do not get an id to return with; Kafka takes this for a bug.
                self.reply_join_error(parked, &Str::default(), ErrorCode::UNKNOWN_SERVER_ERROR);
                return None;
            }
            return self.add_member(parked, context, request, &member_id.detached());
        }
        if let Err(error) = self.group.validate_member(member_id, request.group_instance_id.as_ref()) {
            self.reply_join_error(parked, member_id, error);
            return None;
        }
        let unchanged = self.group.member(member_id).is_some_and(|m| m.protocols == request.protocols);
        let rejoins = match self.group.state() {
            State::PreparingRebalance { .. } => true,
            // The member may not have received the answer to its first JoinGroup, and gets it again.
            State::CompletingRebalance => !unchanged,
            // The leader may know of new partitions, which its metadata does not show.
            State::Stable => self.group.is_leader(member_id) || !unchanged,
            State::Empty => unreachable!("an empty group has no members"),
        };
        if rejoins {
            return self.update_member(parked, request);
        }
        let response = self.current_generation(member_id);
        self.reply_join(parked, response);
        None
    }

    /// The response for a member that continues in the present generation. Only a leader that has yet to
    /// assign the partitions gets the members.
    pub(crate) fn current_generation(&self, member_id: &Str) -> JoinGroupResponse {
        let group = &*self.group;
        let shares_out = group.state() == State::CompletingRebalance && group.is_leader(member_id);
        JoinGroupResponse {
            member_id: member_id.clone(),
            generation_id: group.generation_id,
            protocol_type: group.protocol_type.clone(),
            protocol_name: group.protocol_name.clone(),
            leader: group.leader.clone().unwrap_or_default(),
            members: if shares_out { group.members_for_leader() } else { Vec::new() },
            ..Default::default()
        }
    }

    fn add_member(
        &mut self,
        parked: ParkedRequest,
        context: &RequestContext,
        request: &JoinGroupRequest,
        member_id: &Str,
    ) -> Option<Append> {
        let member = Member {
            member_id: member_id.clone(),
            group_instance_id: request.group_instance_id.as_ref().map(Str::detached),
            client_id: context.client_id.detached(),
            client_host: context.client_host.detached(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: detached(&request.protocols),
            assignment: Bytes::new(),
            is_new: true,
            awaiting_join: Some(parked),
            awaiting_sync: None,
        };
        if self.group.state() == (State::PreparingRebalance { initial: true }) {
            self.group.new_member_added = true;
        }
        self.group.add_member(member, &request.protocol_type.detached());
        self.schedule_session(member_id, NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.prepare_rebalance_or_complete_join()
    }

    /// Updates a member that rejoins, perhaps with other protocols or timeouts.
    fn update_member(&mut self, parked: ParkedRequest, request: &JoinGroupRequest) -> Option<Append> {
        self.park_rejoining(parked, request, &request.member_id);
        self.prepare_rebalance_or_complete_join()
    }

    pub(crate) fn park_rejoining(
        &mut self,
        parked: ParkedRequest,
        request: &JoinGroupRequest,
        member_id: &Str,
    ) {
        self.group.set_protocols(member_id, detached(&request.protocols));
        let member = self.group.member_mut(member_id).expect("a member of the group");
        member.rebalance_timeout_ms = request.rebalance_timeout_ms;
        member.session_timeout_ms = request.session_timeout_ms;
        if let Some(superseded) = self.group.park_join(member_id, parked) {
            // The client gave up on the old request, or it would not have sent a new one.
            self.reply_join_error(superseded, member_id, ErrorCode::REBALANCE_IN_PROGRESS);
        }
    }
}

/// Removes protocols that a member names again: they would be counted twice.
fn keep_first_of_each(protocols: &mut Vec<JoinGroupRequestProtocol>) {
    let mut names = BTreeSet::new();
    protocols.retain(|protocol| names.insert(protocol.name.clone()));
}

/// Copies the protocols, so that they do not keep their request in memory.
fn detached(protocols: &[JoinGroupRequestProtocol]) -> Vec<JoinGroupRequestProtocol> {
    protocols
        .iter()
        .map(|protocol| JoinGroupRequestProtocol {
            name: protocol.name.detached(),
            metadata: Bytes::copy_from_slice(&protocol.metadata),
        })
        .collect()
}

/// A UUID in the spelling of Java and most others, which member ids have.
fn hyphenated(uuid: Uuid) -> String {
    let mut text = format!("{:032x}", u128::from_be_bytes(uuid.0));
    for place in [20, 16, 12, 8] {
        text.insert(place, '-');
    }
    text
}
