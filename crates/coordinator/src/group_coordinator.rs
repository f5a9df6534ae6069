//! The coordinator of the groups in one partition of `__consumer_offsets`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest,
};
use protocol::{ErrorCode, Str};

use crate::classic::{
    ClassicGroup, Operation, ParkedRequest, identities, join_error, join_for_version, leave_for_version,
    member_response, sync_error,
};
use crate::group::{Group, GroupType};
use crate::offsets::PendingOffsets;
use crate::records::Key;
use crate::reply::coordinator_error;
use crate::timers::{Timer, Timers};
use crate::unserved::UnservedGroup;
use crate::{
    Append, CoordinatorRecord, DeletedTopic, GroupRequest, Now, Output, ReplayError, ReplayOutcome, Reply,
    RequestContext, Settings, Shard, SkippedRecords, SteadyMs, StoredRecord, Token,
};

/// The state of the groups in one partition of `__consumer_offsets`, and the rules by which it changes.
/// See the crate's documentation for how it is driven.
#[derive(Debug)]
pub struct GroupCoordinator {
    pub(crate) settings: Settings,
    pub(crate) groups: BTreeMap<Str, Group>,
    pub(crate) pending_offsets: PendingOffsets,
    pub(crate) timers: Timers,
    pub(crate) skipped: SkippedRecords,
    /// The largest batch that the log accepts, in bytes.
    pub(crate) append_max_bytes: usize,
    /// The classic groups whose record was replayed, and that have not continued since.
    pub(crate) replayed_groups: BTreeSet<Str>,
    /// A client that will join the group which the append in flight converts to a classic one.
    converting: Option<JoinAfterConversion>,
    /// Whether the outcome of an append is not known yet. Nothing may be decided meanwhile.
    append_in_flight: bool,
}

/// A JoinGroup that waits for the records that convert its group to a classic one.
#[derive(Debug)]
struct JoinAfterConversion {
    token: Token,
    context: RequestContext,
    request: JoinGroupRequest,
}

impl Shard for GroupCoordinator {
    type Request = GroupRequest;
    type Settings = Settings;

    const TOPIC: &'static str = "__consumer_offsets";

    fn new(settings: Settings) -> GroupCoordinator {
        GroupCoordinator {
            settings,
            groups: BTreeMap::new(),
            pending_offsets: PendingOffsets::default(),
            timers: Timers::default(),
            skipped: SkippedRecords::default(),
            append_max_bytes: usize::MAX,
            replayed_groups: BTreeSet::new(),
            converting: None,
            append_in_flight: false,
        }
    }

    fn replay(&mut self, record: StoredRecord) -> Result<ReplayOutcome, ReplayError> {
        self.replay_record(record)
    }

    fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        self.replay_end_of_transaction(producer_id, committed);
    }

    /// Restarts the session of every member, since no heartbeat could arrive in the meantime.
    fn begin(&mut self, now: Now) {
        let next = now.steady.after(self.settings.offsets_retention_check_interval_ms);
        self.timers.schedule(Timer::Expiration, next);
        self.replayed_groups.clear();
        self.drop_all_vacant();
        for group_id in self.groups.keys().cloned().collect::<Vec<_>>() {
            if let Some(group) = self.unserved_group_mut(&group_id) {
                group.begin_after_load(now.steady);
            }
            let mut replies = Vec::new();
            if let Some(mut operation) = self.operation(&group_id, &mut replies, now) {
                operation.begin_after_load();
            }
            assert!(replies.is_empty(), "no one has asked anything yet");
        }
    }

    fn load_remarks(&self) -> Vec<String> {
        let skipped = self.skipped.by_type.iter().map(|(record_type, count)| {
            format!("{count} records of the unknown type {record_type} are left as they are")
        });
        let unserved = self.unserved_groups().into_iter().map(|(group_type, count)| {
            format!("{count} {group_type} groups are kept: their protocol is not served")
        });
        skipped.chain(unserved).collect()
    }

    fn contents(&self) -> String {
        let topics = self.groups.values().flat_map(|group| group.offsets.topics());
        let offsets = topics.map(|(_, offsets)| offsets.len()).sum::<usize>();
        format!("{} groups with {offsets} offsets", self.groups.len())
    }

    /// A request that needs more fails before its records are built: each repeats the name of its group,
    /// which may be long.
    fn limit_appends(&mut self, max_bytes: usize) {
        self.append_max_bytes = max_bytes;
    }

    fn decide(&mut self, token: Token, request: GroupRequest, now: Now) -> Output {
        self.assert_ready();
        let output = match request {
            GroupRequest::JoinGroup(context, request) => self.join_group(token, &context, request, now),
            GroupRequest::SyncGroup(context, request) => self.sync_group(token, &context, &request, now),
            GroupRequest::LeaveGroup(context, request) => self.leave_group(token, &context, request, now),
            GroupRequest::OffsetCommit(context, request) => {
                self.offset_commit(token, &context, &request, now)
            }
            GroupRequest::OffsetDelete(request) => self.offset_delete(token, &request, now),
            GroupRequest::DeleteGroups(group_ids) => self.delete_groups(token, &group_ids, now),
        };
        self.given_out(output)
    }

    fn topics_deleted(&mut self, topics: &[DeletedTopic]) -> Output {
        self.assert_ready();
        let output = Output::append(self.forget_offsets_of(topics));
        self.given_out(output)
    }

    fn appended(&mut self, now: Now) -> Output {
        assert!(self.append_in_flight, "an append is answered once");
        self.append_in_flight = false;
        let mut output = Output::default();
        for group_id in std::mem::take(&mut self.replayed_groups) {
            if let Some(mut operation) = self.operation(&group_id, &mut output.replies, now) {
                operation.generation_stored();
            }
        }
        if let Some(JoinAfterConversion { token, context, request }) = self.converting.take() {
            let joined = self.join_group(token, &context, request, now);
            output.replies.extend(joined.replies);
            output.append = joined.append;
        }
        self.given_out(output)
    }

    fn not_appended(&mut self, records: &[CoordinatorRecord], error: ErrorCode, now: Now) -> Output {
        assert!(self.append_in_flight, "an append is answered once");
        self.append_in_flight = false;
        // Earlier batches of the append may have been stored. They change no group with members.
        self.replayed_groups.clear();
        let mut output = Output::default();
        for record in records.iter().filter(|record| record.value.is_some()) {
            let Ok(Key::GroupMetadata(key)) = Key::decode(record.key.clone()) else { continue };
            if let Some(mut operation) = self.operation(&key.group, &mut output.replies, now) {
                output.append = operation.generation_not_stored(error);
            }
        }
        if let Some(JoinAfterConversion { token, context, .. }) = self.converting.take() {
            let response = join_error(&Str::default(), coordinator_error(error));
            output.replies.push((token, join_for_version(response, context.api_version).into()));
        }
        self.given_out(output)
    }

    fn next_deadline(&self) -> Option<SteadyMs> {
        self.timers.next_deadline()
    }

    /// Does what is due: sessions and rebalances that time out, offsets that expire.
    fn tick(&mut self, now: Now) -> Output {
        self.assert_ready();
        let mut output = Output::default();
        while output.append.is_none() {
            let Some(timer) = self.timers.pop_due(now.steady) else { break };
            let due = self.expire(&timer, now);
            output.replies.extend(due.replies);
            output.append = due.append;
        }
        self.given_out(output)
    }

    fn resign(mut self, now: Now) -> Vec<(Token, Reply)> {
        let mut replies = Vec::new();
        for group_id in self.groups.keys().cloned().collect::<Vec<_>>() {
            if let Some(mut operation) = self.operation(&group_id, &mut replies, now) {
                operation.resign();
            }
        }
        replies
    }
}

impl GroupCoordinator {
    /// The records that were skipped during the load.
    pub fn skipped_records(&self) -> &SkippedRecords {
        &self.skipped
    }

