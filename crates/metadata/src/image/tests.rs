use protocol::records::{
    AccessControlEntryRecord, BrokerRegistrationChangeRecord, ClearElrRecord, ClientQuotaRecord,
    ConfigRecord, DelegationTokenRecord, FeatureLevelRecord, FenceBrokerRecord, NoOpRecord,
    PartitionChangeRecord, PartitionRecord, RegisterControllerRecord, RemoveAccessControlEntryRecord,
    RemoveDelegationTokenRecord, RemoveTopicRecord, RemoveUserScramCredentialRecord, TopicRecord,
    UnfenceBrokerRecord, UnregisterBrokerRecord, UserScramCredentialRecord, client_quota_record,
};

use super::*;
use crate::record::MetadataRecord;

const ID: Uuid = Uuid([1; 16]);

fn apply(image: &mut Image, record: impl Into<MetadataRecord>) -> Result<Delta, ApplyError> {
    let mut delta = Delta::default();
    image.apply(record.into(), &mut delta)?;
    Ok(delta)
}

fn topic(name: &str, id: Uuid) -> TopicRecord {
    TopicRecord { name: name.into(), topic_id: id }
}

fn partition(partition_id: i32) -> PartitionRecord {
    PartitionRecord {
        partition_id,
        topic_id: ID,
        replicas: vec![1, 2, 3],
        isr: vec![1, 2],
        leader: 1,
        leader_epoch: 4,
        partition_epoch: 9,
        directories: vec![Uuid::ZERO; 3],
        eligible_leader_replicas: Some(vec![3]),
        ..PartitionRecord::default()
    }
}

fn one_topic() -> Image {
    let mut image = Image::default();
    apply(&mut image, topic("t", ID)).expect("it is new");
    apply(&mut image, partition(0)).expect("it is next");
    image
}

#[test]
fn a_change_of_leader_raises_the_leader_epoch_and_others_do_not() {
    let mut image = one_topic();
    let change = PartitionChangeRecord { topic_id: ID, isr: Some(vec![1]), ..Default::default() };
    let delta = apply(&mut image, PartitionChangeRecord { partition_id: 0, ..change }).expect("it is there");
    assert!(delta.topics.contains(&ID));
    let now = image.partition("t", 0).expect("it is there").clone();
    assert_eq!((&*now.isr, now.leader, now.leader_epoch, now.partition_epoch), (&[1][..], 1, 4, 10));
    assert_eq!((now.replicas.len(), now.eligible_leader_replicas()), (3, &[3][..]));

    let lead = |leader| PartitionChangeRecord { topic_id: ID, partition_id: 0, leader, ..Default::default() };
    apply(&mut image, lead(1)).expect("the same leader again");
    apply(&mut image, lead(NO_LEADER)).expect("no leader");
    let now = image.partition("t", 0).expect("it is there");
    assert_eq!((now.leader, now.leader_epoch, now.partition_epoch), (NO_LEADER, 6, 12));
    assert!(!now.has_leader());

    apply(&mut image, ClearElrRecord { topic_name: "t".into() }).expect("it is kept");
    assert!(image.partition("t", 0).expect("it is there").eligible_leader_replicas().is_empty());
}

#[test]
fn records_that_contradict_the_state_are_errors_and_change_nothing() {
    let image = one_topic();
    let unknown = Uuid([9; 16]);
    let records: Vec<MetadataRecord> = vec![
        topic("t", Uuid([2; 16])).into(),
        topic("other", ID).into(),
        partition(2).into(),
        partition(-1).into(),
        PartitionRecord { topic_id: unknown, ..partition(0) }.into(),
        PartitionChangeRecord { topic_id: ID, partition_id: 1, ..Default::default() }.into(),
        PartitionChangeRecord { topic_id: unknown, partition_id: 0, ..Default::default() }.into(),
        RemoveTopicRecord { topic_id: unknown }.into(),
        UnregisterBrokerRecord { broker_id: 1, broker_epoch: 0 }.into(),
        FenceBrokerRecord { id: 1, epoch: 0 }.into(),
        BrokerRegistrationChangeRecord { broker_id: 1, ..Default::default() }.into(),
        ConfigRecord { resource_type: 3, ..Default::default() }.into(),
    ];
    for record in records {
        let mut changed = image.clone();
        let name = record.name();
        let error = apply(&mut changed, record).expect_err(name);
        assert_eq!(error.record, name);
        assert_eq!(changed, image, "{error}");
    }
}

