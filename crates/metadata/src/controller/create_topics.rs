//! CreateTopics.

use std::collections::BTreeMap;

use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};
use protocol::records::{ConfigRecord, TopicRecord};
use protocol::{ErrorCode, Str, Uuid};
use settings::{Configs, Layers, Scope};

use super::placement::Placement;
use super::{
    CLUSTER_METADATA_TOPIC, Controller, Decision, RECORDS_PER_REQUEST_MAX, Refusal, check_topic_name,
    repeated,
};
use crate::image::{Image, ResourceType};
use crate::record::MetadataRecord;

/// The topics of one request so far.
struct Creation<'a> {
    image: &'a Image,
    placement: Placement<'a>,
    records: Vec<MetadataRecord>,
}

impl Controller {
    /// Creates topics. `random_uuid` gives each its id.
    pub fn create_topics(
        &self,
        image: &Image,
        request: &CreateTopicsRequest,
        mut random_uuid: impl FnMut() -> Uuid,
    ) -> Decision<CreateTopicsResponse> {
        let repeated = repeated(request.topics.iter().map(|topic| &topic.name));
        let mut creation = Creation { image, placement: Placement::new(image), records: Vec::new() };
        let mut topics = Vec::new();
        let too_many = asks_for_too_many(&request.topics);
        for topic in request.topics.iter().filter(|topic| !repeated.contains(&topic.name)) {
            let result = match &too_many {
                Some(refusal) => Err(refusal.clone()),
                None => self.create_topic(&mut creation, topic, random_uuid()),
            };
            topics.push(result.unwrap_or_else(|refusal| failed(&topic.name, refusal)));
        }
        for name in repeated {
            let refusal = Refusal::new(ErrorCode::INVALID_REQUEST, "Duplicate topic name.");
            topics.push(failed(name, refusal));
        }
        let records = if request.validate_only { Vec::new() } else { creation.records };
        (CreateTopicsResponse { topics, ..CreateTopicsResponse::default() }, records)
    }

    fn create_topic(
        &self,
        creation: &mut Creation<'_>,
        topic: &CreatableTopic,
        id: Uuid,
    ) -> Result<CreatableTopicResult, Refusal> {
        creation.check_name(&topic.name)?;
        let configs = topic_configs(topic)?;
        let room = RECORDS_PER_REQUEST_MAX.saturating_sub(creation.records.len() + 1 + configs.len());
        let replicas = self.replicas(creation, topic, room)?;
        let partitions = (0..)
            .zip(replicas)
            .map(|(number, replicas)| creation.placement.record(id, number, replicas))
            .collect::<Result<Vec<_>, _>>()?;
        let result = CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: id,
            num_partitions: i32::try_from(partitions.len()).expect("bounded by the records of a request"),
            replication_factor: i16::try_from(partitions[0].replicas.len()).unwrap_or(i16::MAX),
            error_message: None,
            configs: Some(self.effective_configs(creation.image, &configs)),
            ..CreatableTopicResult::default()
        };
        let name = topic.name.detached();
        creation.records.push(TopicRecord { name: name.clone(), topic_id: id }.into());
        creation.records.extend(configs.into_iter().map(|(key, value)| {
            let value = Some(value.into());
            let resource_type = ResourceType::Topic as i8;
            ConfigRecord { resource_type, resource_name: name.clone(), name: key.into(), value }.into()
        }));
        creation.records.extend(partitions.into_iter().map(MetadataRecord::from));
        Ok(result)
    }

    /// The replicas of each partition; at least one partition.
    fn replicas(
        &self,
        creation: &mut Creation<'_>,
        topic: &CreatableTopic,
        room: usize,
    ) -> Result<Vec<Vec<i32>>, Refusal> {
        if !topic.assignments.is_empty() {
            return chosen_replicas(&creation.placement, topic, room);
        }
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
        }
        if topic.num_partitions < -1 || topic.num_partitions == 0 {
            let message = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, message));
        }
        let partitions = match topic.num_partitions {
            -1 => self.setting(creation.image, "num.partitions").whole(),
            given => given.into(),
        };
        let replication_factor = match topic.replication_factor {
            -1 => self.setting(creation.image, "default.replication.factor").whole(),
            given => given.into(),
        };
        let replication_factor = i16::try_from(replication_factor).unwrap_or(i16::MAX);
        creation.placement.check(replication_factor)?;
        let partitions = usize::try_from(partitions).ok().filter(|count| *count <= room);
        let partitions = partitions.ok_or_else(Refusal::too_large)?;
        Ok((0..partitions).map(|_| creation.placement.next_replicas(replication_factor)).collect())
    }

    /// Every setting of a topic that has `configs` of its own.
    fn effective_configs(&self, image: &Image, configs: &Configs) -> Vec<CreatableTopicConfigs> {
        let layers = Layers { topic: Some(configs), ..self.layers(image) };
        settings::all(Scope::Topic)
            .filter(|setting| !setting.internal)
            .map(|setting| {
                let resolved = layers.resolve(setting);
                CreatableTopicConfigs {
                    name: setting.name.into(),
                    value: resolved.value.map(|value| Str::from(value.as_ref())),
                    read_only: setting.is_read_only(),
                    config_source: resolved.source as i8,
                    is_sensitive: setting.is_sensitive(),
                }
            })
            .collect()
    }
}

