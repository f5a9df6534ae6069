//! The types that openraft is given.

use std::fmt;

use bytes::Bytes;
use openraft::entry::RaftEntry;
use protocol::Uuid;
use protocol::records::NoOpRecord;

use crate::level;
use crate::record::MetadataRecord;

/// A voter: the node and the directory that holds its votes. A node whose directory was wiped has
/// another, and is so another voter: it can never vote twice in a term for having forgotten the
/// first time (KIP-853).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VoterId {
    /// `node.id`.
    pub id: i32,
    /// `directory.id` of the directory with the metadata log.
    pub directory_id: Uuid,
}

impl fmt::Display for VoterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.directory_id)
    }
}

/// An address of a voter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VoterEndpoint {
    /// The listener's name.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The voters' knowledge of a voter beside its id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct VoterNode {
    pub(super) endpoints: Vec<VoterEndpoint>,
}

/// A metadata record as an entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EntryRecord {
    pub(super) record: MetadataRecord,
    /// The version that it is written in.
    pub(super) version: i16,
    /// Whether the next entry is in another batch. Entries of one batch are on disk together or not
    /// at all.
    pub(super) ends_batch: bool,
    /// The place that it was decided for, on its way to the log. At another it is written as a record without effect:
    /// what it was decided upon is not what comes before it there.
    pub(super) expected: Option<LogId>,
}

impl EntryRecord {
    /// Records that are proposed together at a `metadata.version` that expresses them: in one batch
    /// if the level has no transactions in which they could stand.
    ///
    /// # Panics
    /// If the level does not have one of the records.
    pub(super) fn of_decision(records: Vec<MetadataRecord>, level: i16) -> Vec<Self> {
        let last = records.len().saturating_sub(1);
        let entry = |(at, record): (usize, MetadataRecord)| {
            let version = record.version_at(level).expect("the level has what is proposed at it");
            let ends_batch = at == last || level::has_transactions(level);
            Self { record, version, ends_batch, expected: None }
        };
        records.into_iter().enumerate().map(entry).collect()
    }
}

impl EntryRecord {
    /// Gives up the record if it has come to another place than it was decided for.
    pub(super) fn settle_at(&mut self, log_id: &LogId) {
        if self.expected.take().is_some_and(|expected| expected != *log_id) {
            (self.record, self.version) = (NoOpRecord::default().into(), 0);
        }
    }
}

impl fmt::Display for EntryRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.record.name())
    }
}

openraft::declare_raft_types!(
    /// A quorum whose entries are metadata records. A leader id is a term alone in the log
    /// (`leader_id_std`): that is what a leader epoch of Kafka can hold.
    pub(super) Types:
        D = EntryRecord,
        R = (),
        NodeId = VoterId,
        Node = VoterNode,
        Entry = Entry,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, VoterId>,
        AsyncRuntime = super::async_runtime::Seam,
);

pub(super) type LogId = openraft::alias::LogIdOf<Types>;
pub(super) type Payload = openraft::alias::EntryPayloadOf<Types>;
pub(super) type Membership = openraft::Membership<VoterId, VoterNode>;
pub(super) type StoredMembership = openraft::alias::StoredMembershipOf<Types>;
pub(super) type Vote = openraft::alias::VoteOf<Types>;
pub(super) type LeaderId = openraft::alias::LeaderIdOf<Types>;
pub(super) type CommittedLeaderId = openraft::alias::CommittedLeaderIdOf<Types>;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) log_id: LogId,
    pub(super) payload: Payload,
    /// The record batch that the leader wrote it in, if the entry came from there: every voter has the same bytes in
    /// its log. Entries of one batch share it. `None` once it is in this node's log.
    pub(super) batch: Option<Bytes>,
}

impl Entry {
    /// An entry that no log has yet.
    pub(super) fn new(log_id: LogId, payload: Payload) -> Self {
        Self { log_id, payload, batch: None }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.log_id, self.payload)
    }
}

impl RaftEntry for Entry {
    type CommittedLeaderId = CommittedLeaderId;
    type Payload = Payload;

    fn new(log_id: LogId, payload: Payload) -> Self {
        Self::new(log_id, payload)
    }

    fn log_id_parts(&self) -> (&CommittedLeaderId, u64) {
        (&self.log_id.leader_id, self.log_id.index)
    }

    fn set_log_id(&mut self, log_id: LogId) {
        self.log_id = log_id;
    }

    fn get_membership(&self) -> Option<Membership> {
        match &self.payload {
            Payload::Membership(membership) => Some(membership.clone()),
            _ => None,
        }
    }
}

/// The log id of the record at `offset` in leader epoch `epoch`.
///
/// # Panics
/// If either is negative: the log never has such ones.
pub(super) fn log_id(epoch: i32, offset: i64) -> LogId {
    let term = u64::try_from(epoch).expect("leader epochs of the metadata log are not negative");
    let index = u64::try_from(offset).expect("offsets are not negative");
    LogId::new(CommittedLeaderId::new(term), index)
}

/// The leader epoch of a term.
///
/// # Panics
/// Past 2147483647 terms; a term takes a disk write.
pub(super) fn epoch(term: u64) -> i32 {
    i32::try_from(term).expect("terms fit a leader epoch")
}

/// The offset of an index.
///
/// # Panics
/// Past 9223372036854775807 records.
pub(super) fn offset(index: u64) -> i64 {
    i64::try_from(index).expect("indexes fit an offset")
}
