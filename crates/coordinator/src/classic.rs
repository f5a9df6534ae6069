//! A classic group: the members elect a leader, and the leader assigns the partitions (KIP-62, KIP-345,
//! KIP-394). This file has the group's state and its rules; the files below have the events that change it.

mod heartbeat;
mod join;
mod leave;
mod member;
mod operation;
mod rebalance;
mod state;
mod static_member;
mod stored;
mod sync;

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::join_group_response::JoinGroupResponseMember;
use protocol::records::ConsumerProtocolSubscription;
use protocol::{Bytes, ErrorCode, Message, Reader, Str};

use crate::WallMs;
use crate::timers::{Timer, Timers};

pub(crate) use leave::{identities, leave_for_version, member_response};
pub(crate) use member::{Member, ParkedRequest};
pub(crate) use operation::{Operation, join_error, join_for_version, sync_error};
pub(crate) use state::State;
pub(crate) use static_member::ReturningMember;

/// The protocol type of consumers. Only in these groups does the coordinator understand the members'
/// metadata.
const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// The kind of join phase, which decides its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinPhase {
    /// The first rebalance of an empty group. It is extended by `delay_ms` as long as members keep coming, by
    /// at most `remaining_ms` after this delay.
    Initial { delay_ms: i64, remaining_ms: i64 },
    /// Ends when all have joined or the rebalance timeout is over.
    Rebalance,
}

/// A group in which one member assigns the partitions.
#[derive(Clone, Debug)]
pub(crate) struct ClassicGroup {
    pub(crate) group_id: Str,
    state: State,
    /// The time at which the group entered the state; `None` if it was stored before Kafka wrote that down.
    pub(crate) state_timestamp: Option<WallMs>,
    /// `None` for a group that only stores offsets.
    pub(crate) protocol_type: Option<Str>,
    /// The protocol of this generation, by the members' votes.
    pub(crate) protocol_name: Option<Str>,
    pub(crate) generation_id: i32,
    /// Invariant: a member, if there are members.
    pub(crate) leader: Option<Str>,
    members: BTreeMap<Str, Member>,
    /// Member ids by group instance id. Invariant: exactly the members with an instance id.
    static_members: BTreeMap<Str, Str>,
    /// Member ids that were given out and whose clients have not joined yet (KIP-394). Invariant: no member
    /// is in this set.
    pub(crate) pending_join: BTreeSet<Str>,
    /// Members that have not sent SyncGroup in this generation.
    pub(crate) pending_sync: BTreeSet<Str>,
    /// The number of members that support each protocol.
    supported_protocols: BTreeMap<Str, usize>,
    /// Invariant: the number of members with a parked JoinGroup.
    awaiting_join: usize,
    /// The topics that the members consume, or `None` if the coordinator cannot tell.
    subscribed_topics: Option<BTreeSet<Str>>,
    /// A static member that takes its place back once the log has its new member id.
    pub(crate) returning: Option<Box<ReturningMember>>,
    /// Whether a member joined while the first rebalance was waiting for more.
    pub(crate) new_member_added: bool,
    pub(crate) join_phase: JoinPhase,
    /// Whether the group has become empty and the log does not have that yet.
    pub(crate) empty_not_stored: bool,
    /// Whether `__consumer_offsets` has a record about the group.
    pub(crate) stored: bool,
}

