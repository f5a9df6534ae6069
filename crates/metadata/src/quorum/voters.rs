//! Voters that come and go (KIP-853), one at a time.
//!
//! A new voter follows the log first, and votes once it has all of it: with a voter that has nothing, a quorum of three is
//! one of four of which two may fail. A change is one entry: two sets of voters that differ by one have a voter in common
//! in any two majorities. A node that follows without a vote is known to its leader alone, as in Kafka; a leader
//! that dies meanwhile leaves no trace of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::raft::ClientWriteResponse;
use openraft::rt::WatchReceiver;

use super::raft::{LogId, Membership, Payload, Types, VoterEndpoint, VoterId, VoterNode, offset};
use super::start::VOTERS_MAX;
use super::{Quorum, SubmitError};

/// The time that a new voter may take to get the log.
const CATCH_UP_MAX: Duration = Duration::from_secs(60);

/// Why the voters were not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoterChangeError {
    /// A voter has this number, in this directory or another. Kafka: `DUPLICATE_VOTER`.
    DuplicateVoter(VoterId),
    /// No voter has this number and this directory. Kafka: `VOTER_NOT_FOUND`.
    VoterNotFound(VoterId),
    /// It is the only voter. Kafka: `INVALID_REQUEST`.
    OnlyVoter,
    /// There are as many voters as there may be. Kafka: `INVALID_REQUEST`.
    TooManyVoters,
    /// The voters are in settings (`kraft.version` 0), or this node knows no way to others. Kafka: `UNSUPPORTED_VERSION`.
    Unsupported,
    /// Another change is under way. Kafka: `REQUEST_TIMED_OUT`.
    InProgress,
    /// The new voter has not got the log in time. Kafka: `REQUEST_TIMED_OUT`.
    NotCaughtUp(VoterId),
    /// The change was not written, or it is not known whether it stands.
    Submit(SubmitError),
}

impl fmt::Display for VoterChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateVoter(voter) => {
                write!(f, "node {} votes already: remove {voter} from the metadata quorum first", voter.id)
            }
            Self::VoterNotFound(voter) => write!(f, "{voter} is no voter of the metadata quorum"),
            Self::OnlyVoter => f.write_str("it is the only voter of the metadata quorum: add another first"),
            Self::TooManyVoters => {
                write!(f, "the metadata quorum has {VOTERS_MAX} voters, which is the most")
            }
            Self::Unsupported => f.write_str("the voters of this metadata quorum are set in its settings"),
            Self::InProgress => f.write_str("another change of the voters is under way: try again later"),
            Self::NotCaughtUp(voter) => write!(
                f,
                "{voter} has not got the metadata log within {} seconds: check that it runs and can be reached",
                CATCH_UP_MAX.as_secs()
            ),
            Self::Submit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for VoterChangeError {}

impl From<SubmitError> for VoterChangeError {
    fn from(error: SubmitError) -> Self {
        Self::Submit(error)
    }
}

/// An entry about who takes part.
enum Change {
    /// A node follows the log.
    Follow(VoterId, VoterNode),
    /// Other voters, and nobody beside them.
    Voters(BTreeSet<VoterId>),
    /// A voter has other addresses.
    Endpoints(VoterId, VoterNode),
}

impl Quorum {
    /// Makes a node a voter that runs and is not one: [`Quorum::start_among`] with other voters in its settings.
    /// Returns when a majority of the new voters has it.
    ///
    /// # Errors
    /// [`VoterChangeError`] if the node votes already or does not get the log in time, and as [`Quorum::remove_voter`].
    /// What was begun may be tried again.
    pub async fn add_voter(
        &self,
        voter: VoterId,
        endpoints: Vec<VoterEndpoint>,
    ) -> Result<(), VoterChangeError> {
        if !self.has_peers {
            return Err(VoterChangeError::Unsupported);
        }
        let check = |membership: &Membership| {
            if let Some(known) = membership.voter_ids().find(|known| known.id == voter.id) {
                return Err(VoterChangeError::DuplicateVoter(known));
            }
            if membership.voter_ids().count() >= VOTERS_MAX {
                return Err(VoterChangeError::TooManyVoters);
            }
            Ok(())
        };
        let node = VoterNode { endpoints };
        self.change(|membership| {
            check(membership)?;
            Ok(Change::Follow(voter, node))
        })
        .await?;
        let caught_up = self.await_caught_up(voter).await;
        self.change(|membership| {
            check(membership)?;
            let mut voters: BTreeSet<VoterId> = membership.voter_ids().collect();
            // Whoever has not caught up follows no more.
            if caught_up.is_ok() {
                voters.insert(voter);
            }
            Ok(Change::Voters(voters))
        })
        .await?;
        caught_up
    }

