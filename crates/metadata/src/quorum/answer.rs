//! The answers of this voter to the others.

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use openraft::rt::WatchReceiver;
use openraft::{Snapshot, SnapshotMeta};

use super::Quorum;
use super::incoming::{Progress, SnapshotFile};
use super::message::{Answer, Append, Chunk, ChunkAnswer, Kind, Request};
use super::raft::{Types, Vote};
use crate::traps::{self, Trap};

impl Quorum {
    /// Answers a request that a voter has sent by its [`Peers`](super::Peers). One that this voter is not meant to
    /// have, or that cannot be read, is answered with the reason.
    pub async fn answer(&self, request: Bytes) -> Bytes {
        let answer = match Request::decode(request) {
            Ok(request) => self.answer_request(request).await,
            Err(malformed) => Answer::refused(format!("the request cannot be read: {malformed}")),
        };
        answer.encode().unwrap_or_else(|error| {
            let refused = Answer::refused(error.to_string());
            refused.encode().expect("a short reason is a text")
        })
    }

    async fn answer_request(&self, request: Request) -> Answer {
        let (this, cluster_id) = (self.link.this, &self.link.cluster_id);
        if request.cluster_id != *cluster_id {
            let asked = request.cluster_id;
            return Answer::refused(format!("this is cluster {cluster_id}, and the request is for {asked}"));
        }
        if request.to != this || request.from == this {
            let (from, to) = (request.from, request.to);
            return Answer::refused(format!("this is voter {this}, and the request is of {from} for {to}"));
        }
        let answered = match request.kind {
            Kind::Vote(request) => self.answer_vote(request).await,
            Kind::PreVote(request) => self.answer_pre_vote(request).await,
            Kind::Append(append) => self.answer_append(append).await,
            Kind::Transfer(request) => self.answer_transfer(request).await,
            Kind::Chunk(chunk) => self.answer_chunk(chunk).await,
        };
        answered.unwrap_or_else(Answer::refused)
    }

    async fn answer_vote(&self, mut request: VoteRequest<Types>) -> Result<Answer, String> {
        if traps::is_on(Trap::VoteForShorterLog) {
            request.last_log_id = request.last_log_id.max(self.store.last());
        }
        self.raft.vote(request).await.map(Answer::Vote).map_err(|error| error.to_string())
    }

    async fn answer_pre_vote(&self, mut request: VoteRequest<Types>) -> Result<Answer, String> {
        if traps::is_on(Trap::VoteForShorterLog) {
            request.last_log_id = request.last_log_id.max(self.store.last());
        }
        self.raft.pre_vote(request).await.map(Answer::Vote).map_err(|error| error.to_string())
    }

    async fn answer_append(&self, append: Append) -> Result<Answer, String> {
        let request = append.into_request().map_err(|malformed| malformed.to_string())?;
        self.check_history(&request)?;
        let appended = self.raft.append_entries(request).await.map_err(|error| error.to_string())?;
        Ok(Answer::Append(appended.into()))
    }

    /// Checks that a leader's log has what is applied here: openraft would take its word.
    fn check_history(&self, request: &AppendEntriesRequest<Types>) -> Result<(), String> {
        let known = request.prev_log_id.iter().chain(&request.leader_commit);
        let known = known.chain(request.entries.iter().map(|entry| &entry.log_id));
        for log_id in known {
            if self.store.contradicts_applied(log_id) {
                tracing::error!(%log_id, leader = %request.vote, "a leader contradicts what is committed");
                return Err(format!("entry {log_id} contradicts what is committed here"));
            }
        }
        Ok(())
    }

    async fn answer_transfer(&self, request: TransferLeaderRequest<Types>) -> Result<Answer, String> {
        let handled = self.raft.handle_transfer_leader(request).await;
        handled.map(Answer::Transfer).map_err(|error| error.to_string())
    }

    /// Takes a part of a snapshot, and has the whole installed.
    async fn answer_chunk(&self, chunk: Chunk) -> Result<Answer, String> {
        let done = |vote| Ok(Answer::Chunk(ChunkAnswer::Done(vote)));
        let known: Vote = self.raft.metrics().borrow_watched().vote;
        if known.leader_id.term > chunk.vote.leader_id.term {
            return done(known);
        }
        if self.store.has_applied(&chunk.last) {
            return done(chunk.vote);
        }
        if self.store.contradicts_applied(&chunk.last) {
            return Err("the snapshot contradicts what is committed here".to_owned());
        }
        let progress = self.incoming.lock().take(&chunk).map_err(|error| error.to_string())?;
        let file = match progress {
            Progress::Continue(position) => return Ok(Answer::Chunk(ChunkAnswer::Continue(position))),
            Progress::Whole(file) => file,
        };
        let path = file.checkpoint.path.clone();
        let snapshot = self.received(file);
        let installed = self.raft.install_full_snapshot(chunk.vote, snapshot).await;
        // It has another name if it was installed.
        let _ = self.fs.remove_file_if_exists(&path);
        done(installed.map_err(|error| error.to_string())?.vote)
    }

    /// A snapshot as openraft takes it: its voters are those in the file, or those of before if they are in settings.
    fn received(&self, file: SnapshotFile) -> super::state_machine::RaftSnapshot {
        let named = file.received.as_ref().map(|contents| contents.membership.clone());
        let named = named.filter(|voters| voters.nodes().next().is_some());
        let known = || (*self.raft.metrics().borrow_watched().membership_config).clone();
        let meta = SnapshotMeta {
            last_log_id: Some(file.checkpoint.last_log_id),
            last_membership: named.unwrap_or_else(known),
        };
        Snapshot { meta, snapshot: file }
    }
}
