//! Large but honest messages are not taken for attacks: many short names, many small arrays.

use protocol::messages::describe_topic_partitions_response::{
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::messages::{
    DeleteTopicsRequest, DescribeGroupsRequest, DescribeTopicPartitionsResponse, MetadataRequest,
    OffsetFetchRequest,
};
use protocol::{Message, Str};

use crate::sample::{Content, Sample, Source, decoded, encoded};

fn check<M: Message + PartialEq + std::fmt::Debug>(message: &M, versions: impl IntoIterator<Item = i16>) {
    for version in versions {
        assert_eq!(*message, decoded(&encoded(message, version), version));
    }
}

/// `t0`, `t1` and so on.
fn names(count: usize) -> impl Iterator<Item = Str> {
    (0..count).map(|n| format!("t{n}").into())
}

#[test]
fn many_short_names() {
    for count in [0, 10, 1000, 20_000] {
        let topics = names(count).map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() });
        let request = MetadataRequest { topics: Some(topics.collect()), ..Default::default() };
        check(&request, [4, 9, 12]);
        check(&DeleteTopicsRequest { topic_names: names(count).collect(), ..Default::default() }, [1, 5]);
        check(&DescribeGroupsRequest { groups: names(count).collect(), ..Default::default() }, [0, 6]);
    }
}

#[test]
fn many_small_arrays() {
    for count in [10, 1000, 20_000] {
        let topics = names(count).map(|name| OffsetFetchRequestTopics {
            name,
            partition_indexes: vec![0],
            ..OffsetFetchRequestTopics::default()
        });
        let group = OffsetFetchRequestGroup { topics: Some(topics.collect()), ..Default::default() };
        check(&OffsetFetchRequest { groups: vec![group], ..Default::default() }, [8, 9]);
        let partitions = (0..count).map(|_| DescribeTopicPartitionsResponsePartition {
            replica_nodes: vec![1],
            isr_nodes: vec![1],
            ..DescribeTopicPartitionsResponsePartition::default()
        });
        let topic =
            DescribeTopicPartitionsResponseTopic { partitions: partitions.collect(), ..Default::default() };
        check(&DescribeTopicPartitionsResponse { topics: vec![topic], ..Default::default() }, [0]);
    }
}

/// Every message with arrays of many elements, each as small as one can be that has a name.
#[test]
fn no_message_is_too_dense() {
    fn dense<M: Message + Sample + PartialEq + std::fmt::Debug>() {
        // No one means a request with so many filters that filter nothing.
        let count = if M::NAME == "DeleteAclsRequest" { 100 } else { 1500 };
        for version in M::VERSIONS {
            let message = M::sample(&mut Source::new(Content::Dense(count), version));
            assert!(message == decoded(&encoded(&message, version), version), "{} {version}", M::NAME);
        }
    }
    macro_rules! check_all {
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(dense::<protocol::$group::$name>();)* };
    }
    protocol::every_message!(check_all);
}
