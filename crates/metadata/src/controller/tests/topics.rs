//! CreateTopics and DeleteTopics.

use protocol::messages::DeleteTopicsRequest;
use protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopicConfig};
use protocol::messages::delete_topics_request::DeleteTopicState;

use super::*;

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.into(), value: value.map(Into::into) }
}

fn assignment(partition_index: i32, broker_ids: &[i32]) -> CreatableReplicaAssignment {
    CreatableReplicaAssignment { partition_index, broker_ids: broker_ids.to_vec() }
}

/// The error and message that creating one topic gives, and that nothing is recorded then.
fn refused(image: &Image, topic: CreatableTopic) -> (ErrorCode, String) {
    let (response, records) = create(image, vec![topic]);
    assert_eq!(records, Vec::new());
    let result = &response.topics[0];
    (result.error_code, result.error_message.clone().expect("a message").to_string())
}

#[test]
fn a_topic_gets_its_records_and_its_answer() {
    let mut wanted = topic("orders");
    wanted.num_partitions = 3;
    wanted.configs = vec![config("retention.ms", Some("1000"))];
    let (response, records) = create(&cluster(), vec![wanted]);
    let names: Vec<&str> = records.iter().map(MetadataRecord::name).collect();
    assert_eq!(
        names,
        ["TopicRecord", "ConfigRecord", "PartitionRecord", "PartitionRecord", "PartitionRecord"]
    );
    let image = with(cluster(), records);
    let created = image.topic("orders").expect("it is there");
    assert_eq!(created.id, Uuid(1_u128.to_be_bytes()));
    let partition = created.partition(2).expect("three partitions");
    assert_eq!((&*partition.replicas, &*partition.isr), (&[1][..], &[1][..]));
    assert_eq!((partition.leader, partition.leader_epoch, partition.partition_epoch), (1, 0, 0));
    assert_eq!(partition.directories, [DIRECTORY]);
    assert_eq!(image.topic_config("orders", 1, &Configs::new()).retention_ms, 1000);

    let result = &response.topics[0];
    assert_eq!((result.error_code, &result.error_message), (ErrorCode::NONE, &None));
    assert_eq!((result.topic_id, result.num_partitions, result.replication_factor), (created.id, 3, 1));
    let configs = result.configs.as_ref().expect("the settings");
    let config = |name: &str| configs.iter().find(|config| &*config.name == name).expect(name);
    assert_eq!(config("retention.ms").value.as_deref(), Some("1000"));
    assert_eq!(config("retention.ms").config_source, 1);
    assert_eq!(config("segment.bytes").config_source, 5);
    assert_eq!(configs.len(), 34);
}

#[test]
fn defaults_come_from_the_broker_and_what_was_set_while_it_ran() {
    let given = [("num.partitions", "4")];
    let request = CreateTopicsRequest { topics: vec![topic("t")], ..CreateTopicsRequest::default() };
    let (response, _) = controller(&given).create_topics(&cluster(), &request, ids());
    assert_eq!(response.topics[0].num_partitions, 4);
    let given = [("default.replication.factor", "2")];
    let (response, _) = controller(&given).create_topics(&cluster(), &request, ids());
    assert_eq!(response.topics[0].error_code, ErrorCode::INVALID_REPLICATION_FACTOR);
}

