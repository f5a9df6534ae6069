#![allow(clippy::disallowed_methods, reason = "tests look at the files behind the seam")]

use super::*;
use crate::testing::*;
use crate::{Log, OpenLog};

fn partition(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition { topic: topic.into(), partition }
}

fn open_named(directory: &LogDirectory, name: &TopicPartition) -> Log {
    Log::open(directory, OpenLog { partition: name.clone(), ..open_with(small()) }).unwrap().0
}

#[test]
fn a_second_start_on_the_same_directory_is_refused() {
    let home = Home::new();
    let directory = home.open();
    let again = OpenDirectory { fs: Fs::real(), path: home.dir.path().to_owned(), open_files_max: 10 };
    match LogDirectory::open(again.clone()) {
        Err(OpenDirectoryError::Locked(path)) => assert_eq!(path, home.dir.path()),
        other => panic!("{other:?}"),
    }
    drop(directory);
    LogDirectory::open(again).unwrap();
}

#[test]
fn a_directory_is_made_where_there_is_none() {
    let home = Home::new();
    let path = home.dir.path().join("a/b");
    let open = OpenDirectory { fs: Fs::real(), path: path.clone(), open_files_max: 10 };
    let directory = LogDirectory::open(open).unwrap();
    assert!(path.is_dir() && !directory.was_clean());
    assert_eq!(directory.meta_properties().unwrap(), None);
}

#[test]
fn meta_properties_are_kafkas() {
    let home = Home::new();
    let directory = home.open();
    let properties = MetaProperties {
        version: 1,
        cluster_id: Some("5L6g3nShT-eMCtK--X86sw".into()),
        node_id: Some(1),
        directory_id: Some([0xab; 16]),
    };
    directory.write_meta_properties(&properties).unwrap();
    let path = home.dir.path().join("meta.properties");
    let text = std::fs::read_to_string(&path).unwrap();
    let expected =
        "#\ncluster.id=5L6g3nShT-eMCtK--X86sw\ndirectory.id=q6urq6urq6urq6urq6urqw\nnode.id=1\nversion=1\n";
    assert_eq!(text, expected);
    assert_eq!(directory.meta_properties().unwrap(), Some(properties.clone()));
    // As Kafka writes it.
    let kafkas = "#\n#Sat Nov 15 10:20:30 UTC 2025\ncluster.id=5L6g3nShT-eMCtK--X86sw\n\
                  directory.id=q6urq6urq6urq6urq6urqw\nnode.id=1\nversion=1\n";
    std::fs::write(&path, kafkas).unwrap();
    assert_eq!(directory.meta_properties().unwrap(), Some(properties));
    std::fs::write(&path, "! old\nbroker.id : 7\ncluster.id=a\\:b\\\\\nother=x\n").unwrap();
    let old = directory.meta_properties().unwrap().unwrap();
    assert_eq!((old.version, old.node_id, old.cluster_id.as_deref()), (0, Some(7), Some("a:b\\")));
    for damaged in ["version", "version=x", "node.id=", "directory.id=short"] {
        std::fs::write(&path, format!("#\n{damaged}\n")).unwrap();
        match directory.meta_properties() {
            Err(CheckpointError::Malformed { line: 2, .. }) => {}
            other => panic!("{damaged}: {other:?}"),
        }
    }
}

