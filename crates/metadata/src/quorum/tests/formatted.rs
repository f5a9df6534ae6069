//! Directories that `kafka-storage format` of Kafka 4.3 and 4.4 wrote and no broker has opened, with voters in settings
//! and in the log, with a SCRAM credential; and one at the lowest `metadata.version`.

use protocol::messages::BrokerRegistrationRequest;

use super::captured::{captured, contents, copy_of, directory_id, surveyed};
use super::*;
use crate::features::METADATA_VERSION;
use crate::level;

const FORMATTED: [(&str, i16); 4] = [
    ("formatted-4.3", 30),
    ("formatted-4.3-dynamic", 30),
    // With `--release-version 4.3`.
    ("formatted-4.4", 30),
    ("formatted-4.4-dynamic", 33),
];

async fn start(name: &str, dir: &TempDir) -> Node {
    let config = QuorumConfig { directory_id: directory_id(name), ..config() };
    let started = Node::try_start(&Fs::real(), dir.path(), config).await;
    started.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The image without what says how far the log is.
fn features(image: &Image) -> Vec<(String, i16)> {
    image.features().map(|(name, level)| (name.to_string(), level)).collect()
}

#[tokio::test]
async fn a_formatted_directory_begins_with_what_the_format_wrote() {
    for (name, level) in FORMATTED {
        let dir = copy_of(name);
        let before = contents(dir.path());
        let survey = surveyed(&dir);
        assert_eq!(contents(dir.path()), before, "{name}");
        assert_eq!(survey.refusals(1, 1), [""; 0], "{name}");
        assert_eq!(survey.not_acted_on(), [("SCRAM credentials", 1)], "{name}");
        let share = if level == 33 { 2 } else { 1 };
        let expected = [
            ("eligible.leader.replicas.version", 1),
            ("group.version", 1),
            ("metadata.version", level),
            ("share.version", share),
            ("streams.version", 1),
            ("transaction.version", 2),
        ];
        let expected = expected.map(|(feature, level)| (feature.to_owned(), level));
        assert_eq!(features(&survey.image), expected, "{name}");
        let node = start(name, &dir).await;
        let image = node.quorum.image();
        assert_eq!(features(&image), expected, "{name}");
        assert_eq!(image.configs(&crate::ConfigResource::all_brokers())["min.insync.replicas"], "1");
        node.crash().await;
        let survey = surveyed(&dir);
        assert_eq!(features(&survey.image), expected, "{name} after a start");
        assert_eq!(survey.not_acted_on(), [("SCRAM credentials", 1)], "{name} after a start");
        assert_eq!(survey.kraft_version, i16::from(name.ends_with("dynamic")), "{name}");
        let is_static = std::fs::read_to_string(dir.metadata().join("quorum-state")).unwrap();
        assert_eq!(is_static.contains("\"data_version\":0"), !name.ends_with("dynamic"), "{name}");
        start(name, &dir).await.stop().await;
    }
}

/// A loss of power between a directory's first vote and its first entry must not make it another's, nor lose the records.
#[tokio::test]
async fn what_the_format_wrote_is_durable_before_a_vote() {
    let dir = copy_of("formatted-4.3");
    start("formatted-4.3", &dir).await.crash().await;
    let bytes = std::fs::read(dir.metadata_log()).unwrap();
    let first = ::record::batches(&bytes).next().unwrap().unwrap();
    let len = first.bytes().len();
    std::fs::write(dir.metadata_log(), &bytes[..len]).unwrap();
    let node = start("formatted-4.3", &dir).await;
    assert_eq!(node.quorum.image().feature_level("group.version"), 1);
    node.crash().await;
    // All of it in one batch: half of a bootstrap would be taken for the whole.
    std::fs::write(dir.metadata_log(), &bytes[..len - 1]).unwrap();
    std::fs::remove_file(dir.metadata().join("quorum-state")).unwrap();
    let node = start("formatted-4.3", &dir).await;
    assert_eq!(node.quorum.image().feature_level("group.version"), 1);
    node.stop().await;
}

/// Broker 1 as a start registers it: with its log directory.
async fn register(node: &Node) {
    let controller = Controller::new(1, std::sync::Arc::default());
    let request = BrokerRegistrationRequest {
        broker_id: 1,
        incarnation_id: Uuid(runtime::random::uuid_bytes()),
        log_dirs: vec![directory_id("formatted-3.3")],
        ..BrokerRegistrationRequest::default()
    };
    let found = Some(directory_id("formatted-3.3"));
    let registered = node.quorum.submit(|image| {
        let (response, mut records) = controller.register_broker(image, &request, |_, _| found);
        records.push(controller.unfence_broker(1, response.broker_epoch));
        ((), records)
    });
    registered.await.unwrap();
}

fn entries(bytes: &[u8]) -> Vec<Vec<raft::Entry>> {
    let decode = |batch: Result<::record::Batch<'_>, _>| batches::decode(&batch.unwrap()).unwrap();
    ::record::batches(bytes).map(decode).collect()
}

/// At 3.3-IV3 there are no transactions, no directories, no versions after the first: each decision is one batch of the
/// records that this level has.
#[tokio::test]
async fn nothing_is_written_that_the_level_cannot_express() {
    let dir = copy_of("formatted-3.3");
    let node = start("formatted-3.3", &dir).await;
    register(&node).await;
    assert_eq!(node.create_topic("a", 3).await, ErrorCode::NONE);
    assert_eq!(node.create_topic("b", 2).await, ErrorCode::NONE);
    // As another process: the leaders are elected again, and their directories would be noted.
    register(&node).await;
    assert!(node.quorum.image().brokers()[&1].log_dirs.is_empty());
    assert!(node.quorum.image().partition("a", 0).unwrap().directories.is_empty());
    let log = std::fs::read(dir.metadata_log()).unwrap();
    node.quorum.snapshot().await.unwrap();
    while checkpoint::list(&Fs::real(), &dir.metadata()).unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    node.crash().await;
    let newest = checkpoint::list(&Fs::real(), &dir.metadata()).unwrap().pop().unwrap();
    let snapshot = std::fs::read(newest.path).unwrap();
    let mut decisions = 0;
    for batch in entries(&log).into_iter().chain(entries(&snapshot)) {
        decisions += usize::from(batch.len() > 2);
        for entry in batch {
            let raft::Payload::Normal(entry) = entry.payload else { continue };
            let name = entry.record.name();
            assert!(!name.contains("Transaction"), "{name}");
            assert_eq!(entry.record.version_at(7), Some(entry.version), "{name}");
            assert_eq!(level::express(entry.record.clone(), 7), Some(entry.record), "{name}");
        }
    }
    assert!(decisions >= 3, "topics, and elections: {decisions}");
    let node = start("formatted-3.3", &dir).await;
    let image = node.quorum.image();
    assert_eq!((names(&image), image.feature_level(METADATA_VERSION)), (vec!["a".into(), "b".into()], 7));
    node.stop().await;
}

#[tokio::test]
async fn without_transactions_a_torn_decision_is_none() {
    let dir = copy_of("formatted-3.3");
    let node = start("formatted-3.3", &dir).await;
    register(&node).await;
    assert_eq!(node.create_topic("a", 3).await, ErrorCode::NONE);
    node.crash().await;
    let log = std::fs::read(dir.metadata_log()).unwrap();
    let last = ::record::batches(&log).last().unwrap().unwrap().bytes().len();
    let quorum_state = std::fs::read(dir.metadata().join("quorum-state")).unwrap();
    for torn in (1..=last).step_by(7) {
        std::fs::write(dir.metadata_log(), &log[..log.len() - torn]).unwrap();
        std::fs::write(dir.metadata().join("quorum-state"), &quorum_state).unwrap();
        let node = start("formatted-3.3", &dir).await;
        assert!(node.quorum.image().topics().is_empty(), "{torn} bytes are missing");
        node.crash().await;
    }
}

/// The metadata log of a broker without the controller role is a copy of the controllers'.
#[tokio::test]
async fn a_broker_alone_is_refused() {
    let dir = copy_of("static");
    let state = r#"{"clusterId":"","leaderId":100,"leaderEpoch":9,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":100}],"data_version":0}"#;
    std::fs::write(dir.metadata().join("quorum-state"), state).unwrap();
    let before = contents(dir.path());
    let error = survey(&Fs::real(), dir.path()).unwrap_err();
    assert!(error.to_string().contains("names the voters 100 of the metadata quorum"), "{error}");
    assert_eq!(contents(dir.path()), before);
    let config = QuorumConfig { directory_id: directory_id("static"), ..config() };
    let started = Node::try_start(&Fs::real(), dir.path(), config).await;
    let refused = started.err().expect("it is refused");
    assert!(matches!(refused, StartError::Vote(VoteError::OtherVoters { .. })), "{refused}");
}

#[test]
fn a_level_without_directories_has_one() {
    let survey = surveyed(&copy_of("formatted-3.3"));
    assert_eq!(survey.refusals(1, 1), [""; 0]);
    let refusals = survey.refusals(1, 2).join("\n");
    assert!(
        refusals.contains("metadata.version is 7 (3.3-IV3), which does not support several"),
        "{refusals}"
    );
    assert!(captured("formatted-3.3").join("bootstrap.checkpoint").exists());
}
