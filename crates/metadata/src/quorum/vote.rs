//! The file `quorum-state`: whom this node has voted for.
//!
//! One line of JSON in Kafka's version 1 (`QuorumStateData.json`), replaced as a whole and synced
//! before the vote is told to anyone. Version 0, which Kafka writes where the voters are named in
//! its settings, is read as well.

use std::fmt;
use std::path::{Path, PathBuf};

use protocol::Uuid;
use serde::{Deserialize, Serialize};
use storage::fs::{self, Fs};

use super::raft::{LeaderId, Vote, VoterId, epoch};

/// `leaderId` and `votedId` where there is none.
const NOBODY: i32 = -1;

/// The version of the file that is written.
const VERSION: i16 = 1;

pub(super) const FILE_NAME: &str = "quorum-state";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuorumState {
    leader_id: i32,
    leader_epoch: i32,
    voted_id: i32,
    /// From version 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    voted_directory_id: Option<String>,
    /// In version 0 alone.
    #[serde(default, skip_serializing)]
    current_voters: Vec<CurrentVoter>,
    #[serde(rename = "data_version")]
    data_version: i16,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CurrentVoter {
    voter_id: i32,
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
        /// What is wrong with it.
        reason: String,
    },
    /// It names voters beside the node that it is of.
    SeveralVoters {
        /// The file.
        path: PathBuf,
        /// Their numbers.
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
            Self::SeveralVoters { path, voters } => write!(
                f,
                "{} names the voters {voters:?}: a quorum of several nodes is not opened. Nothing was changed.",
                path.display()
            ),
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

/// Reads the vote in `dir`; `None` where no vote was ever given.
pub(super) fn read(fs: &Fs, dir: &Path) -> Result<Option<Vote>, VoteError> {
    let path = dir.join(FILE_NAME);
    let bytes = match fs.read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(VoteError::Fs(error)),
    };
    let damaged = |reason| VoteError::Damaged { path: path.clone(), reason };
    let state: QuorumState = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let parsed = vote_of(&state).map_err(damaged)?;
    if state.current_voters.len() > 1 {
        let voters = state.current_voters.iter().map(|voter| voter.voter_id).collect();
        return Err(VoteError::SeveralVoters { path, voters });
    }
    Ok(parsed)
}

fn vote_of(state: &QuorumState) -> Result<Option<Vote>, String> {
    if !(0..=VERSION).contains(&state.data_version) {
        return Err(format!("its version is {}, {VERSION} is known", state.data_version));
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
        Some(text) => text.parse().map_err(|_| format!("{text} is no directory id"))?,
        None => Uuid::default(),
    };
    let leader_id = LeaderId { term, voted_for: VoterId { id: state.voted_id, directory_id } };
    Ok(Some(Vote { leader_id, committed: state.leader_id != NOBODY }))
}

/// Writes the vote to `dir`. When this returns it is durable.
pub(super) fn write(fs: &Fs, dir: &Path, vote: &Vote) -> fs::Result<()> {
    let VoterId { id, directory_id } = vote.leader_id.voted_for;
    let state = QuorumState {
        leader_id: if vote.committed { id } else { NOBODY },
        leader_epoch: epoch(vote.leader_id.term),
        voted_id: id,
        voted_directory_id: Some(directory_id.to_string()),
        current_voters: Vec::new(),
        data_version: VERSION,
    };
    let line = serde_json::to_vec(&state).expect("numbers and a text are JSON");
    fs.replace(&dir.join(FILE_NAME), &line)
}

#[cfg(test)]
mod tests;