impl ClassicGroup {
    pub(crate) fn new(group_id: Str, state_timestamp: Option<WallMs>) -> ClassicGroup {
        ClassicGroup {
            group_id,
            state: State::Empty,
            state_timestamp,
            protocol_type: None,
            protocol_name: None,
            generation_id: 0,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            supported_protocols: BTreeMap::new(),
            awaiting_join: 0,
            subscribed_topics: None,
            returning: None,
            new_member_added: false,
            join_phase: JoinPhase::Rebalance,
            empty_not_stored: false,
            stored: false,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Enters `state`.
    pub(crate) fn transition_to(&mut self, state: State, now: WallMs) {
        assert!(
            self.state.may_become(state),
            "group {:?} may not go from {:?} to {state:?}",
            self.group_id,
            self.state
        );
        self.state = state;
        self.state_timestamp = Some(now);
    }

    /// Whether nothing would be lost with the group: it is not stored, has no members and expects none.
    pub(crate) fn is_vacant(&self) -> bool {
        !self.stored && !self.empty_not_stored && self.state == State::Empty && self.pending_join.is_empty()
    }

    /// Cancels the group's deadlines, because it is deleted.
    pub(crate) fn cancel_timers(&self, timers: &mut Timers) {
        let group_id = || self.group_id.clone();
        for member_id in self.members.keys().chain(&self.pending_join) {
            timers.cancel(&Timer::Session { group_id: group_id(), member_id: member_id.clone() });
        }
        for timer in [
            Timer::Join { group_id: group_id() },
            Timer::Sync { group_id: group_id() },
            Timer::StoreEmpty { group_id: group_id() },
        ] {
            timers.cancel(&timer);
        }
    }

    pub(crate) fn member(&self, member_id: &str) -> Option<&Member> {
        self.members.get(member_id)
    }

    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn member_mut(&mut self, member_id: &str) -> Option<&mut Member> {
        self.members.get_mut(member_id)
    }

    pub(crate) fn member_ids(&self) -> Vec<Str> {
        self.members.keys().cloned().collect()
    }

    pub(crate) fn static_member_id(&self, group_instance_id: &str) -> Option<&Str> {
        self.static_members.get(group_instance_id)
    }

    pub(crate) fn is_leader(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    pub(crate) fn awaiting_join(&self) -> usize {
        self.awaiting_join
    }

    pub(crate) fn has_all_members_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending_join.is_empty()
    }

    /// The longest rebalance timeout of its members.
    pub(crate) fn rebalance_timeout_ms(&self) -> i64 {
        self.members().map(|member| i64::from(member.rebalance_timeout_ms)).max().unwrap_or(0).max(0)
    }

    /// Checks that a request comes from a member, under the present member id of its instance.
    ///
    /// # Errors
    /// `UNKNOWN_MEMBER_ID` if there is no such member, `FENCED_INSTANCE_ID` if its instance has another
    /// member id.
    pub(crate) fn validate_member(
        &self,
        member_id: &str,
        group_instance_id: Option<&Str>,
    ) -> Result<(), ErrorCode> {
        if let Some(instance_id) = group_instance_id {
            match self.static_member_id(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(current) if **current != *member_id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    /// Whether a member with these protocols may join: its type is the group's, and there is a protocol that
    /// all members support.
    pub(crate) fn supports_protocols(
        &self,
        protocol_type: &str,
        protocols: &[JoinGroupRequestProtocol],
    ) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|protocol| {
                let supporters = self.supported_protocols.get(&protocol.name).copied().unwrap_or(0);
                supporters == self.members.len()
            })
    }

    /// The protocol that most members prefer among those that all support. If several have as many votes, the
    /// first by name.
    pub(crate) fn select_protocol(&self) -> Str {
        let mut votes: BTreeMap<&Str, usize> = BTreeMap::new();
        for member in self.members() {
            let vote = member
                .protocols
                .iter()
                .find(|protocol| self.supported_protocols.get(&protocol.name) == Some(&self.members.len()))
                .expect("members join only with a protocol that all members have");
            *votes.entry(&vote.name).or_default() += 1;
        }
        let most = votes.into_iter().rev().max_by_key(|(_, votes)| *votes);
        let (winner, _) = most.expect("a member voted");
        winner.clone()
    }

    /// Starts the next generation with the present members.
    pub(crate) fn init_next_generation(&mut self, now: WallMs) {
        self.generation_id = self.generation_id.wrapping_add(1);
        if self.members.is_empty() {
            self.protocol_name = None;
            self.transition_to(State::Empty, now);
        } else {
            self.protocol_name = Some(self.select_protocol());
            self.transition_to(State::CompletingRebalance, now);
        }
        self.subscribed_topics = self.compute_subscribed_topics();
        self.pending_sync.clear();
    }

    /// The members, for the leader that assigns the partitions.
    pub(crate) fn members_for_leader(&self) -> Vec<JoinGroupResponseMember> {
        self.members()
            .map(|member| JoinGroupResponseMember {
                member_id: member.member_id.clone(),
                group_instance_id: member.group_instance_id.clone(),
                metadata: self.selected_metadata(member),
            })
            .collect()
    }

    /// The member's metadata for the protocol of this generation.
    pub(crate) fn selected_metadata(&self, member: &Member) -> Bytes {
        let selected = self.protocol_name.as_deref().unwrap_or_default();
        member.metadata(selected).cloned().unwrap_or_default()
    }

    pub(crate) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER_PROTOCOL_TYPE)
    }

    /// Whether the topics that the group consumes are known.
    pub(crate) fn knows_subscribed_topics(&self) -> bool {
        self.subscribed_topics.is_some()
    }

    /// Whether the group consumes `topic`, as far as the coordinator can tell. If it cannot tell, a consumer
    /// group counts as consuming it.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed_topics {
            Some(topics) => topics.contains(topic),
            None => self.uses_consumer_protocol(),
        }
    }

    fn compute_subscribed_topics(&self) -> Option<BTreeSet<Str>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let selected = self.protocol_name.as_deref()?;
        let mut topics = BTreeSet::new();
        for member in self.members() {
            topics.extend(subscribed_topics(member.metadata(selected)?)?);
        }
        Some(topics)
    }

    /// Adds a new member to the group.
    pub(crate) fn add_member(&mut self, member: Member, protocol_type: &Str) {
        let id = member.member_id.clone();
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.clone());
        }
        if let Some(instance_id) = &member.group_instance_id {
            let previous = self.static_members.insert(instance_id.clone(), id.clone());
            assert!(previous.is_none(), "one member for each group instance id");
        }
        self.leader.get_or_insert_with(|| id.clone());
        self.pending_join.remove(&id);
        self.awaiting_join += usize::from(member.is_awaiting_join());
        for protocol in &member.protocols {
            *self.supported_protocols.entry(protocol.name.clone()).or_default() += 1;
        }
        let previous = self.members.insert(id, member);
        assert!(previous.is_none(), "a new member is not in the group yet");
    }

    /// Removes a member, or a client that was expected to join.
    pub(crate) fn remove_member(&mut self, member_id: &str) -> Option<Member> {
        self.pending_join.remove(member_id);
        self.pending_sync.remove(member_id);
        let member = self.members.remove(member_id)?;
        for protocol in &member.protocols {
            self.forget_protocol(&protocol.name);
        }
        self.awaiting_join -= usize::from(member.is_awaiting_join());
        if let Some(instance_id) = &member.group_instance_id {
            self.static_members.remove(instance_id);
        }
        if self.is_leader(member_id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Moves the state of a static member to the member id with which it has returned.
    pub(crate) fn replace_static_member(&mut self, old_member_id: &str, new_member_id: &Str) {
        let mut member = self.members.remove(old_member_id).expect("the old member is in the group");
        let instance_id = member.group_instance_id.clone().expect("only static members come back");
        assert!(!member.is_awaiting_join() && !member.is_awaiting_sync(), "its requests were answered");
        if self.is_leader(old_member_id) {
            self.leader = Some(new_member_id.clone());
        }
        if self.pending_sync.remove(old_member_id) {
            self.pending_sync.insert(new_member_id.clone());
        }
        member.member_id = new_member_id.clone();
        member.is_new = false;
        self.static_members.insert(instance_id, new_member_id.clone());
        self.members.insert(new_member_id.clone(), member);
    }

    /// Replaces the protocols of a member.
    pub(crate) fn set_protocols(&mut self, member_id: &str, protocols: Vec<JoinGroupRequestProtocol>) {
        for protocol in &protocols {
            *self.supported_protocols.entry(protocol.name.clone()).or_default() += 1;
        }
        let member = self.members.get_mut(member_id).expect("a member of the group");
        let previous = std::mem::replace(&mut member.protocols, protocols);
        for protocol in &previous {
            self.forget_protocol(&protocol.name);
        }
    }

    /// Parks the member's JoinGroup, and returns the one that it replaces.
    pub(crate) fn park_join(&mut self, member_id: &str, parked: ParkedRequest) -> Option<ParkedRequest> {
        let member = self.members.get_mut(member_id).expect("a member of the group");
        let previous = member.awaiting_join.replace(parked);
        self.awaiting_join += usize::from(previous.is_none());
        previous
    }

    /// Takes the member's parked JoinGroup in order to answer it.
    pub(crate) fn take_join(&mut self, member_id: &str) -> Option<ParkedRequest> {
        let parked = self.members.get_mut(member_id)?.awaiting_join.take();
        self.awaiting_join -= usize::from(parked.is_some());
        parked
    }

    fn forget_protocol(&mut self, name: &Str) {
        let supporters = self.supported_protocols.get_mut(name).expect("every protocol is counted");
        *supporters -= 1;
        if *supporters == 0 {
            self.supported_protocols.remove(name);
        }
    }
}

/// The topics in a consumer's metadata. Only its version 0 is read, with which every later version begins, so
/// that consumers may know more than the coordinator.
fn subscribed_topics(metadata: &Bytes) -> Option<Vec<Str>> {
    let mut reader = Reader::new(metadata.clone());
    reader.i16("version").ok()?;
    Some(ConsumerProtocolSubscription::decode(&mut reader, 0).ok()?.topics)
}
