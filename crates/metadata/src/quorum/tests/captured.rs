//! Metadata logs that Kafka 4.3.1 wrote, as broker and controller in one: `static` with
//! `controller.quorum.voters`, stopped; `dynamic` formatted with `--standalone`, killed. In each a topic of
//! two partitions with settings, a deleted topic, a SCRAM credential, a quota, groups. `cargo xtask capture
//! metadata` captures them again.

use std::collections::BTreeMap;

use protocol::messages::BrokerRegistrationRequest;
use settings::Configs;

use super::*;
use crate::features::METADATA_VERSION;

const CAPTURED: [&str; 2] = ["static", "dynamic"];

pub(super) fn captured(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/quorum/tests/captured").join(name)
}

/// The directory's id, which Kafka drew.
pub(super) fn directory_id(name: &str) -> Uuid {
    let text = std::fs::read_to_string(captured(name).join("meta.properties")).unwrap();
    let id = text.lines().find_map(|line| line.strip_prefix("directory.id=")).unwrap();
    id.parse().unwrap()
}

pub(super) fn copy_of(name: &str) -> TempDir {
    let dir = TempDir::new();
    for (path, bytes) in contents(&captured(name)) {
        let to = dir.path().join(path.strip_prefix(captured(name)).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
    dir
}

/// Every file with its bytes.
pub(super) fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    files
}

pub(super) fn surveyed(dir: &TempDir) -> Survey {
    survey(&Fs::real(), dir.path()).unwrap().unwrap()
}

/// Registers broker 1 as another process than the one that Kafka had registered.
async fn come_back(node: &Node) {
    let controller = Controller::new(1, std::sync::Arc::default());
    let request = BrokerRegistrationRequest {
        broker_id: 1,
        incarnation_id: Uuid([9; 16]),
        ..BrokerRegistrationRequest::default()
    };
    let registered = node.quorum.submit(|image| {
        let (response, mut records) = controller.register_broker(image, &request, |_, _| None);
        records.push(controller.unfence_broker(1, response.broker_epoch));
        ((), records)
    });
    registered.await.unwrap();
}

fn check(image: &Image) {
    assert_eq!(image.feature_level(METADATA_VERSION), 30);
    assert_eq!(image.feature_level("transaction.version"), 2);
    let names: Vec<_> = image.topics().iter().map(|topic| topic.name.to_string()).collect();
    assert_eq!(names, ["__consumer_offsets", "foo"]);
    assert_eq!(image.topic("foo").unwrap().partitions.len(), 2);
    let configs = [("max.message.bytes", "900000"), ("segment.bytes", "1048576")];
    let configs: Configs = configs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(*image.configs(&crate::ConfigResource::topic("foo")), configs);
    assert_eq!(image.next_producer_id(), 1000);
}

#[test]
fn a_survey_says_what_kafka_left_and_changes_nothing() {
    for name in CAPTURED {
        let dir = copy_of(name);
        let before = contents(dir.path());
        let survey = surveyed(&dir);
        assert_eq!(contents(dir.path()), before);
        check(&survey.image);
        assert_eq!(survey.refusals(1, 1), [""; 0]);
        assert_eq!(survey.torn_bytes, 0);
        assert_eq!(survey.kraft_version, i16::from(name != "static"));
        assert_eq!(survey.voters, [VoterId { id: 1, directory_id: directory_id(name) }]);
        assert_eq!(survey.not_acted_on(), [("SCRAM credentials", 1), ("quotas", 1)]);
        // As another node it is no quorum, and the broker's partitions are elsewhere.
        assert!(survey.refusals(2, 1).iter().any(|refusal| refusal.contains("topic foo")));
    }
}

#[tokio::test]
async fn what_kafka_wrote_is_led_again_and_kept() {
    for name in CAPTURED {
        let dir = copy_of(name);
        let config = || QuorumConfig { directory_id: directory_id(name), ..config() };
        let fs = Fs::real();
        let start = || Node::try_start(&fs, dir.path(), config());
        let epoch = surveyed(&dir).image.partition("foo", 1).unwrap().leader_epoch;
        let node = start().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        come_back(&node).await;
        let image = node.quorum.image();
        check(&image);
        for partition in 0..2 {
            let partition = image.partition("foo", partition).unwrap();
            assert_eq!((partition.leader, &*partition.isr), (1, &[1][..]), "{name}");
            assert!(partition.leader_epoch > epoch && partition.eligible_leader_replicas().is_empty());
        }
        assert_eq!(node.create_topic("ours", 1).await, ErrorCode::NONE);
        node.quorum.snapshot().await.unwrap();
        while checkpoint::list(&fs, &dir.metadata()).unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        node.stop().await;
        // What is kept without being read survives as well.
        let survey = surveyed(&dir);
        assert_eq!(survey.not_acted_on(), [("SCRAM credentials", 1), ("quotas", 1)]);
        assert_eq!(survey.kraft_version, i16::from(name != "static"));
        let node = start().await.unwrap_or_else(|error| panic!("{name} again: {error}"));
        assert!(node.quorum.image().topic("ours").is_some());
        node.stop().await;
    }
}

#[test]
fn another_nodes_log_and_newer_features_are_refused() {
    let mut survey = surveyed(&copy_of("dynamic"));
    let mut apply = |name: &'static str, feature_level| {
        let record = protocol::records::FeatureLevelRecord { name: name.into(), feature_level };
        survey.image.apply(record.into(), &mut crate::Delta::default()).unwrap();
    };
    apply("metadata.version", 34);
    apply("share.version", 3);
    apply("quantum.version", 1);
    let refusals = survey.refusals(1, 1).join("\n");
    for part in [
        "metadata.version is 34, but only 7 (3.3-IV3) to 33 (4.4-IV2)",
        "share.version is 3",
        "quantum.version",
    ] {
        assert!(refusals.contains(part), "{part} in {refusals}");
    }
}

