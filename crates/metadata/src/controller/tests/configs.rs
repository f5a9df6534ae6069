//! IncrementalAlterConfigs, AlterConfigs, DescribeConfigs.

use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use protocol::messages::{AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use protocol::messages::{alter_configs_request, incremental_alter_configs_request};

use super::*;
use crate::image::ConfigResource;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const GROUP: i8 = 32;

const THROTTLED: &str = "leader.replication.throttled.replicas";

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// A resource, changes of it, and the error and message that they give.
type RefusalCase<'a> = ((i8, &'a str), &'a [Change<'a>], ErrorCode, &'a str);

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn alter(image: &Image, resource: (i8, &str), changes: &[Change<'_>]) -> Result<Image, (ErrorCode, String)> {
    let request = IncrementalAlterConfigsRequest {
        resources: vec![resource_of(resource, changes)],
        ..IncrementalAlterConfigsRequest::default()
    };
    let (response, records) = controller(&[]).incremental_alter_configs(image, &request);
    let result = &response.responses[0];
    assert_eq!((result.resource_type, &*result.resource_name), resource);
    match result.error_code {
        ErrorCode::NONE => Ok(with(image.clone(), records)),
        code => {
            assert_eq!(records, Vec::new());
            Err((code, result.error_message.clone().expect("a message").to_string()))
        }
    }
}

fn resource_of(
    (resource_type, name): (i8, &str),
    changes: &[Change<'_>],
) -> incremental_alter_configs_request::AlterConfigsResource {
    incremental_alter_configs_request::AlterConfigsResource {
        resource_type,
        resource_name: name.into(),
        configs: changes
            .iter()
            .map(|(name, config_operation, value)| incremental_alter_configs_request::AlterableConfig {
                name: (*name).into(),
                config_operation: *config_operation,
                value: value.map(Into::into),
            })
            .collect(),
    }
}

fn value<'a>(image: &'a Image, resource: &ConfigResource, name: &str) -> Option<&'a str> {
    image.configs(resource).get(name).map(String::as_str)
}

#[test]
fn a_list_that_outgrows_its_record_is_refused() {
    let image = with_topics(&["t"]);
    // Eight bytes each, with the comma.
    let append = |image: &Image, replicas: std::ops::Range<usize>| {
        let list: Vec<String> = replicas.map(|partition| format!("{partition:05}:1")).collect();
        alter(image, (TOPIC, "t"), &[(THROTTLED, APPEND, Some(&list.join(",")))])
    };
    let image = append(&image, 0..2_500).expect("it fits");
    let (code, message) = append(&image, 2_500..4_097).expect_err("together they do not");
    assert_eq!(code, ErrorCode::INVALID_CONFIG);
    assert_eq!(
        message,
        "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes."
    );
    let image = append(&image, 2_500..4_096).expect("this much fits");
    let value = value(&image, &ConfigResource::topic("t"), THROTTLED).expect("it is set");
    assert_eq!(value.len(), 32_767);
}

