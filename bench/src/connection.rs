//! A blocking connection that sends typed requests one after the other: for single requests that are timed,
//! and for batches built beforehand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use protocol::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::{Bytes, ErrorCode, Records, Request, Str, Uuid, Writer, frame};

use crate::Attempt;

/// Versions that name topics, and that both brokers serve.
const PRODUCE: i16 = 9;
const FETCH: i16 = 12;
const CREATE_TOPICS: i16 = 7;
const CREATE_PARTITIONS: i16 = 3;
const DELETE_TOPICS: i16 = 6;
const INCREMENTAL_ALTER_CONFIGS: i16 = 1;

/// The type of a topic among the resources that have settings.
const TOPIC_RESOURCE: i8 = 2;
/// "Set this value".
const SET: i8 = 0;

/// Partitions created in one request: one operation of the metadata has at most 10,000 records.
const MADE_TOGETHER: i32 = 2_000;

/// The time that an answer may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A connection to a broker.
pub(crate) struct Connection {
    stream: TcpStream,
    correlation_id: i32,
}

/// The answer of a fetch of one partition.
pub(crate) struct FetchedRecords {
    pub(crate) records: Bytes,
}

impl Connection {
    pub(crate) fn open(bootstrap: &str) -> Attempt<Connection> {
        let failed = |error| format!("cannot connect to {bootstrap}: {error}");
        let stream = TcpStream::connect(bootstrap).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
        Ok(Connection { stream, correlation_id: 0 })
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn request<R: Request>(&mut self, request: &R, version: i16) -> Attempt<R::Response> {
        self.correlation_id += 1;
        let client_id = Some(Str::from("bench"));
        let frame = frame::encode_request(self.correlation_id, client_id, request, version, Writer::new());
        let frame = frame.map_err(|error| format!("not encoded: {error:?}"))?;
        let failed = |error| format!("{}: {error}", R::NAME);
        self.stream.write_all(&frame.into_bytes()).map_err(failed)?;
        let mut length = [0; frame::LENGTH_BYTES];
        self.stream.read_exact(&mut length).map_err(failed)?;
        let mut bytes = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.stream.read_exact(&mut bytes).map_err(failed)?;
        let response = frame::decode_response(Bytes::from(bytes), version);
        response.map(|(_, response)| response).map_err(|error| format!("{}: {error:?}", R::NAME))
    }

    /// Creates a topic; returns its id.
    pub(crate) fn create_topic(
        &mut self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Attempt<Uuid> {
        let configs = settings.iter().map(|(name, value)| CreatableTopicConfig {
            name: Str::from(*name),
            value: Some(Str::from(*value)),
        });
        let name = topic;
        let topic = CreatableTopic {
            name: Str::from(name),
            num_partitions: partitions.min(MADE_TOGETHER),
            replication_factor: 1,
            configs: configs.collect(),
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..CreateTopicsRequest::default() };
        let answer = self.request(&request, CREATE_TOPICS)?.topics.remove(0);
        check("CreateTopics", answer.error_code)?;
        let mut made = partitions.min(MADE_TOGETHER);
        while made < partitions {
            made = partitions.min(made + MADE_TOGETHER);
            self.create_partitions(name, made)?;
        }
        Ok(answer.topic_id)
    }

    /// Creates topics of this many partitions each, in one request.
    pub(crate) fn create_topics(&mut self, names: &[String], partitions: i32) -> Attempt<()> {
        let topics = names.iter().map(|name| CreatableTopic {
            name: Str::from(name.as_str()),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        });
        let request =
            CreateTopicsRequest { topics: topics.collect(), timeout_ms: 60_000, ..Default::default() };
        let topics = self.request(&request, CREATE_TOPICS)?.topics;
        topics.iter().try_for_each(|topic| check("CreateTopics", topic.error_code))
    }

    /// Raises the number of a topic's partitions.
    fn create_partitions(&mut self, topic: &str, count: i32) -> Attempt<()> {
        let topic = CreatePartitionsTopic { name: Str::from(topic), count, assignments: None };
        let request =
            CreatePartitionsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
        check("CreatePartitions", self.request(&request, CREATE_PARTITIONS)?.results.remove(0).error_code)
    }

    pub(crate) fn delete_topic(&mut self, topic: &str) -> Attempt<()> {
        let topic = DeleteTopicState { name: Some(Str::from(topic)), ..DeleteTopicState::default() };
        let request =
            DeleteTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..DeleteTopicsRequest::default() };
        check("DeleteTopics", self.request(&request, DELETE_TOPICS)?.responses.remove(0).error_code)
    }

    /// Changes settings of a topic.
    pub(crate) fn alter_topic(&mut self, topic: &str, settings: &[(&str, &str)]) -> Attempt<()> {
        let configs = settings.iter().map(|(name, value)| AlterableConfig {
            name: Str::from(*name),
            config_operation: SET,
            value: Some(Str::from(*value)),
        });
        let resource = AlterConfigsResource {
            resource_type: TOPIC_RESOURCE,
            resource_name: Str::from(topic),
            configs: configs.collect(),
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
        let answer = self.request(&request, INCREMENTAL_ALTER_CONFIGS)?.responses.remove(0);
        check("IncrementalAlterConfigs", answer.error_code)
    }

    /// Produces one batch; returns its offset.
    pub(crate) fn produce(&mut self, topic: &str, partition: i32, batch: &Bytes, acks: i16) -> Attempt<i64> {
        let data = PartitionProduceData { index: partition, records: Records::Bytes(batch.clone()) };
        let answers = self.produce_all(topic, vec![data], acks)?;
        Ok(answers[0])
    }

    /// Produces a batch to each of several partitions; returns their offsets.
    pub(crate) fn produce_all(
        &mut self,
        topic: &str,
        partition_data: Vec<PartitionProduceData>,
        acks: i16,
    ) -> Attempt<Vec<i64>> {
        let topic =
            TopicProduceData { name: Str::from(topic), partition_data, ..TopicProduceData::default() };
        let request =
            ProduceRequest { acks, timeout_ms: 60_000, topic_data: vec![topic], ..Default::default() };
        let answer = self.request(&request, PRODUCE)?.responses.remove(0);
        let offsets = answer
            .partition_responses
            .iter()
            .map(|partition| check("Produce", partition.error_code).map(|()| partition.base_offset));
        offsets.collect()
    }

    /// Fetches from one partition, without waiting.
    pub(crate) fn fetch(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
        max: i32,
    ) -> Attempt<FetchedRecords> {
        Ok(self.fetch_all(topic, &[(partition, offset)], max)?.remove(0))
    }

    /// Fetches from several partitions, up to `max` bytes of each, without waiting.
    pub(crate) fn fetch_all(
        &mut self,
        topic: &str,
        places: &[(i32, i64)],
        max: i32,
    ) -> Attempt<Vec<FetchedRecords>> {
        let partitions = places.iter().map(|(partition, offset)| FetchPartition {
            partition: *partition,
            current_leader_epoch: -1,
            fetch_offset: *offset,
            partition_max_bytes: max,
            ..FetchPartition::default()
        });
        let request = FetchRequest {
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            session_epoch: -1,
            topics: vec![FetchTopic {
                topic: Str::from(topic),
                partitions: partitions.collect(),
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let answer = self.request(&request, FETCH)?;
        check("Fetch", answer.error_code)?;
        let partitions = answer.responses.into_iter().flat_map(|topic| topic.partitions);
        let fetched = partitions.map(|partition| {
            check("Fetch", partition.error_code)?;
            let records = partition.records.as_bytes().cloned().unwrap_or_default();
            Ok(FetchedRecords { records })
        });
        fetched.collect()
    }
}

fn check(what: &str, code: ErrorCode) -> Attempt<()> {
    if code == ErrorCode::NONE { Ok(()) } else { Err(format!("{what}: {code}")) }
}
