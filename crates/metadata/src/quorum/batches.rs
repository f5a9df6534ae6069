//! Entries of the quorum as record batches of the metadata log.
//!
//! One entry is one offset: a metadata record in a batch of its own, so that the log can be truncated after
//! any entry. If `metadata.version` has no transactions yet, the records of a decision share a batch. The
//! entry that begins a term is Kafka's `LeaderChangeMessage`, and one that sets the voters is Kafka's
//! `VotersRecord`, both in control batches.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;

use bytes::Bytes;
use protocol::records::leader_change_message::Voter as ChangeVoter;
use protocol::records::voters_record::{Endpoint, KRaftVersionFeature, Voter};
use protocol::records::{KRaftVersionRecord, LeaderChangeMessage, VotersRecord};
use protocol::{DecodeError, EncodeError, Message, Reader, Writer};
use record::control::{self, ControlError, ControlType};
use record::{Batch, BatchBuilder, BatchError, Compression, RecordsError};

use super::raft::{
    Entry, EntryRecord, Membership, Payload, VoterEndpoint, VoterId, VoterNode, epoch, log_id, offset,
};
use crate::record::{MetadataRecord, UnreadableRecord};

/// The version of control records: the only one that Kafka reads.
const CONTROL_VERSION: i16 = 0;
/// The protocol of a quorum whose voters are in the log (KIP-853).
pub(super) const KRAFT_VERSION: i16 = 1;

/// Why bytes are not the entries that should be there.
#[derive(Debug)]
pub enum BatchFault {
    /// They are no batch.
    Batch(BatchError),
    /// The batch's records are damaged.
    Records(RecordsError),
    /// The batch is compressed, which the metadata log never is.
    Compressed,
    /// Its offsets or its leader epoch are negative.
    Negative,
    /// A record of the quorum itself is damaged.
    Control(ControlError),
    /// The value of one is.
    ControlValue(DecodeError),
    /// A metadata record has no value.
    NoValue,
    /// A metadata record cannot be read.
    Record(UnreadableRecord),
}

impl fmt::Display for BatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(error) => error.fmt(f),
            Self::Records(error) => error.fmt(f),
            Self::Negative => f.write_str("the batch has a negative offset or leader epoch"),
            Self::Compressed => f.write_str("the batch is compressed"),
            Self::Control(error) => error.fmt(f),
            Self::ControlValue(error) => write!(f, "a control record cannot be read: {error}"),
            Self::NoValue => f.write_str("a metadata record has no value"),
            Self::Record(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BatchFault {}

impl From<BatchError> for BatchFault {
    fn from(error: BatchError) -> Self {
        Self::Batch(error)
    }
}

impl From<RecordsError> for BatchFault {
    fn from(error: RecordsError) -> Self {
        Self::Records(error)
    }
}

/// The leader and the voters, for the entry that begins a term.
#[derive(Clone, Debug)]
pub(super) struct Leadership {
    pub(super) leader: VoterId,
    pub(super) voters: Vec<VoterId>,
}

/// Whether the batch of an entry ends with it.
pub(super) fn ends_batch(entry: &Entry) -> bool {
    !matches!(&entry.payload, Payload::Normal(record) if !record.ends_batch)
}

/// Whether an entry's batch has the one after it as well.
pub(super) fn share_batch(entry: &Entry, next: &Entry) -> bool {
    match (&entry.batch, &next.batch) {
        (Some(one), Some(other)) => one.as_ptr() == other.as_ptr() && one.len() == other.len(),
        (None, None) => !ends_batch(entry),
        _ => false,
    }
}

/// Checks that a batch of another voter has these entries and no others; returns the version of the quorum's protocol
/// that it sets, if it does.
pub(super) fn check_received(bytes: &[u8], entries: &[Entry]) -> io::Result<Option<i16>> {
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let batch = Batch::parse(bytes).map_err(|error| invalid(error.to_string()))?;
    let header = batch.header();
    let (first, last) = (entries.first().map(|it| it.log_id.index), entries.last().map(|it| it.log_id.index));
    if first.map(offset) != Some(header.base_offset) || last.map(offset) != Some(header.last_offset()) {
        return Err(invalid(format!(
            "a part of the batch at {} cannot be appended alone",
            header.base_offset
        )));
    }
    kraft_version_in(&batch).map_err(|fault| invalid(fault.to_string()))
}

/// Adds the batch of entries that share one to `out`.
///
/// # Panics
/// If there is none, or the last of them and no other does not end its batch: openraft appends at
/// once what was proposed at once.
pub(super) fn encode(
    entries: &[Entry],
    leadership: &Leadership,
    now_ms: i64,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    assert_eq!(entries.iter().position(ends_batch), entries.len().checked_sub(1), "it is one batch");
    let first = &entries[0];
    let builder = match &first.payload {
        Payload::Blank => control::batch(ControlType::LeaderChange, &leader_change(leadership)?, now_ms),
        Payload::Membership(membership) => {
            control::batch(ControlType::KRaftVoters, &voters(membership)?, now_ms)
        }
        Payload::Normal(_) => {
            let mut builder = BatchBuilder::new(Compression::None);
            for entry in entries {
                let Payload::Normal(EntryRecord { record, version, .. }) = &entry.payload else {
                    unreachable!("entries that share a batch are records");
                };
                builder.push(now_ms, None, Some(&record.encode(*version)?), &[]);
            }
            builder
        }
    };
    let batch = builder
        .base_offset(offset(first.log_id.index))
        .partition_leader_epoch(epoch(first.log_id.leader_id.term))
        .build();
    out.extend_from_slice(&batch);
    Ok(())
}

fn message<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::new();
    message.encode(&mut writer, version)?;
    Ok(writer.finish().into_bytes())
}

