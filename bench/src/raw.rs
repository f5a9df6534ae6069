//! A load without a client: prepared Produce requests are replayed with new correlation ids over any number
//! of connections, each when it is due, whatever happened to those before it. A latency counts from when the
//! request was due, so that a broker that stalls is charged for all that it kept waiting.

mod replies;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use hdrhistogram::Histogram;
use protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use protocol::{Bytes, ErrorCode, Records, Str, Writer, frame};
use record::{BatchBuilder, Compression};

use crate::Attempt;
use crate::connection::Connection;
use crate::schedule::{Schedule, histogram, record};
use crate::values::Values;

/// Versions that name topics, and that the sink serves too.
const PRODUCE: i16 = 7;
const FETCH: i16 = 10;
const METADATA: i16 = 4;
/// The position of the correlation id in a request.
const CORRELATION_ID_AT: usize = 8;
/// Time for the consumer's first fetch to reach the broker.
const SETTLE: Duration = Duration::from_millis(200);

/// The requests to replay.
#[derive(Clone, Copy)]
pub(crate) struct Replay<'a> {
    pub(crate) bootstrap: &'a str,
    pub(crate) topic: &'a str,
    /// The n-th connection produces to the n-th of them, starting over at the end.
    pub(crate) partitions: i32,
    pub(crate) connections: usize,
    /// Requests a second, over all connections.
    pub(crate) per_second: u64,
    pub(crate) count: u64,
    /// Records in each request's batch.
    pub(crate) records: usize,
    /// Bytes of a record's value.
    pub(crate) size: usize,
    pub(crate) acks: i16,
}

impl Replay<'_> {
    /// The request of one connection, as bytes.
    fn frame(&self, values: &Values, connection: usize) -> Attempt<Vec<u8>> {
        let mut batch = BatchBuilder::new(Compression::None);
        (0..self.records).for_each(|nth| batch.push(0, None, Some(values.of(nth)), &[]));
        let partitions = usize::try_from(self.partitions).expect("some");
        let partition = PartitionProduceData {
            index: i32::try_from(connection % partitions).expect("a partition"),
            records: Records::Bytes(Bytes::from(batch.build())),
        };
        let topic = TopicProduceData {
            name: Str::from(self.topic),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: self.acks,
            timeout_ms: 60_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let frame = frame::encode_request(0, Some(Str::from("bench")), &request, PRODUCE, Writer::new());
        Ok(frame.map_err(|error| format!("not encoded: {error:?}"))?.into_bytes().to_vec())
    }

    /// Produces; returns the time of each request from when it was due to its acknowledgement.
    pub(crate) fn produce(&self) -> Attempt<Histogram<u64>> {
        let streams = (0..self.connections).map(|_| replies::connect(self.bootstrap));
        let streams = streams.collect::<Attempt<Vec<_>>>()?;
        let frames = self.frames()?;
        let schedule = Schedule::new(self.per_second);
        std::thread::scope(|scope| {
            let receiving = scope.spawn(|| replies::receive(&streams, self, &schedule));
            self.send(&streams, frames, &schedule)?;
            receiving.join().expect("a receiver does not panic")
        })
    }

    /// The requests of all connections. They are built before the first is due.
    fn frames(&self) -> Attempt<Vec<Vec<u8>>> {
        let values = Values::new(self.size);
        (0..self.connections).map(|connection| self.frame(&values, connection)).collect()
    }

    fn send(&self, streams: &[TcpStream], mut frames: Vec<Vec<u8>>, schedule: &Schedule) -> Attempt<()> {
        for nth in 0..self.count {
            let connection = (nth % streams.len() as u64) as usize;
            let correlation_id = i32::try_from(nth / streams.len() as u64).expect("not that many");
            let id_bytes = correlation_id.to_be_bytes();
            frames[connection][CORRELATION_ID_AT..CORRELATION_ID_AT + 4].copy_from_slice(&id_bytes);
            schedule.wait(nth);
            let sent = (&streams[connection]).write_all(&frames[connection]);
            sent.map_err(|error| format!("not sent: {error}"))?;
        }
        Ok(())
    }

    /// Produces over one connection to one partition, and fetches over another; returns the time of each
    /// request from when it was due until its records were fetched.
    pub(crate) fn end_to_end(&self) -> Attempt<Histogram<u64>> {
        assert_eq!((self.connections, self.partitions), (1, 1), "offsets tell when a record was due");
        let stream = replies::connect(self.bootstrap)?;
        let frames = self.frames()?;
        std::thread::scope(|scope| {
            let (start, starts) = std::sync::mpsc::channel::<Schedule>();
            let fetching = scope.spawn(move || {
                let mut consumer = Connection::open(self.bootstrap)?;
                let schedule = starts.recv().map_err(|_| "nothing was produced".to_owned())?;
                self.fetch(&mut consumer, &schedule)
            });
            std::thread::sleep(SETTLE);
            let schedule = Schedule::new(self.per_second);
            let _ = start.send(schedule.clone());
            let streams = std::slice::from_ref(&stream);
            let of_replies = schedule.clone();
            let acknowledged = scope.spawn(move || replies::receive(streams, self, &of_replies));
            self.send(streams, frames, &schedule)?;
            acknowledged.join().expect("a receiver does not panic")?;
            fetching.join().expect("a consumer does not panic")
        })
    }

    fn fetch(&self, consumer: &mut Connection, schedule: &Schedule) -> Attempt<Histogram<u64>> {
        let mut latencies = histogram();
        let (mut offset, end) = (0, i64::try_from(self.count).expect("a count") * self.records as i64);
        while offset < end {
            let answer = consumer.request(&self.fetch_from(offset), FETCH)?;
            for partition in answer.responses.iter().flat_map(|topic| &topic.partitions) {
                if partition.error_code != ErrorCode::NONE {
                    return Err(format!("Fetch: {}", partition.error_code));
                }
                let Some(bytes) = partition.records.as_bytes() else { continue };
                for batch in record::batches(bytes).map_while(Result::ok) {
                    let first = u64::try_from(batch.header().base_offset).expect("an offset");
                    record(&mut latencies, schedule.due(first / self.records as u64));
                    offset = batch.header().next_offset();
                }
            }
        }
        Ok(latencies)
    }

    /// A fetch that waits for the first byte.
    fn fetch_from(&self, offset: i64) -> FetchRequest {
        let partition = FetchPartition {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let topic =
            FetchTopic { topic: Str::from(self.topic), partitions: vec![partition], ..FetchTopic::default() };
        FetchRequest {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: 50 << 20,
            session_epoch: -1,
            topics: vec![topic],
            ..FetchRequest::default()
        }
    }
}

/// Fetches the metadata of a topic, which makes the sink create it.
pub(crate) fn ask_for(bootstrap: &str, topic: &str) -> Attempt<()> {
    let topic = MetadataRequestTopic { name: Some(Str::from(topic)), ..MetadataRequestTopic::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
    Connection::open(bootstrap)?.request(&request, METADATA).map(drop)
}

/// Idle connections; they are closed when this is dropped.
pub(crate) fn idle(bootstrap: &str, count: usize) -> Attempt<Vec<Connection>> {
    let open = |_| {
        let mut connection = Connection::open(bootstrap)?;
        let request = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
        connection.request(&request, METADATA)?;
        Ok(connection)
    };
    (0..count).map(open).collect()
}
