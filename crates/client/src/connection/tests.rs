#![allow(clippy::disallowed_methods, reason = "a test may look at the clock and sleep")]

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use protocol::messages::list_groups_request::ListGroupsRequest;
use protocol::messages::list_groups_response::{ListGroupsResponse, ListedGroup};
use protocol::messages::metadata_request::MetadataRequest;
use protocol::{ApiKey, ErrorCode, Str};

use super::{ConnectError, Connection, ConnectionOptions, RequestError};
use crate::testing::{Answer, ScriptedBroker, all_versions, respond, served};

fn options() -> ConnectionOptions {
    ConnectionOptions {
        request_timeout: Duration::from_secs(20),
        response_bytes_max: 1 << 20,
        ..ConnectionOptions::default()
    }
}

async fn open(broker: &ScriptedBroker) -> Connection {
    Connection::open(&broker.address(), &options()).await.expect("the broker answers")
}

/// A response that can be told from others.
fn groups(name: &str) -> ListGroupsResponse {
    let group = ListedGroup { group_id: Str::from(name), ..Default::default() };
    ListGroupsResponse { groups: vec![group], ..Default::default() }
}

async fn ask(connection: &Connection) -> Result<String, RequestError> {
    let response = connection.request(&ListGroupsRequest::default()).await?;
    Ok(response.groups[0].group_id.to_string())
}

#[tokio::test]
async fn the_newest_version_that_both_speak_is_used() {
    let broker = ScriptedBroker::start(|received| match received.api_key {
        ApiKey::ApiVersions => {
            assert_eq!(received.version, 4, "the question is asked in the newest version");
            respond(&received, &served(&[(ApiKey::ListGroups, 0, 3), (ApiKey::Metadata, 100, 200)]))
        }
        _ => respond(&received, &groups(&format!("asked in {}", received.version))),
    });
    let connection = open(&broker.await).await;
    assert_eq!(ask(&connection).await.expect("it is answered"), "asked in 3");
    assert_eq!(connection.broker_versions(ApiKey::Metadata), Some(100..=200));
    assert_eq!(connection.broker_versions(ApiKey::Produce), None);
    let error =
        connection.request(&MetadataRequest::default()).await.expect_err("there is no common version");
    assert!(matches!(error, RequestError::NoCommonVersion { broker: Some(_), .. }), "{error}");
    // A version newer than allowed is not used, one older than served is none.
    let request = ListGroupsRequest::default();
    let response = connection.request_with(&request, 1, Duration::ZERO).await.expect("it is answered");
    assert_eq!(response.groups[0].group_id, "asked in 1");
    assert!(connection.request_with(&request, -1, Duration::ZERO).await.is_err());
}

/// The versions in which a broker that knows versions up to `newest` is asked, depending on whether it names
/// them in its rejection.
async fn versions_asked(newest: i16, names_them: bool) -> Vec<i16> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let broker = ScriptedBroker::start(move |received| {
        sender.send(received.version).expect("the test listens");
        if received.version <= newest {
            return respond(&received, &all_versions());
        }
        // As in Kafka, the answer is in version 0, whatever the version of the request.
        let mut refusal = if names_them { served(&[(ApiKey::ApiVersions, 0, newest)]) } else { served(&[]) };
        refusal.error_code = ErrorCode::UNSUPPORTED_VERSION;
        let received = protocol::frame::ReceivedRequest { version: 0, ..received };
        respond(&received, &refusal)
    });
    drop(open(&broker.await).await);
    receiver.try_iter().collect()
}

#[tokio::test]
async fn a_broker_that_does_not_know_the_newest_question_is_asked_again() {
    assert_eq!(versions_asked(4, true).await, [4]);
    assert_eq!(versions_asked(2, true).await, [4, 2]);
    assert_eq!(versions_asked(0, false).await, [4, 0]);
}

#[tokio::test]
async fn several_requests_are_under_way_at_once() {
    // Nothing is answered before both have come.
    let mut first = None;
    let broker = ScriptedBroker::start(move |received| match (received.api_key, first.take()) {
        (ApiKey::ApiVersions, _) => respond(&received, &all_versions()),
        (_, None) => {
            first = Some(received);
            Answer::Nothing
        }
        (_, Some(first)) => {
            let mut both = BytesMut::new();
            for (received, name) in [(first, "first"), (received, "second")] {
                if let Answer::Bytes(bytes) = respond(&received, &groups(name)) {
                    both.put(bytes);
                }
            }
            Answer::Bytes(both.freeze())
        }
    });
    let connection = open(&broker.await).await;
    let (first, second) = tokio::join!(ask(&connection), ask(&connection));
    assert_eq!(
        (first.expect("it is answered").as_str(), second.expect("it is answered").as_str()),
        ("first", "second")
    );
}

