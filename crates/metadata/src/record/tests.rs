use protocol::Uuid;
use protocol::records::{NoOpRecord, PartitionRecord, TopicRecord};

use super::*;

#[test]
fn records_have_the_frame_and_versions_of_kafka() {
    let topic = MetadataRecord::from(TopicRecord { name: "t".into(), topic_id: Uuid([1; 16]) });
    let mut expected = vec![1, 2, 0, 2, b't'];
    expected.extend_from_slice(&[1; 16]);
    expected.push(0);
    assert_eq!(&topic.encode(0).expect("it fits")[..], expected);
    let partition = MetadataRecord::from(PartitionRecord::default());
    assert_eq!(&partition.encode(2).expect("it fits")[..3], [1, 3, 2]);
    assert_eq!(MetadataRecord::decode(expected.into()), Ok((topic, 0)));
    assert_eq!(MetadataRecord::from(NoOpRecord {}).name(), "NoOpRecord");
}

#[test]
fn bytes_that_are_no_record_are_errors() {
    assert_eq!(
        MetadataRecord::decode(Bytes::from_static(&[1, 99, 0, 0])),
        Err(UnreadableRecord::UnknownType(99))
    );
    let topic = MetadataRecord::from(TopicRecord { name: "topic".into(), topic_id: Uuid([1; 16]) });
    let bytes = topic.encode(0).expect("it fits");
    for len in 0..bytes.len() {
        let cut = MetadataRecord::decode(bytes.slice(..len));
        assert!(matches!(cut, Err(UnreadableRecord::Damaged(_))), "{len}: {cut:?}");
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(MetadataRecord::decode(longer.into()).is_err());
}
