//! CreatePartitions.

use protocol::messages::create_partitions_request::CreatePartitionsTopic;
use protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use protocol::{ErrorCode, Str};

use super::placement::Placement;
use super::{Controller, Decision, RECORDS_PER_REQUEST_MAX, Refusal, repeated};
use crate::image::Image;
use crate::record::MetadataRecord;

impl Controller {
    /// Adds partitions to topics.
    pub fn create_partitions(
        &self,
        image: &Image,
        request: &CreatePartitionsRequest,
    ) -> Decision<CreatePartitionsResponse> {
        let repeated = repeated(request.topics.iter().map(|topic| &topic.name));
        let mut records = Vec::new();
        let mut results = Vec::new();
        let mut placement = Placement::new(image);
        for name in &repeated {
            let refusal = Refusal::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
            results.push(answer(name, Err(refusal)));
        }
        for topic in request.topics.iter().filter(|topic| !repeated.contains(&topic.name)) {
            let room = RECORDS_PER_REQUEST_MAX - records.len();
            let added = add_partitions(image, &mut placement, topic, room);
            results.push(answer(&topic.name, added.map(|added| records.extend(added))));
        }
        if request.validate_only {
            records.clear();
        }
        (CreatePartitionsResponse { results, ..CreatePartitionsResponse::default() }, records)
    }
}

fn answer(name: &Str, result: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = match result {
        Ok(()) => (ErrorCode::NONE, None),
        Err(refusal) => (refusal.code, refusal.message),
    };
    CreatePartitionsTopicResult { name: name.clone(), error_code, error_message }
}

fn add_partitions(
    image: &Image,
    placement: &mut Placement<'_>,
    asked: &CreatePartitionsTopic,
    room: usize,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let unknown = || Refusal::plain(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let topic = image.topic(&asked.name).ok_or_else(unknown)?;
    let present = topic.partitions.len();
    let count = usize::try_from(asked.count).unwrap_or_default();
    if count <= present {
        let message = if count == present {
            format!("Topic already has {present} partition(s).")
        } else {
            format!(
                "The topic {} currently has {present} partition(s); {} would not be an increase.",
                asked.name, asked.count
            )
        };
        return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
    }
    let additional = count - present;
    if let Some(chosen) = &asked.assignments
        && chosen.len() != additional
    {
        let message = format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
            chosen.len()
        );
        return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    }
    if additional > room {
        return Err(Refusal::too_large());
    }
    let replication_factor = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
    let replicas: Vec<Vec<i32>> = match &asked.assignments {
        Some(chosen) => {
            for assignment in chosen {
                placement.check_chosen(&assignment.broker_ids, Some(replication_factor))?;
            }
            chosen.iter().map(|assignment| assignment.broker_ids.clone()).collect()
        }
        None => {
            let replication_factor = i16::try_from(replication_factor).unwrap_or(i16::MAX);
            placement.check(replication_factor)?;
            (0..additional).map(|_| placement.next_replicas(replication_factor)).collect()
        }
    };
    let first = i32::try_from(present).expect("partitions are numbered by 32 bits");
    (first..)
        .zip(replicas)
        .map(|(number, replicas)| Ok(placement.record(topic.id, number, replicas)?.into()))
        .collect()
}
