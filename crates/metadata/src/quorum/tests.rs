#![allow(clippy::disallowed_methods, reason = "tests look at, and damage, the files behind the seam")]

mod captured;
mod crash;
mod deposed;
mod disk;
mod formatted;
mod full;
mod several;
mod submit;
mod voters;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use protocol::messages::CreateTopicsRequest;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::records::{BrokerRegistrationChangeRecord, RegisterBrokerRecord};
use protocol::{ErrorCode, Uuid};
use storage::fs::Fs;
use storage::{DirectoryFlusher, LogDirectory, OpenDirectory};

use super::*;
use crate::controller::Controller;
use crate::record::MetadataRecord;

/// A directory that goes away with its value.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("milena-metadata-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        // What is in memory needs no disk to be synced to: the tests wait for nothing.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let path = parent.join(name);
        std::fs::create_dir_all(&path).expect("a temporary directory");
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn metadata(&self) -> PathBuf {
        self.0.join("__cluster_metadata-0")
    }

    pub(super) fn metadata_log(&self) -> PathBuf {
        self.metadata().join("00000000000000000000.log")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A directory with a quorum in it.
pub(super) struct Node {
    pub(super) quorum: Quorum,
    directory: LogDirectory,
    flusher: std::sync::Arc<DirectoryFlusher>,
    thread: JoinHandle<()>,
}

pub(super) fn config() -> QuorumConfig {
    QuorumConfig {
        segment_bytes: 8 << 20,
        bytes_between_snapshots: 20 << 20,
        ..QuorumConfig::of_node(1, Uuid([7; 16]))
    }
}

impl Node {
    pub(super) async fn start(dir: &Path) -> Self {
        Self::try_start(&Fs::real(), dir, config()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(super) async fn try_start(fs: &Fs, dir: &Path, config: QuorumConfig) -> Result<Self, StartError> {
        let open = OpenDirectory { fs: fs.clone(), path: dir.to_owned(), open_files_max: 16 };
        let directory = LogDirectory::open(open).expect("nobody else has it");
        let flusher = directory.flusher();
        let running = flusher.clone();
        let thread = std::thread::spawn(move || running.run());
        match Quorum::start(config, &directory).await {
            Ok(quorum) => Ok(Self { quorum, directory, flusher, thread }),
            Err(error) => {
                flusher.stop();
                thread.join().expect("the flusher ends");
                Err(error)
            }
        }
    }

    /// Stops as a service is stopped.
    pub(super) async fn stop(self) {
        self.quorum.shutdown().await.expect("the log closes");
        drop(self.quorum);
        self.flusher.stop();
        self.thread.join().expect("the flusher ends");
        assert!(self.directory.close(-1).expect("the directory closes"), "nothing was left open");
    }

    /// Ends as `kill -9` ends it: nothing is written any more.
    pub(super) async fn crash(self) {
        self.quorum.raft.shutdown().await.expect("the tasks end");
        drop(self.quorum);
        self.flusher.stop();
        self.thread.join().expect("the flusher ends");
    }

    /// Registers broker 1, so that topics can be created.
    pub(super) async fn register(&self) {
        self.quorum
            .submit(|image| {
                let broker = RegisterBrokerRecord {
                    broker_id: 1,
                    broker_epoch: image.offset() + 1,
                    ..RegisterBrokerRecord::default()
                };
                let unfence = BrokerRegistrationChangeRecord {
                    broker_id: 1,
                    broker_epoch: image.offset() + 1,
                    fenced: -1,
                    ..BrokerRegistrationChangeRecord::default()
                };
                ((), vec![broker.into(), unfence.into()])
            })
            .await
            .expect("it registers");
    }

    pub(super) async fn create_topic(&self, name: &str, num_partitions: i32) -> ErrorCode {
        let controller = Controller::new(1, std::sync::Arc::default());
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: name.into(),
                num_partitions,
                replication_factor: 1,
                ..CreatableTopic::default()
            }],
            ..CreateTopicsRequest::default()
        };
        let uuid = || Uuid(runtime::random::uuid_bytes());
        let decision = self.quorum.submit(|image| controller.create_topics(image, &request, uuid)).await;
        decision.expect("the quorum runs").answer.topics[0].error_code
    }
}

pub(super) fn names(image: &Image) -> Vec<String> {
    image.topics().iter().map(|topic| topic.name.to_string()).collect()
}
