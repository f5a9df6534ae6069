use std::collections::VecDeque;

use protocol::frame::ReceivedRequest;
use protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};
use protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use protocol::{ApiKey, ErrorCode, Str};

use super::{Admin, NewTopic};
use crate::testing::{Answer, ScriptedBroker, respond};

fn answer(received: &ReceivedRequest, error_code: ErrorCode) -> Answer {
    match received.api_key {
        ApiKey::CreateTopics => {
            let topic =
                CreatableTopicResult { name: Str::from("t"), error_code, ..CreatableTopicResult::default() };
            respond(received, &CreateTopicsResponse { topics: vec![topic], ..Default::default() })
        }
        ApiKey::CreatePartitions => {
            let result = CreatePartitionsTopicResult { error_code, ..Default::default() };
            respond(received, &CreatePartitionsResponse { results: vec![result], ..Default::default() })
        }
        ApiKey::DeleteTopics => {
            let result = DeletableTopicResult { error_code, ..Default::default() };
            respond(received, &DeleteTopicsResponse { responses: vec![result], ..Default::default() })
        }
        other => panic!("{other:?} is not asked for"),
    }
}

/// A cluster whose topic `t` has three partitions. It answers changes with `codes`, and closes the connection
/// instead for each `None`.
async fn cluster(codes: &[Option<ErrorCode>]) -> (ScriptedBroker, Admin) {
    let mut codes: VecDeque<_> = codes.iter().copied().collect();
    let script = move |received: ReceivedRequest| match codes.pop_front().expect("asked no more often") {
        Some(code) => answer(&received, code),
        None => Answer::Close,
    };
    let (broker, cluster) = ScriptedBroker::cluster(3, script).await;
    (broker, Admin::new(cluster))
}

fn three_partitions() -> NewTopic {
    NewTopic { name: "t".to_owned(), partitions: Some(3), ..NewTopic::default() }
}

#[tokio::test]
async fn a_topic_that_the_first_attempt_made_is_created() {
    for lost in [None, Some(ErrorCode::REQUEST_TIMED_OUT)] {
        let (_broker, admin) = cluster(&[lost, Some(ErrorCode::TOPIC_ALREADY_EXISTS)]).await;
        let created = admin.create_topic(&three_partitions(), false).await.expect("it is there");
        assert_eq!((created.partitions, created.replication_factor), (Some(3), Some(1)));
    }
}

#[tokio::test]
async fn a_topic_that_was_there_before_is_an_error() {
    let exists = Some(ErrorCode::TOPIC_ALREADY_EXISTS);
    let (_broker, admin) = cluster(&[exists]).await;
    let error = admin.create_topic(&three_partitions(), false).await.expect_err("it was there");
    assert_eq!(error.code(), exists);
    // A topic that another client created meanwhile is not the one that was requested.
    let (_broker, admin) = cluster(&[None, exists]).await;
    let four = NewTopic { partitions: Some(4), ..three_partitions() };
    let error = admin.create_topic(&four, false).await.expect_err("it has three");
    assert_eq!(error.code(), exists);
    // A dry run creates nothing.
    let (_broker, admin) = cluster(&[None, exists]).await;
    let error = admin.create_topic(&three_partitions(), true).await.expect_err("it was there");
    assert_eq!(error.code(), exists);
}

#[tokio::test]
async fn what_the_first_attempt_deleted_or_enlarged_is_done() {
    let unknown = Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let (_broker, admin) = cluster(&[Some(ErrorCode::REQUEST_TIMED_OUT), unknown]).await;
    admin.delete_topic("t").await.expect("it is gone");
    let (_broker, admin) = cluster(&[unknown]).await;
    admin.delete_topic("t").await.expect_err("it never was");

    let has_as_many = Some(ErrorCode::INVALID_PARTITIONS);
    let (_broker, admin) = cluster(&[None, has_as_many]).await;
    admin.create_partitions("t", 3).await.expect("it has three");
    let (_broker, admin) = cluster(&[None, has_as_many]).await;
    admin.create_partitions("t", 2).await.expect_err("it has three");
    let (_broker, admin) = cluster(&[has_as_many]).await;
    admin.create_partitions("t", 3).await.expect_err("it had three before");
}
