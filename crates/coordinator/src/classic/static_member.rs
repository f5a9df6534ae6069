//! A static member comes back: its instance id is known, its member id is new (KIP-345).

use protocol::messages::JoinGroupRequest;
use protocol::{Bytes, ErrorCode, Str};

use crate::classic::{ClassicGroup, Operation, Parked, State, join_error, join_for_version};
use crate::output::Then;
use crate::{Append, Reply};

/// From this version on, a leader that comes back can be told not to assign anew (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

impl Operation<'_> {
    pub(crate) fn join_returning_static_member(
        &mut self,
        parked: Parked,
        request: &JoinGroupRequest,
        old_member_id: &Str,
        member_id: &Str,
    ) -> Option<Append> {
        if self.group.state() == State::Stable {
            return self.rejoin_stable_group(parked, request, old_member_id, member_id);
        }
        self.fence(old_member_id);
        self.group.replace_static_member(old_member_id, member_id);
        self.park_rejoining(parked, request, member_id);
        self.restart_session(member_id);
        // The leader may be assigning to the old member id at this moment: it has to start over, else
        // the new one would get nothing.
        self.prepare_rebalance_or_complete_join()
    }

    /// If the protocol of the group stays the same, the member takes up where it left, and the others
    /// need not notice. The group changes once the log has the new member id.
    fn rejoin_stable_group(
        &mut self,
        parked: Parked,
        request: &JoinGroupRequest,
        old_member_id: &Str,
        member_id: &Str,
    ) -> Option<Append> {
        let current_leader = self.group.leader.clone().unwrap_or_default();
        let mut changed = self.group.clone();
        changed.replace_static_member(old_member_id, member_id);
        let mut on_changed = Operation {
            group: &mut changed,
            timers: self.timers,
            settings: self.settings,
            replies: self.replies,
            now: self.now,
        };
        on_changed.park_rejoining(parked, request, member_id);
        if changed.protocol_name.as_deref() != Some(changed.select_protocol().as_str()) {
            *self.group = changed;
            self.cancel_session(old_member_id);
            self.restart_session(member_id);
            return self.prepare_rebalance();
        }
        changed.take_join(member_id);
        let assignments: Vec<(Str, Bytes)> =
            changed.members().map(|m| (m.member_id.clone(), m.assignment.clone())).collect();
        let Ok(record) = changed.to_record(&assignments) else {
            self.reply_join_error(parked, &Str::default(), ErrorCode::UNKNOWN_SERVER_ERROR);
            return None;
        };
        let mut response = self.current_generation(member_id);
        if parked.api_version < SKIP_ASSIGNMENT_VERSION {
            // It must not find itself leader, or it would assign anew to members that do not ask.
            response.leader = current_leader;
        } else {
            response.leader = changed.leader.clone().unwrap_or_default();
            response.skip_assignment = changed.is_leader(member_id);
            if response.skip_assignment {
                response.members = changed.members_for_leader();
            }
        }
        let reply = Reply::JoinGroup(join_for_version(response, parked.api_version));
        let then = Then::ReplaceStaticMember { group: Box::new(changed) };
        Some(Append::new(vec![record], then).with_reply(parked.token, reply))
    }

    /// Tells a client that another has taken its instance id.
    fn fence(&mut self, member_id: &Str) {
        if let Some(parked) = self.group.take_join(member_id) {
            self.reply_join(parked, join_error(member_id, ErrorCode::FENCED_INSTANCE_ID));
        }
        let member = self.group.member_mut(member_id).expect("a member of the group");
        if let Some(parked) = member.awaiting_sync.take() {
            self.reply_sync_error(parked, ErrorCode::FENCED_INSTANCE_ID);
        }
        self.cancel_session(member_id);
    }

    /// The log does not have the new member id. The old one stays, and is given time: someone is there
    /// who wants its place, and will try again.
    pub(crate) fn static_member_not_replaced(&mut self, changed: &ClassicGroup) {
        for member_id in self.group.member_ids() {
            if changed.member(&member_id).is_none() {
                self.restart_session(&member_id);
            }
        }
    }

    /// The log has the new member id: the group has it, too.
    pub(crate) fn static_member_replaced(&mut self, changed: ClassicGroup) {
        for member_id in self.group.member_ids() {
            if changed.member(&member_id).is_none() {
                self.cancel_session(&member_id);
            }
        }
        let before = std::mem::replace(self.group, changed);
        self.group.mark_stored();
        for member_id in self.group.member_ids() {
            if before.member(&member_id).is_none() {
                self.restart_session(&member_id);
            }
        }
    }
}
