//! Fetch sessions (KIP-227): the broker remembers the partitions, and the client names only those that
//! change.

use protocol::messages::fetch_request::{FetchTopic, ForgottenTopic};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Str};

use super::harness::Node;
use super::harness::raw::{Raw, batch, fetch_nothing, fetch_partition};

/// A fetch of partitions of a topic, each at offset 0, in that session and epoch.
fn in_session(topic: &str, partitions: &[i32], session_id: i32, session_epoch: i32) -> FetchRequest {
    let mut request = fetch_nothing();
    (request.session_id, request.session_epoch) = (session_id, session_epoch);
    if !partitions.is_empty() {
        request.topics.push(FetchTopic {
            topic: Str::from(topic),
            partitions: partitions.iter().map(|partition| fetch_partition(*partition, 0)).collect(),
            ..Default::default()
        });
    }
    request
}

/// The partitions in an answer.
fn partitions(response: &FetchResponse) -> Vec<i32> {
    let mut all: Vec<i32> = response
        .responses
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| partition.partition_index))
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn a_session_tells_only_what_is_new() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("session", 4, &[]);
    let full = raw.ask(&in_session(&topic, &[0, 1, 2], 0, 0), 12);
    assert_eq!(full.error_code, ErrorCode::NONE);
    assert_ne!(full.session_id, 0);
    assert_eq!(partitions(&full), [0, 1, 2], "a full answer names every partition");
    let session = full.session_id;

    let quiet = raw.ask(&in_session(&topic, &[], session, 1), 12);
    assert_eq!((quiet.error_code, quiet.session_id), (ErrorCode::NONE, session));
    assert_eq!(partitions(&quiet), [0; 0], "nothing is new");

    raw.append(&topic, batch(&[b"new"]));
    let news = raw.ask(&in_session(&topic, &[], session, 2), 12);
    assert_eq!(partitions(&news), [0]);
    assert!(!news.responses[0].partitions[0].records.is_empty());

    // The client advances in that partition and adds another one; each is returned once.
    let mut moved = in_session(&topic, &[0, 3], session, 3);
    moved.topics[0].partitions[0].fetch_offset = 1;
    assert_eq!(partitions(&raw.ask(&moved, 12)), [3]);

    // Forgotten partitions are not returned.
    let mut forget = in_session(&topic, &[], session, 4);
    let forgotten =
        ForgottenTopic { topic: Str::from(topic.as_str()), partitions: vec![0], ..Default::default() };
    forget.forgotten_topics_data.push(forgotten);
    raw.append(&topic, batch(&[b"more"]));
    assert_eq!(partitions(&raw.ask(&forget, 12)), [0; 0]);
    assert_eq!(partitions(&raw.ask(&in_session(&topic, &[], session, 5), 12)), [0; 0]);
}

#[test]
fn errors_are_told_as_long_as_they_last() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("session-errors", 1, &[]);
    let mut request = in_session(&topic, &[0], 0, 0);
    request.topics[0].partitions[0].fetch_offset = 1_000;
    let full = raw.ask(&request, 12);
    let error = full.responses[0].partitions[0].error_code;
    assert_eq!(error, ErrorCode::OFFSET_OUT_OF_RANGE);
    for epoch in 1..4 {
        let again = raw.ask(&in_session(&topic, &[], full.session_id, epoch), 12);
        assert_eq!(partitions(&again), [0]);
        assert_eq!(again.responses[0].partitions[0].error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    }
}

#[test]
fn epochs_and_ids_that_do_not_fit() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("session-epoch", 1, &[]);
    let session = raw.ask(&in_session(&topic, &[0], 0, 0), 12).session_id;
    let code = |raw: &mut Raw, id, epoch| raw.ask(&in_session(&topic, &[], id, epoch), 12).error_code;
    assert_eq!(code(&mut raw, session, 2), ErrorCode::INVALID_FETCH_SESSION_EPOCH, "1 is next");
    assert_eq!(code(&mut raw, session, 1), ErrorCode::NONE);
    assert_eq!(code(&mut raw, session, 1), ErrorCode::INVALID_FETCH_SESSION_EPOCH, "1 was");
    assert_eq!(code(&mut raw, session ^ 0x55, 1), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    assert_eq!(code(&mut raw, 0, 5), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    // The session is still valid after these errors.
    assert_eq!(code(&mut raw, session, 2), ErrorCode::NONE);
}

#[test]
fn a_session_ends_when_the_client_says_so() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("session-end", 1, &[]);
    let session = raw.ask(&in_session(&topic, &[0], 0, 0), 12).session_id;
    let last = raw.ask(&in_session(&topic, &[0], session, -1), 12);
    assert_eq!((last.error_code, last.session_id), (ErrorCode::NONE, 0));
    assert_eq!(partitions(&last), [0], "it was answered as a full request");
    let code = raw.ask(&in_session(&topic, &[], session, 1), 12).error_code;
    assert_eq!(code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    // Epoch 0 with the id of a session starts a new one.
    let session = raw.ask(&in_session(&topic, &[0], 0, 0), 12).session_id;
    let next = raw.ask(&in_session(&topic, &[0], session, 0), 12);
    assert!(next.session_id != 0 && next.session_id != session);
    let code = raw.ask(&in_session(&topic, &[], session, 1), 12).error_code;
    assert_eq!(code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn a_full_cache_serves_without_sessions() {
    let Some(broker) = Node::own(&[("max.incremental.fetch.session.cache.slots", "2")]) else { return };
    let mut raw = broker.open();
    let topic = broker.create_topic("session-cache", 1, &[]);
    raw.append(&topic, batch(&[b"x"]));
    let answers: Vec<_> = (0..4).map(|_| raw.ask(&in_session(&topic, &[0], 0, 0), 12)).collect();
    let with_session = answers.iter().filter(|answer| answer.session_id != 0).count();
    assert_eq!(with_session, 2);
    for answer in &answers {
        assert_eq!(answer.error_code, ErrorCode::NONE);
        assert!(!answer.responses[0].partitions[0].records.is_empty(), "data comes all the same");
    }
}

/// With topic ids (version 13 on), a session identifies topics by id.
#[test]
fn a_session_with_topic_ids() {
    let broker = Node::start();
    let mut raw = broker.open();
    let topic = broker.create_topic("session-id", 2, &[]);
    let id = raw.topic_id(&topic);
    let mut request = in_session(&topic, &[0, 1], 0, 0);
    request.topics[0].topic = Str::new();
    request.topics[0].topic_id = id;
    let full = raw.ask(&request, 16);
    assert_eq!(partitions(&full), [0, 1]);
    assert_eq!(full.responses[0].topic_id, id);
    raw.append(&topic, batch(&[b"new"]));
    let news = raw.ask(&in_session(&topic, &[], full.session_id, 1), 16);
    assert_eq!(partitions(&news), [0]);
    assert_eq!(news.responses[0].topic_id, id);
}
