//! The questions of a voter.

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, TransferLeaderRequest, VoteRequest};
use protocol::{EncodeError, Reader, Str, Writer};

use super::{MessageFault, malformed};
use crate::quorum::batches;
use crate::quorum::raft::{Entry, LogId, Types, Vote, VoterId, offset};

const VOTE: i8 = 0;
const PRE_VOTE: i8 = 1;
const APPEND: i8 = 2;
const TRANSFER: i8 = 3;
const CHUNK: i8 = 4;

/// A message to a voter.
#[derive(Debug)]
pub(in crate::quorum) struct Request {
    /// `cluster.id`.
    pub(in crate::quorum) cluster_id: Str,
    pub(in crate::quorum) from: VoterId,
    /// The voter that is meant, directory and all: a node that was wiped is another one.
    pub(in crate::quorum) to: VoterId,
    pub(in crate::quorum) kind: Kind,
}

/// The contents of a message.
#[derive(Debug)]
pub(in crate::quorum) enum Kind {
    Vote(VoteRequest<Types>),
    PreVote(VoteRequest<Types>),
    Append(Append),
    Transfer(TransferLeaderRequest<Types>),
    Chunk(Chunk),
}

/// Entries of a leader, in the batches of its log. Without any it is a heartbeat.
#[derive(Debug)]
pub(in crate::quorum) struct Append {
    pub(in crate::quorum) vote: Vote,
    /// The entry before them.
    pub(in crate::quorum) prev: Option<LogId>,
    /// The last entry that is committed.
    pub(in crate::quorum) committed: Option<LogId>,
    pub(in crate::quorum) batches: Bytes,
}

/// A part of a snapshot's file.
#[derive(Debug)]
pub(in crate::quorum) struct Chunk {
    /// The leader's.
    pub(in crate::quorum) vote: Vote,
    /// The last entry that the snapshot stands for, which names its file.
    pub(in crate::quorum) last: LogId,
    /// Bytes of the file.
    pub(in crate::quorum) size_bytes: u64,
    /// Where in the file the bytes are.
    pub(in crate::quorum) position: u64,
    pub(in crate::quorum) bytes: Bytes,
}

impl Request {
    /// The message's bytes.
    ///
    /// # Errors
    /// [`EncodeError`] if the cluster's id is longer than a text of the protocol.
    pub(in crate::quorum) fn encode(&self) -> Result<Bytes, EncodeError> {
        let mut writer = Writer::new();
        writer.i8(super::VERSION);
        writer.i8(self.kind.number());
        writer.string("cluster id", &self.cluster_id, false)?;
        super::put_voter(&mut writer, self.from);
        super::put_voter(&mut writer, self.to);
        self.kind.put(&mut writer);
        Ok(writer.finish().into_bytes())
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`MessageFault`] if no voter could have sent it.
    pub(in crate::quorum) fn decode(bytes: Bytes) -> Result<Self, MessageFault> {
        let mut reader = Reader::new(bytes);
        super::check_version(&mut reader)?;
        let number = reader.i8("kind")?;
        let cluster_id = reader.string("cluster id", false)?;
        let (from, to) = (super::voter(&mut reader)?, super::voter(&mut reader)?);
        let kind = Kind::read(number, &mut reader)?;
        kind.check(from)?;
        Ok(Self { cluster_id, from, to, kind })
    }
}

impl Kind {
    fn number(&self) -> i8 {
        match self {
            Self::Vote(_) => VOTE,
            Self::PreVote(_) => PRE_VOTE,
            Self::Append(_) => APPEND,
            Self::Transfer(_) => TRANSFER,
            Self::Chunk(_) => CHUNK,
        }
    }

    fn put(&self, writer: &mut Writer) {
        match self {
            Self::Vote(request) | Self::PreVote(request) => {
                super::put_vote(writer, &request.vote);
                super::put_log_id(writer, request.last_log_id.as_ref());
                writer.bool(request.leadership_transfer);
            }
            Self::Append(append) => {
                super::put_vote(writer, &append.vote);
                super::put_log_id(writer, append.prev.as_ref());
                super::put_log_id(writer, append.committed.as_ref());
                writer.put_bytes(&append.batches);
            }
            Self::Transfer(request) => {
                super::put_vote(writer, request.from_leader());
                super::put_voter(writer, *request.to_node_id());
                super::put_log_id(writer, request.last_log_id());
            }
            Self::Chunk(chunk) => {
                super::put_vote(writer, &chunk.vote);
                super::put_log_id(writer, Some(&chunk.last));
                writer.i64(i64::try_from(chunk.size_bytes).expect("a file is smaller"));
                writer.i64(i64::try_from(chunk.position).expect("a file is smaller"));
                writer.put_bytes(&chunk.bytes);
            }
        }
    }