    fn join_group(
        &mut self,
        token: Token,
        context: &RequestContext,
        mut request: JoinGroupRequest,
        now: Now,
    ) -> Output {
        let parked = ParkedRequest { token, api_version: context.api_version };
        if let Err(error) = self.validate_join(&request) {
            let response = join_error(&request.member_id, error);
            return Output::reply(token, Reply::JoinGroup(join_for_version(response, context.api_version)));
        }
        if let Some(group) = self.unserved_group(&request.group_id) {
            return match group.conversion(&request, now.steady) {
                Ok(records) => self.convert(records, token, context, request),
                Err(error) => {
                    // Kafka names the member only if that is the fault.
                    let is_unknown = error == ErrorCode::UNKNOWN_MEMBER_ID;
                    let member_id = if is_unknown { &request.member_id } else { &Str::default() };
                    let response = join_error(member_id, error);
                    Output::reply(token, Reply::JoinGroup(join_for_version(response, context.api_version)))
                }
            };
        }
        if context.api_version == 0 {
            request.rebalance_timeout_ms = request.session_timeout_ms;
        }
        let group_id = request.group_id.clone();
        if !self.groups.contains_key(&group_id) {
            let group_id = group_id.detached();
            self.groups.insert(group_id.clone(), Group::new_classic(group_id, now.wall));
        }
        let output = self.operate(&group_id, now, |operation| operation.join(parked, context, request));
        self.drop_vacant(&group_id);
        output
    }

    fn validate_join(&self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let allowed = self.settings.group_min_session_timeout_ms..=self.settings.group_max_session_timeout_ms;
        if !allowed.contains(&request.session_timeout_ms) {
            return Err(ErrorCode::INVALID_SESSION_TIMEOUT);
        }
        // Only a client without a member id can create a group, also in place of an empty one of another
        // protocol.
        if !request.member_id.is_empty() && !self.groups.contains_key(&request.group_id) {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        Ok(())
    }

    fn sync_group(
        &mut self,
        token: Token,
        context: &RequestContext,
        request: &SyncGroupRequest,
        now: Now,
    ) -> Output {
        let error = if context.api_version >= 5
            && (request.protocol_type.is_none() || request.protocol_name.is_none())
        {
            ErrorCode::INCONSISTENT_GROUP_PROTOCOL
        } else if request.group_id.is_empty() {
            ErrorCode::INVALID_GROUP_ID
        } else if self.classic_group(&request.group_id).is_none() {
            ErrorCode::UNKNOWN_MEMBER_ID
        } else {
            let parked = ParkedRequest { token, api_version: context.api_version };
            return self.operate(&request.group_id, now, |operation| operation.sync(parked, request));
        };
        Output::reply(token, Reply::SyncGroup(sync_error(error)))
    }

    /// Heartbeat, versions 0 to 4. It never waits. Until the partition is loaded, the host answers without an
    /// error, since the member need not do anything.
    pub fn heartbeat(&mut self, request: &HeartbeatRequest, now: Now) -> HeartbeatResponse {
        let error_code = if request.group_id.is_empty() {
            ErrorCode::INVALID_GROUP_ID
        } else {
            let mut replies = Vec::new();
            match self.operation(&request.group_id, &mut replies, now) {
                Some(mut operation) => operation.heartbeat(request).err().unwrap_or_default(),
                None => ErrorCode::UNKNOWN_MEMBER_ID,
            }
        };
        HeartbeatResponse { error_code, ..Default::default() }
    }

    fn leave_group(
        &mut self,
        token: Token,
        context: &RequestContext,
        request: LeaveGroupRequest,
        now: Now,
    ) -> Output {
        let leaving = identities(&request.member_id, request.members, context.api_version);
        let mut output = Output::default();
        let (response, append) = if request.group_id.is_empty() {
            let error_code = ErrorCode::INVALID_GROUP_ID;
            (LeaveGroupResponse { error_code, ..Default::default() }, None)
        } else {
            match self.operation(&request.group_id, &mut output.replies, now) {
                Some(mut operation) => operation.leave(&leaving),
                None => {
                    let unknown = |member| member_response(member, ErrorCode::UNKNOWN_MEMBER_ID);
                    let members = leaving.iter().map(unknown).collect();
                    (LeaveGroupResponse { members, ..Default::default() }, None)
                }
            }
        };
        let reply = Reply::LeaveGroup(leave_for_version(response, context.api_version));
        match append {
            Some(append) => output.append = Some(append.with_reply(token, reply)),
            None => output.replies.push((token, reply)),
        }
        self.drop_vacant(&request.group_id);
        output
    }

    fn expire(&mut self, timer: &Timer, now: Now) -> Output {
        let group_id = match timer {
            Timer::Session { group_id, .. } => group_id,
            Timer::Join { group_id } | Timer::Sync { group_id } | Timer::StoreEmpty { group_id } => group_id,
            Timer::Expiration => return self.expire_offsets(now),
        };
        let output = self.operate(group_id, now, |operation| match timer {
            Timer::Session { member_id, .. } => operation.expire_session(member_id),
            Timer::Join { .. } => operation.expire_join(),
            Timer::Sync { .. } => operation.expire_sync(),
            Timer::StoreEmpty { .. } => operation.store_empty_again(),
            Timer::Expiration => unreachable!("answered above"),
        });
        self.drop_vacant(group_id);
        output
    }

    /// Runs `decide` on an existing group.
    fn operate(
        &mut self,
        group_id: &Str,
        now: Now,
        decide: impl FnOnce(&mut Operation<'_>) -> Option<Append>,
    ) -> Output {
        let mut output = Output::default();
        if let Some(mut operation) = self.operation(group_id, &mut output.replies, now) {
            output.append = decide(&mut operation);
        }
        output
    }

    pub(crate) fn operation<'a>(
        &'a mut self,
        group_id: &str,
        replies: &'a mut Vec<(Token, Reply)>,
        now: Now,
    ) -> Option<Operation<'a>> {
        let GroupType::Classic(group) = &mut self.groups.get_mut(group_id)?.of_type else { return None };
        Some(Operation { group, timers: &mut self.timers, settings: &self.settings, replies, now })
    }