    /// Takes a voter its vote; it need not run. A leader that removes itself leads until that is committed.
    ///
    /// # Errors
    /// [`VoterChangeError`] if it has no vote, or the only one; if another change is under way; or if this node does not
    /// lead.
    pub async fn remove_voter(&self, voter: VoterId) -> Result<(), VoterChangeError> {
        self.change(|membership| {
            let mut voters: BTreeSet<VoterId> = membership.voter_ids().collect();
            if !voters.remove(&voter) {
                return Err(VoterChangeError::VoterNotFound(voter));
            }
            if voters.is_empty() {
                return Err(VoterChangeError::OnlyVoter);
            }
            Ok(Change::Voters(voters))
        })
        .await
    }

    /// Changes the addresses of a voter.
    ///
    /// # Errors
    /// [`VoterChangeError`] if it has no vote, if another change is under way, or if this node does not lead.
    pub async fn update_voter(
        &self,
        voter: VoterId,
        endpoints: Vec<VoterEndpoint>,
    ) -> Result<(), VoterChangeError> {
        let node = VoterNode { endpoints };
        self.change(|membership| {
            if !membership.voter_ids().any(|known| known == voter) {
                return Err(VoterChangeError::VoterNotFound(voter));
            }
            Ok(Change::Endpoints(voter, node))
        })
        .await
    }

    /// Writes an entry about who takes part, between two decisions.
    async fn change(
        &self,
        decide: impl FnOnce(&Membership) -> Result<Change, VoterChangeError>,
    ) -> Result<(), VoterChangeError> {
        if self.store.kraft_version() == 0 {
            return Err(VoterChangeError::Unsupported);
        }
        let mut active = self.active.lock().await;
        self.in_office(&mut active).await?;
        let membership = self.raft.metrics().borrow_watched().membership_config.membership().clone();
        let change = decide(&membership)?;
        let appended = self.in_time(self.append_change(&membership, change)).await;
        // The next decision builds on it, and finds its place behind it.
        active.go_on_behind(appended.as_ref().ok().map(|at| offset(at.index)));
        appended.map(|_| ())
    }

    async fn append_change(
        &self,
        membership: &Membership,
        change: Change,
    ) -> Result<LogId, VoterChangeError> {
        let written = match change {
            Change::Follow(voter, node) => {
                // It takes a majority of more than this node soon.
                self.enable_timers();
                self.raft.add_learner(voter, node, false).await
            }
            Change::Voters(voters) => {
                let nodes: BTreeMap<VoterId, VoterNode> = membership
                    .nodes()
                    .filter(|(id, _)| voters.contains(id))
                    .map(|(id, node)| (*id, node.clone()))
                    .collect();
                let next = Membership::new(vec![voters], nodes);
                let next = next.map_err(|_| VoterChangeError::InProgress)?;
                self.raft.append_membership(next, Payload::Blank, []).await
            }
            Change::Endpoints(voter, node) => {
                let nodes = BTreeMap::from([(voter, node)]);
                self.raft.change_membership(ChangeMembers::SetNodes(nodes), true).await
            }
        };
        written
            .map(|response: ClientWriteResponse<Types>| response.log_id)
            .map_err(|error| self.unchanged(error))
    }

    fn unchanged(&self, error: RaftError<Types, ClientWriteError<Types>>) -> VoterChangeError {
        let error = match error {
            RaftError::Fatal(fatal) => return self.ended_by(fatal).into(),
            RaftError::APIError(error) => error,
        };
        match error {
            ClientWriteError::ForwardToLeader(forward) => {
                SubmitError::NotLeader { leader: forward.leader_id }.into()
            }
            ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_)
                | ChangeMembershipError::UncommittedLeaderLog(_)
                // Somebody else has changed it, or has the node that follows follow no more.
                | ChangeMembershipError::UnsupportedMembershipTransition(_)
                | ChangeMembershipError::LearnerNotFound(_)
                | ChangeMembershipError::NodeMetadataChanged(_)
                | ChangeMembershipError::EmptyMembership(_),
            ) => VoterChangeError::InProgress,
            ClientWriteError::LogEntryDiscarded(_) | ClientWriteError::PreconditionFailed(_) => {
                SubmitError::Deposed.into()
            }
        }
    }

    /// Waits until a node has all entries that are in the log now.
    async fn await_caught_up(&self, voter: VoterId) -> Result<(), VoterChangeError> {
        let end = self.raft.metrics().borrow_watched().last_log_index;
        let has_all = |metrics: &openraft::RaftMetrics<Types>| {
            let matched = metrics.replication.as_ref().and_then(|followers| followers.get(&voter));
            matched.is_some_and(|matched| matched.as_ref().map(|matched| matched.index) >= end)
        };
        let wait = self.raft.wait(Some(CATCH_UP_MAX));
        let is_over = |metrics: &openraft::RaftMetrics<Types>| {
            metrics.current_leader != Some(metrics.id) || has_all(metrics)
        };
        let metrics = wait.metrics(is_over, "the new voter has the log").await;
        if metrics.is_ok_and(|metrics| has_all(&metrics)) {
            Ok(())
        } else {
            Err(VoterChangeError::NotCaughtUp(voter))
        }
    }
}
