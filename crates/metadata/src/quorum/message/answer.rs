//! The answers to them.

use bytes::Bytes;
use openraft::raft::{AppendEntriesResponse, TransferLeaderError, TransferLeaderResponse, VoteResponse};
use protocol::{EncodeError, Reader, Str, Writer};

use super::{MessageFault, malformed};
use crate::quorum::raft::{Types, Vote};

const REFUSED: i8 = 0;
const VOTE: i8 = 1;
const APPEND: i8 = 2;
const TRANSFER: i8 = 3;
const CHUNK: i8 = 4;

type TransferAnswer = TransferLeaderResponse<Types>;

/// An answer of a voter.
#[derive(Debug)]
pub(in crate::quorum) enum Answer {
    /// The request is not for this voter, or it cannot answer it: the reason.
    Refused(Str),
    Vote(VoteResponse<Types>),
    Append(AppendAnswer),
    Transfer(TransferAnswer),
    Chunk(ChunkAnswer),
}

/// The answer to entries.
#[derive(Clone, Copy, Debug)]
pub(in crate::quorum) enum AppendAnswer {
    /// They are durable.
    Success,
    /// The log does not have the entry before them.
    Conflict,
    /// The voter knows a later leader or candidate.
    HigherVote(Vote),
}

/// The answer to a part of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(in crate::quorum) enum ChunkAnswer {
    /// The next part that is wanted.
    Continue(u64),
    /// The snapshot is installed, or of no use; the voter's vote.
    Done(Vote),
}

impl From<AppendEntriesResponse<Types>> for AppendAnswer {
    fn from(response: AppendEntriesResponse<Types>) -> Self {
        match response {
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote(vote),
            AppendEntriesResponse::Conflict => Self::Conflict,
            AppendEntriesResponse::Success => Self::Success,
            AppendEntriesResponse::PartialSuccess(_) => {
                unreachable!("only the network of the leader divides a request")
            }
        }
    }
}

impl Answer {
    /// A refusal.
    pub(in crate::quorum) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(Str::fitting(reason.into()))
    }

    /// The answer's bytes.
    ///
    /// # Errors
    /// [`EncodeError`] if a text is longer than one of the protocol.
    pub(in crate::quorum) fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut writer = Writer::new();
        writer.i8(super::VERSION);
        match self {
            Self::Refused(reason) => {
                writer.i8(REFUSED);
                writer.string("reason", reason, false)?;
            }
            Self::Vote(answer) => {
                writer.i8(VOTE);
                super::put_vote(&mut writer, &answer.vote);
                super::put_log_id(&mut writer, answer.last_log_id.as_ref());
                writer.bool(answer.vote_granted);
            }
            Self::Append(answer) => {
                writer.i8(APPEND);
                match answer {
                    AppendAnswer::Success => writer.i8(0),
                    AppendAnswer::Conflict => writer.i8(1),
                    AppendAnswer::HigherVote(vote) => {
                        writer.i8(2);
                        super::put_vote(&mut writer, vote);
                    }
                }
            }
            Self::Transfer(answer) => {
                writer.i8(TRANSFER);
                put_transfer(&mut writer, answer);
            }
            Self::Chunk(ChunkAnswer::Continue(position)) => {
                writer.i8(CHUNK);
                writer.i8(0);
                writer.i64(i64::try_from(*position).expect("a file is smaller"));
            }
            Self::Chunk(ChunkAnswer::Done(vote)) => {
                writer.i8(CHUNK);
                writer.i8(1);
                super::put_vote(&mut writer, vote);
            }
        }
        Ok(writer.finish().into_bytes())
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`MessageFault`] if it is none.
    pub(in crate::quorum) fn decode(bytes: Bytes) -> Result<Self, MessageFault> {
        let mut reader = Reader::new(bytes);
        super::check_version(&mut reader)?;
        let answer = match reader.i8("kind")? {
            REFUSED => Self::Refused(reader.string("reason", false)?),
            VOTE => Self::Vote(VoteResponse {
                vote: super::vote(&mut reader)?,
                last_log_id: super::optional_log_id(&mut reader)?,
                vote_granted: reader.bool("granted")?,
            }),
            APPEND => Self::Append(match reader.i8("result")? {
                0 => AppendAnswer::Success,
                1 => AppendAnswer::Conflict,
                2 => AppendAnswer::HigherVote(super::vote(&mut reader)?),
                other => return malformed(format!("{other} is no answer to entries")),
            }),
            TRANSFER => Self::Transfer(transfer(&mut reader)?),
            CHUNK => Self::Chunk(match reader.i8("result")? {
                0 => match u64::try_from(reader.i64("position")?) {
                    Ok(position) => ChunkAnswer::Continue(position),
                    Err(_) => return malformed("a position is negative"),
                },
                1 => ChunkAnswer::Done(super::vote(&mut reader)?),
                other => return malformed(format!("{other} is no answer to a part of a snapshot")),
            }),
            other => return malformed(format!("{other} is no answer")),
        };
        reader.finish()?;
        Ok(answer)
    }
}

fn put_transfer(writer: &mut Writer, answer: &TransferAnswer) {
    match answer {
        Ok(()) => writer.i8(0),
        Err(TransferLeaderError::VoteChanged { expected, actual }) => {
            writer.i8(1);
            super::put_vote(writer, expected);
            super::put_vote(writer, actual);
        }
        Err(TransferLeaderError::LogNotFlushed { expected, actual }) => {
            writer.i8(2);
            super::put_log_id(writer, expected.as_ref());
            super::put_log_id(writer, actual.as_ref());
        }
    }
}

fn transfer(reader: &mut Reader) -> Result<TransferAnswer, MessageFault> {
    Ok(match reader.i8("result")? {
        0 => Ok(()),
        1 => {
            let (expected, actual) = (super::vote(reader)?, super::vote(reader)?);
            Err(TransferLeaderError::VoteChanged { expected, actual })
        }
        2 => {
            let (expected, actual) = (super::optional_log_id(reader)?, super::optional_log_id(reader)?);
            Err(TransferLeaderError::LogNotFlushed { expected, actual })
        }
        other => return malformed(format!("{other} is no answer to a transfer")),
    })
}
