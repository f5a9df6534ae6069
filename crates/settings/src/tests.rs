use std::collections::BTreeMap;

use record::{Compression, Compressor};

use crate::*;

const KAFKA: &str = include_str!("tests/kafka_4_3_1.tsv");

/// Deliberate differences from Kafka: the setting and Milena's default.
const OTHER_DEFAULTS: &[(Scope, &str, &str)] = &[
    // Durable by default.
    (Scope::Topic, "flush.messages", "1"),
    (Scope::Broker, "log.flush.interval.messages", "1"),
    // Nothing to configure for a first start, which no other machine can reach.
    (Scope::Broker, "node.id", "1"),
    (Scope::Broker, "process.roles", "broker,controller"),
    (Scope::Broker, "listeners", "PLAINTEXT://127.0.0.1:9092"),
    (Scope::Broker, "log.dir", "milena-data"),
    // Limits on by default.
    (Scope::Broker, "max.connections", "16384"),
    (Scope::Broker, "max.connections.per.ip", "4096"),
];

/// Settings that a running Kafka changes and a running Milena does not.
const READ_ONLY_HERE: &[&str] = &[
    "listener.security.protocol.map",
    "listeners",
    "log.cleaner.threads",
    "max.connections",
    "max.connections.per.ip",
    "producer.id.expiration.ms",
];

/// Settings that Kafka's definitions of 4.3 do not have: dynamic quotas, those of 4.4, and Milena's own.
const BEYOND: &[&str] = &[
    "console.listener",
    "follower.replication.throttled.rate",
    "leader.replication.throttled.rate",
    "log.dir.reserved.bytes",
    "log.scrub.interval.ms",
    "log.scrub.io.max.bytes.per.second",
    "max.decompressed.batch.bytes",
    "max.decompressed.message.bytes",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];

struct KafkaRow {
    scope: Scope,
    name: &'static str,
    kind: &'static str,
    default: Option<&'static str>,
    valid: &'static str,
    dynamic: bool,
    internal: bool,
}

fn kafka() -> impl Iterator<Item = KafkaRow> {
    KAFKA.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [scope, name, kind, default, valid, update, visibility] = columns[..] else {
            panic!("a row has seven columns: {line}")
        };
        KafkaRow {
            scope: match scope {
                "broker" => Scope::Broker,
                "topic" => Scope::Topic,
                _ => Scope::Group,
            },
            name,
            kind,
            default: (default != "<null>").then_some(default),
            valid,
            dynamic: update == "dynamic",
            internal: visibility == "internal",
        }
    })
}

#[test]
fn every_setting_of_kafka_is_known_as_kafka_has_it() {
    let mut known = 0;
    for row in kafka() {
        let setting = find(row.scope, row.name).unwrap_or_else(|| panic!("{} is not known", row.name));
        known += 1;
        assert_eq!(format!("{:?}", setting.kind).to_uppercase(), row.kind, "{}", row.name);
        let other = OTHER_DEFAULTS.iter().find(|(scope, name, _)| (*scope, *name) == (row.scope, row.name));
        match other {
            Some((_, _, ours)) => {
                assert_eq!(setting.default, Some(*ours), "{}", row.name);
                assert_ne!(setting.default, row.default, "{} does not differ", row.name);
            }
            None => assert_eq!(setting.default, row.default, "{}", row.name),
        }
        let read_only = !row.dynamic || READ_ONLY_HERE.contains(&row.name);
        assert_eq!(setting.is_read_only(), read_only, "{}", row.name);
        assert!(setting.internal || !row.internal, "{} is internal", row.name);
        // Only Kafka's tests set this one, and its range is open.
        let open = row.name == "internal.segment.bytes";
        assert!(open || range(setting.valid) == kafka_range(row.valid), "{}", row.name);
    }
    assert_eq!(known, 411);
}

