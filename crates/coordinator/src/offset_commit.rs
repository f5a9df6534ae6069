//! OffsetCommit: a group stores the offsets up to which it has read.

use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use protocol::records::{OffsetCommitKey, OffsetCommitValue};
use protocol::{ErrorCode, Str};

use crate::classic::{ClassicGroup, State};
use crate::reply::coordinator_error;
use crate::traps::{self, Trap};
use crate::{Append, CoordinatorRecord, GroupCoordinator, Now, Output, Reply, RequestContext, Token, WallMs};

/// The first version in which a client knows the error for a group that does not exist.
const GROUP_ID_NOT_FOUND_VERSION: i16 = 9;

impl GroupCoordinator {
    pub(crate) fn offset_commit(
        &mut self,
        token: Token,
        context: &RequestContext,
        request: &OffsetCommitRequest,
        now: Now,
    ) -> Output {
        if let Err(error) = self.validate_offset_commit(context, request, now) {
            return Output::reply(token, Reply::OffsetCommit(refused(request, error)));
        }
        self.keep_session_alive(request, now);
        let mut records = Vec::new();
        let mut records_bytes = 0;
        let mut response = OffsetCommitResponse::default();
        for topic in &request.topics {
            let mut topic_response = topic_response(topic);
            for partition in &topic.partitions {
                let record = self.commit_record(request, topic, partition, now.wall);
                let error_code = record.as_ref().err().copied().unwrap_or_default();
                records_bytes += record.as_ref().map_or(0, CoordinatorRecord::size);
                if records_bytes > self.append_max_bytes {
                    let error = coordinator_error(ErrorCode::MESSAGE_TOO_LARGE);
                    return Output::reply(token, Reply::OffsetCommit(refused(request, error)));
                }
                records.extend(record);
                topic_response.partitions.push(partition_response(partition, error_code));
            }
            response.topics.push(topic_response);
        }
        let reply = Reply::OffsetCommit(response);
        if records.is_empty() {
            return Output::reply(token, reply);
        }
        Output::append(Some(Append::new(records).with_reply(token, reply)))
    }

    fn validate_offset_commit(
        &self,
        context: &RequestContext,
        request: &OffsetCommitRequest,
        now: Now,
    ) -> Result<(), ErrorCode> {
        let generation_id = request.generation_id_or_member_epoch;
        if generation_id >= 0 && traps::is_on(Trap::ZombieCommits) {
            return Ok(());
        }
        if let Some(group) = self.unserved_group(&request.group_id) {
            let version = context.api_version;
            return group.validate_offset_commit(&request.member_id, generation_id, version, now.steady);
        }
        match self.classic_group(&request.group_id) {
            Some(group) => group.validate_offset_commit(
                &request.member_id,
                request.group_instance_id.as_ref(),
                generation_id,
            ),
            // Without a generation, the client is an administrator, or a consumer in no group.
            None if generation_id < 0 => Ok(()),
            None if context.api_version >= GROUP_ID_NOT_FOUND_VERSION => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            None => Err(ErrorCode::ILLEGAL_GENERATION),
        }
    }

    /// Restarts the session of a member that commits: it is alive.
    fn keep_session_alive(&mut self, request: &OffsetCommitRequest, now: Now) {
        let mut replies = Vec::new();
        if let Some(mut operation) = self.operation(&request.group_id, &mut replies, now)
            && matches!(operation.group.state(), State::Stable | State::PreparingRebalance { .. })
        {
            operation.restart_session(&request.member_id);
        }
    }

    /// # Errors
    /// Kafka's error for the partition.
    fn commit_record(
        &self,
        request: &OffsetCommitRequest,
        topic: &OffsetCommitRequestTopic,
        partition: &OffsetCommitRequestPartition,
        now: WallMs,
    ) -> Result<CoordinatorRecord, ErrorCode> {
        let metadata = partition.committed_metadata.clone().unwrap_or_default();
        if metadata.encode_utf16().count() > self.settings.offset_metadata_max_bytes {
            return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
        }
        let expire_timestamp = match request.retention_time_ms {
            -1 => -1,
            retention_time_ms => now.after(retention_time_ms).0,
        };
        let key = OffsetCommitKey {
            group: request.group_id.clone(),
            topic: topic.name.clone(),
            partition: partition.partition_index,
        };
        let value = OffsetCommitValue {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata,
            commit_timestamp: now.0,
            expire_timestamp,
            topic_id: topic.topic_id,
        };
        CoordinatorRecord::offset_commit(&key, &value).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)
    }
}

impl ClassicGroup {
    /// Checks that a commit comes from a member of this generation or, if there are no members, from a client
    /// that does not claim to be one. Any other client may be a member of an earlier generation, whose
    /// partition has another owner by now.
    fn validate_offset_commit(
        &self,
        member_id: &str,
        group_instance_id: Option<&Str>,
        generation_id: i32,
    ) -> Result<(), ErrorCode> {
        if generation_id < 0 && self.state() == State::Empty {
            return Ok(());
        }
        if generation_id >= 0 || !member_id.is_empty() || group_instance_id.is_some() {
            self.validate_member(member_id, group_instance_id)?;
            if generation_id != self.generation_id {
                return Err(ErrorCode::ILLEGAL_GENERATION);
            }
        } else if self.state() != State::Empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        // The member has joined but has no assignment yet, so that it cannot have read anything.
        if self.state() == State::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        Ok(())
    }
}

fn refused(request: &OffsetCommitRequest, error: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions =
            topic.partitions.iter().map(|partition| partition_response(partition, error)).collect();
        OffsetCommitResponseTopic { partitions, ..topic_response(topic) }
    });
    OffsetCommitResponse { topics: topics.collect(), ..Default::default() }
}

fn topic_response(topic: &OffsetCommitRequestTopic) -> OffsetCommitResponseTopic {
    OffsetCommitResponseTopic { name: topic.name.clone(), topic_id: topic.topic_id, ..Default::default() }
}

fn partition_response(
    partition: &OffsetCommitRequestPartition,
    error_code: ErrorCode,
) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition { partition_index: partition.partition_index, error_code }
}