#[test]
fn checkpoints_hold_every_partition_open_or_not() {
    let home = Home::new();
    let directory = home.open();
    let (a, b) = (partition("a", 0), partition("b-c", 12));
    let (mut log_a, mut log_b) = (open_named(&directory, &a), open_named(&directory, &b));
    for log in [&mut log_a, &mut log_b] {
        for _ in 0..10 {
            append(log, &batch(1, NOW_MS, 10)).unwrap();
        }
    }
    log_a.flush().unwrap();
    log_b.set_high_watermark(7);
    log_b.delete_records(3, NOW_MS).unwrap();
    directory.checkpoint_log_offsets().unwrap();
    directory.checkpoint_high_watermarks().unwrap();
    let text = |file| std::fs::read_to_string(home.dir.path().join(file)).unwrap();
    assert_eq!(text("recovery-point-offset-checkpoint"), "0\n2\na 0 10\nb-c 12 0\n");
    assert_eq!(text("log-start-offset-checkpoint"), "0\n1\nb-c 12 3\n");
    assert_eq!(text("replication-offset-checkpoint"), "0\n2\na 0 0\nb-c 12 7\n");
    drop((log_a, log_b));
    assert!(!directory.close(1).unwrap(), "logs that were dropped are not clean");
    let directory = home.open();
    assert!(!directory.was_clean());
    assert_eq!(directory.partitions(), [a.clone(), b.clone()]);
    assert_eq!(directory.checkpointed_high_watermark(&b), 7);
    let log_b = open_named(&directory, &b);
    assert_eq!((log_b.log_start_offset(), log_b.end_offset()), (3, 10));
    log_b.close().unwrap();
    // A log that was not opened this time keeps its state: after a crash.
    assert!(!directory.close(1).unwrap());
    assert_eq!(text("recovery-point-offset-checkpoint"), "0\n2\na 0 10\nb-c 12 10\n");
    let directory = home.open();
    open_named(&directory, &a).close().unwrap();
    open_named(&directory, &b).close().unwrap();
    assert!(directory.close(1).unwrap());
    assert!(home.open().was_clean());
}

#[test]
fn a_deleted_partition_is_gone_from_the_checkpoints() {
    let home = Home::new();
    let directory = home.open();
    let name = partition("a", 0);
    drop(open_named(&directory, &name));
    let renamed = directory.rename_deleted(&name, "0f6c0c4b32f64f2d").unwrap();
    assert!(renamed.ends_with("a-0.0f6c0c4b32f64f2d-delete"));
    directory.checkpoint_log_offsets().unwrap();
    let path = home.dir.path().join("recovery-point-offset-checkpoint");
    assert_eq!(std::fs::read_to_string(path).unwrap(), "0\n0\n");
    assert_eq!(directory.partitions(), []);
    drop(directory);
    let directory = home.open();
    assert_eq!(directory.leftovers().unwrap(), [(DirKind::Delete, renamed.clone())]);
    directory.remove(&renamed).unwrap();
    assert_eq!(directory.leftovers().unwrap(), []);
    // A long topic name is shortened, and the partition stays.
    let name = partition(&"t".repeat(249), 17);
    for suffix in ["delete", "stray"] {
        drop(open_named(&directory, &name));
        let renamed = match suffix {
            "delete" => directory.rename_deleted(&name, "0f6c0c4b32f64f2d").unwrap(),
            _ => directory.rename_stray(&name, "0f6c0c4b32f64f2d").unwrap(),
        };
        let renamed = renamed.file_name().unwrap().to_str().unwrap();
        assert_eq!(renamed.len(), 255);
        assert!(renamed.ends_with(&format!("t-17.0f6c0c4b32f64f2d-{suffix}")), "{renamed}");
    }
    assert_eq!(directory.leftovers().unwrap().len(), 2);
}

#[test]
fn a_clean_shutdown_file_of_any_content_counts() {
    for (content, broker_epoch) in [
        ("{\"version\":0,\"brokerEpoch\":42}", Some(42)),
        ("{ \"brokerEpoch\" : -1 }", Some(-1)),
        ("", None),
        ("{\"version\":0,\"brokerEpoch\":x}", None),
    ] {
        let home = Home::new();
        std::fs::write(home.dir.path().join(".kafka_cleanshutdown"), content).unwrap();
        let directory = home.open();
        assert_eq!((directory.was_clean(), directory.previous_broker_epoch()), (true, broker_epoch));
        drop(directory);
        // A start that fails early has changed nothing.
        let directory = home.open();
        assert!(directory.was_clean());
        drop(open_named(&directory, &partition("a", 0)));
        drop(directory);
        assert!(!home.open().was_clean());
    }
}

