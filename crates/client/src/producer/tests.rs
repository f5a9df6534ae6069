use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use protocol::frame::ReceivedRequest;
use protocol::messages::init_producer_id_response::InitProducerIdResponse;
use protocol::messages::produce_request::ProduceRequest;
use protocol::messages::produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse};
use protocol::{ApiKey, ErrorCode};
use record::{Batch, Compression};

use super::{Acks, NewRecord, ProduceError, Producer, ProducerOptions, SendError};
use crate::cluster::ClusterError;
use crate::testing::{Answer, ScriptedBroker, TOPIC_ID, request_of, respond};

/// The header fields of a batch that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SentBatch {
    producer_id: i64,
    base_sequence: i32,
    values: Vec<String>,
}

/// The broker's answer to a batch.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    At(i64),
    Refuse(ErrorCode),
    Hang,
    Close,
}

fn sent(request: &ProduceRequest) -> SentBatch {
    let records = request.topic_data[0].partition_data[0].records.as_bytes().expect("a batch").clone();
    let batch = Batch::parse(&records).expect("a batch");
    batch.verify_crc().expect("its checksum is right");
    let value =
        |record: record::Record<'_>| String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
    SentBatch {
        producer_id: batch.header().producer_id,
        base_sequence: batch.header().base_sequence,
        values: batch.records().map(|record| value(record.expect("a record"))).collect(),
    }
}

fn answer(received: &ReceivedRequest, verdict: Verdict) -> Answer {
    let (error_code, base_offset) = match verdict {
        Verdict::At(offset) => (ErrorCode::NONE, offset),
        Verdict::Refuse(code) => (code, -1),
        Verdict::Hang => return Answer::Nothing,
        Verdict::Close => return Answer::Close,
    };
    let partition = PartitionProduceResponse { error_code, base_offset, ..Default::default() };
    let topic = TopicProduceResponse {
        topic_id: TOPIC_ID,
        partition_responses: vec![partition],
        ..Default::default()
    };
    respond(received, &ProduceResponse { responses: vec![topic], ..Default::default() })
}

/// A producer to a broker that answers with `verdicts` in turn, and the batches that it sends.
async fn producer(
    verdicts: &[Verdict],
    options: ProducerOptions,
) -> (ScriptedBroker, Producer, mpsc::Receiver<SentBatch>) {
    let mut verdicts = VecDeque::from(verdicts.to_vec());
    let (sender, receiver) = mpsc::channel();
    let mut next_producer_id = 1000;
    let (broker, cluster) = ScriptedBroker::cluster(1, move |received| match received.api_key {
        ApiKey::InitProducerId => {
            next_producer_id += 1;
            let producer_id = next_producer_id;
            respond(&received, &InitProducerIdResponse { producer_id, ..Default::default() })
        }
        ApiKey::Produce => {
            let request: ProduceRequest = request_of(&received);
            sender.send(sent(&request)).expect("the test listens");
            answer(&received, verdicts.pop_front().expect("a verdict for each batch"))
        }
        other => panic!("{other} is not called"),
    })
    .await;
    (broker, Producer::new(cluster, options), receiver)
}

fn options() -> ProducerOptions {
    ProducerOptions { linger: Duration::from_millis(1), ..ProducerOptions::default() }
}

async fn send(producer: &Producer, value: &str) -> Result<Option<i64>, ProduceError> {
    let record = NewRecord { topic: "t", value: Some(value.as_bytes()), ..NewRecord::default() };
    let delivery = producer.send(&record).await.expect("the record is taken");
    delivery.settled().await.map(|acknowledged| acknowledged.offset)
}

fn batch(producer_id: i64, base_sequence: i32, value: &str) -> SentBatch {
    SentBatch { producer_id, base_sequence, values: vec![value.to_owned()] }
}

#[tokio::test]
async fn batches_carry_one_sequence() {
    let (_broker, producer, sent) = producer(&[Verdict::At(5), Verdict::At(6)], options()).await;
    assert_eq!(send(&producer, "a").await.expect("it is delivered"), Some(5));
    assert_eq!(send(&producer, "b").await.expect("it is delivered"), Some(6));
    assert_eq!(sent.try_iter().collect::<Vec<_>>(), [batch(1001, 0, "a"), batch(1001, 1, "b")]);
}

#[tokio::test]
async fn what_passes_is_tried_again_with_the_same_bytes() {
    let verdicts = [
        Verdict::Refuse(ErrorCode::NOT_LEADER_OR_FOLLOWER),
        Verdict::Close,
        Verdict::Refuse(ErrorCode::DUPLICATE_SEQUENCE_NUMBER),
        Verdict::At(9),
    ];
    let (_broker, producer, sent) = producer(&verdicts, options()).await;
    // The broker recognised it, and no longer knows its offset.
    assert_eq!(send(&producer, "a").await.expect("it is delivered"), None);
    assert_eq!(send(&producer, "b").await.expect("it is delivered"), Some(9));
    let again = batch(1001, 0, "a");
    assert_eq!(
        sent.try_iter().collect::<Vec<_>>(),
        [again.clone(), again.clone(), again, batch(1001, 1, "b")]
    );
}