/// Names and values of requests may be as long as a text of the protocol: the message that repeats one is cut.
#[test]
fn messages_fit_a_response() {
    let image = with_topics(&["t"]);
    let long = "é".repeat(16_383);
    let lists = format!("x{long}");
    let changes: [((i8, &str), Vec<Change<'_>>); 5] = [
        ((TOPIC, &long), vec![("retention.ms", SET, Some("1"))]),
        ((BROKER, &long), vec![("retention.ms", SET, Some("1"))]),
        ((TOPIC, "t"), vec![(&long, SET, Some("1"))]),
        ((TOPIC, "t"), vec![("retention.ms", SET, Some(&long))]),
        ((TOPIC, "t"), vec![(&long, SET, None), (&lists, SET, None)]),
    ];
    let messages = changes.map(|(resource, changes)| alter(&image, resource, &changes).expect_err("wrong").1);
    assert!(messages.iter().all(|message| Str::fits(message)));
    assert!(messages.iter().filter(|message| message.ends_with('…')).count() >= 3, "they repeat the request");
    let (response, _) = create(&image, vec![topic(&long)]);
    assert!(response.topics[0].error_message.as_ref().is_some_and(|message| Str::fits(message)));
}

#[test]
fn settings_without_effect_are_told_of() {
    let image = with_topics(&["t"]);
    let request = IncrementalAlterConfigsRequest {
        resources: vec![
            resource_of(
                (TOPIC, "t"),
                &[("preallocate", SET, Some("true")), ("retention.ms", SET, Some("1"))],
            ),
            resource_of((BROKER, "1"), &[("ssl.keystore.type", SET, Some("PEM"))]),
        ],
        ..IncrementalAlterConfigsRequest::default()
    };
    let (_, records) = controller(&[]).incremental_alter_configs(&image, &request);
    let told = settings_without_effect(&records);
    let [preallocate, keystore] = &told[..] else { panic!("{told:?}") };
    assert!(preallocate.starts_with("topic t: preallocate is kept but has no effect: "), "{preallocate}");
    assert!(keystore.starts_with("broker 1: ssl.keystore.type is kept but has no effect: "), "{keystore}");
    let taken_away = alter(&image, (TOPIC, "t"), &[("preallocate", DELETE, None)]);
    assert!(taken_away.is_ok());
}

#[test]
fn settings_are_set_and_taken_away() {
    let image = with_topics(&["t"]);
    let topic = ConfigResource::topic("t");
    let set = [("retention.ms", SET, Some("5")), ("segment.bytes", SET, Some("2000000"))];
    let image = alter(&image, (TOPIC, "t"), &set).expect("it is set");
    assert_eq!(value(&image, &topic, "retention.ms"), Some("5"));
    assert_eq!(image.topic_config("t", 1, &Configs::new()).segment_bytes, 2_000_000);
    let image = alter(&image, (TOPIC, "t"), &[("retention.ms", DELETE, None)]).expect("it is deleted");
    assert_eq!(value(&image, &topic, "retention.ms"), None);
    let gone = alter(&image, (TOPIC, "t"), &[("segment.bytes", DELETE, None)]).expect("it is deleted");
    assert_eq!(gone.all_configs().count(), 0);
}

#[test]
fn lists_grow_and_shrink() {
    let image = with_topics(&["t"]);
    let policy =
        |image: &Image| value(image, &ConfigResource::topic("t"), "cleanup.policy").map(str::to_owned);
    let image =
        alter(&image, (TOPIC, "t"), &[("cleanup.policy", APPEND, Some("compact"))]).expect("appended");
    assert_eq!(policy(&image).as_deref(), Some("delete,compact"), "the default is there first");
    let image = alter(&image, (TOPIC, "t"), &[("cleanup.policy", APPEND, Some("compact,"))]).expect("again");
    assert_eq!(policy(&image).as_deref(), Some("delete,compact"));
    let image = alter(&image, (TOPIC, "t"), &[("cleanup.policy", SUBTRACT, Some("delete"))]).expect("taken");
    assert_eq!(policy(&image).as_deref(), Some("compact"));
    let error = alter(&image, (TOPIC, "t"), &[("retention.ms", APPEND, Some("1"))]).expect_err("no list");
    assert_eq!(
        error,
        (
            ErrorCode::INVALID_CONFIG,
            "Can't APPEND to key retention.ms because its type is not LIST.".to_owned()
        )
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let image = with_topics(&["t"]);
    let invalid = ErrorCode::INVALID_REQUEST;
    let config = ErrorCode::INVALID_CONFIG;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let name = ErrorCode::INVALID_TOPIC_EXCEPTION;
    let cases: &[RefusalCase<'_>] = &[
        ((TOPIC, "t"), &[("retention.ms", SET, Some("x"))], config, "Invalid value x for configuration"),
        (
            (TOPIC, "t"),
            &[("retention.sm", SET, Some("1"))],
            config,
            "Unknown topic config name: retention.sm.",
        ),
        (
            (TOPIC, "t"),
            &[("remote.storage.enable", SET, Some("true"))],
            config,
            "remote.storage.enable cannot",
        ),
        (
            (TOPIC, "t"),
            &[("retention.ms", SET, None)],
            invalid,
            "Null value not supported for : retention.ms",
        ),
        (
            (TOPIC, "t"),
            &[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)],
            invalid,
            "Error due to duplicate config keys",
        ),
        ((TOPIC, "t"), &[("retention.ms", 9, Some("1"))], invalid, "Unknown operations type 9"),
        ((TOPIC, "x"), &[("retention.ms", SET, Some("1"))], unknown, unknown.message()),
        ((BROKER, "2"), &[("log.retention.ms", SET, Some("1"))], invalid, "Unexpected broker id, expected 1"),
        ((BROKER, "x"), &[("log.retention.ms", SET, Some("1"))], invalid, "Node id must be an integer"),
        ((TOPIC, "a b"), &[("retention.ms", SET, Some("1"))], name, "Topic name is invalid"),
        ((BROKER, "1"), &[("node.id", SET, Some("2"))], invalid, "Cannot update these configs dynamically"),
        (
            (BROKER, ""),
            &[("num.partitions", SET, Some("2"))],
            invalid,
            "Cannot update these configs dynamically",
        ),
        ((BROKER, "1"), &[("nothing", SET, Some("2"))], invalid, "Unknown broker config name: nothing."),
        ((BROKER_LOGGER, "1"), &[("root", SET, Some("INFO"))], invalid, "Unknown resource type 8"),
        ((99, "1"), &[], invalid, "Unknown resource type 99"),
        ((TOPIC, ""), &[], invalid, "Default topic resources are not allowed."),
        ((GROUP, ""), &[], invalid, "Default group resources are not allowed."),
        (
            (TOPIC, "t"),
            &[("cleanup.policy", SET, Some("compact,"))],
            config,
            "Configuration 'cleanup.policy'",
        ),
        (
            (TOPIC, "t"),
            &[("cleanup.policy", APPEND, Some(",compact"))],
            config,
            "Configuration 'cleanup.policy'",
        ),
        ((TOPIC, "t"), &[("cleanup.policy", APPEND, Some(""))], config, "Configuration 'cleanup.policy'"),
        ((TOPIC, "t"), &[(THROTTLED, SET, Some("0:1:1"))], config, "Invalid value 0:1:1 for configuration"),
        ((TOPIC, "t"), &[(THROTTLED, SET, Some("0:1,*"))], config, "Invalid value 0:1,* for configuration"),
        (
            (BROKER, ""),
            &[("log.retention.ms", SET, Some("0"))],
            invalid,
            "log.retention.ms must be unlimited",
        ),
        ((BROKER, "1"), &[("log.roll.ms", SET, Some("0"))], invalid, "log.roll.ms must be"),
        (
            (GROUP, "g"),
            &[("share.session.timeout.ms", SET, Some("50000"))],
            config,
            "share.session.timeout.ms",
        ),
    ];
    for (resource, changes, code, message) in cases {
        let (refused, text) = alter(&image, *resource, changes).expect_err(message);
        assert_eq!(refused, *code, "{text}");
        assert!(text.starts_with(message), "{text}");
    }
}

#[test]
fn brokers_have_settings_of_one_and_of_all() {
    let image = with_topics(&["t"]);
    let image = alter(&image, (BROKER, ""), &[("log.retention.ms", SET, Some("100"))]).expect("for all");
    let image = alter(&image, (BROKER, "1"), &[("log.retention.ms", SET, Some("50"))]).expect("for one");
    let retention = |node| image.topic_config("t", node, &Configs::new()).retention_ms;
    assert_eq!((retention(1), retention(2)), (50, 100));
    let broker = image.broker_config(1, &Configs::new()).expect("it resolves");
    assert_eq!(broker.topic_defaults.retention_ms, 50);
}

#[test]
fn resources_are_decided_apart_and_repeated_ones_fail() {
    let image = with_topics(&["a", "b"]);
    let set: &[Change<'_>] = &[("retention.ms", SET, Some("1"))];
    let request = IncrementalAlterConfigsRequest {
        resources: vec![
            resource_of((TOPIC, "a"), set),
            resource_of((TOPIC, "b"), set),
            resource_of((TOPIC, "a"), set),
            resource_of((TOPIC, "x"), set),
        ],
        ..IncrementalAlterConfigsRequest::default()
    };
    let (response, records) = controller(&[]).incremental_alter_configs(&image, &request);
    let codes: Vec<ErrorCode> = response.responses.iter().map(|result| result.error_code).collect();
    let (invalid, unknown) = (ErrorCode::INVALID_REQUEST, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(codes, [invalid, ErrorCode::NONE, invalid, unknown]);
    assert_eq!(records.len(), 1);
    let only = IncrementalAlterConfigsRequest { validate_only: true, ..request };
    assert_eq!(controller(&[]).incremental_alter_configs(&image, &only).1, Vec::new());
}

#[test]
fn altering_all_settings_drops_those_that_are_not_named() {
    let image = with_topics(&["t"]);
    let before = [("retention.ms", SET, Some("5")), ("segment.bytes", SET, Some("2000000"))];
    let image = alter(&image, (TOPIC, "t"), &before).expect("it is set");
    let setting = |name: &str, value: &str| alter_configs_request::AlterableConfig {
        name: name.into(),
        value: Some(value.into()),
    };
    let request = |configs| AlterConfigsRequest {
        resources: vec![alter_configs_request::AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".into(),
            configs,
        }],
        ..AlterConfigsRequest::default()
    };
    let (response, records) =
        controller(&[]).alter_configs(&image, &request(vec![setting("retention.ms", "6")]));
    assert_eq!(response.responses[0].error_code, ErrorCode::NONE);
    let after = with(image.clone(), records);
    assert_eq!(*after.configs(&ConfigResource::topic("t")), [("retention.ms".into(), "6".into())].into());
    let (response, records) =
        controller(&[]).alter_configs(&image, &request(vec![setting("retention.ms", "x")]));
    assert_eq!((response.responses[0].error_code, records.len()), (ErrorCode::INVALID_CONFIG, 0));
}

fn describe_all(image: &Image, resources: Vec<DescribeConfigsResource>) -> Vec<DescribeConfigsResult> {
    let request = DescribeConfigsRequest { resources, include_synonyms: true, include_documentation: true };
    controller(&[]).describe_configs(image, &request).results
}

fn named(resource_type: i8, name: &str, keys: &[&str]) -> DescribeConfigsResource {
    let keys: Vec<Str> = keys.iter().map(|key| (*key).into()).collect();
    DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: (!keys.is_empty()).then_some(keys),
    }
}

#[test]
fn a_resource_that_is_named_again_is_described_once() {
    let image = with_topics(&["t"]);
    let mut asked = vec![named(BROKER, "1", &[]), named(TOPIC, "t", &["segment.ms"])];
    asked.extend((0..20_000).map(|_| named(BROKER, "1", &[])));
    asked.push(named(TOPIC, "t", &["segment.ms", "retention.ms"]));
    let results = describe_all(&image, asked);
    assert_eq!(results.len(), 2);
    assert_eq!((results[0].resource_type, results[1].resource_type), (BROKER, TOPIC));
    assert_eq!(results[1].configs.len(), 2, "all that is asked for of it");
    let all = describe_all(&image, vec![named(TOPIC, "t", &["segment.ms"]), named(TOPIC, "t", &[])]);
    assert_eq!((all.len(), all[0].configs.len()), (1, 34));
}

#[test]
fn an_answer_has_a_limit() {
    // Any name is one of a group, and one of a broker may have zeros in front.
    let mut asked: Vec<_> = (0..50_000).map(|number| named(GROUP, &number.to_string(), &[])).collect();
    asked.extend((0..10_000).map(|zeros| named(BROKER, &format!("{}1", "0".repeat(zeros % 100)), &[])));
    let results = describe_all(&cluster(), asked);
    let bytes = |it: &DescribeConfigsResult| -> usize {
        let texts = |config: &DescribeConfigsResourceResult| {
            config.name.len() + config.documentation.as_ref().map_or(0, |text| text.len())
        };
        it.configs.iter().map(texts).sum()
    };
    assert!(results.iter().map(bytes).sum::<usize>() < 64 << 20);
    let refused: Vec<_> = results.iter().filter(|it| it.error_code == ErrorCode::POLICY_VIOLATION).collect();
    assert!(refused.len() > 1000 && results[0].error_code == ErrorCode::NONE);
    assert!(refused[0].error_message.as_deref().is_some_and(|message| message.contains("fewer resources")));
    let messages: usize = results.iter().filter_map(|it| it.error_message.as_ref()).map(|it| it.len()).sum();
    assert!(messages <= 1 << 20, "{messages} bytes of messages");
}

#[test]
fn what_is_long_is_not_repeated_for_each_item_of_a_request() {
    use protocol::messages::ElectLeadersRequest;
    use protocol::messages::elect_leaders_request::TopicPartitions;
    let topic = TopicPartitions { topic: "x".repeat(30_000).into(), partitions: (0..20_000).collect() };
    let request = ElectLeadersRequest { topic_partitions: Some(vec![topic]), ..Default::default() };
    let (response, _) = controller(&[]).elect_leaders(&cluster(), &request);
    let results = &response.replica_election_results[0].partition_result;
    assert_eq!(results.len(), 20_000);
    assert!(results.iter().all(|it| it.error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    let longest = results.iter().filter_map(|it| it.error_message.as_ref()).map(|it| it.len()).max();
    assert!((100..1100).contains(&longest.expect("the first has one")));
    let all: usize = results.iter().filter_map(|it| it.error_message.as_ref()).map(|it| it.len()).sum();
    assert!(all <= 1 << 20, "{all} bytes of messages");
}

fn describe(image: &Image, resource: (i8, &str), keys: Option<&[&str]>) -> DescribeConfigsResult {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: resource.0,
            resource_name: resource.1.into(),
            configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).into()).collect()),
        }],
        include_synonyms: true,
        include_documentation: true,
    };
    let given = [("log.retention.hours", "2"), ("ssl.key.password", "hunter2")];
    controller(&given).describe_configs(image, &request).results.remove(0)
}

