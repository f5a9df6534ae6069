//! CreatePartitions.

use protocol::messages::CreatePartitionsRequest;
use protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};

use super::*;

fn grow(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic { name: name.into(), count, assignments: None }
}

fn chosen(name: &str, count: i32, assignments: &[&[i32]]) -> CreatePartitionsTopic {
    let assignment = |ids: &&[i32]| CreatePartitionsAssignment { broker_ids: ids.to_vec() };
    let assignments = Some(assignments.iter().map(assignment).collect());
    CreatePartitionsTopic { name: name.into(), count, assignments }
}

fn ask(image: &Image, topics: Vec<CreatePartitionsTopic>) -> (Vec<(ErrorCode, Option<String>)>, Image) {
    let request = CreatePartitionsRequest { topics, ..CreatePartitionsRequest::default() };
    let (response, records) = controller(&[]).create_partitions(image, &request);
    let results = response.results.into_iter();
    let results =
        results.map(|result| (result.error_code, result.error_message.map(|text| text.to_string())));
    (results.collect(), with(image.clone(), records))
}

#[test]
fn partitions_are_added_behind_the_others() {
    let image = with_topics(&["a", "b"]);
    let (results, after) = ask(&image, vec![grow("a", 4), chosen("b", 2, &[&[1]])]);
    assert_eq!(results, [(ErrorCode::NONE, None), (ErrorCode::NONE, None)]);
    assert_eq!(after.topic("a").expect("it is there").partitions.len(), 4);
    assert_eq!(after.partition("a", 0), image.partition("a", 0));
    let added = after.partition("a", 3).expect("it is there");
    assert_eq!((added.leader, &*added.directories), (1, &[DIRECTORY][..]));
    assert_eq!(after.topics().partition_count(), 6);
}

#[test]
fn what_cannot_be_is_refused_in_kafkas_words() {
    let image = with(with_topics(&["a"]), vec![broker(2, true)]);
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let invalid = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
    for (topic, code, message) in [
        (grow("x", 2), unknown, unknown.message()),
        (grow("a", 1), ErrorCode::INVALID_PARTITIONS, "Topic already has 1 partition(s)."),
        (
            grow("a", 0),
            ErrorCode::INVALID_PARTITIONS,
            "The topic a currently has 1 partition(s); 0 would not be an increase.",
        ),
        (
            grow("a", -5),
            ErrorCode::INVALID_PARTITIONS,
            "The topic a currently has 1 partition(s); -5 would not be an increase.",
        ),
        (
            chosen("a", 3, &[&[1]]),
            invalid,
            "Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified.",
        ),
        (
            chosen("a", 2, &[&[1, 2]]),
            invalid,
            "The manual partition assignment includes a partition with 2 replica(s), but this is not \
             consistent with previous partitions, which have 1 replica(s).",
        ),
        (
            chosen("a", 2, &[&[7]]),
            invalid,
            "The manual partition assignment includes broker 7, but no such broker is registered.",
        ),
        (
            chosen("a", 2, &[&[2]]),
            invalid,
            "All brokers specified in the manual partition assignment for partition 1 are fenced or in \
             controlled shutdown.",
        ),
    ] {
        let (results, after) = ask(&image, vec![topic]);
        assert_eq!(results, [(code, Some(message.to_owned()))]);
        assert_eq!(after, image);
    }
    for count in [10_002, i32::MAX] {
        assert_eq!(ask(&image, vec![grow("a", count)]).0[0].0, ErrorCode::POLICY_VIOLATION);
    }
}

#[test]
fn one_bad_item_leaves_the_others_alone_and_a_repeated_one_fails() {
    let image = with_topics(&["a", "b"]);
    let (results, after) = ask(&image, vec![grow("a", 2), grow("b", 3), grow("a", 3), grow("x", 2)]);
    let codes: Vec<ErrorCode> = results.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST, ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    assert_eq!(after.topic("a").expect("it is there").partitions.len(), 1);
    assert_eq!(after.topic("b").expect("it is there").partitions.len(), 3);
}

#[test]
fn validating_only_records_nothing() {
    let request = CreatePartitionsRequest {
        topics: vec![grow("a", 2)],
        validate_only: true,
        ..CreatePartitionsRequest::default()
    };
    let (response, records) = controller(&[]).create_partitions(&with_topics(&["a"]), &request);
    assert_eq!((response.results[0].error_code, records.len()), (ErrorCode::NONE, 0));
}