    pub(crate) fn classic_group(&self, group_id: &str) -> Option<&ClassicGroup> {
        match &self.groups.get(group_id)?.of_type {
            GroupType::Classic(group) => Some(group),
            GroupType::Unserved(_) => None,
        }
    }

    pub(crate) fn unserved_group(&self, group_id: &str) -> Option<&UnservedGroup> {
        match &self.groups.get(group_id)?.of_type {
            GroupType::Unserved(group) => Some(group),
            GroupType::Classic(_) => None,
        }
    }

    fn unserved_group_mut(&mut self, group_id: &str) -> Option<&mut UnservedGroup> {
        match &mut self.groups.get_mut(group_id)?.of_type {
            GroupType::Unserved(group) => Some(group),
            GroupType::Classic(_) => None,
        }
    }

    /// The number of groups of protocols that are not served, by type.
    pub fn unserved_groups(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for group in self.groups.values().filter(|group| matches!(group.of_type, GroupType::Unserved(_))) {
            *counts.entry(group.of_type.name()).or_default() += 1;
        }
        counts
    }

    /// Converts an empty group of another protocol to a classic one, which the client then joins.
    fn convert(
        &mut self,
        records: Vec<CoordinatorRecord>,
        token: Token,
        context: &RequestContext,
        request: JoinGroupRequest,
    ) -> Output {
        self.converting = Some(JoinAfterConversion { token, context: context.clone(), request });
        Output::append(Append::deletion(records, self.settings.deletion_batch_max_bytes))
    }

    /// Removes all groups of which nothing is left, not even an offset of an open transaction.
    pub(crate) fn drop_all_vacant(&mut self) {
        let pending = &self.pending_offsets;
        self.groups
            .retain(|group_id, group| !group.is_vacant() || pending.of_group(group_id).next().is_some());
    }

    /// Removes a group that is neither stored nor has members: anyone can name a group.
    fn drop_vacant(&mut self, group_id: &str) {
        if self.groups.get(group_id).is_some_and(Group::is_vacant) {
            self.groups.remove(group_id);
        }
    }

    /// Records that an append leaves.
    fn given_out(&mut self, output: Output) -> Output {
        self.append_in_flight |= output.append.is_some();
        output
    }

    fn assert_ready(&self) {
        assert!(!self.append_in_flight, "the outcome of the last append comes before anything else");
    }
}