impl Creation<'_> {
    fn check_name(&self, name: &Str) -> Result<(), Refusal> {
        if &**name == CLUSTER_METADATA_TOPIC {
            let message = format!("Creation of internal topic {CLUSTER_METADATA_TOPIC} is prohibited.");
            return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
        }
        let invalid = |message| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message);
        check_topic_name(name).map_err(invalid)?;
        if self.image.topic(name).is_some() {
            let message = format!("Topic '{name}' already exists.");
            return Err(Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, message));
        }
        if let Some(other) = self.image.topics().colliding(name) {
            return Err(invalid(format!("Topic '{name}' collides with existing topic: {other}")));
        }
        Ok(())
    }
}

/// The error for all topics of a request that asks for more partitions than its records may be.
fn asks_for_too_many(topics: &[CreatableTopic]) -> Option<Refusal> {
    let count = |topic: &CreatableTopic| match topic.assignments.len() {
        0 => usize::try_from(topic.num_partitions).unwrap_or(0),
        chosen => chosen,
    };
    let partitions = topics.iter().map(count).fold(0, usize::saturating_add);
    let message = "Excessively large number of partitions per request.";
    (partitions > RECORDS_PER_REQUEST_MAX).then(|| Refusal::new(ErrorCode::POLICY_VIOLATION, message))
}

fn failed(name: &Str, refusal: Refusal) -> CreatableTopicResult {
    CreatableTopicResult {
        name: name.clone(),
        error_code: refusal.code,
        error_message: refusal.message,
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

/// The settings that the topic is created with, checked.
fn topic_configs(topic: &CreatableTopic) -> Result<Configs, Refusal> {
    let nulls: Vec<&str> =
        topic.configs.iter().filter(|config| config.value.is_none()).map(|config| &*config.name).collect();
    if !nulls.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
    }
    let configs: Configs = topic
        .configs
        .iter()
        .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())))
        .collect();
    settings::check_topic(&configs)
        .map_err(|error| Refusal::new(ErrorCode::INVALID_CONFIG, error.message))?;
    Ok(configs)
}

/// The replicas that the client chose for each partition.
fn chosen_replicas(
    placement: &Placement<'_>,
    topic: &CreatableTopic,
    room: usize,
) -> Result<Vec<Vec<i32>>, Refusal> {
    let unset = |what| {
        let message = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
    };
    if topic.replication_factor != -1 {
        return unset("replication factor");
    }
    if topic.num_partitions != -1 {
        return unset("numPartitions");
    }
    if topic.assignments.len() > room {
        return Err(Refusal::too_large());
    }
    let mut chosen: BTreeMap<i32, &Vec<i32>> = BTreeMap::new();
    let mut before = None;
    for assignment in &topic.assignments {
        placement.check_chosen(&assignment.broker_ids, before)?;
        before = Some(assignment.broker_ids.len());
        if chosen.insert(assignment.partition_index, &assignment.broker_ids).is_some() {
            let number = assignment.partition_index;
            let message = format!("Found multiple manual partition assignments for partition {number}");
            return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
    }
    if chosen.keys().zip(0..).any(|(number, expected)| *number != expected) {
        let message = "partitions should be a consecutive 0-based integer sequence";
        return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    }
    Ok(chosen.into_values().cloned().collect())
}
