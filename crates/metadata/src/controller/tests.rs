mod administration;
mod alter_partition;
mod brokers;
mod cluster;
mod configs;
mod directories;
mod leaders;
mod model;
mod partition_change;
mod partitions;
mod placement;
pub(crate) mod random;
mod topics;

use protocol::Uuid;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use protocol::records::RegisterBrokerRecord;

use super::*;
use crate::image::Delta;

/// A directory of the first broker.
const DIRECTORY: Uuid = Uuid([0xd; 16]);

fn broker(broker_id: i32, fenced: bool) -> MetadataRecord {
    RegisterBrokerRecord { fenced, ..registered(broker_id, DIRECTORY) }.into()
}

/// An active broker with one directory.
fn broker_in(broker_id: i32, directory: Uuid) -> MetadataRecord {
    registered(broker_id, directory).into()
}

fn registered(broker_id: i32, directory: Uuid) -> RegisterBrokerRecord {
    RegisterBrokerRecord {
        broker_id,
        broker_epoch: i64::from(broker_id) * 10,
        fenced: false,
        log_dirs: vec![directory],
        ..RegisterBrokerRecord::default()
    }
}

/// A cluster with broker 1.
fn cluster() -> Image {
    with(Image::default(), vec![broker(1, false)])
}

fn with(mut image: Image, records: Vec<MetadataRecord>) -> Image {
    for record in records {
        image.apply(record, &mut Delta::default()).expect("the records follow the state");
    }
    image
}

fn controller(given: &[(&str, &str)]) -> Controller {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Controller::new(1, Arc::new(given.collect()))
}

/// Ids in order, from 1.
fn ids() -> impl FnMut() -> Uuid {
    let mut next = 0_u128;
    move || {
        next += 1;
        Uuid(next.to_be_bytes())
    }
}

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopic::default()
    }
}

fn create(image: &Image, topics: Vec<CreatableTopic>) -> Decision<CreateTopicsResponse> {
    let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
    controller(&[]).create_topics(image, &request, ids())
}

/// The cluster with topics of one partition each, with ids from 1 on.
fn with_topics(names: &[&str]) -> Image {
    let (response, records) = create(&cluster(), names.iter().map(|name| topic(name)).collect());
    assert!(response.topics.iter().all(|topic| topic.error_code.is_none()));
    with(cluster(), records)
}
