//! Random histories: whatever is decided, the records alone lead to the state, in any of the ways
//! that a reader may come by them.

use fastrand::Rng;
use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::delete_topics_request::DeleteTopicState;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{
    AllocateProducerIdsRequest, BrokerRegistrationRequest, CreatePartitionsRequest, DeleteTopicsRequest,
    IncrementalAlterConfigsRequest,
};
use protocol::records::{BeginTransactionRecord, EndTransactionRecord};

use super::*;
use crate::features::METADATA_VERSION_NEW;
use crate::image::Change;
use crate::replay::Replay;

const NAMES: &[&str] = &["a", "b", "c.d", "c_d", "e", "f-1", "g", "!"];

/// A decision, any of those that are made about a cluster; the first registers broker 1.
pub(crate) fn decide(rng: &mut Rng, image: &Image) -> Vec<MetadataRecord> {
    if image.brokers().is_empty() {
        return vec![broker(1, false)];
    }
    let controller = controller(&[]);
    let name = NAMES[rng.usize(..NAMES.len())];
    let mut uuid = || Uuid(rng.u128(..).to_be_bytes());
    let choice = uuid().0[0] % 7;
    match choice {
        0 | 1 => {
            let topics =
                vec![CreatableTopic { num_partitions: 1 + i32::from(uuid().0[1] % 5), ..topic(name) }];
            let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
            controller.create_topics(image, &request, uuid).1
        }
        2 => {
            let topics = vec![DeleteTopicState { name: Some(name.into()), topic_id: Uuid::ZERO }];
            controller.delete_topics(image, &DeleteTopicsRequest { topics, ..Default::default() }, 6).1
        }
        3 => {
            let topics =
                vec![CreatePartitionsTopic { name: name.into(), count: rng.i32(0..12), assignments: None }];
            controller.create_partitions(image, &CreatePartitionsRequest { topics, ..Default::default() }).1
        }
        4 => {
            let setting = AlterableConfig {
                name: if rng.bool() { "retention.ms".into() } else { "segment.ms".into() },
                config_operation: rng.i8(0..2),
                value: Some(rng.i32(1..1000).to_string().into()),
            };
            let resources = vec![AlterConfigsResource {
                resource_type: 2,
                resource_name: name.into(),
                configs: vec![setting],
            }];
            let request = IncrementalAlterConfigsRequest { resources, ..Default::default() };
            controller.incremental_alter_configs(image, &request).1
        }
        5 => {
            let request =
                BrokerRegistrationRequest { broker_id: 1, incarnation_id: uuid(), ..Default::default() };
            let (response, mut records) = controller.register_broker(image, &request, |_, _| None);
            records.push(controller.unfence_broker(1, response.broker_epoch));
            records
        }
        _ => {
            let broker_epoch = image.brokers()[&1].broker_epoch;
            let request = AllocateProducerIdsRequest { broker_id: 1, broker_epoch };
            controller.allocate_producer_ids(image, &request).1
        }
    }
}

/// The records as they are read back from their bytes.
fn through_bytes(record: &MetadataRecord) -> MetadataRecord {
    let version = record.version_at(METADATA_VERSION_NEW).expect("it is of that level");
    let bytes = record.encode(version).expect("it fits");
    MetadataRecord::decode(bytes).expect("it reads").0
}

#[test]
fn records_alone_lead_to_the_state() {
    for seed in 0..40 {
        let mut rng = Rng::with_seed(seed);
        let mut image = cluster();
        let mut log: Vec<MetadataRecord> = vec![broker(1, false)];
        for _ in 0..120 {
            let records = decide(&mut rng, &image);
            let before = Arc::new(image.clone());
            let mut delta = Delta::default();
            for record in &records {
                image.apply(record.clone(), &mut delta).expect("the controller's records follow the state");
            }
            check_change(&Change { old: before, new: Arc::new(image.clone()), delta });
            if records.len() > 1 {
                log.push(BeginTransactionRecord::default().into());
            }
            let many = records.len() > 1;
            log.extend(records);
            if many {
                log.push(EndTransactionRecord::default().into());
            }
        }
        let mut replay = Replay::default();
        for (offset, record) in (0..).zip(&log) {
            replay
                .record(offset, through_bytes(record))
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        image.advance_to(replay.image().offset());
        assert_eq!(*replay.image(), image, "seed {seed}");

        let mut snapshot = Image::default();
        for record in image.records() {
            snapshot.apply(through_bytes(&record), &mut Delta::default()).expect("a snapshot follows itself");
        }
        snapshot.advance_to(image.offset());
        assert_eq!(snapshot, image, "seed {seed}");
    }
}

/// A change names everything that it touched.
fn check_change(change: &Change) {
    let Change { old, new, delta } = change;
    for topic in old.topics().iter().chain(new.topics().iter()) {
        let same = old.topic_by_id(topic.id) == new.topic_by_id(topic.id);
        assert!(same || delta.topics.contains(&topic.id), "{} changed unnoticed", topic.name);
    }
    for (resource, _) in old.all_configs().chain(new.all_configs()) {
        let same = old.configs(resource) == new.configs(resource);
        assert!(same || delta.configs.contains(resource), "{resource:?} changed unnoticed");
    }
    assert!(old.brokers() == new.brokers() || delta.brokers.contains(&1));
    assert!(old.next_producer_id() == new.next_producer_id() || delta.producer_ids);
    let partitions = || new.topics().iter().flat_map(|topic| &topic.partitions);
    for directory in partitions().flat_map(|partition| partition.directories.iter()) {
        let here =
            partitions().flat_map(|partition| partition.directories.iter()).filter(|it| *it == directory);
        assert_eq!(new.topics().replicas_in(*directory), here.count(), "{directory}");
    }
    let created: usize = change.created_topics().map(|topic| topic.partitions.len()).sum();
    let deleted: usize = change.deleted_topics().map(|topic| topic.partitions.len()).sum();
    let added = change.changed_partitions().filter(|(topic, _, old_partition, _)| {
        old_partition.is_none() && old.topic_by_id(topic.id).is_some()
    });
    let grown = added.count();
    assert_eq!(old.topics().partition_count() + created + grown, new.topics().partition_count() + deleted);
}
