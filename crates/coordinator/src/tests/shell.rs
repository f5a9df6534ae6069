//! A host for the coordinator without a broker: a log in memory, a clock that the test sets, appends that
//! fail on request. After every step it checks the invariants.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol::{ErrorCode, Str};

use crate::classic::{ClassicGroup, State};
use crate::group::GroupType;
use crate::offsets::Offsets;
use crate::*;

/// More turns than any moment can need.
const TURNS_MAX: usize = 10_000;

pub(super) struct Shell {
    pub(super) coordinator: GroupCoordinator,
    pub(super) settings: Settings,
    pub(super) log: Vec<CoordinatorRecord>,
    /// The log, replayed record by record.
    stored: LoadingShard<GroupCoordinator>,
    pub(super) now: Now,
    /// The error of the next append.
    pub(super) fail: Option<ErrorCode>,
    tokens: u64,
    waiting: BTreeSet<Token>,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Event {
    Appended(Vec<CoordinatorRecord>),
    NotAppended(Vec<CoordinatorRecord>),
    Replied(Token, Reply),
}

impl Shell {
    pub(super) fn new(settings: Settings, now: Now) -> Shell {
        let coordinator = LoadingShard::new(settings.clone()).loaded(now);
        Shell {
            coordinator,
            log: Vec::new(),
            stored: LoadingShard::new(settings.clone()),
            settings,
            now,
            fail: None,
            tokens: 0,
            waiting: BTreeSet::new(),
        }
    }

    pub(super) fn token(&mut self) -> Token {
        self.tokens += 1;
        let token = Token(self.tokens);
        self.waiting.insert(token);
        token
    }

    /// Carries out an output, until nothing is left to do at this moment.
    pub(super) fn drive(&mut self, mut output: Output) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..TURNS_MAX {
            for (token, reply) in output.replies {
                assert!(self.waiting.remove(&token), "{token:?} is answered once");
                events.push(Event::Replied(token, reply));
            }
            output = match output.append {
                Some(append) => self.append(append, &mut events),
                None if self.is_due() => self.coordinator.tick(self.now),
                None => {
                    self.check_persisted();
                    return events;
                }
            };
        }
        panic!("the coordinator does not come to rest");
    }

    fn is_due(&self) -> bool {
        self.coordinator.next_deadline().is_some_and(|deadline| deadline <= self.now.steady)
    }

    fn append(&mut self, append: Append, events: &mut Vec<Event>) -> Output {
        let records = append.records().to_vec();
        assert!(!records.is_empty(), "an append has records");
        if let Some(token) = append.answers() {
            assert!(self.waiting.contains(&token), "no reply leaves before its records are stored");
        }
        // Nothing may be visible before the records are in the log.
        self.check_persisted();
        if let Some(error) = self.fail.take() {
            events.push(Event::NotAppended(records));
            return self.coordinator.append_failed(append, error, self.now);
        }
        let base_offset = self.log.len() as i64;
        for record in &records {
            let offset = self.log.len() as i64;
            self.log.push(record.clone());
            let replayed = self.stored.replay(StoredRecord::new(offset, record.clone()));
            assert_eq!(replayed, Ok(ReplayOutcome::Applied));
        }
        events.push(Event::Appended(records));
        self.coordinator.append_succeeded(append, base_offset, self.now)
    }

    /// Lets time pass, and does what falls due at its time. Each event comes with its time on the steady
    /// clock.
    pub(super) fn advance(&mut self, by_ms: i64) -> Vec<(SteadyMs, Event)> {
        let until = later(self.now, by_ms);
        let mut events = Vec::new();
        while let Some(deadline) = self.coordinator.next_deadline().filter(|it| *it <= until.steady) {
            self.now = later(self.now, (deadline.0 - self.now.steady.0).max(0));
            let output = self.coordinator.tick(self.now);
            let steady = self.now.steady;
            events.extend(self.drive(output).into_iter().map(|event| (steady, event)));
        }
        self.now = until;
        events
    }

    /// Sets the wall clock forward or back.
    pub(super) fn set_clock(&mut self, by_ms: i64) {
        self.now.wall = self.now.wall.after(by_ms);
    }

    /// Starts a new coordinator from the log. Clients that waited have lost their connections.
    pub(super) fn restart(&mut self) {
        self.waiting.clear();
        self.stored = self.reload();
        self.coordinator = self.reload().loaded(self.now);
        self.check_persisted();
    }

    /// Continues with a coordinator that is rebuilt from the log. No request may be waiting.
    pub(super) fn rebuild(&mut self) {
        assert!(self.waiting.is_empty(), "a request is lost");
        let mut rebuilt = self.reload().loaded(self.now);
        // The time of the next search for expired offsets is not in the records.
        rebuilt.timers.take_expiration_of(&self.coordinator.timers);
        self.coordinator = rebuilt;
        self.check_persisted();
    }