/// Settings of what is not served are kept, and a survey names them.
#[test]
fn settings_that_are_kept_are_counted() {
    let mut survey = surveyed(&copy_of("static"));
    for (resource_type, name) in [(16, "sub"), (32, "group-a"), (32, "group-b"), (2, "foo"), (4, "1")] {
        for (name_of, value) in [("a", "1"), ("b", "2")] {
            let record = protocol::records::ConfigRecord {
                resource_type,
                resource_name: name.into(),
                name: name_of.into(),
                value: Some(value.into()),
            };
            survey.image.apply(record.into(), &mut crate::Delta::default()).unwrap();
        }
    }
    let kept = survey.not_acted_on();
    assert!(kept.contains(&("client metrics subscriptions", 1)), "{kept:?}");
    assert!(kept.contains(&("groups with settings", 2)), "{kept:?}");
}

#[test]
fn damage_is_an_error_or_a_torn_end_and_never_a_panic() {
    let dir = copy_of("static");
    let whole = std::fs::read(dir.metadata_log()).unwrap();
    let end_offset = surveyed(&dir).end_offset;
    let first = ::record::batches(&whole).next().unwrap().unwrap().bytes().len();
    for len in (0..whole.len()).step_by(61) {
        std::fs::write(dir.metadata_log(), &whole[..len]).unwrap();
        match survey(&Fs::real(), dir.path()) {
            Ok(Some(survey)) => {
                assert!(survey.torn_bytes <= len as u64 && survey.end_offset < end_offset, "{len} bytes");
            }
            // Nothing is left of a log in which there was a vote.
            Err(StartError::Unreadable { offset: 0, .. }) if len < first => {}
            other => panic!("{len} bytes: {other:?}"),
        }
    }
    for at in (0..whole.len()).step_by(53) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        std::fs::write(dir.metadata_log(), &damaged).unwrap();
        if let Ok(Some(survey)) = survey(&Fs::real(), dir.path()) {
            // Leader epochs stand outside the checksum.
            let is_epoch = survey.end_offset == end_offset && survey.torn_bytes == 0;
            assert!(is_epoch || survey.torn_bytes > 0, "byte {at}");
        }
    }
}
