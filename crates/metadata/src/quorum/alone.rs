//! A quorum of one voter: it has no peers and needs no timers.
//!
//! All that openraft is given because there is no other voter stands here; no format on disk knows of it.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use openraft::SnapshotPolicy;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2, Snapshot};

use super::METADATA_TOPIC;
use super::checkpoint::Checkpoint;
use super::raft::{CommittedLeaderId, Types, Vote, VoterId, VoterNode};

/// Entries that are appended at once, at most: the records of the largest decision and its frame.
const ENTRIES_PER_APPEND_MAX: u64 = 16_384;

/// The settings of a quorum that is elected when it starts, and in which nobody else ever is.
pub(super) fn raft_config() -> Arc<openraft::Config> {
    let config = openraft::Config {
        cluster_name: METADATA_TOPIC.to_owned(),
        enable_tick: false,
        enable_heartbeat: false,
        enable_elect: false,
        // A leader that goes on in its old term could not tell which entries it had committed.
        enable_leader_restore: Some(false),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        max_append_entries: Some(ENTRIES_PER_APPEND_MAX),
        ..openraft::Config::default()
    };
    Arc::new(config.validate().expect("the values are fit"))
}

/// The network to the other voters: it never makes a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoPeers;

/// A peer that cannot exist.
#[derive(Debug)]
pub(super) struct Peer(Infallible);

impl RaftNetworkFactory<Types> for NoPeers {
    type Network = Peer;

    async fn new_client(&mut self, target: VoterId, _node: &VoterNode) -> Peer {
        unreachable!("a quorum of one has no peer {target}")
    }
}

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = Checkpoint;

    async fn append_entries(
        &mut self,
        _rpc: AppendEntriesRequest<Types>,
        _option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        match self.0 {}
    }

    async fn vote(
        &mut self,
        _rpc: VoteRequest<Types>,
        _option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self.0 {}
    }

    async fn full_snapshot(
        &mut self,
        _vote: Vote,
        _snapshot: Snapshot<CommittedLeaderId, VoterId, VoterNode, Checkpoint>,
        _cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        match self.0 {}
    }
}
