//! A classic group in the format of `__consumer_offsets`.

use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::records::GroupMetadataValue;
use protocol::records::group_metadata_value::MemberMetadata;
use protocol::{Bytes, EncodeError, Str};

use crate::classic::{ClassicGroup, Member, State};
use crate::{CoordinatorRecord, WallMs};

impl ClassicGroup {
    /// The record of the group with these assignments, one for each member in order.
    ///
    /// # Errors
    /// The error if a name is too long for the format.
    pub(crate) fn to_record(&self, assignments: &[(Str, Bytes)]) -> Result<CoordinatorRecord, EncodeError> {
        assert_eq!(assignments.len(), self.members().len(), "an assignment for each member");
        let members = self
            .members()
            .zip(assignments)
            .map(|(member, (member_id, assignment))| {
                assert_eq!(*member_id, member.member_id, "assignments in the order of the members");
                MemberMetadata {
                    member_id: member.member_id.clone(),
                    group_instance_id: member.group_instance_id.clone(),
                    client_id: member.client_id.clone(),
                    client_host: member.client_host.clone(),
                    rebalance_timeout: member.rebalance_timeout_ms,
                    session_timeout: member.session_timeout_ms,
                    subscription: self.selected_metadata(member),
                    assignment: assignment.clone(),
                }
            })
            .collect();
        let value = GroupMetadataValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation_id,
            protocol: self.protocol_name.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_timestamp.map_or(-1, |at| at.0),
            members,
        };
        CoordinatorRecord::group_metadata(&self.group_id, &value)
    }

    /// The group in a record. Of a member's protocols, the log has only the chosen one.
    ///
    /// # Errors
    /// [`DuplicateMember`] if the record has a member or a group instance twice, which no coordinator writes.
    pub(crate) fn from_value(
        group_id: Str,
        value: GroupMetadataValue,
    ) -> Result<ClassicGroup, DuplicateMember> {
        let mut group = ClassicGroup::new(group_id, None);
        group.state = if value.members.is_empty() { State::Empty } else { State::Stable };
        group.state_timestamp =
            (value.current_state_timestamp != -1).then_some(WallMs(value.current_state_timestamp));
        group.generation_id = value.generation;
        group.protocol_type = Some(value.protocol_type.detached()).filter(|it| !it.is_empty());
        group.protocol_name = value.protocol.as_ref().map(Str::detached);
        group.stored = true;
        let selected = group.protocol_name.clone().unwrap_or_default();
        let protocol_type = value.protocol_type.detached();
        for stored in value.members {
            let member = member(&stored, &selected);
            let known_instance =
                member.group_instance_id.as_ref().is_some_and(|id| group.static_member_id(id).is_some());
            if known_instance || group.member(&member.member_id).is_some() {
                return Err(DuplicateMember);
            }
            group.add_member(member, &protocol_type);
        }
        if let Some(leader) = value.leader
            && group.member(&leader).is_some()
        {
            group.leader = Some(leader.detached());
        }
        group.subscribed_topics = group.compute_subscribed_topics();
        Ok(group)
    }

    /// Keeps the state that no record has and that the group had `before` this record: waiting requests,
    /// member ids that were given out, protocols that were not chosen. While the log is read there is no such
    /// state.
    pub(crate) fn keep_unstored_of(&mut self, mut before: ClassicGroup) {
        assert!(!before.state.is_preparing_rebalance(), "a generation is stored when it is complete");
        self.join_phase = before.join_phase;
        self.new_member_added = before.new_member_added;
        self.returning = before.returning.take();
        self.pending_join = std::mem::take(&mut before.pending_join);
        self.pending_join.retain(|member_id| !self.members.contains_key(member_id));
        if let Some(returning) = &self.returning {
            assert!(self.members.contains_key(&returning.member_id), "its record is the next one");
            before.replace_static_member(&returning.old_member_id, &returning.member_id);
            before.set_protocols(&returning.member_id, returning.protocols.clone());
        }
        self.pending_sync = std::mem::take(&mut before.pending_sync);
        self.pending_sync.retain(|member_id| self.members.contains_key(member_id));
        for (member_id, member) in std::mem::take(&mut before.members) {
            self.keep_unstored_of_member(&member_id, member);
        }
    }

    fn keep_unstored_of_member(&mut self, member_id: &Str, before: Member) {
        let Some(member) = self.members.get_mut(member_id) else {
            assert!(!before.is_awaiting_join() && !before.is_awaiting_sync(), "who waits stays a member");
            return;
        };
        assert!(!before.is_awaiting_join(), "the join phase is over when a generation is stored");
        member.awaiting_sync = before.awaiting_sync;
        let [chosen] = &member.protocols[..] else { unreachable!("a record has the chosen protocol alone") };
        if before.metadata(&chosen.name) == Some(&chosen.metadata) {
            self.set_protocols(member_id, before.protocols);
        }
    }
}

/// A group's record has the same member twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DuplicateMember;

fn member(stored: &MemberMetadata, selected: &Str) -> Member {
    // Kafka wrote the record before there was a rebalance timeout.
    let rebalance_timeout_ms =
        if stored.rebalance_timeout == -1 { stored.session_timeout } else { stored.rebalance_timeout };
    Member {
        member_id: stored.member_id.detached(),
        group_instance_id: stored.group_instance_id.as_ref().map(Str::detached),
        client_id: stored.client_id.detached(),
        client_host: stored.client_host.detached(),
        rebalance_timeout_ms,
        session_timeout_ms: stored.session_timeout,
        protocols: vec![JoinGroupRequestProtocol {
            name: selected.clone(),
            metadata: Bytes::copy_from_slice(&stored.subscription),
        }],
        assignment: Bytes::copy_from_slice(&stored.assignment),
        is_new: false,
        awaiting_join: None,
        awaiting_sync: None,
    }
}
