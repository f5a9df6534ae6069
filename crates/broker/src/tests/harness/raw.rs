//! Single requests in any version, for what client libraries hide.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::metadata_response::MetadataResponseTopic;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::produce_response::PartitionProduceResponse;
use protocol::messages::{
    FetchRequest, FetchResponse, FindCoordinatorRequest, InitProducerIdRequest, MetadataRequest,
    OffsetFetchRequest, ProduceRequest,
};
use protocol::{Bytes, ErrorCode, Records, Request, Str, Uuid, Writer, frame};
use record::{BatchBuilder, Compression};

const LIMIT: Duration = Duration::from_secs(30);

/// A path for frames to a broker and back.
pub(crate) trait Line {
    /// Sends a frame, its length included.
    fn send(&mut self, frame: &[u8]);

    /// The next response without its length; `None` if the broker has closed the connection.
    fn receive(&mut self) -> Option<Vec<u8>>;
}

impl Line for TcpStream {
    fn send(&mut self, frame: &[u8]) {
        self.write_all(frame).expect("sent");
    }

    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        match self.read(&mut length[..1]).expect("a response") {
            0 => return None,
            _ => self.read_exact(&mut length[1..]).expect("a response"),
        }
        let mut bytes = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.read_exact(&mut bytes).expect("a whole response");
        Some(bytes)
    }
}

/// A connection on which the test sends requests and waits for responses.
pub(crate) struct Raw {
    line: Box<dyn Line>,
    correlation_id: i32,
}

impl Raw {
    pub(crate) fn open(bootstrap: &str) -> Raw {
        let stream = TcpStream::connect(bootstrap).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Raw::over(stream)
    }

    pub(crate) fn over(line: impl Line + 'static) -> Raw {
        Raw { line: Box::new(line), correlation_id: 0 }
    }

    /// Sends a request without waiting for its response.
    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.send_counted(request, version);
    }

    /// Sends a request without waiting, and returns its length in bytes.
    pub(crate) fn send_counted<R: Request>(&mut self, request: &R, version: i16) -> usize {
        self.correlation_id += 1;
        let client_id = Some(Str::from("raw"));
        let frame = frame::encode_request(self.correlation_id, client_id, request, version, Writer::new());
        let bytes = frame.expect("a request that its version can carry").into_bytes();
        self.line.send(&bytes);
        bytes.len()
    }

    /// The bytes of the next response, without their length.
    pub(crate) fn receive_bytes(&mut self) -> Vec<u8> {
        self.line.receive().expect("a response")
    }

    /// The next response, decoded as the answer to a request of that version.
    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> (i32, R::Response) {
        let bytes = self.receive_bytes();
        frame::decode_response(Bytes::from(bytes), version).expect("a response of that version")
    }

    pub(crate) fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        let (correlation_id, response) = self.receive::<R>(version);
        assert_eq!(correlation_id, self.correlation_id);
        response
    }

    /// Waits until the broker closes the connection. Returns whether it has.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.line.receive().is_none()
    }

    /// The answer of Metadata for one topic, which it does not create.
    pub(crate) fn topic(&mut self, name: &str) -> MetadataResponseTopic {
        let topic = MetadataRequestTopic { name: Some(Str::from(name)), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        self.ask(&request, 12).topics.remove(0)
    }

    /// Waits until the coordinator of `group` serves. The first request to a new broker creates its topic.
    pub(crate) fn await_coordinator(&mut self, group: &str) {
        let request = FindCoordinatorRequest { key: Str::from(group), ..Default::default() };
        super::wait_until("the coordinator is there", LIMIT, || {
            let found = self.ask(&request, 3).error_code;
            assert!(found.is_none() || found.is_retriable(), "{}", found.name());
            let known = OffsetFetchRequest { group_id: Str::from(group), topics: None, ..Default::default() };
            found.is_none() && self.ask(&known, 5).error_code.is_none()
        });
    }

    pub(crate) fn topic_id(&mut self, name: &str) -> Uuid {
        let topic = self.topic(name);
        assert_eq!(topic.error_code, ErrorCode::NONE);
        topic.topic_id
    }

    /// Appends to partition 0 with acks=all.
    pub(crate) fn produce(&mut self, topic: &str, records: impl Into<Bytes>) -> PartitionProduceResponse {
        self.ask(&produce_request(topic, records, -1), 9).responses.remove(0).partition_responses.remove(0)
    }

    /// Appends valid records to partition 0, and returns the base offset.
    pub(crate) fn append(&mut self, topic: &str, records: impl Into<Bytes>) -> i64 {
        let answer = self.produce(topic, records);
        assert_eq!(answer.error_code, ErrorCode::NONE, "{:?}", answer.error_message);
        answer.base_offset
    }

    /// The error and the base offset of a produce to partition 0.
    pub(crate) fn produce_outcome(&mut self, topic: &str, records: impl Into<Bytes>) -> (ErrorCode, i64) {
        let answer = self.produce(topic, records);
        (answer.error_code, answer.base_offset)
    }

    /// A producer id that nobody else uses, in epoch 0.
    pub(crate) fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        };
        let answer = self.ask(&request, 4);
        assert_eq!((answer.error_code, answer.producer_epoch), (ErrorCode::NONE, 0));
        answer.producer_id
    }

    /// Fetches one partition by name (version 12), and returns its answer.
    pub(crate) fn fetch_one(&mut self, request: &FetchRequest) -> PartitionData {
        let response = self.ask(request, 12);
        assert_eq!(response.error_code, ErrorCode::NONE);
        only_partition(response)
    }
}