#[test]
fn names_that_kafka_refuses_are_refused_in_its_words() {
    let image = with_topics(&["a_b", "plain"]);
    let long = "x".repeat(250);
    let invalid = ErrorCode::INVALID_TOPIC_EXCEPTION;
    for (name, code, message) in [
        ("", invalid, "Topic name is invalid: the empty string is not allowed".to_owned()),
        (".", invalid, "Topic name is invalid: '.' is not allowed".to_owned()),
        ("..", invalid, "Topic name is invalid: '..' is not allowed".to_owned()),
        (
            "a b",
            invalid,
            "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, \
             '.', '_' and '-'"
                .to_owned(),
        ),
        (
            "grün",
            invalid,
            "Topic name is invalid: 'grün' contains one or more characters other than ASCII alphanumerics, \
             '.', '_' and '-'"
                .to_owned(),
        ),
        (
            &long,
            invalid,
            format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            ),
        ),
        ("a.b", invalid, "Topic 'a.b' collides with existing topic: a_b".to_owned()),
        ("plain", ErrorCode::TOPIC_ALREADY_EXISTS, "Topic 'plain' already exists.".to_owned()),
        (
            "__cluster_metadata",
            ErrorCode::INVALID_REQUEST,
            "Creation of internal topic __cluster_metadata is prohibited.".to_owned(),
        ),
    ] {
        assert_eq!(refused(&image, topic(name)), (code, message), "{name}");
    }
    assert!(create(&image, vec![topic(&"x".repeat(249))]).0.topics[0].error_code.is_none());
    assert!(create(&image, vec![topic("__consumer_offsets")]).0.topics[0].error_code.is_none());
    // Kafka compares with what is there, and not within a request.
    let (both, _) = create(&image, vec![topic("c.d"), topic("c_d")]);
    assert!(both.topics.iter().all(|topic| topic.error_code.is_none()));
    // A megabyte of garbage is not sent back.
    let (_, message) = refused(&image, topic(&"ü".repeat(500_000)));
    assert!(message.len() < 1000);
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    let sized = |num_partitions, replication_factor| CreatableTopic {
        num_partitions,
        replication_factor,
        ..topic("t")
    };
    for (partitions, factor, code) in [
        (0, 1, ErrorCode::INVALID_PARTITIONS),
        (-2, 1, ErrorCode::INVALID_PARTITIONS),
        (1, 0, ErrorCode::INVALID_REPLICATION_FACTOR),
        (1, -2, ErrorCode::INVALID_REPLICATION_FACTOR),
        (1, 2, ErrorCode::INVALID_REPLICATION_FACTOR),
        (1, i16::MAX, ErrorCode::INVALID_REPLICATION_FACTOR),
        (10_000, 1, ErrorCode::POLICY_VIOLATION),
        (i32::MAX, 1, ErrorCode::POLICY_VIOLATION),
    ] {
        assert_eq!(refused(&cluster(), sized(partitions, factor)).0, code, "{partitions}, {factor}");
    }
    assert_eq!(
        refused(&cluster(), sized(1, 3)).1,
        "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached \
         because only 1 broker(s) are registered."
    );
    assert_eq!(
        refused(&with(Image::default(), vec![broker(1, true)]), sized(1, 1)).1,
        "Unable to replicate the partition 1 time(s): All brokers are currently fenced or in controlled \
         shutdown."
    );
    assert!(create(&cluster(), vec![sized(9_999, 1)]).0.topics[0].error_code.is_none());
}

#[test]
fn the_records_of_one_request_are_limited_together() {
    let big = |name| CreatableTopic { num_partitions: 6_000, ..topic(name) };
    let (response, records) = create(&cluster(), vec![big("a"), big("b"), topic("c")]);
    let codes: Vec<ErrorCode> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [ErrorCode::POLICY_VIOLATION; 3]);
    assert_eq!(records, Vec::new());
}