/// Kafka's notation of a range; `None` if there is none.
fn range(valid: Valid) -> Option<String> {
    match valid {
        Valid::Any | Valid::Replicas => None,
        Valid::Whole(least, i64::MAX) => Some(format!("[{least},...]")),
        Valid::Whole(least, most) => Some(format!("[{least},...,{most}]")),
        Valid::WholeOr(least, most, other) => Some(format!("[{least},...,{most}] or {other}")),
        Valid::Fraction(least, most) => Some(format!("[{least},...,{most}]")),
        Valid::Words(words) => Some(format!("[{}]", words.join(", "))),
    }
}

fn kafka_range(valid: &str) -> Option<String> {
    let is_range = valid.starts_with('[') && !valid.contains("partitionId") && !valid.contains("by_duration");
    is_range.then(|| valid.to_owned())
}

#[test]
fn the_table_has_nothing_else() {
    let kafka: Vec<(Scope, &str)> = kafka().map(|row| (row.scope, row.name)).collect();
    for scope in [Scope::Broker, Scope::Topic, Scope::Group] {
        for setting in all(scope) {
            let beyond = BEYOND.contains(&setting.name);
            assert_ne!(kafka.contains(&(scope, setting.name)), beyond, "{}", setting.name);
        }
    }
}

#[test]
fn the_table_is_in_order_and_consistent() {
    for scope in [Scope::Broker, Scope::Topic, Scope::Group] {
        for table in tables(scope) {
            assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
        }
        for setting in all(scope) {
            assert_eq!(setting.scope, scope);
            if let Some(default) = setting.default {
                let off = scope == Scope::Broker && setting.name == "broker.id";
                assert!(setting.parse(default).is_ok() || off, "{}={default}", setting.name);
                assert_eq!(setting.objection(default), None, "{}", setting.name);
            }
            let explained = !setting.doc.is_empty() || setting.honour != Honour::Honoured;
            assert!(explained, "{} has no documentation", setting.name);
        }
    }
    for (topic, brokers) in topic_table::TOPIC_SYNONYMS {
        assert!(find(Scope::Topic, topic).is_some(), "{topic}");
        assert!(brokers.iter().all(|(name, _)| find(Scope::Broker, name).is_some()), "{topic}");
    }
    for (name, others) in topic_table::BROKER_SYNONYMS {
        assert!(others.iter().all(|other| find(Scope::Broker, other).is_some()), "{name}");
    }
}

#[test]
fn a_wrong_value_is_told_with_what_would_be_right() {
    let wrong = [
        (
            Scope::Topic,
            "retention.ms",
            "abc",
            "Invalid value abc for configuration retention.ms: expected a whole number of at least -1 (the default is 604800000).",
        ),
        (
            Scope::Topic,
            "retention.ms",
            "-2",
            "Invalid value -2 for configuration retention.ms: expected a whole number of at least -1 (the default is 604800000).",
        ),
        (
            Scope::Topic,
            "segment.bytes",
            "2147483648",
            "Invalid value 2147483648 for configuration segment.bytes: expected a whole number of at least 1048576 (the default is 1073741824).",
        ),
        (
            Scope::Topic,
            "cleanup.policy",
            "delete,purge",
            "Invalid value delete,purge for configuration cleanup.policy: expected any of compact, delete (the default is delete).",
        ),
        (
            Scope::Topic,
            "message.timestamp.type",
            "createtime",
            "Invalid value createtime for configuration message.timestamp.type: expected one of CreateTime, LogAppendTime (the default is CreateTime).",
        ),
        (
            Scope::Topic,
            "min.cleanable.dirty.ratio",
            "1.5",
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: expected a number from 0 to 1 (the default is 0.5).",
        ),
        (
            Scope::Topic,
            "preallocate",
            "yes",
            "Invalid value yes for configuration preallocate: expected true or false (the default is false).",
        ),
        (
            Scope::Topic,
            "compression.gzip.level",
            "0",
            "Invalid value 0 for configuration compression.gzip.level: expected a whole number from 1 to 9, or -1 (the default is -1).",
        ),
        (
            Scope::Broker,
            "offsets.topic.replication.factor",
            "40000",
            "Invalid value 40000 for configuration offsets.topic.replication.factor: expected a whole number of at least 1 (the default is 3).",
        ),
    ];
    for (scope, name, value, message) in wrong {
        let error = known(scope, name).parse(value).expect_err(name);
        assert_eq!(error.to_string(), message);
    }
    let right = [
        ("retention.ms", " -1 "),
        ("cleanup.policy", "compact, delete"),
        ("cleanup.policy", ""),
        ("preallocate", "TRUE"),
        ("compression.gzip.level", "-1"),
    ];
    for (name, value) in right {
        assert!(known(Scope::Topic, name).parse(value).is_ok(), "{name}={value}");
    }
}