#[test]
fn a_topics_settings_are_told_with_where_they_come_from() {
    let image = with_topics(&["t"]);
    let image = alter(&image, (TOPIC, "t"), &[("segment.ms", SET, Some("77"))]).expect("it is set");
    let result = describe(&image, (TOPIC, "t"), None);
    assert_eq!((result.error_code, result.configs.len()), (ErrorCode::NONE, 34));
    let setting = |name: &str| result.configs.iter().find(|config| &*config.name == name).expect(name);
    let segment = setting("segment.ms");
    assert_eq!((segment.value.as_deref(), segment.config_source), (Some("77"), 1));
    let synonyms: Vec<_> = segment.synonyms.iter().map(|s| (&*s.name, s.source)).collect();
    assert_eq!(synonyms, [("segment.ms", 1), ("log.roll.hours", 5)]);
    let retention = setting("retention.ms");
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("7200000"), 4));
    assert_eq!((retention.config_type, retention.read_only, retention.is_sensitive), (5, false, false));
    assert!(retention.documentation.as_deref().is_some_and(|doc| doc.contains("milliseconds")));
    let two = describe(&image, (TOPIC, "t"), Some(&["retention.ms", "nothing", "segment.ms"]));
    assert_eq!(two.configs.len(), 2);
}

#[test]
fn a_brokers_settings_are_told_and_secrets_are_not() {
    let image =
        alter(&cluster(), (BROKER, ""), &[("message.max.bytes", SET, Some("2000"))]).expect("it is set");
    let result = describe(&image, (BROKER, "1"), None);
    let setting = |name: &str| result.configs.iter().find(|config| &*config.name == name).expect(name);
    assert_eq!(
        (setting("message.max.bytes").value.as_deref(), setting("message.max.bytes").config_source),
        (Some("2000"), 3)
    );
    assert_eq!(
        (setting("log.retention.hours").config_source, setting("log.retention.hours").read_only),
        (4, true)
    );
    let secret = setting("ssl.key.password");
    assert!(secret.is_sensitive && secret.value.is_none());
    assert!(secret.synonyms.iter().all(|synonym| synonym.value.is_none()));
    // A default that is not followed is not told as if it were.
    assert!(!result.configs.iter().any(|config| &*config.name == "num.io.threads"));
    assert_eq!(describe(&image, (BROKER, "1"), Some(&["num.io.threads"])).configs.len(), 1);

    let all = describe(&image, (BROKER, ""), None);
    assert_eq!(all.configs.iter().map(|config| &*config.name).collect::<Vec<_>>(), ["message.max.bytes"]);
}