#[tokio::test]
async fn a_refused_batch_leaves_no_gap() {
    let (_broker, producer, sent) =
        producer(&[Verdict::Refuse(ErrorCode::INVALID_RECORD), Verdict::At(0)], options()).await;
    let error = send(&producer, "a").await.expect_err("it is refused");
    let ProduceError::Failed { cause, may_be_delivered, .. } = error else { panic!("{error}") };
    assert_eq!(cause.code(), Some(ErrorCode::INVALID_RECORD));
    assert!(!may_be_delivered);
    send(&producer, "b").await.expect("it is delivered");
    assert_eq!(sent.try_iter().collect::<Vec<_>>(), [batch(1001, 0, "a"), batch(1001, 0, "b")]);
}

#[tokio::test]
async fn after_doubt_a_producer_begins_anew() {
    let verdicts = [Verdict::At(0), Verdict::Refuse(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER), Verdict::At(1)];
    let (_broker, producer, sent) = producer(&verdicts, options()).await;
    send(&producer, "a").await.expect("it is delivered");
    send(&producer, "b").await.expect_err("the broker lost its place");
    send(&producer, "c").await.expect("it is delivered");
    assert_eq!(
        sent.try_iter().collect::<Vec<_>>(),
        [batch(1001, 0, "a"), batch(1001, 1, "b"), batch(1002, 0, "c")]
    );
}

#[tokio::test]
async fn a_batch_that_takes_too_long_is_given_up_in_doubt() {
    let options = ProducerOptions { delivery_timeout: Duration::from_millis(50), ..options() };
    let (_broker, producer, sent) =
        producer(&[Verdict::Close, Verdict::Close, Verdict::At(0)], options).await;
    let error = send(&producer, "a").await.expect_err("it takes too long");
    assert!(matches!(error, ProduceError::Failed { may_be_delivered: true, .. }), "{error}");
    // Nobody knows whether the broker has seen its sequence number.
    send(&producer, "b").await.expect("it is delivered");
    let again = batch(1001, 0, "a");
    assert_eq!(sent.try_iter().collect::<Vec<_>>(), [again.clone(), again, batch(1002, 0, "b")]);
}

#[tokio::test]
async fn without_acknowledgement_a_record_is_delivered_when_it_is_written() {
    let options = ProducerOptions { acks: Acks::None, idempotent: false, ..options() };
    let (_broker, producer, sent) = producer(&[Verdict::Hang, Verdict::Hang], options).await;
    assert_eq!(send(&producer, "a").await.expect("it is written"), None);
    assert_eq!(send(&producer, "b").await.expect("it is written"), None);
    // Written is not received yet.
    for expect in [batch(-1, -1, "a"), batch(-1, -1, "b")] {
        let next = async {
            loop {
                match sent.try_recv() {
                    Ok(next) => break next,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        assert_eq!(next.await, expect);
    }
}

#[tokio::test]
async fn flush_sends_what_would_linger() {
    let options = ProducerOptions { linger: Duration::from_secs(3600), ..options() };
    let (_broker, producer, sent) = producer(&[Verdict::At(0)], options).await;
    let mut deliveries = Vec::new();
    for value in ["a", "b", "c"] {
        let record = NewRecord { topic: "t", value: Some(value.as_bytes()), ..NewRecord::default() };
        deliveries.push(producer.send(&record).await.expect("the record is taken"));
    }
    assert!(deliveries.iter().all(|delivery| !delivery.is_settled()));
    producer.flush().await;
    assert!(deliveries.iter().all(|delivery| delivery.is_settled()));
    assert_eq!(sent.try_iter().map(|sent| sent.values).collect::<Vec<_>>(), [["a", "b", "c"]]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_taken() {
    let options = ProducerOptions { request_bytes_max: 1000, create_topics: false, ..options() };
    let (_broker, producer, _sent) = producer(&[], options).await;
    let large = vec![0; 1000];
    let record = NewRecord { topic: "t", value: Some(&large), ..NewRecord::default() };
    let error = producer.send(&record).await.expect_err("it is too large");
    assert!(matches!(error, SendError::TooLarge { bytes_max: 1000, .. }), "{error}");
    let record = NewRecord { topic: "t", partition: Some(1), ..NewRecord::default() };
    let error = producer.send(&record).await.expect_err("there is one partition");
    assert!(
        matches!(error, SendError::Cluster(ClusterError::UnknownPartition { partitions: 1, .. })),
        "{error}"
    );
}

#[tokio::test]
async fn every_codec_comes_out_as_it_went_in() {
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let (sender, receiver) = mpsc::channel();
        let (_broker, cluster) = ScriptedBroker::cluster(1, move |received| {
            let request: ProduceRequest = request_of(&received);
            let records =
                request.topic_data[0].partition_data[0].records.as_bytes().expect("a batch").clone();
            sender.send(records).expect("the test listens");
            answer(&received, Verdict::At(0))
        })
        .await;
        let options = ProducerOptions { compression, idempotent: false, ..options() };
        let producer = Producer::new(cluster, options);
        let value = "compressible ".repeat(100);
        send(&producer, &value).await.expect("it is delivered");
        let bytes = receiver.try_recv().expect("it was sent");
        let batch = Batch::parse(&bytes).expect("a batch");
        assert_eq!(batch.header().attributes.compression(), Ok(compression));
        assert!(bytes.len() < value.len() / 2, "{compression:?} gives {} bytes", bytes.len());
        let mut scratch = record::Scratch::new();
        let mut records = batch.records_decompressed(&mut scratch, 1 << 20).expect("it can be read");
        let record = records.next().expect("there is a record").expect("it can be read");
        assert_eq!(record.value, Some(value.as_bytes()));
    }
}
