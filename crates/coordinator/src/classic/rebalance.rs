//! A rebalance: the members join, and the next generation begins.

use protocol::{ErrorCode, Str};

use crate::Append;
use crate::classic::{JoinPhase, Member, Operation, State};
use crate::timers::Timer;

/// The time after which an append about an empty group is retried.
const STORE_EMPTY_RETRY_MS: i64 = 10_000;

impl Operation<'_> {
    /// Starts a rebalance, or continues the present one.
    pub(crate) fn prepare_rebalance_or_complete_join(&mut self) -> Option<Append> {
        if self.group.state().can_rebalance() {
            self.prepare_rebalance()
        } else {
            self.complete_join_if_all_joined()
        }
    }

    pub(crate) fn prepare_rebalance(&mut self) -> Option<Append> {
        if self.group.state() == State::CompletingRebalance {
            self.abandon_assignment(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.group.pending_sync.clear();
        self.cancel_sync();
        let initial = self.group.state() == State::Empty;
        self.group.transition_to(State::PreparingRebalance { initial }, self.now.wall);
        if initial {
            // The group is new. Members tend to start together, so it waits for the others.
            let delay_ms = i64::from(self.settings.group_initial_rebalance_delay_ms);
            let remaining_ms = (self.group.rebalance_timeout_ms() - delay_ms).max(0);
            self.group.new_member_added = false;
            self.group.join_phase = JoinPhase::Initial { delay_ms, remaining_ms };
            self.schedule_join(delay_ms);
            return None;
        }
        self.group.join_phase = JoinPhase::Rebalance;
        if self.group.has_all_members_joined() {
            return self.complete_join();
        }
        self.schedule_join(self.group.rebalance_timeout_ms());
        None
    }

    /// Ends the join phase if no member is missing. The first one of an empty group runs for its whole time,
    /// since no member can be missing there.
    pub(crate) fn complete_join_if_all_joined(&mut self) -> Option<Append> {
        let joining = self.group.state() == (State::PreparingRebalance { initial: false });
        if joining && self.group.has_all_members_joined() { self.complete_join() } else { None }
    }

    /// Ends the join phase at its timeout.
    pub(crate) fn expire_join(&mut self) -> Option<Append> {
        assert!(self.group.state().is_preparing_rebalance(), "the join phase ends before its timer");
        if let JoinPhase::Initial { delay_ms, remaining_ms } = self.group.join_phase
            && self.group.new_member_added
            && remaining_ms != 0
        {
            self.group.new_member_added = false;
            let next_delay_ms = i64::from(self.settings.group_initial_rebalance_delay_ms).min(remaining_ms);
            let remaining_ms = (remaining_ms - delay_ms).max(0);
            self.group.join_phase = JoinPhase::Initial { delay_ms: next_delay_ms, remaining_ms };
            self.schedule_join(next_delay_ms);
            return None;
        }
        self.complete_join()
    }

    /// Ends the join phase: the members that have joined form the next generation.
    pub(crate) fn complete_join(&mut self) -> Option<Append> {
        self.cancel_join();
        let absent = |member: &&Member| !member.is_awaiting_join();
        // A static member that is restarting keeps its place until its session times out.
        let removed: Vec<Str> = self
            .group
            .members()
            .filter(absent)
            .filter(|member| member.group_instance_id.is_none())
            .map(|member| member.member_id.clone())
            .collect();
        for member_id in &removed {
            self.remove_member(member_id);
        }
        if self.group.members().len() > 0 && !self.elect_joined_leader() {
            // There are members, but none has joined and could lead. Their session timeouts decide.
            self.group.join_phase = JoinPhase::Rebalance;
            self.schedule_join(self.group.rebalance_timeout_ms());
            return None;
        }
        self.group.init_next_generation(self.now.wall);
        if self.group.state() == State::Empty {
            self.group.empty_not_stored = true;
            return self.store_empty();
        }
        self.begin_sync_phase();
        None
    }

    /// Stores that the group is empty. The members are gone whatever the log says; a failed append is
    /// retried.
    fn store_empty(&mut self) -> Option<Append> {
        let record = self.group.to_record(&[]).expect("names of requests fit");
        Some(Append::new(vec![record]))
    }

    pub(super) fn empty_not_stored(&mut self) {
        let timer = Timer::StoreEmpty { group_id: self.group.group_id.clone() };
        self.timers.schedule(timer, self.now.steady.after(STORE_EMPTY_RETRY_MS));
    }

    pub(crate) fn store_empty_again(&mut self) -> Option<Append> {
        let still_empty = self.group.empty_not_stored && self.group.state() == State::Empty;
        if still_empty { self.store_empty() } else { None }
    }

    /// Makes a member that has joined the leader. Returns `false` if there is none.
    fn elect_joined_leader(&mut self) -> bool {
        let leader = self.group.leader.as_ref().and_then(|leader| self.group.member(leader));
        if leader.is_some_and(Member::is_awaiting_join) {
            return true;
        }
        let joined = self.group.members().find(|member| member.is_awaiting_join());
        let Some(joined) = joined.map(|member| member.member_id.clone()) else { return false };
        self.group.leader = Some(joined);
        true
    }

    fn begin_sync_phase(&mut self) {
        for member_id in self.group.member_ids() {
            let response = self.current_generation(&member_id);
            if let Some(parked) = self.group.take_join(&member_id) {
                self.reply_join(parked, response);
            }
            self.restart_session(&member_id);
            let member = self.group.member_mut(&member_id).expect("listed above");
            member.is_new = false;
            self.group.pending_sync.insert(member_id);
        }
        self.schedule_sync(self.group.rebalance_timeout_ms());
    }

    /// Ends the wait for SyncGroup at its timeout.
    pub(crate) fn expire_sync(&mut self) -> Option<Append> {
        assert!(
            matches!(self.group.state(), State::CompletingRebalance | State::Stable),
            "the sync phase ends before its timer"
        );
        let removed = std::mem::take(&mut self.group.pending_sync);
        if removed.is_empty() {
            return None;
        }
        for member_id in &removed {
            self.remove_member(member_id);
        }
        self.prepare_rebalance()
    }

    /// Ends the session of a member, or of a client with a member id, that was not heard of for its session
    /// timeout.
    pub(crate) fn expire_session(&mut self, member_id: &Str) -> Option<Append> {
        match self.group.member(member_id) {
            // The member waits for the coordinator, which restarts its session when it answers.
            Some(member) if member.has_satisfied_heartbeat() => return None,
            Some(_) => {}
            None if self.group.pending_join.contains(member_id) => {}
            None => return None,
        }
        let was_member = self.remove_member(member_id).is_some();
        self.after_removal(was_member)
    }

    /// Continues after a member, or a client that was expected to join, was removed.
    pub(crate) fn after_removal(&mut self, was_member: bool) -> Option<Append> {
        match self.group.state() {
            State::Stable | State::CompletingRebalance if was_member => self.prepare_rebalance(),
            State::PreparingRebalance { .. } if self.group.has_all_members_joined() => self.complete_join(),
            _ => None,
        }
    }
}