#[test]
fn a_list_is_shown_without_what_does_not_count_in_it() {
    let image = with_topics(&["t"]);
    let set = [("cleanup.policy", SET, Some(" compact , delete ")), (THROTTLED, SET, Some("0:1,1:1"))];
    let image = alter(&image, (TOPIC, "t"), &set).expect("it is set");
    let result = describe(&image, (TOPIC, "t"), Some(&["cleanup.policy"]));
    assert_eq!(result.configs[0].value.as_deref(), Some("compact,delete"));
}

#[test]
fn what_is_not_there_is_not_described() {
    let image = cluster();
    for (resource, code) in [
        ((TOPIC, "x"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ((TOPIC, "x y"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        ((BROKER, "2"), ErrorCode::INVALID_REQUEST),
        ((BROKER, "x"), ErrorCode::INVALID_REQUEST),
        ((BROKER_LOGGER, "1"), ErrorCode::INVALID_REQUEST),
        ((GROUP, ""), ErrorCode::INVALID_REQUEST),
        ((99, ""), ErrorCode::INVALID_REQUEST),
    ] {
        let result = describe(&image, resource, None);
        assert_eq!((result.error_code, result.configs.len()), (code, 0), "{resource:?}");
        assert!(result.error_message.is_some());
    }
}

/// Settings of groups in a directory of Kafka's are shown, not followed.
#[test]
fn groups_are_described_with_what_is_set_for_them() {
    let set = protocol::records::ConfigRecord {
        resource_type: GROUP,
        resource_name: "g".into(),
        name: "consumer.session.timeout.ms".into(),
        value: Some("50000".into()),
    };
    let image = with(cluster(), vec![set.into()]);
    let shown = |name: &str| {
        let result = describe(&image, (GROUP, name), None);
        assert_eq!(result.error_code, ErrorCode::NONE);
        let setting = result.configs.iter().find(|setting| &*setting.name == "consumer.session.timeout.ms");
        let setting = setting.expect("it is described");
        (setting.value.as_deref().map(str::to_owned), setting.config_source, setting.synonyms.len())
    };
    assert_eq!(shown("g"), (Some("50000".to_owned()), 8, 2));
    assert_eq!(shown("other"), (Some("45000".to_owned()), 5, 1));
    assert_eq!(describe(&image, (GROUP, ""), None).error_code, ErrorCode::INVALID_REQUEST);
}