#[test]
fn replicas_that_a_client_chooses_are_checked() {
    let image = with(cluster(), vec![broker(2, false), broker(3, true)]);
    let chosen = |assignments: &[CreatableReplicaAssignment]| CreatableTopic {
        assignments: assignments.to_vec(),
        ..topic("t")
    };
    let invalid = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
    let cases: &[(&[CreatableReplicaAssignment], &str)] = &[
        (&[assignment(0, &[])], "The manual partition assignment includes an empty replica list."),
        (
            &[assignment(0, &[9])],
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (&[assignment(0, &[1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        (
            &[assignment(0, &[1, 2]), assignment(1, &[1])],
            "The manual partition assignment includes a partition with 1 replica(s), but this is not \
             consistent with previous partitions, which have 2 replica(s).",
        ),
        (
            &[assignment(0, &[1]), assignment(0, &[1])],
            "Found multiple manual partition assignments for partition 0",
        ),
        (
            &[assignment(0, &[1]), assignment(2, &[1])],
            "partitions should be a consecutive 0-based integer sequence",
        ),
        (
            &[assignment(0, &[3])],
            "All brokers specified in the manual partition assignment for partition 0 are fenced or in \
             controlled shutdown.",
        ),
    ];
    for (assignments, message) in cases {
        assert_eq!(refused(&image, chosen(assignments)), (invalid, (*message).to_owned()));
    }
    let both = CreatableTopic { num_partitions: 1, ..chosen(&[assignment(0, &[1])]) };
    assert_eq!(
        refused(&image, both),
        (
            ErrorCode::INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.".to_owned()
        )
    );
    let both = CreatableTopic { replication_factor: 1, ..chosen(&[assignment(0, &[1])]) };
    assert_eq!(refused(&image, both).0, ErrorCode::INVALID_REQUEST);

    let (response, records) = create(&image, vec![chosen(&[assignment(1, &[2, 3]), assignment(0, &[3, 1])])]);
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
    let image = with(image, records);
    let first = image.partition("t", 0).expect("it is there");
    assert_eq!((&*first.replicas, &*first.isr, first.leader), (&[3, 1][..], &[1][..], 1));
    assert_eq!(image.partition("t", 1).expect("it is there").replicas, [2, 3]);
}

#[test]
fn settings_are_checked_before_a_topic_is_made() {
    for (setting, message) in [
        (config("retention.ms", Some("x")), "Invalid value x for configuration retention.ms"),
        (config("nonsense", Some("1")), "Unknown topic config name: nonsense."),
        (config("remote.storage.enable", Some("true")), "remote.storage.enable cannot be set to this value"),
        (config("retention.ms", None), "Null value not supported for topic configs: retention.ms"),
    ] {
        let (code, text) = refused(&cluster(), CreatableTopic { configs: vec![setting], ..topic("t") });
        assert_eq!(code, ErrorCode::INVALID_CONFIG);
        assert!(text.starts_with(message), "{text}");
    }
    // Tools create compacted topics; they are taken, with a warning in the log.
    let compacted = CreatableTopic { configs: vec![config("cleanup.policy", Some("compact"))], ..topic("t") };
    assert!(create(&cluster(), vec![compacted]).0.topics[0].error_code.is_none());
}

#[test]
fn one_bad_item_leaves_the_others_alone() {
    let (response, records) = create(
        &cluster(),
        vec![topic("twice"), topic("good"), topic("!"), topic("twice"), topic("x.y"), topic("")],
    );
    let results: Vec<(&str, ErrorCode)> =
        response.topics.iter().map(|topic| (&*topic.name, topic.error_code)).collect();
    assert_eq!(
        results,
        [
            ("good", ErrorCode::NONE),
            ("!", ErrorCode::INVALID_TOPIC_EXCEPTION),
            ("x.y", ErrorCode::NONE),
            ("", ErrorCode::INVALID_TOPIC_EXCEPTION),
            ("twice", ErrorCode::INVALID_REQUEST),
        ]
    );
    assert_eq!(response.topics[4].error_message.as_deref(), Some("Duplicate topic name."));
    let image = with(cluster(), records);
    assert_eq!(image.topics().len(), 2);
}

#[test]
fn validating_only_records_nothing() {
    let request = CreateTopicsRequest {
        topics: vec![topic("t"), topic("!")],
        validate_only: true,
        ..CreateTopicsRequest::default()
    };
    let (response, records) = controller(&[]).create_topics(&cluster(), &request, ids());
    assert_eq!(records, Vec::new());
    assert_eq!(response.topics[0].error_code, ErrorCode::NONE);
    assert_eq!(response.topics[1].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
}

#[test]
fn leaders_are_spread() {
    let image = with(cluster(), vec![broker(2, false), broker(3, false)]);
    let spread = CreatableTopic { num_partitions: 6, replication_factor: 2, ..topic("t") };
    let (_, records) = create(&image, vec![spread]);
    let image = with(image, records);
    for id in [1, 2, 3] {
        let leads = image.topic("t").expect("it is there").partitions.iter().filter(|p| p.leader == id);
        assert_eq!(leads.count(), 2);
    }
}

fn delete(
    image: &Image,
    request: &DeleteTopicsRequest,
) -> Vec<(Option<String>, Uuid, ErrorCode, Option<String>)> {
    let (response, records) = controller(&[]).delete_topics(image, request, 6);
    let deleted = response.responses.iter().filter(|result| result.error_code.is_none()).count();
    assert_eq!(records.len(), deleted);
    let after = with(image.clone(), records);
    assert_eq!(after.topics().len(), image.topics().len() - deleted);
    let text = |text: &Option<Str>| text.as_ref().map(ToString::to_string);
    response
        .responses
        .iter()
        .map(|result| (text(&result.name), result.topic_id, result.error_code, text(&result.error_message)))
        .collect()
}

fn by_name(name: &str) -> DeleteTopicState {
    DeleteTopicState { name: Some(name.into()), topic_id: Uuid::ZERO }
}

fn by_id(id: u128) -> DeleteTopicState {
    DeleteTopicState { name: None, topic_id: Uuid(id.to_be_bytes()) }
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let image = with_topics(&["a", "b", "c"]);
    let id = |id: u128| Uuid(id.to_be_bytes());
    let topics = vec![by_name("a"), by_id(2), by_name("x"), by_id(9), by_id(0)];
    let both = DeleteTopicState { name: Some("c".into()), topic_id: id(3) };
    let topics = topics.into_iter().chain([both]).collect();
    let results = delete(&image, &DeleteTopicsRequest { topics, ..DeleteTopicsRequest::default() });
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(
        results,
        [
            (
                None,
                Uuid::ZERO,
                ErrorCode::INVALID_REQUEST,
                Some("Neither topic name nor id were specified.".into())
            ),
            (
                Some("c".into()),
                id(3),
                ErrorCode::INVALID_REQUEST,
                Some("You may not specify both topic name and topic id.".into())
            ),
            (Some("a".into()), id(1), ErrorCode::NONE, None),
            (Some("b".into()), id(2), ErrorCode::NONE, None),
            (Some("x".into()), Uuid::ZERO, unknown, Some(unknown.message().into())),
            (None, id(9), ErrorCode::UNKNOWN_TOPIC_ID, Some(ErrorCode::UNKNOWN_TOPIC_ID.message().into())),
        ]
    );
}

#[test]
fn a_topic_that_is_asked_for_twice_stays() {
    let image = with_topics(&["a", "b"]);
    let codes = |topics: Vec<DeleteTopicState>| -> Vec<ErrorCode> {
        let request = DeleteTopicsRequest { topics, ..DeleteTopicsRequest::default() };
        delete(&image, &request).into_iter().map(|(_, _, code, _)| code).collect()
    };
    assert_eq!(codes(vec![by_name("a"), by_name("a")]), [ErrorCode::INVALID_REQUEST]);
    assert_eq!(codes(vec![by_id(1), by_id(1)]), [ErrorCode::INVALID_REQUEST]);
    let names = DeleteTopicsRequest { topic_names: vec!["a".into(), "b".into()], ..Default::default() };
    assert!(delete(&image, &names).iter().all(|(_, _, code, _)| code.is_none()));
}

#[test]
fn a_name_and_the_id_of_the_same_topic_count_once() {
    let image = with_topics(&["a", "b"]);
    let request =
        DeleteTopicsRequest { topics: vec![by_id(1), by_name("a")], ..DeleteTopicsRequest::default() };
    let message = "The provided topic name maps to an ID that was already supplied.";
    assert_eq!(
        delete(&image, &request),
        [(
            Some("a".into()),
            Uuid(1_u128.to_be_bytes()),
            ErrorCode::INVALID_REQUEST,
            Some(message.to_owned())
        )],
        "it stays"
    );
    let request =
        DeleteTopicsRequest { topics: vec![by_id(1), by_id(1), by_name("a")], ..Default::default() };
    assert!(delete(&image, &request).iter().all(|(_, _, code, _)| *code == ErrorCode::INVALID_REQUEST));
}

#[test]
fn deletion_can_be_switched_off() {
    let image = with_topics(&["a"]);
    let request = DeleteTopicsRequest { topic_names: vec!["a".into()], ..Default::default() };
    let controller = controller(&[("delete.topic.enable", "false")]);
    for (version, code) in [
        (2, ErrorCode::INVALID_REQUEST),
        (3, ErrorCode::TOPIC_DELETION_DISABLED),
        (6, ErrorCode::TOPIC_DELETION_DISABLED),
    ] {
        let (response, records) = controller.delete_topics(&image, &request, version);
        assert_eq!((response.responses[0].error_code, records.len()), (code, 0));
    }
}

#[test]
fn a_topics_settings_go_with_it() {
    let kept = CreatableTopic { configs: vec![config("retention.ms", Some("1"))], ..topic("t") };
    let (_, records) = create(&cluster(), vec![kept]);
    let image = with(cluster(), records);
    let request = DeleteTopicsRequest { topic_names: vec!["t".into()], ..Default::default() };
    let (_, records) = controller(&[]).delete_topics(&image, &request, 3);
    let image = with(image, records);
    assert_eq!(image.all_configs().count(), 0);
    let (_, records) = create(&image, vec![topic("t")]);
    let again = with(image, records);
    assert_eq!(again.topic_config("t", 1, &Configs::new()).retention_ms, 604_800_000);
}
