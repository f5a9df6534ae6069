//! OffsetDelete: an administrator deletes the offsets of topics that a group no longer reads (KIP-496).

use protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};
use protocol::{ErrorCode, Str};

use crate::classic::{ClassicGroup, State};
use crate::group::GroupType;
use crate::offsets::OffsetKey;
use crate::{Append, CoordinatorRecord, GroupCoordinator, Now, Output, Reply, Token};

impl GroupCoordinator {
    pub(crate) fn offset_delete(&mut self, token: Token, request: &OffsetDeleteRequest, now: Now) -> Output {
        let (topics, records) = match self.delete_offsets(request, now) {
            Ok(deleted) => deleted,
            Err(error_code) => {
                let response = OffsetDeleteResponse { error_code, ..Default::default() };
                return Output::reply(token, Reply::OffsetDelete(response));
            }
        };
        let reply = Reply::OffsetDelete(OffsetDeleteResponse { topics, ..Default::default() });
        match Append::deletion(records, self.settings.deletion_batch_max_bytes) {
            Some(append) => Output::append(Some(append.with_reply(token, reply))),
            None => Output::reply(token, reply),
        }
    }

    #[allow(clippy::type_complexity, reason = "what to answer and what to write")]
    fn delete_offsets(
        &self,
        request: &OffsetDeleteRequest,
        now: Now,
    ) -> Result<(Vec<OffsetDeleteResponseTopic>, Vec<CoordinatorRecord>), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let group = self.groups.get(&request.group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        match &group.of_type {
            GroupType::Classic(classic) => classic.validate_offset_delete()?,
            GroupType::Unserved(unserved) => unserved.validate_offset_delete()?,
        }
        let mut records = Vec::new();
        let mut topics = Vec::new();
        for topic in &request.topics {
            if group.is_subscribed_to(&topic.name, now.steady) {
                topics.push(topic_response(topic, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC));
                continue;
            }
            topics.push(topic_response(topic, ErrorCode::NONE));
            for partition in &topic.partitions {
                records.extend(self.offset_tombstone(
                    &request.group_id,
                    &topic.name,
                    partition.partition_index,
                ));
            }
        }
        Ok((topics, records))
    }

    /// The tombstone of an offset, if it exists.
    fn offset_tombstone(&self, group_id: &Str, topic: &Str, partition: i32) -> Option<CoordinatorRecord> {
        let committed = self.groups.get(group_id)?.offsets.get(topic, partition).is_some();
        let key = OffsetKey { group_id: group_id.clone(), topic: topic.clone(), partition };
        (committed || self.pending_offsets.contains(&key))
            .then(|| CoordinatorRecord::offset_tombstone(group_id, topic, partition))
    }
}

impl ClassicGroup {
    /// The coordinator knows what consumers read, but not what other groups read: those have to be empty.
    fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        let may = self.state() == State::Empty || self.uses_consumer_protocol();
        if may { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }
}

fn topic_response(topic: &OffsetDeleteRequestTopic, error_code: ErrorCode) -> OffsetDeleteResponseTopic {
    let partitions = topic.partitions.iter().map(|partition| OffsetDeleteResponsePartition {
        partition_index: partition.partition_index,
        error_code,
    });
    OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
}
