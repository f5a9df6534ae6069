//! Agreement on metadata records: openraft over the metadata log.
//!
//! One metadata record is one entry is one offset of `__cluster_metadata-0`; the term of an entry
//! is its leader epoch. A vote and an entry are on disk before anyone is told of them. The state is
//! rebuilt at a start from the newest snapshot and the log after it.
//!
//! Every node has the log, the state and the stream of its changes ([`follow`]); what only the leader has, the active
//! controller, is in [`active`].
//!
//! One node alone is a quorum of one. It elects itself at each start without waiting: no timer of
//! openraft runs ([`timers`]). Several voters reach each other by [`Peers`].

mod active;
mod answer;
mod async_runtime;
mod attend;
mod batches;
mod checkpoint;
#[cfg(test)]
mod crash;
mod follow;
mod founding;
mod incoming;
mod log_store;
mod message;
mod network;
mod observers;
mod peers;
mod raft;
mod start;
mod state_machine;
mod status;
mod submit_error;
mod survey;
mod timers;
mod vote;
mod voters;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::fs::Fs;
use tokio::sync::{Mutex, watch};

pub use active::SubmitOutcome;
pub use batches::BatchFault;
pub use checkpoint::CheckpointError;
pub use follow::Changes;
pub use founding::FoundingVoter;
pub use observers::{LogPart, SnapshotId, SnapshotPart, SnapshotReadError};
pub use peers::Peers;
pub use raft::{VoterEndpoint, VoterId};
pub use start::{QuorumConfig, StartError, check_room};
pub use status::{QuorumStatus, VoterStatus};
pub use submit_error::SubmitError;
pub use survey::{Survey, is_formatted, survey, survey_in};
pub use vote::VoteError;
pub use voters::VoterChangeError;

use crate::image::Image;
use crate::record::MetadataRecord;
use active::Active;
use follow::PublishedState;
use incoming::SnapshotReceiver;
use log_store::LogStore;
use network::Link;
use raft::Types;
use state_machine::StateMachine;

/// The topic whose only partition is the metadata log.
pub const METADATA_TOPIC: &str = "__cluster_metadata";
/// Its id, as in Kafka (`Uuid.METADATA_TOPIC_ID`).
pub const METADATA_TOPIC_ID: protocol::Uuid =
    protocol::Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

/// Bytes that stay free for the metadata log, in the directory that it shares with topics: when
/// topics have filled the disk, a proposal is refused and the quorum goes on.
const RESERVED_BYTES: u64 = 1 << 20;

/// The quorum, as a broker uses it.
pub struct Quorum {
    raft: openraft::Raft<Types, StateMachine>,
    /// The way to the other voters, and who this one is.
    link: Arc<Link>,
    /// A snapshot that another voter sends.
    incoming: parking_lot::Mutex<SnapshotReceiver>,
    published: Arc<PublishedState>,
    active: Mutex<Active>,
    /// The records that a new cluster begins with.
    first_records: Vec<MetadataRecord>,
    store: LogStore,
    fs: Fs,
    dir: PathBuf,
    /// The bytes of a segment of the log, which no entry may exceed.
    segment_bytes: usize,
    bytes_between_snapshots: u64,
    /// Whether there are other voters, or may be.
    has_peers: bool,
    stopped: AtomicBool,
    /// Why it has ended by itself.
    ended: watch::Sender<Option<String>>,
}

impl Quorum {
    /// The state as of the last record that was applied. Costs no lock.
    pub fn image(&self) -> Arc<Image> {
        self.published.image()
    }

    /// The state as of the last record that was applied, and the stream of changes from there on.
    pub fn follow(&self) -> (Arc<Image>, Changes) {
        self.published.follow()
    }

    /// Has a snapshot of the state written, and the log before it deleted, in the background.
    ///
    /// # Errors
    /// [`SubmitError::Stopped`].
    pub async fn snapshot(&self) -> Result<(), SubmitError> {
        self.raft.trigger().snapshot().await.map_err(|error| self.ended_by(error))
    }

    /// Notes that the quorum goes on no more, though nobody has stopped it.
    fn ended_by(&self, reason: impl fmt::Display) -> SubmitError {
        let reason = reason.to_string();
        if !self.stopped.load(Ordering::Acquire) {
            self.ended.send_if_modified(|ended| ended.replace(reason.clone()).is_none());
        }
        SubmitError::Stopped(reason)
    }

    /// Waits until the quorum has ended by itself, because its log failed, and somebody has met with it; returns why. Nothing can be decided from then on.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => unreachable!("the sender is in self"),
        }
    }

    /// Stops the quorum and closes its log cleanly.
    ///
    /// # Errors
    /// [`storage::ChangeError`] if the log cannot be closed; the next start then recovers as after a crash.
    pub async fn shutdown(&self) -> Result<(), storage::ChangeError> {
        self.stopped.store(true, Ordering::Release);
        self.store.stop_waiting();
        if let Err(error) = self.raft.shutdown().await {
            tracing::error!(%error, "the metadata quorum did not stop in order");
        }
        self.published.end();
        self.store.close()
    }
}

impl fmt::Debug for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quorum({}, at offset {})", self.dir.display(), self.image().offset())
    }
}

#[cfg(test)]
mod tests;