#[test]
fn brokers_are_fenced_unfenced_changed_and_forgotten() {
    let mut image = Image::default();
    let live = |image: &Image| image.live_brokers().count();
    apply(&mut image, RegisterBrokerRecord { broker_id: 7, ..Default::default() }).expect("it registers");
    assert_eq!(live(&image), 0, "a broker is fenced at first");
    apply(&mut image, UnfenceBrokerRecord { id: 7, epoch: 0 }).expect("it is there");
    assert_eq!(live(&image), 1);
    apply(&mut image, FenceBrokerRecord { id: 7, epoch: 0 }).expect("it is there");
    assert_eq!(live(&image), 0);
    let change = |fenced| BrokerRegistrationChangeRecord { broker_id: 7, fenced, ..Default::default() };
    apply(&mut image, change(-1)).expect("it is there");
    apply(&mut image, change(0)).expect("it is there");
    assert_eq!(live(&image), 1);
    let leaving = BrokerRegistrationChangeRecord { in_controlled_shutdown: 1, ..change(0) };
    let delta = apply(&mut image, leaving).expect("it is there");
    assert_eq!((live(&image), delta.brokers.contains(&7)), (0, true));
    apply(&mut image, UnregisterBrokerRecord { broker_id: 7, broker_epoch: 0 }).expect("it is there");
    assert!(image.brokers().is_empty());
}

#[test]
fn a_snapshot_keeps_what_nothing_reads_yet() {
    let quota = |remove| ClientQuotaRecord {
        entity: vec![client_quota_record::EntityData { entity_type: "user".into(), entity_name: None }],
        key: "producer_byte_rate".into(),
        value: 1.5,
        remove,
    };
    let mut image = Image::default();
    let kept: Vec<MetadataRecord> = vec![
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: 30 }.into(),
        FeatureLevelRecord { name: "group.version".into(), feature_level: 1 }.into(),
        RegisterControllerRecord { controller_id: 4, ..Default::default() }.into(),
        AccessControlEntryRecord { id: ID, principal: "User:a".into(), ..Default::default() }.into(),
        UserScramCredentialRecord { name: "a".into(), mechanism: 1, ..Default::default() }.into(),
        DelegationTokenRecord { token_id: "t".into(), ..Default::default() }.into(),
        quota(false).into(),
    ];
    for record in kept.clone() {
        apply(&mut image, record).expect("it is kept");
    }
    apply(&mut image, NoOpRecord {}).expect("it says nothing");
    let records: Vec<MetadataRecord> = image.records().collect();
    assert_eq!(records.len(), kept.len());
    assert!(kept.iter().all(|record| records.contains(record)));
    assert_eq!(records[0], kept[0], "metadata.version comes first");
    assert_eq!((image.feature_level("metadata.version"), image.feature_level("none")), (30, 0));

    let gone: Vec<MetadataRecord> = vec![
        FeatureLevelRecord { name: "group.version".into(), feature_level: 0 }.into(),
        RemoveAccessControlEntryRecord { id: ID }.into(),
        RemoveUserScramCredentialRecord { name: "a".into(), mechanism: 1 }.into(),
        RemoveDelegationTokenRecord { token_id: "t".into() }.into(),
        quota(true).into(),
    ];
    for record in gone {
        apply(&mut image, record).expect("it is taken out");
    }
    assert_eq!(image.records().count(), 2);
}

#[test]
fn names_collide_in_metrics_only_where_they_do() {
    let mut image = Image::default();
    for (i, name) in ["a.b_c", "plain", "x-y"].into_iter().enumerate() {
        apply(&mut image, topic(name, Uuid([i as u8 + 1; 16]))).expect("it is new");
    }
    let topics = image.topics();
    assert_eq!(topics.colliding("a_b.c").map(|name| &**name), Some("a.b_c"));
    assert_eq!(topics.colliding("a.b_c"), None, "a topic does not collide with itself");
    assert_eq!(topics.colliding("a.b"), None);
    apply(&mut image, RemoveTopicRecord { topic_id: Uuid([1; 16]) }).expect("it is there");
    assert_eq!(image.topics().colliding("a_b.c"), None);
    let from: Vec<&str> = image.topics().iter_from("q").map(|topic| &*topic.name).collect();
    assert_eq!(from, ["x-y"]);
}

#[test]
fn a_copy_shares_the_topics_that_do_not_change() {
    let mut image = one_topic();
    for i in 2..=100 {
        apply(&mut image, topic(&format!("t{i}"), Uuid([i; 16]))).expect("it is new");
    }
    let before = image.clone();
    let lead = PartitionChangeRecord { topic_id: ID, partition_id: 0, leader: 2, ..Default::default() };
    apply(&mut image, lead).expect("it is there");
    let shared = |name: &str| Arc::ptr_eq(before.topic(name).expect(name), image.topic(name).expect(name));
    assert!(!shared("t") && shared("t2") && shared("t100"));
    assert_eq!(before.partition("t", 0).map(|partition| partition.leader), Some(1), "the copy stays");
}
