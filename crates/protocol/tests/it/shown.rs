//! Records shown by their names and fields.

use bytes::Bytes;
use protocol::records::named_record::{self, Coordinator, ShowError};
use protocol::records::{
    CoordinatorKey, CoordinatorValue, FeatureLevelRecord, FramedRecord, OffsetCommitKey, OffsetCommitValue,
    PartitionRecord, UserScramCredentialRecord, coordinator_key, coordinator_value, framed,
};
use protocol::{FieldValue, Message, Uuid, Writer};

use crate::sample::{Sample, Source};

fn names(value: &FieldValue) -> Vec<&'static str> {
    let FieldValue::Struct(fields) = value else { panic!("a record is a struct: {value:?}") };
    fields.iter().map(|(name, _)| *name).collect()
}

fn field<'a>(value: &'a FieldValue, wanted: &str) -> &'a FieldValue {
    let FieldValue::Struct(fields) = value else { panic!("a record is a struct: {value:?}") };
    &fields.iter().find(|(name, _)| *name == wanted).unwrap_or_else(|| panic!("{wanted} is there")).1
}

#[test]
fn a_coordinator_s_record_has_kafka_s_names_and_the_fields_of_its_version() {
    let key = OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 3 };
    let (number, shown) = Coordinator::Group.key(coordinator_key::encode(&key).unwrap()).unwrap();
    assert_eq!((number, shown.name), (OffsetCommitKey::RECORD_TYPE, "OffsetCommitKey"));
    let expect = vec![
        ("group", FieldValue::Text("g".into())),
        ("topic", FieldValue::Text("t".into())),
        ("partition", FieldValue::Int(3)),
    ];
    assert_eq!(shown.fields, FieldValue::Struct(expect));
    let value = OffsetCommitValue { offset: 7, ..OffsetCommitValue::default() };
    let at = |version| {
        let bytes = coordinator_value::encode(&value, version).unwrap();
        Coordinator::Group.value(number, bytes).unwrap()
    };
    assert_eq!(names(&at(1).fields), ["offset", "metadata", "commitTimestamp", "expireTimestamp"]);
    assert_eq!(names(&at(3).fields), ["offset", "leaderEpoch", "metadata", "commitTimestamp"]);
    assert_eq!(field(&at(3).fields, "offset"), &FieldValue::Int(7));
    // The same number is another record to another coordinator.
    let (_, other) = Coordinator::Share
        .key(Bytes::from_static(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]))
        .unwrap();
    assert_eq!((other.name, field(&other.fields, "partition")), ("ShareUpdateKey", &FieldValue::Int(9)));
    assert_eq!(Coordinator::Transaction.key(Bytes::from_static(&[0, 1])), Err(ShowError::UnknownType(1)));
}

#[test]
fn tagged_defaults_are_left_out_and_secrets_are_not_told() {
    let plain = framed::encode(&PartitionRecord::default(), 2).unwrap();
    let plain = named_record::metadata(plain).unwrap();
    assert_eq!((plain.name, plain.version), ("PartitionRecord", 2));
    assert!(!names(&plain.fields).contains(&"eligibleLeaderReplicas"), "{plain:?}");
    let partition = PartitionRecord { eligible_leader_replicas: Some(vec![4]), ..PartitionRecord::default() };
    let shown = named_record::metadata(framed::encode(&partition, 2).unwrap()).unwrap();
    let expect = FieldValue::List(vec![FieldValue::Int(4)]);
    assert_eq!(field(&shown.fields, "eligibleLeaderReplicas"), &expect);
    assert_eq!(field(&shown.fields, "topicId"), &FieldValue::Uuid(Uuid::ZERO));
    let secret = UserScramCredentialRecord { salt: Bytes::from_static(b"salt"), ..Default::default() };
    let shown = named_record::metadata(framed::encode(&secret, 0).unwrap()).unwrap();
    assert_eq!(field(&shown.fields, "salt"), &FieldValue::Secret);
}

#[test]
fn every_record_is_found_by_its_number() {
    let coordinators = [Coordinator::Group, Coordinator::Transaction, Coordinator::Share];
    fn record<R: FramedRecord + Sample>(_: &[Coordinator]) {
        let record = R::sample(&mut Source::random(1, *R::VERSIONS.end()));
        let bytes = framed::encode(&record, *R::VERSIONS.end()).unwrap();
        let found = [named_record::metadata(bytes.clone()), named_record::remote_log(bytes)];
        assert!(found.iter().flatten().any(|shown| shown.name == R::NAME), "{}", R::NAME);
    }
    fn key<K: CoordinatorKey + Sample>(coordinators: &[Coordinator]) {
        let bytes = coordinator_key::encode(&K::sample(&mut Source::random(1, 0))).unwrap();
        let mut found = coordinators.iter().flat_map(|coordinator| coordinator.key(bytes.clone()));
        assert!(
            found.any(|(number, shown)| number == K::RECORD_TYPE && shown.name == K::NAME),
            "{}",
            K::NAME
        );
    }
    fn value<V: CoordinatorValue + Sample>(coordinators: &[Coordinator]) {
        let version = *V::VERSIONS.end();
        let bytes = coordinator_value::encode(&V::sample(&mut Source::random(1, version)), version).unwrap();
        let found = coordinators.iter().flat_map(|it| it.value(V::RECORD_TYPE, bytes.clone()));
        assert!(found.into_iter().any(|shown| shown.name == V::NAME), "{}", V::NAME);
    }
    macro_rules! check_all {
        (@one request $name:ident) => {};
        (@one response $name:ident) => {};
        (@one data $name:ident) => {};
        (@one $kind:ident $name:ident) => { $kind::<protocol::records::$name>(&coordinators); };
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(check_all!(@one $kind $name);)* };
    }
    protocol::every_message!(check_all);
}

#[test]
fn control_records_are_read_by_their_type() {
    let marker = named_record::control(1, Bytes::from_static(&[0, 0, 0, 0, 0, 9])).unwrap();
    assert_eq!(marker.fields, FieldValue::Struct(vec![("coordinatorEpoch", FieldValue::Int(9))]));
    let mut writer = Writer::new();
    let record = protocol::records::LeaderChangeMessage { leader_id: 5, ..Default::default() };
    record.encode(&mut writer, 0).unwrap();
    let change = named_record::control(2, writer.finish().into_bytes()).unwrap();
    assert_eq!(
        (change.name, field(&change.fields, "leaderId")),
        ("LeaderChangeMessage", &FieldValue::Int(5))
    );
    // A newer version only adds to the newest that is known.
    let newer = Bytes::from_static(&[0, 9, 0, 0, 0, 5, 1, 1, 0]);
    let change = named_record::control(2, newer).unwrap();
    assert_eq!((change.version, field(&change.fields, "leaderId")), (1, &FieldValue::Int(5)));
    assert_eq!(named_record::control(99, Bytes::from_static(&[0, 0])), Err(ShowError::UnknownType(99)));
    assert!(matches!(named_record::control(3, Bytes::from_static(&[0])), Err(ShowError::Damaged(_))));
    let feature = framed::encode(&FeatureLevelRecord::default(), 0).unwrap();
    assert!(matches!(named_record::metadata(feature.slice(..feature.len() - 1)), Err(ShowError::Damaged(_))));
}