#[tokio::test]
async fn a_question_whose_answer_nobody_waits_for_disturbs_no_other() {
    let mut count = 0;
    let broker = ScriptedBroker::start(move |received| {
        if received.api_key == ApiKey::ApiVersions {
            return respond(&received, &all_versions());
        }
        count += 1;
        if count == 1 {
            std::thread::sleep(Duration::from_millis(100));
        }
        respond(&received, &groups(&count.to_string()))
    });
    let connection = open(&broker.await).await;
    let given_up = tokio::time::timeout(Duration::from_millis(20), ask(&connection)).await;
    assert!(given_up.is_err(), "the broker takes longer");
    assert_eq!(ask(&connection).await.expect("it is answered"), "2");
}

/// The outcome of a request that is answered with these bytes.
async fn outcome_of(answer: fn(i32) -> Answer) -> RequestError {
    let broker = ScriptedBroker::start(move |received| match received.api_key {
        ApiKey::ApiVersions => respond(&received, &all_versions()),
        _ => answer(received.correlation_id),
    });
    let connection = open(&broker.await).await;
    let error = ask(&connection).await.expect_err("that is no answer");
    assert!(connection.is_closed(), "after {error}");
    assert!(matches!(ask(&connection).await, Err(RequestError::Closed { .. })), "it stays closed");
    error
}

fn frame(length: i32, rest: &[u8]) -> Answer {
    let mut bytes = BytesMut::new();
    bytes.put_i32(length);
    bytes.put_slice(rest);
    Answer::Bytes(bytes.freeze())
}

#[tokio::test]
async fn what_is_no_answer_closes_the_connection() {
    let error = outcome_of(|_| Answer::Close).await.to_string();
    assert!(error.contains("the broker closed it"), "{error}");
    let error = outcome_of(|id| frame(9, &[&(id + 1).to_be_bytes()[..], &[0; 5]].concat())).await.to_string();
    assert!(error.contains("answers no request"), "{error}");
    let error = outcome_of(|_| frame(2, &[0, 0])).await.to_string();
    assert!(error.contains("answers no request"), "{error}");
    let error = outcome_of(|_| frame(i32::MAX, &[])).await.to_string();
    assert!(error.contains("2147483647 bytes"), "{error}");
    let error = outcome_of(|_| frame(-1, &[])).await.to_string();
    assert!(error.contains("-1 bytes"), "{error}");
    // The header of the answer, then too little, and then too much.
    let error = outcome_of(|id| frame(6, &[&id.to_be_bytes()[..], &[0, 0]].concat())).await;
    assert!(matches!(error, RequestError::Malformed { .. }), "{error}");
    let error =
        outcome_of(|id| frame(14, &[&id.to_be_bytes()[..], &[0, 0, 0, 0, 0, 0, 0, 1, 0, 9]].concat())).await;
    assert!(matches!(error, RequestError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_closes_the_connection() {
    let broker = ScriptedBroker::start(|received| match received.api_key {
        ApiKey::ApiVersions => respond(&received, &all_versions()),
        _ => Answer::Nothing,
    });
    let broker = broker.await;
    let patience = Duration::from_millis(50);
    let options = ConnectionOptions { request_timeout: patience, ..options() };
    let connection = Connection::open(&broker.address(), &options).await.expect("the broker answers");
    let begun = Instant::now();
    let error = ask(&connection).await.expect_err("nobody answers");
    assert!(matches!(error, RequestError::TimedOut { api: ApiKey::ListGroups, .. }), "{error}");
    assert!(begun.elapsed() >= patience);
    assert!(connection.is_closed());
}

#[tokio::test]
async fn what_is_not_sent_leaves_the_connection_as_it_was() {
    let broker = ScriptedBroker::start(|received| match received.api_key {
        ApiKey::ApiVersions => respond(&received, &served(&[(ApiKey::ListGroups, 0, 3)])),
        _ => respond(&received, &groups("g")),
    });
    let connection = open(&broker.await).await;
    // Filters came with version 4.
    let request = ListGroupsRequest { states_filter: vec![Str::from("Stable")], ..Default::default() };
    let error = connection.request(&request).await.expect_err("version 3 cannot say that");
    assert!(matches!(error, RequestError::Unencodable { version: 3, .. }), "{error}");
    assert_eq!(ask(&connection).await.expect("it is answered"), "g");
}

#[tokio::test]
async fn who_is_no_broker_is_told_apart() {
    let listener = runtime::net::listen("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens").to_string();
    drop(listener);
    let error = Connection::open(&address, &options()).await.expect_err("nobody listens");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");

    let http =
        ScriptedBroker::start(|_| Answer::Bytes(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
            .await;
    let error = Connection::open(&http.address(), &options()).await.expect_err("that is no broker");
    assert!(matches!(error, ConnectError::NotKafka { .. }), "{error}");

    let mute = ScriptedBroker::start(|_| Answer::Nothing).await;
    let options = ConnectionOptions { connect_timeout: Duration::from_millis(50), ..options() };
    let error = Connection::open(&mute.address(), &options).await.expect_err("nobody answers");
    let is_mute = matches!(&error, ConnectError::NotKafka { error: RequestError::TimedOut { .. }, .. });
    assert!(is_mute, "what accepts a connection can be reached: {error}");
}