fn leader_change(leadership: &Leadership) -> Result<Bytes, EncodeError> {
    // Directory ids came with version 1. Who votes is in the voters' own record.
    let voter = |id: &VoterId| ChangeVoter { voter_id: id.id, ..ChangeVoter::default() };
    let change = LeaderChangeMessage {
        version: CONTROL_VERSION,
        leader_id: leadership.leader.id,
        voters: leadership.voters.iter().map(voter).collect(),
        granting_voters: vec![voter(&leadership.leader)],
    };
    message(&change, CONTROL_VERSION)
}

/// The value of the record that names the voters. Nodes that follow without a vote are left out, as in Kafka.
///
/// # Panics
/// If the membership is between two configurations: voters come and go one at a time, in one entry.
pub(super) fn voters(membership: &Membership) -> Result<Bytes, EncodeError> {
    assert!(membership.get_joint_config().len() <= 1, "a change of the voters is one entry");
    let voters = membership.voter_ids().map(|id| Voter {
        voter_id: id.id,
        voter_directory_id: id.directory_id,
        endpoints: membership
            .get_node(&id)
            .into_iter()
            .flat_map(|node| &node.endpoints)
            .map(to_wire)
            .collect(),
        kraft_version_feature: KRaftVersionFeature {
            min_supported_version: 0,
            max_supported_version: KRAFT_VERSION,
        },
    });
    message(&VotersRecord { version: CONTROL_VERSION, voters: voters.collect() }, CONTROL_VERSION)
}

/// The value of the record that says which protocol the quorum speaks.
pub(super) fn kraft_version() -> Result<Bytes, EncodeError> {
    let record = KRaftVersionRecord { version: CONTROL_VERSION, kraft_version: KRAFT_VERSION };
    message(&record, CONTROL_VERSION)
}

/// The batch at offset 0 of a new log: which protocol the quorum speaks.
pub(super) fn protocol(now_ms: i64) -> Result<Vec<u8>, EncodeError> {
    let builder = control::batch(ControlType::KRaftVersion, &kraft_version()?, now_ms);
    Ok(builder.base_offset(0).partition_leader_epoch(0).build())
}

