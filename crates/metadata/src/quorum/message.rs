//! The messages between voters.
//!
//! They are Milena's own ([ADR 3](../../../../docs/adr/0003-one-metadata-record-per-raft-entry.md)): a version, a kind,
//! the cluster, the sender and the voter that is meant, and the fields of the kind, in the primitive types of Kafka's
//! protocol. Entries are the record batches of the log. A message that cannot be read, or that no voter could have
//! sent, is an error: nothing is allocated that its bytes do not justify.

mod answer;
mod request;

use std::fmt;

use bytes::Bytes;
use protocol::{DecodeError, Reader, Writer};

pub(super) use answer::{Answer, AppendAnswer, ChunkAnswer};
pub(super) use request::{Append, Chunk, Kind, Request};

use super::raft::{LeaderId, LogId, Vote, VoterId, epoch, log_id, offset};

/// The version of the messages.
const VERSION: i8 = 1;

/// The highest term that is believed: each takes an election, and a term that cannot grow ends all elections.
const TERM_MAX: i32 = i32::MAX / 2;

/// A message that no voter sends.
#[derive(Debug)]
pub(super) enum MessageFault {
    /// It ends early, or has bytes left.
    Fields(DecodeError),
    /// Its parts contradict each other.
    Contradiction(String),
}

impl fmt::Display for MessageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(error) => error.fmt(f),
            Self::Contradiction(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for MessageFault {}

impl From<DecodeError> for MessageFault {
    fn from(error: DecodeError) -> Self {
        Self::Fields(error)
    }
}

fn malformed<T>(reason: impl Into<String>) -> Result<T, MessageFault> {
    Err(MessageFault::Contradiction(reason.into()))
}

fn check_version(reader: &mut Reader) -> Result<(), MessageFault> {
    match reader.i8("version")? {
        VERSION => Ok(()),
        other => malformed(format!("its version is {other}, but {VERSION} is the one that is known")),
    }
}

fn put_voter(writer: &mut Writer, voter: VoterId) {
    writer.i32(voter.id);
    writer.uuid(voter.directory_id);
}

fn voter(reader: &mut Reader) -> Result<VoterId, MessageFault> {
    Ok(VoterId { id: reader.i32("voter id")?, directory_id: reader.uuid("directory id")? })
}

fn put_vote(writer: &mut Writer, vote: &Vote) {
    writer.i32(epoch(vote.leader_id.term));
    put_voter(writer, vote.leader_id.voted_for);
    writer.bool(vote.committed);
}

fn vote(reader: &mut Reader) -> Result<Vote, MessageFault> {
    let term = reader.i32("term")?;
    if !(0..=TERM_MAX).contains(&term) {
        return malformed(format!("no voter comes to term {term}"));
    }
    let leader_id = LeaderId { term: u64::from(term.unsigned_abs()), voted_for: voter(reader)? };
    Ok(Vote { leader_id, committed: reader.bool("committed")? })
}

fn put_log_id(writer: &mut Writer, log_id: Option<&LogId>) {
    writer.i32(log_id.map_or(-1, |log_id| epoch(log_id.leader_id.term)));
    writer.i64(log_id.map_or(-1, |log_id| offset(log_id.index)));
}

fn optional_log_id(reader: &mut Reader) -> Result<Option<LogId>, MessageFault> {
    match (reader.i32("leader epoch")?, reader.i64("offset")?) {
        (-1, -1) => Ok(None),
        (0..=TERM_MAX, i64::MAX) => malformed("no log has that offset"),
        (epoch @ 0..=TERM_MAX, offset @ 0..) => Ok(Some(log_id(epoch, offset))),
        (epoch, offset) => malformed(format!("no entry has epoch {epoch} and offset {offset}")),
    }
}

/// The rest of a message.
fn rest(reader: &Reader) -> Bytes {
    reader.rest()
}

#[cfg(test)]
mod tests;