fn configs(pairs: &[(&str, &str)]) -> Configs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn topics_get_what_milena_does_not_honour_refused_or_warned_of_by_name() {
    check_topic(&configs(&[("preallocate", "true")])).expect("it is taken");
    let preallocate = known(Scope::Topic, "preallocate").objection("true").expect("it has no effect");
    assert_eq!((preallocate.name, preallocate.refused), ("preallocate", false));
    assert!(preallocate.to_string().starts_with("preallocate is kept but has no effect: "));
    assert_eq!(check_topic(&configs(&[("cleanup.policy", "compact")])), Ok(()));
    assert_eq!(known(Scope::Topic, "cleanup.policy").objection("compact"), None);

    let refused = check_topic(&configs(&[("remote.storage.enable", "true")])).expect_err("it is refused");
    assert!(refused.message.starts_with("remote.storage.enable cannot be set to this value: "), "{refused}");

    // An explicit default is no objection.
    let same = [("compression.type", "producer"), ("cleanup.policy", "delete"), ("preallocate", "False")];
    assert_eq!(check_topic(&configs(&same)), Ok(()));
    assert!(same.iter().all(|(name, value)| known(Scope::Topic, name).objection(value).is_none()));

    let unknown = check_topic(&configs(&[("retention.sm", "1")])).expect_err("it is unknown");
    assert_eq!(unknown.message, "Unknown topic config name: retention.sm. Did you mean retention.ms?");
    let unknown = check_topic(&configs(&[("zzz", "1")])).expect_err("it is unknown");
    assert_eq!(unknown.message, "Unknown topic config name: zzz.");

    let lags = configs(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]);
    let error = check_topic(&lags).expect_err("they conflict");
    assert!(error.message.contains("(10) is more than max.compaction.lag.ms (5)"), "{error}");
}

#[test]
fn names_that_are_nearly_right_are_found() {
    for (wrong, right) in [
        ("num.partition", "num.partitions"),
        ("log.retention.hour", "log.retention.hours"),
        ("Listeners", "listeners"),
        ("socket.request.max.byte", "socket.request.max.bytes"),
    ] {
        assert_eq!(nearest(Scope::Broker, wrong), Some(right));
    }
    assert_eq!(nearest(Scope::Broker, "completely.different.thing.altogether"), None);
    assert_eq!(nearest(Scope::Broker, &"x".repeat(1 << 20)), None);
}

