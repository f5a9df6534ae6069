//! The other voters: there are none yet.
//!
//! A quorum of one never asks another node for anything, so no client can be made. When nodes join,
//! their requests go where this stands; no format on disk knows of it.

use std::convert::Infallible;
use std::future::Future;

use openraft::errors::{RPCError, ReplicationClosed, StreamingError};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2, Snapshot};

use super::checkpoint::Checkpoint;
use super::raft::{CommittedLeaderId, Types, Vote, VoterId, VoterNode};

/// Where other voters would be reached.
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
