use std::collections::VecDeque;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use protocol::frame::ReceivedRequest;
use protocol::messages::fetch_request::FetchRequest;
use protocol::messages::fetch_response::{FetchResponse, FetchableTopicResponse, PartitionData};
use protocol::messages::list_offsets_request::ListOffsetsRequest;
use protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use protocol::{ApiKey, ErrorCode, Records, Str};
use record::{BatchBuilder, Compression};

use super::{ConsumeError, Consumer, ConsumerOptions, Position};
use crate::admin::OffsetSpec;
use crate::testing::{Answer, ScriptedBroker, TOPIC_ID, request_of, respond};
use crate::topic_partition::TopicPartition;

/// The log of the test: offsets 10 to 19, each a batch of one record whose value is its offset.
const START: i64 = 10;
const END: i64 = 20;

fn fetched(received: &ReceivedRequest, code: Option<ErrorCode>, offset: i64) -> Answer {
    let in_range = (START..=END).contains(&offset);
    let error_code = code.unwrap_or(if in_range { ErrorCode::NONE } else { ErrorCode::OFFSET_OUT_OF_RANGE });
    let mut records = Records::Bytes(Bytes::new());
    if error_code == ErrorCode::NONE && offset < END {
        let mut builder = BatchBuilder::new(Compression::None).base_offset(offset);
        builder.push(1000, None, Some(offset.to_string().as_bytes()), &[]);
        records = Records::Bytes(builder.build().into());
    }
    let partition = PartitionData { error_code, high_watermark: END, records, ..Default::default() };
    let topic =
        FetchableTopicResponse { topic_id: TOPIC_ID, partitions: vec![partition], ..Default::default() };
    respond(received, &FetchResponse { responses: vec![topic], ..Default::default() })
}

fn listed(received: &ReceivedRequest) -> Answer {
    let request: ListOffsetsRequest = request_of(received);
    let offset = match request.topics[0].partitions[0].timestamp {
        -2 => START,
        -1 => END,
        // No record is as late as that.
        _ => -1,
    };
    let partition = ListOffsetsPartitionResponse { offset, ..Default::default() };
    let topic = ListOffsetsTopicResponse { name: Str::from("t"), partitions: vec![partition] };
    respond(received, &ListOffsetsResponse { topics: vec![topic], ..Default::default() })
}

/// A consumer of the test's log, whose first fetches are answered with `codes`; and the offsets that it
/// fetches.
async fn consumer(
    codes: &[ErrorCode],
    options: ConsumerOptions,
    position: Position,
) -> (ScriptedBroker, Consumer, mpsc::Receiver<i64>) {
    let mut codes = VecDeque::from(codes.to_vec());
    let (sender, receiver) = mpsc::channel();
    let (broker, cluster) = ScriptedBroker::cluster(1, move |received| match received.api_key {
        ApiKey::ListOffsets => listed(&received),
        ApiKey::Fetch => {
            let request: FetchRequest = request_of(&received);
            let offset = request.topics[0].partitions[0].fetch_offset;
            // The receiver may be gone.
            let _ = sender.send(offset);
            fetched(&received, codes.pop_front(), offset)
        }
        other => panic!("{other} is not called"),
    })
    .await;
    let mut consumer = Consumer::new(cluster, options);
    consumer.assign([(TopicPartition::new("t", 0), position)]);
    (broker, consumer, receiver)
}

async fn poll(consumer: &mut Consumer) -> Result<Vec<i64>, ConsumeError> {
    let records = consumer.poll(Duration::from_secs(20)).await?;
    Ok(records.iter().map(|record| record.offset).collect())
}

#[tokio::test]
async fn records_come_in_order_from_the_position_on() {
    let (_broker, mut consumer, _) = consumer(&[], ConsumerOptions::default(), Position::Offset(17)).await;
    let at = TopicPartition::new("t", 0);
    for expect in [17, 18, 19] {
        assert_eq!(poll(&mut consumer).await.expect("there is a record"), [expect]);
        assert_eq!(consumer.position(&at), Some(expect + 1));
    }
    assert_eq!(consumer.end_offset(&at), Some(END));
    assert!(consumer.poll(Duration::from_millis(20)).await.expect("the end is no error").is_empty());
    consumer.seek(&at, Position::Spec(OffsetSpec::Earliest));
    assert_eq!(poll(&mut consumer).await.expect("there is a record"), [START]);
}

#[tokio::test]
async fn positions_that_the_broker_knows() {
    for (spec, expect) in
        [(OffsetSpec::Earliest, START), (OffsetSpec::Latest, END), (OffsetSpec::Timestamp(5), END)]
    {
        let (_broker, mut consumer, offsets) =
            consumer(&[], ConsumerOptions::default(), Position::Spec(spec)).await;
        consumer.poll(Duration::from_millis(50)).await.expect("there may be no record");
        assert_eq!(offsets.try_recv(), Ok(expect), "{spec:?}");
    }
}

#[tokio::test]
async fn a_position_out_of_range_is_an_error_or_is_reset() {
    let (_broker, mut lost, _) = consumer(&[], ConsumerOptions::default(), Position::Offset(3)).await;
    let error = poll(&mut lost).await.expect_err("offset 3 is gone");
    assert!(matches!(error, ConsumeError::OutOfRange { offset: 3, .. }), "{error}");

    let options = ConsumerOptions { reset: Some(OffsetSpec::Earliest), ..ConsumerOptions::default() };
    let (_broker, mut reset, offsets) = consumer(&[], options, Position::Offset(3)).await;
    assert_eq!(poll(&mut reset).await.expect("it goes on"), [START]);
    assert_eq!(offsets.try_iter().take(2).collect::<Vec<_>>(), [3, START]);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_stays_is_an_error() {
    let codes = [ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::UNKNOWN_TOPIC_ID];
    let (_broker, mut moved, offsets) =
        consumer(&codes, ConsumerOptions::default(), Position::Offset(12)).await;
    assert_eq!(poll(&mut moved).await.expect("it is found again"), [12]);
    assert_eq!(offsets.try_iter().take(3).collect::<Vec<_>>(), [12, 12, 12]);

    let codes = [ErrorCode::TOPIC_AUTHORIZATION_FAILED];
    let (_broker, mut refused, _) = consumer(&codes, ConsumerOptions::default(), Position::Offset(12)).await;
    let error = poll(&mut refused).await.expect_err("it is not allowed");
    let ConsumeError::Cluster(error) = error else { panic!("{error}") };
    assert_eq!(error.code(), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
}

#[tokio::test]
async fn a_poll_that_is_given_up_loses_nothing() {
    let (_broker, mut consumer, _) = consumer(&[], ConsumerOptions::default(), Position::Offset(10)).await;
    let mut read = Vec::new();
    while read.len() < 10 {
        // Given up after a few turns each time, however far it has come.
        let turns = async {
            for _ in 0..read.len() % 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            records = consumer.poll(Duration::from_secs(20)) => {
                read.extend(records.expect("there is a record").iter().map(|record| record.offset));
            }
            () = turns => tokio::task::yield_now().await,
        }
    }
    assert_eq!(read, (10..20).collect::<Vec<_>>());
}