/// As in Kafka, which resets the offsets of such a file.
#[test]
fn a_damaged_checkpoint_counts_as_lost() {
    let files = ["recovery-point-offset", "log-start-offset", "replication-offset"];
    for damaged in files {
        let home = Home::new();
        let directory = home.open();
        let mut log = open_named(&directory, &partition("a", 0));
        for _ in 0..9 {
            append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
        }
        log.flush().unwrap();
        log.set_high_watermark(8);
        log.delete_records(3, NOW_MS).unwrap();
        directory.checkpoint_log_offsets().unwrap();
        directory.checkpoint_high_watermarks().unwrap();
        drop((log, directory));
        std::fs::write(home.dir.path().join(format!("{damaged}-checkpoint")), "0\n1\n").unwrap();
        let directory = home.open();
        let log = open_named(&directory, &partition("a", 0));
        let is = |file: &str| damaged == file;
        let start = if is("log-start-offset") { 0 } else { 3 };
        let high_watermark = if is("replication-offset") { 3 } else { 8 };
        let found = (log.log_start_offset(), log.high_watermark(), log.end_offset());
        assert_eq!(found, (start, high_watermark, 9), "{damaged}");
        assert_eq!(log.flushed_offset(), if is("recovery-point-offset") { 0 } else { 9 });
        directory.checkpoint_log_offsets().unwrap();
        directory.checkpoint_high_watermarks().unwrap();
        drop((log, directory));
        assert!(
            checkpoint::read_offsets(&Fs::real(), &home.dir.path().join(format!("{damaged}-checkpoint")))
                .is_ok()
        );
    }
}

/// Another topic may take the name of a deleted one: its partition never had the records that a checkpoint names. But a
/// checkpoint that names records whose directory is gone must not forget them by itself.
#[test]
fn a_partition_with_records_and_no_directory_is_missed_until_it_is_forgotten() {
    let home = Home::new();
    let directory = home.open();
    let names = ["deleted", "empty", "gone", "kept"].map(|topic| partition(topic, 0));
    let [deleted, empty, gone, kept] = &names;
    assert!(!directory.take_untold());
    for name in &names {
        let mut log = open_named(&directory, name);
        if name != empty {
            append(&mut log, &batch(5, NOW_MS, 10)).unwrap();
            log.set_high_watermark(5);
        }
        log.flush().unwrap();
        assert_eq!(directory.take_untold(), name != empty);
        log.close().unwrap();
    }
    directory.set_cleaned_to(gone, 3).unwrap();
    assert!(directory.close(1).unwrap());
    for name in [deleted, empty, gone] {
        std::fs::remove_dir_all(home.dir.path().join(name.to_string())).unwrap();
    }
    let missed = |name: &TopicPartition| AbsentPartition {
        partition: name.clone(),
        log_start_offset: 0,
        end_offset: 5,
        was_durable: true,
    };
    let directory = home.open();
    assert_eq!(directory.absent(), [missed(deleted), missed(gone)]);
    directory.forget(std::slice::from_ref(deleted)).unwrap();
    // As periodic checkpoints and a shutdown do.
    open_named(&directory, kept).close().unwrap();
    directory.set_cleaned_to(kept, 1).unwrap();
    directory.checkpoint_log_offsets().unwrap();
    assert!(directory.close(1).unwrap());
    let directory = home.open();
    assert_eq!(directory.absent(), [missed(gone)]);
    assert_eq!(directory.cleaned_to(gone), Some(3));
    // Once it is created again it is no longer missed, and its old offsets are forgotten.
    let log = open_named(&directory, gone);
    assert_eq!((log.log_start_offset(), log.end_offset(), directory.cleaned_to(gone)), (0, 0, None));
    drop((log, directory));
    let directory = home.open();
    assert_eq!(directory.absent(), []);
    // Before its directory goes, the checkpoints forget a partition that is deleted.
    directory.forget(std::slice::from_ref(kept)).unwrap();
    let text = std::fs::read_to_string(home.dir.path().join("replication-offset-checkpoint")).unwrap();
    assert!(text.contains("kept 0 0\n"), "{text}");
    assert_eq!(directory.checkpointed_high_watermark(kept), 0);
}

/// The number of syncs of each log directory itself since the last call.
fn syncs_of(home: &Home) -> usize {
    let done = home.faults.take_done().into_iter();
    done.filter(|(operation, path)| *operation == fs::Operation::SyncDir && path == home.dir.path()).count()
}

