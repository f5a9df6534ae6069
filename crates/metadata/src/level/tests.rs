use protocol::Uuid;
use protocol::records::{
    BeginTransactionRecord, ClearElrRecord, RegisterControllerRecord, TopicRecord,
    UnregisterControllerRecord, UserScramCredentialRecord,
};

use super::*;

const DIRECTORY: Uuid = Uuid([9; 16]);

fn broker() -> MetadataRecord {
    let log_dirs = vec![DIRECTORY];
    RegisterBrokerRecord { log_dirs, cordoned_log_dirs: Some(vec![]), ..Default::default() }.into()
}

fn cordoned(level: i16) -> MetadataRecord {
    let record = BrokerRegistrationChangeRecord { cordoned_log_dirs: Some(vec![]), ..Default::default() };
    express(record.into(), level).unwrap_or_else(|| UnregisterControllerRecord::default().into())
}

/// Every record, with every field set that some level lacks, at every level: the rest is written, and read
/// back unchanged.
#[test]
fn whatever_is_expressed_can_be_written_at_its_level() {
    let partition = PartitionRecord {
        directories: vec![DIRECTORY],
        eligible_leader_replicas: Some(vec![2]),
        last_known_elr: Some(vec![3]),
        ..Default::default()
    };
    let change = PartitionChangeRecord {
        leader: 1,
        directories: Some(vec![DIRECTORY]),
        eligible_leader_replicas: Some(vec![]),
        last_known_elr: Some(vec![]),
        ..Default::default()
    };
    let registration_change = BrokerRegistrationChangeRecord {
        fenced: -1,
        in_controlled_shutdown: 1,
        log_dirs: vec![DIRECTORY],
        cordoned_log_dirs: Some(vec![]),
        ..Default::default()
    };
    let full: [MetadataRecord; 10] = [
        broker(),
        partition.into(),
        change.into(),
        registration_change.into(),
        TopicRecord::default().into(),
        BeginTransactionRecord::default().into(),
        UserScramCredentialRecord::default().into(),
        RegisterControllerRecord::default().into(),
        ClearElrRecord::default().into(),
        UnregisterControllerRecord::default().into(),
    ];
    for (level, name) in NAMES {
        for record in &full {
            let Some(expressed) = express(record.clone(), level) else { continue };
            let version = expressed.version_at(level).expect("it is expressed");
            let bytes = expressed.encode(version).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(MetadataRecord::decode(bytes), Ok((expressed.clone(), version)), "{name}");
            assert_eq!(express(expressed.clone(), level), Some(expressed), "{name}: once is enough");
        }
        let count = full.iter().filter(|record| express((*record).clone(), level).is_some()).count();
        let expected = match level {
            ..11 => 5,
            11..13 => 6,
            13..15 => 7,
            15..23 => 8,
            23..33 => 9,
            33.. => 10,
        };
        assert_eq!(count, expected, "{name}");
    }
}

/// The expectations are those of `MetadataVersion.java` of Kafka 4.3 and 4.4.
#[test]
fn records_have_the_versions_of_kafka_at_each_level() {
    let partition = MetadataRecord::from(PartitionRecord::default());
    let change = MetadataRecord::from(PartitionChangeRecord::default());
    for (level, registered, placed) in [
        (7, 1, 0),
        (8, 2, 0),
        (14, 2, 0),
        (16, 2, 0),
        (17, 3, 1),
        (22, 3, 1),
        (23, 3, 2),
        (29, 3, 2),
        (30, 4, 2),
        (33, 4, 2),
    ] {
        assert_eq!(broker().version_at(level), Some(registered), "{level}");
        assert_eq!(partition.version_at(level), Some(placed), "{level}");
        assert_eq!(change.version_at(level), Some(placed), "{level}");
    }
}

#[test]
fn a_change_of_which_nothing_is_left_is_none() {
    let assigned = PartitionChangeRecord { directories: Some(vec![DIRECTORY]), ..Default::default() };
    assert_eq!(express(assigned.clone().into(), 16), None);
    assert_eq!(express(assigned.clone().into(), 17), Some(assigned.into()));
    let offline = BrokerRegistrationChangeRecord { log_dirs: vec![DIRECTORY], ..Default::default() };
    assert_eq!(express(offline.clone().into(), 16), None);
    assert_eq!(express(offline.clone().into(), 17), Some(offline.into()));
    assert_eq!(cordoned(29).name(), "UnregisterControllerRecord");
    assert_eq!(cordoned(30).name(), "BrokerRegistrationChangeRecord");
    assert_eq!((named(14).as_str(), named(99).as_str()), ("14 (3.6-IV2)", "99"));
}
