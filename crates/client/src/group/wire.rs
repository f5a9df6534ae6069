//! Kafka's consumer protocol: the messages of consumers to one another, through their coordinator.
//!
//! Each message begins with its version. A newer version only adds fields at the end, so a version newer than
//! known here is read as the newest known one.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::records::consumer_protocol_assignment as assignment;
use protocol::records::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
use protocol::{DecodeError, EncodeError, Message, Reader, Str, Writer};

use super::range::Assignment;
use crate::topic_partition::TopicPartition;

/// The version that this client writes: the fields of higher ones are for cooperative assignors.
const VERSION_WRITTEN: i16 = 0;

/// The encoded subscription of a member.
pub(crate) fn encode_subscription(topics: &[String]) -> Result<Bytes, EncodeError> {
    let subscription =
        ConsumerProtocolSubscription { topics: topics.iter().map(Str::from).collect(), ..Default::default() };
    encode(&subscription)
}

/// The topics that a member subscribes to.
pub(crate) fn decode_subscription(bytes: &Bytes) -> Result<Vec<String>, DecodeError> {
    let subscription: ConsumerProtocolSubscription = decode(bytes)?;
    Ok(subscription.topics.iter().map(ToString::to_string).collect())
}

/// The encoded assignment of a member.
pub(crate) fn encode_assignment(partitions: &Assignment) -> Result<Bytes, EncodeError> {
    let topic = |(topic, partitions): (&String, &Vec<i32>)| assignment::TopicPartition {
        topic: Str::from(topic),
        partitions: partitions.clone(),
    };
    encode(&ConsumerProtocolAssignment {
        assigned_partitions: partitions.iter().map(topic).collect(),
        ..Default::default()
    })
}

/// The decoded assignment of a member. Empty bytes, which a member has until the group is stable, are no
/// partitions.
pub(crate) fn decode_assignment(bytes: &Bytes) -> Result<Vec<TopicPartition>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let assignment: ConsumerProtocolAssignment = decode(bytes)?;
    let mut partitions = BTreeMap::new();
    for topic in &assignment.assigned_partitions {
        for &partition in &topic.partitions {
            partitions.insert(TopicPartition::new(topic.topic.as_str(), partition), ());
        }
    }
    Ok(partitions.into_keys().collect())
}

fn encode<M: Message>(message: &M) -> Result<Bytes, EncodeError> {
    let mut version = BytesMut::new();
    version.put_i16(VERSION_WRITTEN);
    let mut writer = Writer::with_buffer(version);
    message.encode(&mut writer, VERSION_WRITTEN)?;
    Ok(writer.finish().into_bytes())
}

fn decode<M: Message>(bytes: &Bytes) -> Result<M, DecodeError> {
    let mut reader = Reader::new(bytes.clone());
    let version = reader.i16("version")?;
    M::decode(&mut reader, version.min(*M::VERSIONS.end()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{decode_assignment, decode_subscription, encode_assignment, encode_subscription};
    use crate::topic_partition::TopicPartition;

    #[test]
    fn a_subscription_is_the_bytes_that_kafka_writes() {
        let bytes = encode_subscription(&["t".to_owned()]).expect("it can be said");
        // Version 0, one topic, "t", no user data.
        assert_eq!(bytes, &b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff"[..]);
        assert_eq!(decode_subscription(&bytes).expect("it was just written"), ["t"]);
    }

    #[test]
    fn an_assignment_comes_back() {
        let assignment = [("a".to_owned(), vec![1, 2]), ("b".to_owned(), vec![0])].into();
        let bytes = encode_assignment(&assignment).expect("it can be said");
        let expect = [TopicPartition::new("a", 1), TopicPartition::new("a", 2), TopicPartition::new("b", 0)];
        assert_eq!(decode_assignment(&bytes).expect("it was just written"), expect);
        assert_eq!(decode_assignment(&Bytes::new()).expect("nothing is assigned"), []);
    }

    #[test]
    fn a_newer_version_is_read_as_the_newest_known() {
        // Version 9: topics, user data, owned partitions, generation, rack, and something newer.
        let bytes = Bytes::from_static(
            b"\0\x09\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\x01\x02\x03",
        );
        assert_eq!(decode_subscription(&bytes).expect("what is known is there"), ["t"]);
        assert!(decode_subscription(&Bytes::from_static(b"\0")).is_err());
    }
}
