//! Every message, in every version, is byte for byte what Kafka 4.3.1 writes. `capture/Capture.java` has made
//! the files.

use std::collections::BTreeMap;
use std::fmt::Debug;

use bytes::Bytes;
use protocol::{EncodeErrorKind, Message, Writer};

use crate::sample::{Content, Sample, Source, bare_label, decoded, encoded};

const VECTORS: &str = include_str!("../capture/vectors.txt");
const NAMES: &str = include_str!("../capture/names.txt");
const FIELDS: &str = include_str!("../capture/fields.txt");

/// The messages that Kafka 4.3.1 does not have: see [`what_came_with_kafka_4_4_is_as_its_schema_says`].
const LATER: [&str; 1] = ["UnregisterControllerRecord"];

/// Bytes by version and variant, for each message.
type Vectors = BTreeMap<&'static str, BTreeMap<(i16, &'static str), Bytes>>;

fn vectors() -> Vectors {
    let mut vectors = Vectors::new();
    for line in VECTORS.lines() {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("name, version, variant, bytes");
        let (name, version, variant, hex) = (word(), word().parse().unwrap(), word(), word());
        vectors.entry(name).or_default().insert((version, variant), unhex(hex));
    }
    vectors
}

fn unhex(hex: &str) -> Bytes {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn check_bytes<M: Message + Sample + PartialEq + Debug>(vectors: &mut Vectors) {
    if LATER.contains(&M::NAME) {
        return;
    }
    let mut captured = vectors.remove(M::NAME).unwrap_or_else(|| panic!("{} was not captured", M::NAME));
    for version in M::VERSIONS {
        let full = M::sample(&mut Source::new(Content::Full, version));
        let nulls = M::sample(&mut Source::new(Content::Nulls, version));
        let zeros = M::sample(&mut Source::new(Content::Same(0), version));
        let minus = M::sample(&mut Source::new(Content::Same(-1), version));
        let always = [("d", M::default()), ("f", full), ("n", nulls)];
        for (variant, message) in always.into_iter().chain([("z", zeros), ("m", minus)]) {
            let Some(bytes) = captured.remove(&(version, variant)) else {
                assert!(matches!(variant, "z" | "m"), "{} {version} {variant} was not captured", M::NAME);
                continue;
            };
            assert_eq!(bytes, encoded(&message, version), "{} {version} {variant}: {message:?}", M::NAME);
            assert_eq!(message, decoded(&bytes, version), "{} {version} {variant}: {bytes:x}", M::NAME);
        }
    }
    assert!(captured.is_empty(), "Kafka has other versions of {}: {:?}", M::NAME, captured.keys());
}

#[test]
fn bytes_are_those_of_kafka() {
    let mut vectors = vectors();
    macro_rules! check_all {
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(check_bytes::<protocol::$group::$name>(&mut vectors);)* };
    }
    protocol::every_message!(check_all);
    assert!(vectors.is_empty(), "Kafka has other messages: {:?}", vectors.keys());
}

#[test]
fn what_came_with_kafka_4_4_is_as_its_schema_says() {
    let record = protocol::records::UnregisterControllerRecord { controller_id: 258 };
    assert_eq!(&encoded(&record, 0)[..], [0, 0, 1, 2, 0], "an int32, and no tagged fields");
    assert_eq!(record, decoded(&encoded(&record, 0), 0));
}

/// Bytes do not show whether two fields of one type have changed places.
#[test]
fn fields_are_named_and_ordered_as_in_kafka() {
    let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in NAMES.lines() {
        let mut words = line.split(' ');
        let message = words.next().expect("a name");
        // Kafka's class still has this field, of a version that is gone.
        let names = words
            .map(bare_label)
            .filter(|name| !(message == "ShareFetchRequest" && name == "fetchpartition.partitionmaxbytes"));
        lines.insert(message, names.collect());
    }
    macro_rules! check_all {
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => {
            $(if !LATER.contains(&stringify!($name)) {
                assert_eq!(
                    lines.remove(stringify!($name)),
                    Some(Source::names::<protocol::$group::$name>()),
                    "{}", stringify!($name)
                );
            })*
        };
    }
    protocol::every_message!(check_all);
    assert!(lines.is_empty(), "Kafka has other messages: {:?}", lines.keys());
}

/// The effect of a value of a field that a version lacks.
#[derive(Debug, Default, PartialEq)]
struct MissingField {
    refused: Vec<i16>,
    ignored: Vec<i16>,
}

fn versions(list: &str) -> Vec<i16> {
    list.split(',').filter(|word| !word.is_empty()).map(|word| word.parse().unwrap()).collect()
}

/// Paths of fields, each with the labels on the way, and Kafka's treatment of them.
fn lacking_in_kafka() -> BTreeMap<&'static str, Vec<(Vec<String>, MissingField)>> {
    let mut fields: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for line in FIELDS.lines() {
        let mut parts = line.split(" :");
        let mut part = || parts.next().expect("path, refused, ignored").trim();
        let (path, refused, ignored) = (part(), versions(part()), versions(part()));
        let (name, path) = path.split_once(' ').expect("a message and a path");
        let labels = path.split(' ').map(bare_label).collect();
        fields.entry(name).or_default().push((labels, MissingField { refused, ignored }));
    }
    fields
}

fn check_fields<M: Message + Sample + Debug>(fields: &mut BTreeMap<&str, Vec<(Vec<String>, MissingField)>>) {
    for (labels, expected) in fields.remove(M::NAME).unwrap_or_default() {
        // Kafka's class still has this field, of a version that is gone.
        if M::NAME == "ShareFetchRequest"
            && labels.ends_with(&["fetchpartition.partitionmaxbytes".to_owned()])
        {
            continue;
        }
        let (_, way) = labels.split_last().expect("the field itself");
        let with = M::sample(&mut Source::new(Content::Only(labels.clone()), 0));
        let without = M::sample(&mut Source::new(Content::Only(way.to_vec()), 0));
        let mut found = MissingField::default();
        for version in M::VERSIONS {
            let mut writer = Writer::new();
            match with.encode(&mut writer, version).map_err(|e| e.kind) {
                Ok(()) if writer.finish().into_bytes() == encoded(&without, version) => {
                    found.ignored.push(version);
                }
                Ok(()) => {}
                Err(EncodeErrorKind::NotInVersion) => found.refused.push(version),
                Err(other) => panic!("{} {version}: {other:?}", M::NAME),
            }
        }
        assert_eq!(expected, found, "{} {labels:?}", M::NAME);
    }
}

#[test]
fn fields_that_a_version_lacks_are_refused_or_dropped_as_in_kafka() {
    let mut fields = lacking_in_kafka();
    macro_rules! check_all {
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(check_fields::<protocol::$group::$name>(&mut fields);)* };
    }
    protocol::every_message!(check_all);
    assert!(fields.is_empty(), "Kafka has other messages: {:?}", fields.keys());
}
