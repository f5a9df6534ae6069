use super::*;
use crate::testing::TempDir;

fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

#[test]
fn offsets_are_written_as_kafka_writes_them() {
    let dir = TempDir::new();
    let fs = Fs::real();
    let path = dir.path().join("recovery-point-offset-checkpoint");
    assert_eq!(read_offsets(&fs, &path).unwrap(), BTreeMap::new());
    let offsets = BTreeMap::from([(partition("b", 0), 7), (partition("a-b", 11), i64::MAX)]);
    write_offsets(&fs, &path, offsets.iter()).unwrap();
    assert_eq!(fs.read(&path).unwrap(), b"0\n2\na-b 11 9223372036854775807\nb 0 7\n");
    assert_eq!(read_offsets(&fs, &path).unwrap(), offsets);
}

#[test]
fn leader_epochs_are_written_as_kafka_writes_them() {
    let dir = TempDir::new();
    let fs = Fs::real();
    let path = dir.path().join("leader-epoch-checkpoint");
    let entries = [EpochEntry { epoch: 0, start_offset: 0 }, EpochEntry { epoch: 5, start_offset: 120 }];
    write_leader_epochs(&fs, &path, &entries).unwrap();
    assert_eq!(fs.read(&path).unwrap(), b"0\n2\n0 0\n5 120\n");
    assert_eq!(read_leader_epochs(&fs, &path).unwrap(), entries);
}

#[test]
fn a_damaged_checkpoint_names_file_and_line() {
    let dir = TempDir::new();
    let fs = Fs::real();
    let path = dir.path().join("c");
    fs.replace(&path, b"").unwrap();
    assert_eq!(read_offsets(&fs, &path).unwrap(), BTreeMap::new(), "Kafka makes it empty");
    let cases: [(&[u8], usize); 8] = [
        (b"1\n0\n", 1),
        (b"0\n", 2),
        (b"0\nx\n", 2),
        (b"0\n2\na 0 1\n", 2),
        (b"0\n1\na 0 1\nb 0 1\n", 2),
        (b"0\n2\na 0 1\nb 0\n", 4),
        (b"0\n1\na 0 1 2\n", 3),
        (b"0\n1\n\xff 0 1\n", 1),
    ];
    for (bytes, expected) in cases {
        fs.replace(&path, bytes).unwrap();
        match read_offsets(&fs, &path) {
            Err(CheckpointError::Malformed { path: named, line, .. }) => {
                assert_eq!((named, line), (path.clone(), expected), "{bytes:?}");
            }
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
    fs.replace(&path, b"0\n1\n-1 0\n").unwrap();
    read_leader_epochs(&fs, &path).unwrap_err();
}
