//! A full disk.

use std::path::{Path, PathBuf};
use std::process::Command;

use rdkafka::error::RDKafkaErrorCode;

use crate::harness::broker::Broker;
use crate::harness::clients::{Producer, create_topic, ids, read_all};
use crate::harness::directory::Directory;
use crate::harness::wire::assert_serves;

/// A file system in memory of a fixed size, unmounted at the end.
struct Small {
    path: PathBuf,
    _directory: Directory,
}

impl Small {
    /// None where the system does not let us mount.
    fn mount(mib: usize) -> Option<Small> {
        let directory = Directory::new();
        let path = directory.path().join("small");
        std::fs::create_dir_all(&path).expect("a mount point");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(&path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("skipped: a disk can be full only where a small one may be mounted");
            return None;
        }
        Some(Small { path, _directory: directory })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

#[test]
fn a_full_disk_stops_writes_and_not_reads() {
    if std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some() {
        eprintln!("skipped: needs a broker of its own");
        return;
    }
    let Some(small) = Small::mount(24) else { return };
    // What is deleted to make room.
    let ballast = small.path().join("ballast");
    std::fs::write(&ballast, vec![1; 8 << 20]).expect("written");
    let mut broker = Broker::on(&small.path().join("data"), &[]).expect("started");
    let topic = create_topic(broker.bootstrap(), "full", 1, &[]);
    let settings = [("message.timeout.ms", "5000"), ("batch.num.messages", "100"), ("retries", "3")];
    let producer = Producer::new(broker.bootstrap(), &settings);
    for id in 0..20_000 {
        producer.send(&topic, 0, id, 1_000);
    }
    let reports = producer.reports();
    drop(producer);
    let kept: Vec<_> =
        reports.iter().filter(|report| report.error.is_none()).map(|report| report.id).collect();
    let refused: Vec<_> = reports.iter().filter_map(|report| report.error).collect();
    assert!(!kept.is_empty() && !refused.is_empty(), "{} kept, {} refused", kept.len(), refused.len());
    for code in &refused {
        assert!(
            matches!(code, RDKafkaErrorCode::KafkaStorageError | RDKafkaErrorCode::MessageTimedOut),
            "{code}"
        );
    }
    assert!(refused.contains(&RDKafkaErrorCode::KafkaStorageError), "the client is told why");
    assert_serves(broker.bootstrap());
    let there = ids(&read_all(broker.bootstrap(), &topic, 0));
    assert!(kept.iter().all(|id| there.contains(id)), "what was acknowledged is still read");
    broker.assert_healthy();

    std::fs::remove_file(&ballast).expect("removed");
    broker.stop();
    broker.restart();
    let there = ids(&read_all(broker.bootstrap(), &topic, 0));
    assert!(kept.iter().all(|id| there.contains(id)), "what was acknowledged is there after a restart");
    let producer = Producer::new(broker.bootstrap(), &[]);
    producer.send(&topic, 0, 1, 1_000);
    producer.acknowledged();
}
