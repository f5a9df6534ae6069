//! DescribeTopicPartitions (75), version 0: describes topics page by page, in the order of their names
//! (KIP-966).

use std::collections::BTreeSet;

use metadata::controller::{check_topic_name, is_internal_topic};
use metadata::{Image, Partition, Topic};
use protocol::messages::describe_topic_partitions_request::DescribeTopicPartitionsRequest;
use protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use protocol::{ErrorCode, Str};

use crate::call::Call;
use crate::cluster::TOPIC_OPERATIONS;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: DescribeTopicPartitionsRequest) -> Reply {
    let image = call.broker.image();
    let (from_topic, from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.clone(), cursor.partition_index),
        None => (Str::default(), 0),
    };
    let all = request.topics.is_empty();
    let names: BTreeSet<Str> = if all {
        image.topics().iter_from(&from_topic).map(|topic| topic.name.clone()).collect()
    } else {
        let named = request.topics.iter().map(|topic| topic.name.clone());
        named.filter(|name| *name >= from_topic).collect()
    };
    let cursor_is_lost = !all && request.cursor.is_some() && !names.contains(&from_topic);
    if cursor_is_lost || from_partition < 0 {
        return refuse(&call, &request);
    }
    let limit = request.response_partition_limit.min(call.broker.config.max_request_partition_size_limit);
    let mut page = Page { left: usize::try_from(limit).unwrap_or(0).max(1), ..Page::default() };
    for name in names {
        let first = if name == from_topic { usize::try_from(from_partition).unwrap_or(0) } else { 0 };
        if !page.add(&image, name, first, all) {
            break;
        }
    }
    call.reply(&DescribeTopicPartitionsResponse {
        topics: page.topics,
        next_cursor: page.next,
        ..DescribeTopicPartitionsResponse::default()
    })
}

/// The partitions of one response.
#[derive(Default)]
struct Page {
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page {
    /// Adds a topic from partition `first` on. Returns `false` if the page is full.
    fn add(&mut self, image: &Image, name: Str, first: usize, skip_unknown: bool) -> bool {
        if self.left == 0 {
            self.next = Some(Cursor { topic_name: name, partition_index: 0 });
            return false;
        }
        let Some(topic) = image.topic(&name) else {
            if !skip_unknown {
                self.topics.push(unknown(name));
            }
            return true;
        };
        let shown = topic.partitions.len().saturating_sub(first).min(self.left);
        self.topics.push(describe(image, topic, first, shown));
        self.left -= shown;
        let next = first + shown;
        if next < topic.partitions.len() {
            let partition_index = i32::try_from(next).expect("partitions are numbered by i32");
            self.next = Some(Cursor { topic_name: name, partition_index });
            return false;
        }
        true
    }
}

fn describe(
    image: &Image,
    topic: &Topic,
    first: usize,
    count: usize,
) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic.partitions.iter().enumerate().skip(first).take(count);
    let partitions = partitions.map(|(index, partition)| DescribeTopicPartitionsResponsePartition {
        error_code: if partition.has_leader() { ErrorCode::NONE } else { ErrorCode::LEADER_NOT_AVAILABLE },
        partition_index: i32::try_from(index).expect("partitions are numbered by i32"),
        leader_id: partition.leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.to_vec(),
        isr_nodes: partition.isr.to_vec(),
        eligible_leader_replicas: Some(partition.eligible_leader_replicas().to_vec()),
        last_known_elr: Some(partition.last_known_elr().to_vec()),
        offline_replicas: offline_replicas(image, partition),
    });
    DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: is_internal_topic(&topic.name),
        partitions: partitions.collect(),
        topic_authorized_operations: TOPIC_OPERATIONS,
    }
}

fn offline_replicas(image: &Image, partition: &Partition) -> Vec<i32> {
    let serves = |id: &i32| image.brokers().get(id).is_some_and(|broker| partition.is_served_by(broker));
    partition.replicas.iter().copied().filter(|id| !serves(id)).collect()
}

fn unknown(name: Str) -> DescribeTopicPartitionsResponseTopic {
    let error_code = match check_topic_name(&name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    DescribeTopicPartitionsResponseTopic {
        error_code,
        is_internal: is_internal_topic(&name),
        name: Some(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

/// Answers a cursor that points nowhere with an error for each requested topic.
fn refuse(call: &Call<'_>, request: &DescribeTopicPartitionsRequest) -> Reply {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(topic.name.clone()),
        ..DescribeTopicPartitionsResponseTopic::default()
    });
    call.reply(&DescribeTopicPartitionsResponse {
        topics: topics.collect(),
        ..DescribeTopicPartitionsResponse::default()
    })
}
