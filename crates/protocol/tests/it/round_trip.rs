//! Every message, in every version, survives being written and read.

use std::fmt::Debug;

use protocol::{ApiKey, Message};

use crate::sample::{Sample, Source, decoded, encoded};

const SEEDS: u64 = 40;

fn check<M: Message + Sample + PartialEq + Debug>() {
    for version in M::VERSIONS {
        for seed in 0..SEEDS {
            let message = M::sample(&mut Source::random(seed, version));
            let bytes = encoded(&message, version);
            let again: M = decoded(&bytes, version);
            assert_eq!(message, again, "{} {version}, seed {seed}", M::NAME);
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

#[test]
fn the_table_of_apis_agrees_with_the_messages() {
    assert_eq!(93, ApiKey::all().count());
    for (place, key) in ApiKey::all().enumerate() {
        assert_eq!(place, key.as_i16() as usize);
        assert_eq!(Some(key), ApiKey::from_i16(key.as_i16()));
    }
    assert_eq!([None, None], [ApiKey::from_i16(-1), ApiKey::from_i16(93)]);
    let removed: Vec<&str> =
        ApiKey::all().filter(|key| key.versions().is_empty()).map(ApiKey::name).collect();
    assert_eq!(vec!["LeaderAndIsr", "StopReplica", "UpdateMetadata", "ControlledShutdown"], removed);
    let unstable: Vec<ApiKey> = ApiKey::all().filter(|key| key.latest_version_unstable()).collect();
    assert_eq!(vec![ApiKey::InitProducerId], unstable);
    assert_eq!(3..=13, ApiKey::Produce.versions());
    assert_eq!(
        (1, 2),
        (ApiKey::Produce.request_header_version(8), ApiKey::Produce.request_header_version(9))
    );
    assert_eq!(
        (0, 1),
        (ApiKey::Produce.response_header_version(8), ApiKey::Produce.response_header_version(9))
    );
    assert_eq!(
        (2, 0),
        (ApiKey::ApiVersions.request_header_version(4), ApiKey::ApiVersions.response_header_version(4))
    );
    assert_eq!(1, ApiKey::SaslHandshake.request_header_version(1));
}
