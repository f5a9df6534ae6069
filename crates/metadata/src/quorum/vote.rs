//! The file `quorum-state`: whom this node has voted for.
//!
//! One line of JSON in Kafka's format (`QuorumStateData.json`), replaced as a whole and synced before
//! the vote is told to anyone. Its version is that of the quorum's protocol (`kraft.version`): in
//! version 0 the voters stand in settings, and in this file.

use std::fmt;
use std::path::{Path, PathBuf};

use protocol::Uuid;
use serde::{Deserialize, Serialize};
use storage::fs::{self, Fs};

use super::raft::{LeaderId, Vote, VoterId, epoch};

/// `leaderId` and `votedId` if there is none.
const NOBODY: i32 = -1;

/// The latest version of the file.
const VERSION: i16 = 1;

pub(super) const FILE_NAME: &str = "quorum-state";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuorumStateFile {
    /// In version 0 alone, and unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
    leader_id: i32,
    leader_epoch: i32,
    voted_id: i32,
    /// From version 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    voted_directory_id: Option<String>,
    /// In version 0 alone, and unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    applied_offset: Option<i64>,
    /// In version 0 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current_voters: Option<Vec<CurrentVoter>>,
    #[serde(rename = "data_version")]
    data_version: i16,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CurrentVoter {
    voter_id: i32,
}

/// The contents of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct QuorumState {
    /// `None` if no vote was ever given.
    pub(super) vote: Option<Vote>,
    /// The numbers of the voters, if the file has them.
    pub(super) voters: Option<Vec<i32>>,
}

/// Why the vote is not known.
#[derive(Debug)]
pub enum VoteError {
    /// The file cannot be read.
    Fs(fs::Error),
    /// It holds no vote. It is left as it is: to forget a vote may split the cluster.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// It names other voters than the node that it is of: this is a broker alone, whose log follows
    /// that of the controllers, or one of several controllers.
    OtherVoters {
        /// The file.
        path: PathBuf,
        /// The node.
        node_id: i32,
        /// The numbers of the voters.
        voters: Vec<i32>,
    },
    /// There is no such file, or an older one, beside a log of later epochs.
    Behind {
        /// The file.
        path: PathBuf,
        /// The leader epoch of the last record.
        log_epoch: u64,
    },
}

impl fmt::Display for VoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fs(error) => error.fmt(f),
            Self::Damaged { path, reason } => write!(
                f,
                "{} does not hold a vote ({reason}). Restore it from a backup; nothing was changed.",
                path.display()
            ),
            Self::OtherVoters { path, node_id, voters } => {
                let voters: Vec<String> = voters.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "{} names the voters {} of the metadata quorum, and this is node {node_id}: only a node \
                     that is broker and controller in one, and the only voter, can be opened",
                    path.display(),
                    voters.join(", ")
                )
            }
            Self::Behind { path, log_epoch } => write!(
                f,
                "{} is missing or old: the metadata log beside it is in epoch {log_epoch}. Restore both from \
                 one backup; nothing was changed.",
                path.display()
            ),
        }
    }
}

impl std::error::Error for VoteError {}

/// Reads the file in `dir`; what it says is nothing if it is not there.
pub(super) fn read(fs: &Fs, dir: &Path) -> Result<QuorumState, VoteError> {
    let path = dir.join(FILE_NAME);
    let bytes = match fs.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(QuorumState::default()),
        Err(error) => return Err(VoteError::Fs(error)),
    };
    let damaged = |reason| VoteError::Damaged { path: path.clone(), reason };
    let data: QuorumStateFile = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let vote = vote_of(&data).map_err(damaged)?;
    let voters = data.current_voters.filter(|voters| !voters.is_empty());
    let voters = voters.map(|voters| voters.iter().map(|voter| voter.voter_id).collect());
    Ok(QuorumState { vote, voters })
}

fn vote_of(state: &QuorumStateFile) -> Result<Option<Vote>, String> {
    if !(0..=VERSION).contains(&state.data_version) {
        return Err(format!("its version is {}, but {VERSION} was expected", state.data_version));
    }
    let term = u64::try_from(state.leader_epoch).map_err(|_| "its epoch is negative".to_owned())?;
    if state.voted_id == NOBODY {
        // Kafka forgets its vote when it knows who leads. What must not be forgotten is the term:
        // whoever is elected takes the next one.
        let known = state.leader_id != NOBODY || term > 0;
        let voted_for = VoterId { id: state.leader_id, directory_id: Uuid::default() };
        return Ok(known.then_some(Vote { leader_id: LeaderId { term, voted_for }, committed: false }));
    }
    let text = state.voted_directory_id.as_deref();
    let directory_id: Uuid = match text {
        Some(text) => text.parse().map_err(|_| format!("{text} is not a directory id"))?,
        None => Uuid::default(),
    };
    let leader_id = LeaderId { term, voted_for: VoterId { id: state.voted_id, directory_id } };
    Ok(Some(Vote { leader_id, committed: state.leader_id != NOBODY }))
}

/// The vote with the directory of the voter, if the file named its number alone: version 0 has no directories, and
/// Kafka forgets its vote when it knows who leads. Every number is that of one voter.
pub(super) fn resolve(vote: Vote, voters: &[VoterId]) -> Vote {
    let VoterId { id, directory_id } = vote.leader_id.voted_for;
    let named = voters.iter().find(|voter| voter.id == id && directory_id.is_zero());
    let voted_for = named.copied().unwrap_or(vote.leader_id.voted_for);
    Vote { leader_id: LeaderId { voted_for, ..vote.leader_id }, ..vote }
}

/// Writes the vote of a quorum of `voters` that speaks `kraft_version` to `dir`. When this returns it is durable.
pub(super) fn write(
    fs: &Fs,
    dir: &Path,
    vote: &Vote,
    kraft_version: i16,
    voters: &[VoterId],
) -> fs::Result<()> {
    let VoterId { id, directory_id } = vote.leader_id.voted_for;
    let is_static = kraft_version == 0;
    let state = QuorumStateFile {
        cluster_id: is_static.then(String::new),
        leader_id: if vote.committed { id } else { NOBODY },
        leader_epoch: epoch(vote.leader_id.term),
        voted_id: id,
        voted_directory_id: (!is_static).then(|| directory_id.to_string()),
        applied_offset: is_static.then_some(0),
        current_voters: is_static
            .then(|| voters.iter().map(|voter| CurrentVoter { voter_id: voter.id }).collect()),
        data_version: kraft_version.min(VERSION),
    };
    let line = serde_json::to_vec(&state).expect("numbers and a text are JSON");
    fs.replace(&dir.join(FILE_NAME), &line)
}

#[cfg(test)]
mod tests;
