//! LeaveGroup: members leave, or an administrator removes them.

use protocol::messages::LeaveGroupResponse;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::leave_group_response::MemberResponse;
use protocol::{ErrorCode, Str};

use crate::Append;
use crate::classic::{Operation, State};

impl Operation<'_> {
    pub(crate) fn leave(&mut self, identities: &[MemberIdentity]) -> (LeaveGroupResponse, Option<Append>) {
        let members: Vec<MemberResponse> = identities
            .iter()
            .map(|identity| member_response(identity, self.leave_member(identity).err().unwrap_or_default()))
            .collect();
        let someone_left = members.iter().any(|member| member.error_code == ErrorCode::NONE);
        let append = match self.group.state() {
            _ if !someone_left => None,
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(),
            State::PreparingRebalance { .. } => self.complete_join_if_all_joined(),
            State::Empty => None,
        };
        (LeaveGroupResponse { members, ..Default::default() }, append)
    }

    fn leave_member(&mut self, identity: &MemberIdentity) -> Result<(), ErrorCode> {
        let instance_id = identity.group_instance_id.as_ref();
        // An administrator removes a static member by its instance id, and need not know its member id.
        if identity.member_id.is_empty() {
            let member_id = instance_id.and_then(|id| self.group.static_member_id(id)).cloned();
            let member_id = member_id.ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
            self.remove_member(&member_id);
            return Ok(());
        }
        if !self.group.pending_join.contains(&identity.member_id) {
            self.group.validate_member(&identity.member_id, instance_id)?;
        }
        self.remove_member(&identity.member_id);
        Ok(())
    }
}

pub(crate) fn member_response(identity: &MemberIdentity, error_code: ErrorCode) -> MemberResponse {
    MemberResponse {
        member_id: identity.member_id.clone(),
        group_instance_id: identity.group_instance_id.clone(),
        error_code,
    }
}

/// The response in a version: before version 3 there is only one member, and its error is that of the
/// response.
pub(crate) fn leave_for_version(mut response: LeaveGroupResponse, api_version: i16) -> LeaveGroupResponse {
    if api_version < 3 {
        let members = std::mem::take(&mut response.members);
        if response.error_code == ErrorCode::NONE
            && let [member] = &members[..]
        {
            response.error_code = member.error_code;
        }
    }
    response
}

/// The members in a request: before version 3 there is only one, outside the list.
pub(crate) fn identities(
    member_id: &Str,
    members: Vec<MemberIdentity>,
    api_version: i16,
) -> Vec<MemberIdentity> {
    if api_version >= 3 {
        return members;
    }
    vec![MemberIdentity { member_id: member_id.clone(), ..Default::default() }]
}