    fn reload(&self) -> LoadingShard<GroupCoordinator> {
        let mut loading = LoadingShard::new(self.settings.clone());
        for (offset, record) in self.log.iter().enumerate() {
            let replayed = loading.replay(StoredRecord::new(offset as i64, record.clone()));
            assert_eq!(replayed, Ok(ReplayOutcome::Applied));
        }
        loading
    }

    pub(super) fn resign(&mut self) -> Vec<(Token, Reply)> {
        let next = self.reload().loaded(self.now);
        let replies = std::mem::replace(&mut self.coordinator, next).resign(self.now);
        for (token, _) in &replies {
            assert!(self.waiting.remove(token), "{token:?} is answered once");
        }
        replies
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Checks that the stored state equals that of a coordinator that replays the log.
    pub(super) fn check_persisted(&self) {
        let rebuilt = &self.stored.shard;
        let offsets = |coordinator: &GroupCoordinator| -> BTreeMap<Str, Offsets> {
            let with_offsets = coordinator.groups.iter().filter(|(_, group)| !group.offsets.is_empty());
            with_offsets.map(|(id, group)| (id.clone(), group.offsets.clone())).collect()
        };
        assert_eq!(offsets(&self.coordinator), offsets(rebuilt), "offsets are those of the log");
        assert_eq!(self.coordinator.pending_offsets, rebuilt.pending_offsets, "so are those of transactions");
        for (group_id, group) in &self.coordinator.groups {
            let live = match &group.of_type {
                GroupType::Classic(live) => live,
                GroupType::Unserved(live) => {
                    let mut live = live.clone();
                    live.members_until = None;
                    assert_eq!(
                        Some(&live),
                        rebuilt.unserved_group(group_id),
                        "{group_id} is that of the log"
                    );
                    continue;
                }
            };
            self.check_invariants(live);
            match rebuilt.classic_group(group_id) {
                Some(stored) => check_stored(live, stored),
                None => assert!(!live.stored && group.offsets.is_empty(), "{group_id}: the log has no group"),
            }
        }
        for (group_id, group) in &rebuilt.groups {
            let known = self.coordinator.groups.contains_key(group_id);
            assert!(known || group.is_vacant(), "{group_id}: the log has a group that is forgotten");
        }
    }

    fn check_invariants(&self, group: &ClassicGroup) {
        let parked = group.members().filter(|member| member.is_awaiting_join()).count();
        assert_eq!(parked, group.awaiting_join());
        for member in group.members() {
            assert!(!group.pending_join.contains(&member.member_id), "who is a member is not awaited");
            if let Some(instance_id) = &member.group_instance_id {
                assert_eq!(group.static_member_id(instance_id), Some(&member.member_id));
            }
            let waits = [member.awaiting_join, member.awaiting_sync];
            for parked in waits.into_iter().flatten() {
                assert!(self.waiting.contains(&parked.token), "who is parked has not been answered");
            }
        }
        match &group.leader {
            Some(leader) => assert!(group.member(leader).is_some(), "the leader is a member"),
            None => assert_eq!(group.members().len(), 0, "members have a leader"),
        }
        let members = group.members().len();
        match group.state() {
            State::Empty => assert_eq!(members, 0),
            State::PreparingRebalance { .. } => {}
            State::CompletingRebalance | State::Stable => assert_ne!(members, 0),
        }
    }
}

fn check_stored(live: &ClassicGroup, stored: &ClassicGroup) {
    let of_offsets_only = live.protocol_type.is_none() && !live.stored;
    match live.state() {
        State::Empty if live.empty_not_stored => assert!(stored.generation_id < live.generation_id),
        State::Empty if of_offsets_only => assert_eq!(stored.state(), State::Empty),
        State::Empty | State::Stable => assert_eq!(summary(live), summary(stored)),
        // The log has the last completed generation.
        State::PreparingRebalance { .. } => assert!(stored.generation_id <= live.generation_id),
        State::CompletingRebalance => assert!(stored.generation_id < live.generation_id),
    }
}

/// The moment `by_ms` later on both clocks.
fn later(now: Now, by_ms: i64) -> Now {
    Now { steady: now.steady.after(by_ms), wall: now.wall.after(by_ms) }
}

type MemberSummary = (Str, Option<Str>, Str, Str, i32, i32, Bytes, Bytes);

fn summary(
    group: &ClassicGroup,
) -> (&'static str, i32, Vec<Option<Str>>, Option<WallMs>, Vec<MemberSummary>) {
    let member = |member: &crate::classic::Member| {
        (
            member.member_id.clone(),
            member.group_instance_id.clone(),
            member.client_id.clone(),
            member.client_host.clone(),
            member.rebalance_timeout_ms,
            member.session_timeout_ms,
            group.selected_metadata(member),
            member.assignment.clone(),
        )
    };
    let names = vec![group.protocol_type.clone(), group.protocol_name.clone(), group.leader.clone()];
    let members = group.members().map(member).collect();
    (group.state().name(), group.generation_id, names, group.state_timestamp, members)
}
