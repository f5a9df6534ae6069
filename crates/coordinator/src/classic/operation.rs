//! One event in the life of a classic group, and what all events share.

use protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use protocol::{Bytes, ErrorCode, Str};

use crate::classic::{ClassicGroup, Member, ParkedRequest, State};
use crate::timers::{Timer, Timers};
use crate::{Append, Now, Reply, Settings, Token};

/// A group, and everything that an event may change.
pub(crate) struct Operation<'a> {
    pub(crate) group: &'a mut ClassicGroup,
    pub(crate) timers: &'a mut Timers,
    pub(crate) settings: &'a Settings,
    /// Replies to requests that need not wait any longer.
    pub(crate) replies: &'a mut Vec<(Token, Reply)>,
    pub(crate) now: Now,
}

impl Operation<'_> {
    pub(crate) fn schedule_session(&mut self, member_id: &Str, timeout_ms: i64) {
        let timer = Timer::Session { group_id: self.group.group_id.clone(), member_id: member_id.clone() };
        self.timers.schedule(timer, self.now.steady.after(timeout_ms));
    }

    /// Restarts the member's session timeout.
    pub(crate) fn restart_session(&mut self, member_id: &str) {
        if let Some(member) = self.group.member(member_id) {
            // The member's own text is used: the request's would keep the request in memory.
            let (member_id, timeout_ms) = (member.member_id.clone(), i64::from(member.session_timeout_ms));
            self.schedule_session(&member_id, timeout_ms);
        }
    }

    pub(crate) fn cancel_session(&mut self, member_id: &Str) {
        let group_id = self.group.group_id.clone();
        self.timers.cancel(&Timer::Session { group_id, member_id: member_id.clone() });
    }

    pub(crate) fn schedule_join(&mut self, timeout_ms: i64) {
        let timer = Timer::Join { group_id: self.group.group_id.clone() };
        self.timers.schedule(timer, self.now.steady.after(timeout_ms));
    }

    pub(crate) fn cancel_join(&mut self) {
        self.timers.cancel(&Timer::Join { group_id: self.group.group_id.clone() });
    }

    pub(crate) fn schedule_sync(&mut self, timeout_ms: i64) {
        let timer = Timer::Sync { group_id: self.group.group_id.clone() };
        self.timers.schedule(timer, self.now.steady.after(timeout_ms));
    }

    pub(crate) fn cancel_sync(&mut self) {
        self.timers.cancel(&Timer::Sync { group_id: self.group.group_id.clone() });
    }

    pub(crate) fn reply_join(&mut self, parked: ParkedRequest, response: JoinGroupResponse) {
        let response = join_for_version(response, parked.api_version);
        self.replies.push((parked.token, Reply::JoinGroup(response)));
    }

    pub(crate) fn reply_join_error(&mut self, parked: ParkedRequest, member_id: &Str, error: ErrorCode) {
        self.reply_join(parked, join_error(member_id, error));
    }

    pub(crate) fn reply_sync_error(&mut self, parked: ParkedRequest, error: ErrorCode) {
        self.replies.push((parked.token, Reply::SyncGroup(sync_error(error))));
    }

    /// Starts the sessions of a loaded group. If the group is too large, because the limit was lowered, it
    /// rebalances, so that its members can commit before some of them are removed.
    pub(crate) fn begin_after_load(&mut self) {
        for member_id in self.group.member_ids() {
            self.restart_session(&member_id);
        }
        if self.group.members().len() > self.settings.group_max_size {
            let append = self.prepare_rebalance();
            assert!(append.is_none(), "the members have to join first");
        }
    }

    /// Continues after the group's record was replayed: answers the members that waited for it.
    pub(crate) fn generation_stored(&mut self) {
        self.hand_out_assignments();
        self.static_member_replaced();
    }

    /// Continues after the group's record could not be stored: the log still has the generation before.
    pub(crate) fn generation_not_stored(&mut self, error: ErrorCode) -> Option<Append> {
        self.static_member_not_replaced(error);
        match self.group.state() {
            State::CompletingRebalance => self.assignment_not_stored(error),
            State::Empty if self.group.empty_not_stored => {
                self.empty_not_stored();
                None
            }
            State::Empty | State::PreparingRebalance { .. } | State::Stable => None,
        }
    }

    /// Tells all waiting members to look for the coordinator again.
    pub(crate) fn resign(&mut self) {
        for member_id in self.group.member_ids() {
            if let Some(parked) = self.group.take_join(&member_id) {
                self.reply_join_error(parked, &member_id, ErrorCode::NOT_COORDINATOR);
            }
            let member = self.group.member_mut(&member_id).expect("listed above");
            if let Some(parked) = member.awaiting_sync.take() {
                self.reply_sync_error(parked, ErrorCode::NOT_COORDINATOR);
            }
        }
    }

    /// Removes a member from the group, and answers its parked request.
    ///
    /// A request may be parked if a new member times out, or if an administrator removes the member. The
    /// client, if it still exists, starts over.
    pub(crate) fn remove_member(&mut self, member_id: &Str) -> Option<Member> {
        let member = self.group.remove_member(member_id);
        self.cancel_session(member_id);
        let member = member?;
        if let Some(parked) = member.awaiting_join {
            self.reply_join_error(parked, &Str::default(), ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if let Some(parked) = member.awaiting_sync {
            self.reply_sync_error(parked, ErrorCode::UNKNOWN_MEMBER_ID);
        }
        Some(member)
    }
}

pub(crate) fn join_error(member_id: &Str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { member_id: member_id.clone(), error_code: error, ..Default::default() }
}

pub(crate) fn sync_error(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error, assignment: Bytes::new(), ..Default::default() }
}

/// The protocol name may be null from version 7 on, but not before.
pub(crate) fn join_for_version(mut response: JoinGroupResponse, api_version: i16) -> JoinGroupResponse {
    if api_version < 7 {
        response.protocol_name.get_or_insert_default();
    } else {
        response.protocol_name = response.protocol_name.filter(|name| !name.is_empty());
    }
    response
}
