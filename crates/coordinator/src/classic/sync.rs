//! SyncGroup: the leader sends the assignments, and every member gets its own.

use std::collections::BTreeMap;

use protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use protocol::{Bytes, ErrorCode, Str};

use crate::classic::{Operation, ParkedRequest, State};
use crate::reply::coordinator_error;
use crate::{Append, Reply};

impl Operation<'_> {
    pub(crate) fn sync(&mut self, parked: ParkedRequest, request: &SyncGroupRequest) -> Option<Append> {
        if let Err(error) = self.validate_sync(request) {
            self.reply_sync_error(parked, error);
            return None;
        }
        self.group.pending_sync.remove(&request.member_id);
        if self.group.pending_sync.is_empty() {
            self.cancel_sync();
        }
        match self.group.state() {
            State::CompletingRebalance => self.park_sync(parked, request),
            State::Stable => {
                self.reply_assignment(parked, &request.member_id);
                None
            }
            State::Empty | State::PreparingRebalance { .. } => unreachable!("refused above"),
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        let group = &*self.group;
        if group.state() == State::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        group.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation_id != group.generation_id {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        let differ = |requested: &Option<Str>, current: &Option<Str>| {
            requested.is_some() && current.is_some() && requested != current
        };
        if differ(&request.protocol_type, &group.protocol_type)
            || differ(&request.protocol_name, &group.protocol_name)
        {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if group.state().is_preparing_rebalance() {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }

    fn park_sync(&mut self, parked: ParkedRequest, request: &SyncGroupRequest) -> Option<Append> {
        let member = self.group.member_mut(&request.member_id).expect("validated");
        if let Some(superseded) = member.awaiting_sync.replace(parked) {
            // The client gave up on the old request, or it would not have sent a new one.
            self.reply_sync_error(superseded, ErrorCode::REBALANCE_IN_PROGRESS);
        }
        if !self.group.is_leader(&request.member_id) {
            return None;
        }
        // A member that the leader leaves out gets an empty assignment; unknown members are ignored.
        let mut handed_in: BTreeMap<&Str, &Bytes> = BTreeMap::new();
        for assignment in &request.assignments {
            handed_in.insert(&assignment.member_id, &assignment.assignment);
        }
        let assignments: Vec<(Str, Bytes)> = self
            .group
            .members()
            .map(|member| {
                let assignment = handed_in.get(&member.member_id).copied();
                let assignment = assignment.map(|bytes| Bytes::copy_from_slice(bytes));
                (member.member_id.clone(), assignment.unwrap_or_default())
            })
            .collect();
        match self.group.to_record(&assignments) {
            Ok(record) => Some(Append::new(vec![record])),
            Err(_) => self.assignment_not_stored(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    }

    /// Answers the members that wait for their assignments, if the group is stable: the log then has the
    /// assignments.
    pub(crate) fn hand_out_assignments(&mut self) {
        if self.group.state() != State::Stable {
            return;
        }
        for member_id in self.group.member_ids() {
            let member = self.group.member_mut(&member_id).expect("listed above");
            if let Some(parked) = member.awaiting_sync.take() {
                self.reply_assignment(parked, &member_id);
                // Its session may have timed out without effect while it waited.
                self.restart_session(&member_id);
            }
        }
    }

    /// Tells the members that the assignments could not be stored, so that they rejoin.
    pub(crate) fn assignment_not_stored(&mut self, append_error: ErrorCode) -> Option<Append> {
        self.abandon_assignment(coordinator_error(append_error));
        self.prepare_rebalance()
    }

    /// Answers all members that wait for an assignment with `error`.
    pub(crate) fn abandon_assignment(&mut self, error: ErrorCode) {
        for member_id in self.group.member_ids() {
            let member = self.group.member_mut(&member_id).expect("listed above");
            member.assignment = Bytes::new();
            if let Some(parked) = member.awaiting_sync.take() {
                self.reply_sync_error(parked, error);
                self.restart_session(&member_id);
            }
        }
    }

    fn reply_assignment(&mut self, parked: ParkedRequest, member_id: &str) {
        let member = self.group.member(member_id).expect("a member of the group");
        let response = SyncGroupResponse {
            protocol_type: self.group.protocol_type.clone(),
            protocol_name: self.group.protocol_name.clone(),
            assignment: member.assignment.clone(),
            ..Default::default()
        };
        self.replies.push((parked.token, Reply::SyncGroup(response)));
    }
}