pub(crate) fn only_partition(mut response: FetchResponse) -> PartitionData {
    assert_eq!(response.responses.len(), 1, "{response:?}");
    assert_eq!(response.responses[0].partitions.len(), 1);
    response.responses.remove(0).partitions.remove(0)
}

pub(crate) fn produce_request(topic: &str, records: impl Into<Bytes>, acks: i16) -> ProduceRequest {
    let partition = PartitionProduceData { index: 0, records: Records::Bytes(records.into()) };
    let data =
        TopicProduceData { name: Str::from(topic), partition_data: vec![partition], ..Default::default() };
    ProduceRequest { acks, timeout_ms: 10_000, topic_data: vec![data], ..Default::default() }
}

/// A fetch of one partition that does not wait.
pub(crate) fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let wanted = FetchTopic {
        topic: Str::from(topic),
        partitions: vec![fetch_partition(partition, offset)],
        ..Default::default()
    };
    FetchRequest { topics: vec![wanted], ..fetch_nothing() }
}

/// A fetch without a session and without partitions.
pub(crate) fn fetch_nothing() -> FetchRequest {
    FetchRequest {
        replica_id: -1,
        max_wait_ms: 0,
        min_bytes: 0,
        max_bytes: 50 << 20,
        session_id: 0,
        session_epoch: -1,
        ..Default::default()
    }
}

pub(crate) fn fetch_partition(partition: i32, offset: i64) -> FetchPartition {
    FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset: offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: 10 << 20,
        ..Default::default()
    }
}

/// A batch of `values`, with timestamps from `now` on.
pub(crate) fn batch(values: &[&[u8]]) -> Vec<u8> {
    batch_with(BatchBuilder::new(Compression::None), values)
}

pub(crate) fn batch_with(mut builder: BatchBuilder, values: &[&[u8]]) -> Vec<u8> {
    for value in values {
        builder.push(now_ms(), None, Some(value), &[]);
    }
    builder.build()
}

/// A batch of `count` records from the producer `id`.
pub(crate) fn sequenced(id: i64, epoch: i16, sequence: i32, count: usize) -> Vec<u8> {
    let values: Vec<&[u8]> = vec![b"value"; count];
    batch_with(BatchBuilder::new(Compression::None).producer(id, epoch, sequence), &values)
}

pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("before the year 292 million")
}