    fn read(number: i8, reader: &mut Reader) -> Result<Self, MessageFault> {
        let kind = match number {
            VOTE | PRE_VOTE => {
                let request = VoteRequest {
                    vote: super::vote(reader)?,
                    last_log_id: super::optional_log_id(reader)?,
                    leadership_transfer: reader.bool("leadership transfer")?,
                };
                if number == VOTE { Self::Vote(request) } else { Self::PreVote(request) }
            }
            APPEND => {
                let (vote, prev) = (super::vote(reader)?, super::optional_log_id(reader)?);
                let committed = super::optional_log_id(reader)?;
                return Ok(Self::Append(Append { vote, prev, committed, batches: super::rest(reader) }));
            }
            TRANSFER => {
                let (from, to) = (super::vote(reader)?, super::voter(reader)?);
                Self::Transfer(TransferLeaderRequest::new(from, to, super::optional_log_id(reader)?))
            }
            CHUNK => {
                let (vote, last) = (super::vote(reader)?, super::optional_log_id(reader)?);
                let Some(last) = last else { return malformed("a snapshot has a last entry") };
                let (size, position) = (reader.i64("size")?, reader.i64("position")?);
                let bytes = super::rest(reader);
                let (Ok(size_bytes), Ok(position)) = (u64::try_from(size), u64::try_from(position)) else {
                    return malformed("a size or a position is negative");
                };
                if position.checked_add(bytes.len() as u64).is_none_or(|end| end > size_bytes) {
                    return malformed("a part of a snapshot is not within it");
                }
                return Ok(Self::Chunk(Chunk { vote, last, size_bytes, position, bytes }));
            }
            other => return malformed(format!("its kind is {other}, which is not known")),
        };
        reader.finish()?;
        Ok(kind)
    }

    /// Checks what holds of every message of a voter.
    fn check(&self, from: VoterId) -> Result<(), MessageFault> {
        let (vote, committed) = match self {
            Self::Vote(request) | Self::PreVote(request) => (&request.vote, false),
            Self::Append(append) => (&append.vote, true),
            Self::Chunk(chunk) => (&chunk.vote, true),
            Self::Transfer(request) => (request.from_leader(), true),
        };
        if vote.committed != committed || vote.leader_id.voted_for != from {
            return malformed("the sender speaks in the name of another voter");
        }
        let last = match self {
            Self::Vote(request) | Self::PreVote(request) => request.last_log_id,
            Self::Append(append) => append.prev.max(append.committed),
            Self::Chunk(chunk) => Some(chunk.last),
            Self::Transfer(request) => request.last_log_id().copied(),
        };
        if last.is_some_and(|last| last.leader_id.term > vote.leader_id.term) {
            return malformed("an entry is of a later term than its sender");
        }
        Ok(())
    }
}

impl Append {
    /// The entries, each with the batch that it came in.
    ///
    /// # Errors
    /// [`MessageFault`] if they are no log of a leader of this term: they follow the one before them and each other, and
    /// leader epochs do not fall.
    pub(in crate::quorum) fn into_request(self) -> Result<AppendEntriesRequest<Types>, MessageFault> {
        let Self { vote, prev, committed, batches } = self;
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = prev;
        for batch in record::batches(&batches) {
            let batch = batch.or_else(|error| malformed(error.to_string()))?;
            let bytes = batches.slice_ref(batch.bytes());
            for mut entry in batches::decode(&batch).or_else(|fault| malformed(fault.to_string()))? {
                if entries.is_empty() && prev.is_some_and(|prev| entry.log_id.index <= prev.index) {
                    // The leader sends whole batches, of which this node has the beginning.
                    continue;
                }
                let expected = last.map_or(0, |last| last.index + 1);
                if entry.log_id.index != expected {
                    let found = offset(entry.log_id.index);
                    return malformed(format!("entry {found} is where {expected} should be"));
                }
                if last.is_some_and(|last| last.leader_id > entry.log_id.leader_id) {
                    return malformed(format!("the leader epoch falls at offset {expected}"));
                }
                last = Some(entry.log_id);
                entry.batch = Some(bytes.clone());
                entries.push(entry);
            }
        }
        if last.is_some_and(|last| last.leader_id.term > vote.leader_id.term) {
            return malformed("an entry is of a later term than its leader");
        }
        check_committed(committed, &entries, last)?;
        Ok(AppendEntriesRequest { vote, prev_log_id: prev, entries, leader_commit: committed })
    }
}

/// Checks that the last committed entry is of the log that the entries are of.
fn check_committed(
    committed: Option<LogId>,
    entries: &[Entry],
    last: Option<LogId>,
) -> Result<(), MessageFault> {
    let Some(committed) = committed else { return Ok(()) };
    let same = entries.iter().find(|entry| entry.log_id.index == committed.index);
    let fits = match (same, last) {
        (Some(entry), _) => entry.log_id == committed,
        (None, Some(last)) if committed.index <= last.index => committed.leader_id <= last.leader_id,
        (None, Some(last)) => committed.leader_id >= last.leader_id,
        (None, None) => true,
    };
    if fits { Ok(()) } else { malformed("what is committed is not in the leader's log") }
}
