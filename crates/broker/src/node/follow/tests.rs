#![allow(clippy::disallowed_methods, reason = "a test has a directory and a thread of its own")]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use metadata::MetadataRecord;
use metadata::quorum::{Quorum, QuorumConfig};
use protocol::records::TopicRecord;
use storage::fs::Fs;
use storage::{DirectoryFlusher, LogDirectory, OpenDirectory};

use super::*;

/// A quorum in a directory of its own.
struct Node {
    quorum: Quorum,
    path: PathBuf,
    flushing: Arc<DirectoryFlusher>,
    thread: JoinHandle<()>,
    _directory: LogDirectory,
}

impl Node {
    async fn start(name: &str) -> Node {
        let path = std::env::temp_dir().join(format!("milena-follow-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        let open = OpenDirectory { fs: Fs::real(), path: path.clone(), open_files_max: 16 };
        let directory = LogDirectory::open(open).unwrap();
        let (flushing, running) = (directory.flusher(), directory.flusher());
        let thread = std::thread::spawn(move || running.run());
        let quorum = Quorum::start(QuorumConfig::of_node(1, Uuid([7; 16])), &directory).await.unwrap();
        Node { quorum, path, flushing, thread, _directory: directory }
    }

    /// Creates a topic that has no partition.
    async fn create(&self, name: &str, id: u8) {
        let topic = TopicRecord { name: name.into(), topic_id: Uuid([id; 16]) };
        let decided = self.quorum.submit(|_| ((), vec![MetadataRecord::from(topic)])).await;
        decided.expect("the quorum runs");
    }

    fn stop(self) {
        self.flushing.stop();
        self.thread.join().unwrap();
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[tokio::test]
async fn nothing_is_acted_on_behind_a_change_that_could_not_be_put_in_force() {
    let node = Node::start("panic").await;
    let (_, changes) = node.quorum.follow();
    let acted = Arc::new(AtomicUsize::new(0));
    let acting = Arc::clone(&acted);
    let following = task::spawn(act_on(changes, move |change| {
        assert!(change.new.topic("bug").is_none(), "a bug that the test has made");
        acting.store(change.new.topics().len(), Ordering::Release);
    }));
    node.create("sound", 1).await;
    while acted.load(Ordering::Acquire) == 0 {
        task::yield_now().await;
    }
    node.create("bug", 2).await;
    let ended = following.await.expect("the panic is that of the change");
    assert!(ended.is_err_and(|failed| failed.is_panic()));
    // The quorum goes on without it.
    node.create("after", 3).await;
    assert_eq!(acted.load(Ordering::Acquire), 1);
    node.quorum.shutdown().await.unwrap();
    node.stop();
}

#[tokio::test]
async fn following_ends_with_the_quorum() {
    let node = Node::start("end").await;
    let (_, changes) = node.quorum.follow();
    let following = task::spawn(act_on(changes, |_| {}));
    node.quorum.shutdown().await.unwrap();
    assert!(following.await.expect("nothing panics").is_ok());
    node.stop();
}