/// The value of a control record of a snapshot.
pub(super) fn control_value<M: Message>(record: &M) -> Result<Bytes, EncodeError> {
    message(record, CONTROL_VERSION)
}

fn to_wire(endpoint: &VoterEndpoint) -> Endpoint {
    Endpoint { name: endpoint.name.as_str().into(), host: endpoint.host.as_str().into(), port: endpoint.port }
}

/// The voters that a record's value names.
pub(super) fn membership(value: &[u8]) -> Result<Membership, DecodeError> {
    let mut reader = Reader::new(Bytes::copy_from_slice(value));
    let record = VotersRecord::decode(&mut reader, CONTROL_VERSION)?;
    reader.finish()?;
    let nodes: BTreeMap<VoterId, VoterNode> = record
        .voters
        .into_iter()
        .map(|voter| {
            let id = VoterId { id: voter.voter_id, directory_id: voter.voter_directory_id };
            let endpoints = voter.endpoints.into_iter().map(|endpoint| VoterEndpoint {
                name: endpoint.name.into(),
                host: endpoint.host.into(),
                port: endpoint.port,
            });
            (id, VoterNode { endpoints: endpoints.collect() })
        })
        .collect();
    let ids: BTreeSet<VoterId> = nodes.keys().copied().collect();
    Ok(Membership::new(vec![ids], nodes).expect("the voters of one configuration are its nodes"))
}

/// The entries of one batch, whose checksum is verified.
pub(super) fn decode(batch: &Batch<'_>) -> Result<Vec<Entry>, BatchFault> {
    batch.verify_crc()?;
    let header = batch.header();
    if !matches!(header.attributes.compression(), Ok(Compression::None)) {
        return Err(BatchFault::Compressed);
    }
    let mut entries = Vec::new();
    let last_offset = header.last_offset();
    for record in batch.records() {
        let record = record?;
        let record_offset = record.offset;
        // The checksum covers neither.
        if record_offset < 0 || header.partition_leader_epoch < 0 {
            return Err(BatchFault::Negative);
        }
        let payload = if header.attributes.is_control() {
            control_payload(&record)?
        } else {
            let value = Bytes::copy_from_slice(record.value.ok_or(BatchFault::NoValue)?);
            let (record, version) = MetadataRecord::decode(value).map_err(BatchFault::Record)?;
            let ends_batch = record_offset == last_offset;
            Payload::Normal(EntryRecord { record, version, ends_batch, expected: None })
        };
        let log_id = log_id(header.partition_leader_epoch, record.offset);
        entries.push(Entry::new(log_id, payload));
    }
    Ok(entries)
}

/// The version of the quorum's protocol in a control batch; `None` if it has none.
pub(super) fn kraft_version_in(batch: &Batch<'_>) -> Result<Option<i16>, BatchFault> {
    let mut found = None;
    if batch.header().attributes.is_control() {
        for record in batch.records() {
            let record = record?;
            if ControlType::of(&record).map_err(BatchFault::Control)? == Some(ControlType::KRaftVersion) {
                let value = Bytes::copy_from_slice(record.value.ok_or(BatchFault::NoValue)?);
                let mut reader = Reader::new(value);
                let version = KRaftVersionRecord::decode(&mut reader, CONTROL_VERSION);
                found = Some(version.map_err(BatchFault::ControlValue)?.kraft_version);
            }
        }
    }
    Ok(found)
}

fn control_payload(record: &record::Record<'_>) -> Result<Payload, BatchFault> {
    match ControlType::of(record).map_err(BatchFault::Control)? {
        Some(ControlType::KRaftVoters) => {
            let value = record.value.ok_or(BatchFault::NoValue)?;
            Ok(Payload::Membership(membership(value).map_err(BatchFault::ControlValue)?))
        }
        // The others change nothing: they only take their place.
        _ => Ok(Payload::Blank),
    }
}
