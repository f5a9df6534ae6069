//! Every message, in every version, survives being written and read.

use std::fmt::Debug;

use protocol::Message;

use crate::sample::{Content, Sample, Source, decoded, encoded};

const SEEDS: u64 = 40;

fn check<M: Message + Sample + PartialEq + Debug>() {
    for version in M::VERSIONS {
        for seed in 0..SEEDS {
            let message = M::sample(&mut Source::random(seed, version));
            let bytes = encoded(&message, version);
            let again: M = decoded(&bytes, version);
            assert_eq!(message, again, "{} {version}, seed {seed}", M::NAME);
        }
        // The fewest bytes that an element can have, in the comparison of a count with the bytes left.
        for number in [0, -1] {
            let message = M::sample(&mut Source::new(Content::Same(number), version));
            assert_eq!(message, decoded(&encoded(&message, version), version), "{} {version}", M::NAME);
        }
        let default = M::default();
        if M::NAME != "FetchSnapshotResponse" {
            assert_eq!(default, decoded(&encoded(&default, version), version), "{} {version}", M::NAME);
        }
    }
}

#[test]
fn random_content_survives() {
    macro_rules! check_all {
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(check::<protocol::$group::$name>();)* };
    }
    protocol::every_message!(check_all);
}

#[test]
fn other_versions_are_refused() {
    fn check<M: Message>() {
        for version in [M::VERSIONS.start() - 1, M::VERSIONS.end() + 1, i16::MIN, i16::MAX] {
            let mut reader = protocol::Reader::new(bytes::Bytes::from_static(&[0; 4096]));
            let error = M::decode(&mut reader, version).err().map(|e| e.kind);
            assert_eq!(error, Some(protocol::DecodeErrorKind::UnsupportedVersion), "{} {version}", M::NAME);
            let error = M::default().encode(&mut protocol::Writer::new(), version).err().map(|e| e.kind);
            assert_eq!(error, Some(protocol::EncodeErrorKind::UnsupportedVersion), "{} {version}", M::NAME);
        }
    }
    macro_rules! check_all {
        ($($group:ident $kind:ident $name:ident $class:ident,)*) => { $(check::<protocol::$group::$name>();)* };
    }
    protocol::every_message!(check_all);
}
