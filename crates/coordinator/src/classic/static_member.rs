//! The return of a static member: its instance id is known, its member id is new (KIP-345).

use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use protocol::{Bytes, ErrorCode, Str};

use crate::classic::{Operation, ParkedRequest, State, join_error, join_for_version};
use crate::{Append, Reply};

/// The first version in which a returning leader can be told to skip the assignment (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

/// A static member of a stable group that has returned, and waits until the log has its new member id.
#[derive(Clone, Debug)]
pub(crate) struct ReturningMember {
    pub(crate) parked: ParkedRequest,
    pub(crate) old_member_id: Str,
    pub(crate) member_id: Str,
    /// The protocols that it now supports. A record has only the one that the group uses.
    pub(crate) protocols: Vec<JoinGroupRequestProtocol>,
    /// The response that it gets once it has its place.
    pub(crate) response: JoinGroupResponse,
}

impl Operation<'_> {
    pub(crate) fn join_returning_static_member(
        &mut self,
        parked: ParkedRequest,
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
        // The leader may just be assigning partitions to the old member id. It has to start over, or the new
        // one would get none.
        self.prepare_rebalance_or_complete_join()
    }

    /// If the group's protocol stays the same, the member continues as before, and the others do not notice.
    /// The group changes once the log has the new member id.
    fn rejoin_stable_group(
        &mut self,
        parked: ParkedRequest,
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
            // The member must not become the leader, or it would assign partitions again to members that do
            // not ask.
            response.leader = current_leader;
        } else {
            response.leader = changed.leader.clone().unwrap_or_default();
            response.skip_assignment = changed.is_leader(member_id);
            if response.skip_assignment {
                response.members = changed.members_for_leader();
            }
        }
        let protocols =
            changed.member(member_id).expect("it is in the place of the old one").protocols.clone();
        let (old_member_id, member_id) = (old_member_id.clone(), member_id.clone());
        let returning = ReturningMember { parked, old_member_id, member_id, protocols, response };
        self.group.returning = Some(Box::new(returning));
        Some(Append::new(vec![record]))
    }

    /// Tells a client that another one has taken its instance id.
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

    /// The log does not have the new member id. The old one stays, and its session restarts: a client is
    /// there that wants its place and will retry.
    pub(super) fn static_member_not_replaced(&mut self, error: ErrorCode) {
        let Some(returning) = self.group.returning.take() else { return };
        self.restart_session(&returning.old_member_id);
        let leader = self.group.leader.clone().unwrap_or_default();
        let response = JoinGroupResponse { leader, ..returning.response };
        let response = join_for_version(response, returning.parked.api_version);
        self.replies.push((returning.parked.token, Reply::JoinGroup(response).into_error(error)));
    }

    /// The log has the new member id: the member continues.
    pub(super) fn static_member_replaced(&mut self) {
        let Some(returning) = self.group.returning.take() else { return };
        self.cancel_session(&returning.old_member_id);
        self.restart_session(&returning.member_id);
        self.reply_join(returning.parked, returning.response);
    }
}