#[test]
fn one_sync_of_the_log_directory_makes_all_partitions_durable_that_were_made_before() {
    let home = Home::new();
    let directory = home.open();
    let names: Vec<_> = (0..10).map(|n| partition("a", n)).collect();
    let mut logs: Vec<_> = names.iter().map(|name| open_named(&directory, name)).collect();
    assert_eq!(syncs_of(&home), 1, "opening a directory that was not closed cleanly, and no partition");
    for log in &mut logs {
        append(log, &batch(1, NOW_MS, 10)).unwrap();
        log.flush().unwrap();
    }
    assert_eq!(syncs_of(&home), 1, "the first makes all durable");
    let mut later = open_named(&directory, &partition("b", 0));
    append(&mut later, &batch(1, NOW_MS, 10)).unwrap();
    later.flush().unwrap();
    assert_eq!(syncs_of(&home), 1, "an entry that was made since is not");
    drop(logs);
    let unique: Vec<_> = names.iter().map(|name| (name.clone(), format!("id{}", name.partition))).collect();
    let (paths, failures) = directory.rename_all_deleted(&unique);
    assert_eq!((paths.len(), failures.len(), syncs_of(&home)), (10, 0, 1), "names that go, go together");
    assert_eq!(directory.partition_count(), 1);
}

#[test]
fn a_partition_without_records_leaves_nothing_to_sync_and_no_file_open() {
    let home = Home::new();
    for round in ["made", "opened again"] {
        let directory = home.open();
        home.faults.take_done();
        let logs: Vec<_> = (0..20).map(|n| open_named(&directory, &partition("a", n))).collect();
        assert!(round != "made" || directory.shared().open_files.len() == 0);
        for mut log in logs {
            log.assign_epoch(0);
            log.close().unwrap();
        }
        let is_sync =
            |operation: &fs::Operation| matches!(operation, fs::Operation::Sync | fs::Operation::SyncDir);
        let done = home.faults.take_done();
        let syncs: Vec<_> = done.iter().filter(|(it, path)| is_sync(it) && path != home.dir.path()).collect();
        assert!(syncs.is_empty(), "{round}: {syncs:?}");
        assert!(directory.close(1).unwrap());
    }
    // A log with a record is not void, whether or not it was flushed.
    let directory = home.open();
    let mut log = open_named(&directory, &partition("a", 0));
    append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
    home.faults.take_done();
    log.close().unwrap();
    let done = home.faults.take_done();
    let synced = |name: &str| {
        let path = home.dir.path().join("a-0").join(name);
        done.iter().any(|(it, at)| matches!(it, fs::Operation::Sync | fs::Operation::SyncDir) && *at == path)
    };
    assert!(synced("00000000000000000000.log") && synced("partition.metadata") && synced(""), "{done:?}");
}

#[test]
fn a_partition_made_anew_rewrites_checkpoints_only_if_they_tell_of_the_one_before() {
    let home = Home::new();
    let directory = home.open();
    let name = partition("a", 0);
    for (round, (records, rewrites)) in [(0, 0), (1, 1), (0, 0)].into_iter().enumerate() {
        let mut log = open_named(&directory, &name);
        for _ in 0..records {
            append(&mut log, &batch(1, NOW_MS, 10)).unwrap();
            log.flush().unwrap();
        }
        directory.checkpoint_log_offsets().unwrap();
        drop(log);
        directory.rename_deleted(&name, &format!("id{round}")).unwrap();
        home.faults.take_done();
        drop(open_named(&directory, &name));
        let renamed = home.faults.take_done().into_iter().filter(|(operation, path)| {
            *operation == fs::Operation::Rename && path.ends_with("recovery-point-offset-checkpoint.tmp")
        });
        assert_eq!(renamed.count(), rewrites, "{records} records");
        directory.rename_deleted(&name, &format!("id{round}b")).unwrap();
    }
}

#[test]
fn what_removes_in_the_background_ends_with_the_directory() {
    let home = Home::new();
    let directory = home.open();
    let deleted: Vec<_> = (0..2).map(|n| (partition("a", n), format!("id{n}"))).collect();
    for (name, _) in &deleted {
        drop(open_named(&directory, name));
    }
    let (paths, _) = directory.rename_all_deleted(&deleted);
    let remover = directory.remover();
    assert!(remover.remove(&paths[0]).unwrap());
    assert!(directory.close(1).unwrap());
    assert!(!remover.remove(&paths[1]).unwrap());
    assert!(!paths[0].exists() && paths[1].exists(), "the next start removes it");
}
