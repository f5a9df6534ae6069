//! The settings of openraft, and its timers.
//!
//! A quorum of one voter needs no timers: it is elected when it starts, and nobody else ever is. They run from the
//! moment that there are others.

use std::sync::Arc;

use openraft::SnapshotPolicy;

use super::{METADATA_TOPIC, Quorum};

/// Entries that are appended at once, at most: the records of the largest decision and its frame.
const ENTRIES_PER_APPEND_MAX: u64 = 16_384;

/// The time between two heartbeats of a leader.
const HEARTBEAT_MS: u64 = 50;
/// The shortest time without a leader after which a voter stands for election, beyond the lease.
const ELECTION_MIN_MS: u64 = 150;
/// The longest such time, and the lease: as long as this after a heartbeat no voter votes for another.
const ELECTION_MAX_MS: u64 = 300;

/// The pause after a quorum is lost in which a leader sends no heartbeats, and then that in which it does: voters that
/// hear it while it does not hear them would wait for it forever.
const PROBE_MS: u64 = 2 * ELECTION_MAX_MS + 100;

/// The pauses before a voter that was not reached is asked again.
const BACKOFF: &str = "20ms 40ms 80ms ..250ms";

/// The settings of a quorum whose timers do not run yet.
pub(super) fn raft_config() -> Arc<openraft::Config> {
    let config = openraft::Config {
        cluster_name: METADATA_TOPIC.to_owned(),
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        heartbeat_interval: HEARTBEAT_MS,
        election_timeout_min: ELECTION_MIN_MS,
        election_timeout_max: ELECTION_MAX_MS,
        // A voter that was away does not disturb the others when it comes back.
        enable_pre_vote: Some(true),
        quorum_loss_probe_interval: Some(PROBE_MS),
        backoff: BACKOFF.to_owned(),
        // A leader that goes on in its old term could not tell which entries it had committed.
        enable_leader_restore: Some(false),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        max_append_entries: Some(ENTRIES_PER_APPEND_MAX),
        ..openraft::Config::default()
    };
    Arc::new(config.validate().expect("the values are fit"))
}

impl Quorum {
    /// Has timers run from here on: there are other voters.
    pub(super) fn enable_timers(&self) {
        let timers = self.raft.runtime_config();
        timers.heartbeat(true);
        timers.elect(true);
        timers.tick(true);
    }
}
