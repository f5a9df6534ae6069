//! Openraft's way to the other voters: its requests as [messages](super::message), by way of [`Peers`].

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable};
use openraft::network::{RPCOption, RPCTypes};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{RaftNetworkFactory, RaftNetworkV2, Snapshot};
use protocol::Str;
use storage::fs::{self, Fs};

use super::incoming::SnapshotFile;
use super::log_store::LogStore;
use super::message::{Answer, Append, AppendAnswer, Chunk, ChunkAnswer, Kind, Request};
use super::peers::Peers;
use super::raft::{CommittedLeaderId, Types, Vote, VoterEndpoint, VoterId, VoterNode};

/// The time that entries may take to be durable at a follower, whose disk may be slow. Heartbeats go beside them.
const APPEND_MAX: Duration = Duration::from_secs(5);

/// The time that a part of a snapshot may take; the last one waits until the snapshot is installed.
const CHUNK_MAX: Duration = Duration::from_secs(30);

/// Bytes of a part of a snapshot.
pub(super) const CHUNK_BYTES: usize = 256 << 10;

/// Bytes of entries in one request, unless the first batch alone has more.
const APPEND_BYTES: usize = 1 << 20;

/// Parts that a voter may ask for again before the snapshot is begun anew.
const STEPS_BACK_MAX: u32 = 8;

/// The links to the voters.
#[derive(Clone, Debug)]
pub(super) struct Network(pub(super) Arc<Link>);

/// The knowledge that all links share.
#[derive(Debug)]
pub(super) struct Link {
    /// `cluster.id`.
    pub(super) cluster_id: Str,
    pub(super) this: VoterId,
    pub(super) peers: Arc<dyn Peers>,
    pub(super) store: LogStore,
    pub(super) fs: Fs,
}

impl RaftNetworkFactory<Types> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: VoterId, node: &VoterNode) -> Peer {
        Peer { link: self.0.clone(), target, endpoints: node.endpoints.clone() }
    }
}

/// The link to one voter.
#[derive(Debug)]
pub(super) struct Peer {
    link: Arc<Link>,
    target: VoterId,
    endpoints: Vec<VoterEndpoint>,
}

fn unreachable(reason: impl ToString) -> Unreachable<Types> {
    Unreachable::from_string(reason)
}

impl Peer {
    /// Asks the voter, for so long at most.
    async fn ask(&self, kind: Kind, action: RPCTypes, limit: Duration) -> Result<Answer, RPCError<Types>> {
        let link = &self.link;
        let request = Request { cluster_id: link.cluster_id.clone(), from: link.this, to: self.target, kind };
        let request = request.encode().map_err(unreachable)?;
        let asking = link.peers.ask(self.target, &self.endpoints, request);
        let answer = match runtime::clock::timeout(limit, asking).await {
            Ok(answer) => answer.map_err(unreachable)?,
            Err(_) => {
                let (id, target) = (link.this, self.target);
                return Err(Timeout { action, id, target, timeout: limit }.into());
            }
        };
        match Answer::decode(answer) {
            Ok(Answer::Refused(reason)) => {
                tracing::warn!(voter = %self.target, %reason, "a voter refuses a request of the metadata quorum");
                Err(unreachable(reason).into())
            }
            Ok(answer) => Ok(answer),
            Err(malformed) => {
                tracing::warn!(voter = %self.target, %malformed, "the answer of a voter cannot be read");
                Err(unreachable(malformed).into())
            }
        }
    }

    async fn ask_for_vote(
        &self,
        kind: Kind,
        option: &RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        match self.ask(kind, RPCTypes::Vote, option.hard_ttl()).await? {
            Answer::Vote(answer) => Ok(answer),
            other => Err(self.unexpected(&other).into()),
        }
    }

    fn unexpected(&self, answer: &Answer) -> Unreachable<Types> {
        unreachable(format!("voter {} gives an answer to something else: {answer:?}", self.target))
    }

    /// Sends a snapshot's file part by part, and returns the voter's vote once it has it.
    async fn send(&self, vote: Vote, snapshot: &SnapshotFile) -> Result<Vote, StreamingError<Types>> {
        let checkpoint = &snapshot.checkpoint;
        let read = |error: fs::Error| StreamingError::from(unreachable(error));
        // It may be replaced by a newer one at any time: what is open can be read to its end.
        let file = self.link.fs.open(&checkpoint.path, fs::Mode::Read).map_err(read)?;
        let size_bytes = checkpoint.size_bytes;
        let (mut position, mut steps_back) = (0, 0);
        loop {
            let len = usize::try_from(size_bytes - position).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            let mut bytes = vec![0; len];
            file.read_exact_at(&mut bytes, position).map_err(read)?;
            let end = position + len as u64;
            let last = checkpoint.last_log_id;
            let chunk = Chunk { vote, last, size_bytes, position, bytes: Bytes::from(bytes) };
            match self.ask(Kind::Chunk(chunk), RPCTypes::InstallSnapshot, CHUNK_MAX).await? {
                Answer::Chunk(ChunkAnswer::Done(vote)) => return Ok(vote),
                Answer::Chunk(ChunkAnswer::Continue(next)) if next <= size_bytes => {
                    if next < end || next == position {
                        steps_back += 1;
                    }
                    if steps_back > STEPS_BACK_MAX {
                        return Err(unreachable("the voter takes no part of the snapshot").into());
                    }
                    position = next;
                }
                other => return Err(self.unexpected(&other).into()),
            }
        }
    }
}

impl RaftNetworkV2<Types> for Peer {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        let AppendEntriesRequest { vote, prev_log_id: prev, entries, leader_commit: committed } = rpc;
        let last = entries.last().map(|entry| entry.log_id);
        let read = self.link.store.batches_of(&entries, APPEND_BYTES);
        let (batches, sent) = read.map_err(unreachable)?;
        let limit = if entries.is_empty() { option.hard_ttl() } else { APPEND_MAX };
        let append = Append { vote, prev, committed, batches };
        match self.ask(Kind::Append(append), RPCTypes::AppendEntries, limit).await? {
            Answer::Append(AppendAnswer::Success) if sent == last => Ok(AppendEntriesResponse::Success),
            Answer::Append(AppendAnswer::Success) => Ok(AppendEntriesResponse::PartialSuccess(sent)),
            // Whoever follows nothing cannot contradict it.
            Answer::Append(AppendAnswer::Conflict) if prev.is_some() => Ok(AppendEntriesResponse::Conflict),
            Answer::Append(AppendAnswer::HigherVote(vote)) => Ok(AppendEntriesResponse::HigherVote(vote)),
            other => Err(self.unexpected(&other).into()),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask_for_vote(Kind::Vote(rpc), &option).await
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        self.ask_for_vote(Kind::PreVote(rpc), &option).await
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot<CommittedLeaderId, VoterId, VoterNode, SnapshotFile>,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let sending = pin!(self.send(vote, &snapshot.snapshot));
        match select(pin!(cancel), sending).await {
            Either::Left((closed, _)) => Err(closed.into()),
            Either::Right((sent, _)) => sent.map(SnapshotResponse::new),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        match self.ask(Kind::Transfer(request), RPCTypes::TransferLeader, option.hard_ttl()).await? {
            Answer::Transfer(answer) => Ok(answer),
            other => Err(self.unexpected(&other).into()),
        }
    }
}