#[test]
fn a_server_properties_file_of_kafka_starts_with_warnings_by_name() {
    let given = configs(&[
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("advertised.listeners", "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL"),
        ("num.network.threads", "3"),
        ("socket.send.buffer.bytes", "102400"),
        ("log.dirs", "/tmp/kraft-combined-logs"),
        ("num.partitions", "4"),
        ("offsets.topic.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("transaction.state.log.replication.factor", "1"),
        ("zookeeper.connect", "localhost:2181"),
        ("log.retention.hours", "24"),
    ]);
    let warnings = check_broker(&given).expect("it starts");
    let named = |name: &str| warnings.iter().any(|warning| warning.starts_with(name));
    assert!(named("controller.quorum.bootstrap.servers is kept but has no effect: "));
    assert!(named("inter.broker.listener.name "));
    let both = "transaction.state.log.min.isr and transaction.state.log.replication.factor are kept but have no effect: ";
    assert!(named(both), "{warnings:?}");
    assert!(named("zookeeper.connect is kept but has no effect: neither Kafka 4"), "{warnings:?}");
    assert_eq!(warnings.len(), 4, "{warnings:?}");

    let config = BrokerConfig::start(&given).expect("it resolves");
    assert_eq!(config.listeners.len(), 1, "clients are not served by the listener for controllers");
    assert_eq!(config.controller_listeners[0].address(), "0.0.0.0:9093");
    assert_eq!(config.advertised_controller_listeners[0].to_string(), "CONTROLLER://localhost:9093");
    assert_eq!(config.listeners[0].address(), "0.0.0.0:9092");
    assert_eq!(config.advertised_listeners[0].to_string(), "PLAINTEXT://localhost:9092");
    assert_eq!(config.log_dirs, ["/tmp/kraft-combined-logs"]);
    assert_eq!(config.num_partitions, 4);
    assert_eq!(config.topic_defaults.retention_ms, 24 * 3_600_000);
}

#[test]
fn a_wrong_start_is_refused_with_a_sentence() {
    for (given, expected) in [
        (&[("num.partitions", "0")][..], "expected a whole number of at least 1"),
        (&[("log.retention.ms", "0")], "log.retention.ms must be unlimited (-1) or"),
        (&[("log.retention.minutes", "0"), ("log.retention.hours", "5")], "log.retention.minutes must be"),
        (&[("log.roll.ms", "0")], "log.roll.ms must be greater than or equal to 1"),
        (&[("log.roll.jitter.ms", "-1")], "log.roll.jitter.ms must be"),
        (&[("log.cleaner.dedupe.buffer.size", "1000000")], "must be greater than or equal to 1048576"),
        (&[("log.cleanup.policy", "compact,")], "'log.cleanup.policy' values must not be empty"),
        (&[("process.roles", "broker")], "process.roles cannot be set to this value"),
        (&[("authorizer.class.name", "kafka.Acl")], "does not check permissions yet"),
        (&[("controller.quorum.voters", "1@a:1,2@b:1,3@c:1")], "has other nodes"),
        (&[("controller.quorum.voters", "2@a:1")], "has other nodes"),
        (&[("listeners", "SSL://:9093")], "asks for SSL, which Milena does not support yet"),
        (&[("listeners", "INTERNAL://:9093")], "add INTERNAL:PLAINTEXT to listener.security.protocol.map"),
        (&[("listeners", "localhost:9092")], "write each listener as NAME://host:port"),
        (&[("listeners", "PLAINTEXT://a:1,PLAINTEXT://b:2")], "names PLAINTEXT twice"),
        (&[("listeners", "PLAINTEXT://:70000")], "write each listener as"),
        (&[("listeners", "")], "has no address for clients"),
        (&[("listeners", "A://:1"), ("controller.listener.names", "A")], "has no address for clients"),
        (
            &[("controller.listener.names", "CONTROLLER")],
            "listeners has no listener of that name: add CONTROLLER://",
        ),
        (&[("advertised.listeners", "OTHER://a:1")], "has OTHER, but listeners does not"),
        (&[("advertised.listeners", "PLAINTEXT://0.0.0.0:9092")], "to which they cannot connect"),
        (&[("log.dirs", " , ")], "names no directory"),
        (&[("node.id", "3"), ("broker.id", "4")], "differ: remove broker.id"),
        (&[("group.min.session.timeout.ms", "9000000")], "is more than group.max.session.timeout.ms"),
    ] {
        let errors = check_broker(&configs(given)).expect_err(expected);
        assert!(errors.iter().any(|error| error.message.contains(expected)), "{given:?}: {errors:?}");
    }
    let several = check_broker(&configs(&[("num.partitions", "x"), ("log.segment.bytes", "1")]));
    assert_eq!(several.expect_err("both are wrong").len(), 2);
    assert!(check_broker(&configs(&[("controller.quorum.voters", "1@localhost:9093")])).is_ok());
    assert!(check_broker(&configs(&[("broker.id", "7")])).is_ok());
    let unused = [("log.retention.ms", "-1"), ("log.retention.hours", "0")];
    assert!(check_broker(&configs(&unused)).is_ok(), "the hours do not count");
    assert_eq!(BrokerConfig::start(&configs(&[("broker.id", "7")])).expect("it resolves").node_id, 7);
}

#[test]
fn a_start_without_settings_listens_here_only() {
    assert_eq!(check_broker(&Configs::new()), Ok(Vec::new()));
    let config = BrokerConfig::start(&Configs::new()).expect("it resolves");
    assert_eq!(config.node_id, 1);
    assert_eq!(config.listeners[0].address(), "127.0.0.1:9092");
    assert_eq!(config.advertised_listeners, config.listeners);
    assert_eq!(config.log_dirs, ["milena-data"]);
    assert_eq!(config.topic_defaults, TopicConfig::default());
    assert_eq!(config.topic_defaults.flush_messages, 1);
    let ipv6 =
        BrokerConfig::start(&configs(&[("listeners", "plaintext://[::1]:9092")])).expect("it resolves");
    assert_eq!(ipv6.listeners[0].to_string(), "PLAINTEXT://[::1]:9092");
    let unknown = check_broker(&configs(&[("num.partition", "3")])).expect("it is a warning");
    assert_eq!(
        unknown,
        ["num.partition is not a setting of Kafka or Milena and has no effect. Did you mean num.partitions?"]
    );
}

#[test]
fn a_topic_has_one_codec_with_the_level_of_that() {
    let none = Configs::new();
    let compression = |pairs: &[(&str, &str)]| {
        let topic = configs(pairs);
        TopicConfig::resolve(&Layers { topic: Some(&topic), broker: &none, brokers: &none, given: &none })
            .compression
    };
    let with = |codec, level| Some(Compressor { codec, level });
    assert_eq!(compression(&[]), None);
    assert_eq!(compression(&[("compression.type", "producer"), ("compression.zstd.level", "5")]), None);
    assert_eq!(compression(&[("compression.type", "uncompressed")]), with(Compression::None, None));
    assert_eq!(compression(&[("compression.type", "gzip")]), with(Compression::Gzip, None));
    let gzip =
        [("compression.type", "gzip"), ("compression.gzip.level", "9"), ("compression.zstd.level", "5")];
    assert_eq!(compression(&gzip), with(Compression::Gzip, Some(9)));
    assert_eq!(compression(&[("compression.type", "snappy")]), with(Compression::Snappy, None));
    assert_eq!(compression(&[("compression.type", "lz4")]), with(Compression::Lz4, None));
    assert_eq!(compression(&[("compression.type", "zstd")]), with(Compression::Zstd, Some(3)));
}

#[test]
fn the_first_layer_that_has_a_value_wins() {
    let none = Configs::new();
    let topic = configs(&[("retention.ms", "1")]);
    let broker = configs(&[("log.retention.ms", "2")]);
    let brokers = configs(&[("log.retention.ms", "3")]);
    let given = configs(&[("log.retention.hours", "4"), ("log.retention.minutes", "5")]);
    let retention = |topic: &Configs, broker: &Configs, brokers: &Configs, given: &Configs| {
        let layers = Layers { topic: Some(topic), broker, brokers, given };
        let resolved = layers.resolve(known(Scope::Topic, "retention.ms"));
        let value = resolved.value.expect("it has a default").into_owned();
        assert_eq!(TopicConfig::resolve(&layers).retention_ms.to_string(), value);
        (value, resolved.source, resolved.synonyms.len())
    };
    assert_eq!(retention(&topic, &broker, &brokers, &given), ("1".into(), Source::Topic, 6));
    assert_eq!(retention(&none, &broker, &brokers, &given), ("2".into(), Source::DynamicBroker, 5));
    assert_eq!(retention(&none, &none, &brokers, &given), ("3".into(), Source::DynamicDefaultBroker, 4));
    assert_eq!(retention(&none, &none, &none, &given), ("300000".into(), Source::StaticBroker, 3));
    assert_eq!(retention(&none, &none, &none, &none), ("604800000".into(), Source::Default, 1));
    let forever = configs(&[("log.retention.hours", "-1")]);
    assert_eq!(retention(&none, &none, &none, &forever).0, "-1");
    // Values written by another version that this one cannot parse do not count.
    let unreadable = configs(&[("retention.ms", "x")]);
    assert_eq!(retention(&unreadable, &broker, &none, &none).0, "2");
}

#[test]
fn synonyms_are_shown_with_their_names_and_values() {
    let given = configs(&[("log.retention.hours", "4")]);
    let none = Configs::new();
    let layers = Layers { topic: Some(&none), broker: &none, brokers: &none, given: &given };
    let resolved = layers.resolve(known(Scope::Topic, "retention.ms"));
    let shown: Vec<_> = resolved.synonyms.iter().map(|s| (s.name, s.value, s.source)).collect();
    assert_eq!(
        shown,
        [("log.retention.hours", "4", Source::StaticBroker), ("log.retention.hours", "168", Source::Default)]
    );
    // A broker's setting in another unit is listed, but is not this one's value.
    let broker = Layers { topic: None, ..layers };
    let resolved = broker.resolve(known(Scope::Broker, "log.retention.ms"));
    assert_eq!((resolved.value, resolved.synonyms.len()), (None, 2));
    let dirs = broker.resolve(known(Scope::Broker, "log.dirs"));
    assert_eq!(dirs.value.as_deref(), Some("milena-data"));
}

#[test]
fn what_only_a_start_sets_is_read_only() {
    let read_only = check_dynamic_broker(&configs(&[("num.partitions", "3")]), false).expect_err("refused");
    assert!(read_only.message.starts_with("Cannot update these configs dynamically: num.partitions."));
    assert!(check_dynamic_broker(&configs(&[("log.retention.ms", "3")]), true).is_ok());
    assert!(check_dynamic_broker(&configs(&[("log.retention.ms", "x")]), true).is_err());
    let keystore = configs(&[("ssl.keystore.type", "PEM")]);
    assert!(check_dynamic_broker(&keystore, false).is_ok());
    assert!(known(Scope::Broker, "ssl.keystore.type").objection("PEM").is_some_and(|it| !it.refused));
    let everywhere = check_dynamic_broker(&keystore, true).expect_err("it is one broker's");
    assert!(everywhere.message.contains("broker id must be specified: ssl.keystore.type"));
}

#[test]
fn secrets_are_not_shown() {
    let password = known(Scope::Broker, "ssl.key.password");
    assert!(password.is_sensitive());
    let error = InvalidSetting::from_given(password, "hunter2");
    assert!(!error.message.contains("hunter2"), "{error}");
}

#[test]
fn the_documentation_names_every_setting_once() {
    let page = document();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for setting in all(Scope::Topic).chain(all(Scope::Broker)).chain(all(Scope::Group)) {
        *seen.entry(setting.name).or_default() += usize::from(!setting.internal);
    }
    for (name, times) in seen {
        let found =
            page.matches(&format!("`{name}`** (")).count() + page.matches(&format!("| `{name}` |")).count();
        assert_eq!(found, times, "{name}");
    }
}
