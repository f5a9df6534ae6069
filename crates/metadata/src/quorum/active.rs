//! The active controller's part of the quorum: it proposes decisions.
//!
//! Decisions build on each other without waiting for the disk, so the leader has a state ahead of the applied
//! one, for one term. When this node stops leading, its proposals are rolled back: the next leader decides
//! which of them stand, and this node starts again, in its next term, from the applied state.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, Fatal, LinearizableReadError, RaftError};
use openraft::raft::WriteResult;
use openraft::rt::WatchReceiver;
use protocol::records::{AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord};
use runtime::clock;

use super::raft::{EntryRecord, LogId, Types, epoch, log_id, offset};
use super::{Quorum, RESERVED_BYTES, SubmitError};
use crate::controller::{Office, RECORDS_PER_REQUEST_MAX};
use crate::image::{ApplyError, Delta, Image};
use crate::level;
use crate::record::MetadataRecord;
use crate::traps::{self, Trap};

/// Bytes that one decision may take in the log, as in Kafka (`KafkaRaftClient.MAX_BATCH_SIZE_BYTES`).
const DECISION_BYTES_MAX: usize = 8 << 20;

/// The time that a majority of the voters may take to confirm a decision. Openraft's leader keeps its office without one
/// and takes no new proposals, but those that it took wait for as long as it leads.
const CONFIRMATION_MAX: Duration = Duration::from_secs(10);

/// Bytes of a record in the log beside its value: the header of its batch and its own.
const RECORD_OVERHEAD_BYTES: usize = 100;

/// A decision that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitOutcome<R> {
    /// The answer.
    pub answer: R,
    /// The offset in the metadata log of the last record that the answer builds on, its own included.
    pub offset: i64,
}

/// The proposals of a node while it leads.
#[derive(Debug, Default)]
pub(super) struct Active {
    /// `None` if this node does not lead, or has decided nothing yet.
    proposed: Option<ProposedState>,
}

/// The state with everything that was proposed in a term.
#[derive(Debug)]
pub(super) struct ProposedState {
    term: u64,
    image: Image,
    office: Office,
}

/// Records that were proposed, on their way to being committed.
struct Proposal {
    last: LogId,
    results: BoxStream<'static, Result<WriteResult<Types>, Fatal<Types>>>,
}

impl Active {
    /// Takes over the state as it was applied, if that has everything that was proposed. It is the same, but what
    /// two states have come to on their own they do not share: each would take its own memory.
    fn catch_up(&mut self, applied: &Image) {
        if let Some(proposed) = &mut self.proposed
            && proposed.image.offset() == applied.offset()
        {
            proposed.image = applied.clone();
        }
    }

    /// Counts the entry at `offset`, which is none of a decision. If it was not written, or is not the next, it is not
    /// known what comes before the next decision, which then begins with what is applied.
    pub(super) fn go_on_behind(&mut self, offset: Option<i64>) {
        self.proposed = self.proposed.take().and_then(|mut proposed| {
            let next = proposed.image.offset() + 1;
            proposed.image.advance_to(next);
            (offset == Some(next)).then_some(proposed)
        });
    }

    /// Forgets what was proposed in `term`: some of it is not in the log.
    fn roll_back(&mut self, term: u64) {
        if traps::is_on(Trap::ProposalsKept) {
            return;
        }
        self.proposed.take_if(|proposed| proposed.term <= term);
    }
}

impl Quorum {
    /// Decides something, and makes it true.
    ///
    /// `decide` is given the state with every decision before this one, and returns an answer and
    /// the records that make it true. What the finalised `metadata.version` cannot express of them
    /// is left out ([`level::express`]). Records of one decision count together or not at all. When
    /// this returns they are on disk and applied, and so is, for an answer without records, what it builds on. Who acts on
    /// them follows in its own time ([`Quorum::follow`]).
    ///
    /// Decisions are made one at a time; waiting for the disk is shared. A decision that meets a full disk while it is
    /// written waits until there is room, even if nobody waits for it any more; those after it fail at once.
    ///
    /// # Errors
    /// [`SubmitError`] if the records are invalid or cannot be written, or if this node does not lead.
    pub async fn submit<R>(
        &self,
        decide: impl FnOnce(&Image) -> (R, Vec<MetadataRecord>),
    ) -> Result<SubmitOutcome<R>, SubmitError> {
        self.submit_in_office(|image, _office| decide(image)).await
    }

    /// Decides something by what the active controller knows beside the state, as [`Quorum::submit`].
    ///
    /// Records above [`RECORDS_PER_REQUEST_MAX`] are written in parts, which count one after the other: a decision that may be
    /// so large has them in an order in which the first ones may stand alone.
    ///
    /// # Errors
    /// As there. If a part cannot be written, those before it stand.
    pub async fn submit_in_office<R>(
        &self,
        decide: impl FnOnce(&Image, &mut Office) -> (R, Vec<MetadataRecord>),
    ) -> Result<SubmitOutcome<R>, SubmitError> {
        let mut active = self.active.lock().await;
        let proposed = self.in_office(&mut active).await?;
        let (answer, records) = decide(&proposed.image, &mut proposed.office);
        let mut proposals = Vec::new();
        let mut refused = None;
        for part in parts(records) {
            let Some(records) = expressed(part, &proposed.image) else { continue };
            match self.propose(proposed, records).await {
                Ok(proposal) => proposals.push(proposal),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        let offset = proposed.image.offset();
        drop(active);
        let is_empty = proposals.is_empty();
        for proposal in proposals {
            let term = proposal.last.leader_id.term;
            if let Err(error) = self.in_time(self.committed(proposal)).await {
                if error.is_deposed() {
                    self.active.lock().await.roll_back(term);
                }
                return Err(error);
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
        if is_empty {
            self.wait_for(offset).await?;
        } else {
            self.active.lock().await.catch_up(&self.image());
            self.snapshot_when_due().await?;
        }
        Ok(SubmitOutcome { answer, offset })
    }

    /// Waits until this node, which was elected, can decide.
    pub(super) async fn take_office(&self) -> Result<(), SubmitError> {
        self.in_office(&mut *self.active.lock().await).await.map(|_| ())
    }

    /// The proposals of this node in the term that it leads.
    pub(super) async fn in_office<'a>(
        &self,
        active: &'a mut Active,
    ) -> Result<&'a mut ProposedState, SubmitError> {
        let term = self.led_term()?;
        active.catch_up(&self.image());
        if let Some(proposed) = &mut active.proposed
            && traps::is_on(Trap::ProposalsKept)
        {
            proposed.term = term;
        }
        if active.proposed.as_ref().is_none_or(|proposed| proposed.term != term) {
            let image = self.inherited(term).await?;
            let office = Office::begin(&image, clock::steady_ms());
            let mut proposed = ProposedState { term, image, office };
            let interrupted = if self.published.in_transaction() {
                tracing::warn!("a decision that the end of the last leader has interrupted is dropped");
                let reason = Some("the node stopped before the end".into());
                let records = expressed(vec![AbortTransactionRecord { reason }.into()], &proposed.image);
                let records = records.expect("a level that has transactions can abort them");
                Some(self.propose(&mut proposed, records).await?)
            } else {
                None
            };
            active.proposed = Some(proposed);
            if let Some(aborted) = interrupted {
                let ended = self.in_time(self.committed(aborted)).await;
                if let Err(error) = ended {
                    active.roll_back(term);
                    return Err(error);
                }
            }
        }
        Ok(active.proposed.as_mut().expect("this node has taken office"))
    }

    /// The term that this node leads.
    pub(super) fn led_term(&self) -> Result<u64, SubmitError> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        if metrics.current_leader == Some(metrics.id) {
            Ok(metrics.current_term)
        } else {
            Err(SubmitError::NotLeader { leader: metrics.current_leader })
        }
    }

    /// The state with everything that earlier leaders have decided, once that is applied.
    async fn inherited(&self, term: u64) -> Result<Image, SubmitError> {
        // The first entry of a term says who leads; what is before it is committed with it. Proposals may follow it
        // if one was refused, because the leader did not hear of the others for a while.
        let is_settled = |metrics: &openraft::RaftMetrics<Types>| {
            let applied_term = metrics.last_applied.as_ref().map(|applied| applied.leader_id.term);
            let is_applied = metrics.last_applied.map(|applied| applied.index) == metrics.last_log_index;
            metrics.current_term != term || (applied_term == Some(term) && is_applied)
        };
        let wait = self.raft.wait(None);
        let settled = async {
            let settled = wait.metrics(is_settled, "an elected leader has applied all").await;
            settled.map_err(|error| self.ended_by(error))
        };
        let metrics = self.in_time(settled).await?;
        if metrics.current_term != term {
            return Err(SubmitError::NotLeader { leader: metrics.current_leader });
        }
        let last = metrics.last_applied.map_or(-1, |applied| offset(applied.index));
        let mut image = (*self.image()).clone();
        // While a transaction is open the image is that of before it.
        image.advance_to(last.max(image.offset()));
        Ok(image)
    }

    /// Sends records to the log, and has the proposed state follow at once.
    async fn propose(
        &self,
        proposed: &mut ProposedState,
        records: Vec<EntryRecord>,
    ) -> Result<Proposal, SubmitError> {
        self.check_space(self.check_size(&records)?)?;
        let image = with(&proposed.image, &records).map_err(SubmitError::Contradiction)?;
        let places = proposed.image.offset() + 1..;
        let records = places.zip(records).map(|(at, record)| {
            let expected = Some(log_id(epoch(proposed.term), at));
            EntryRecord { expected, ..record }
        });
        // Dropped here, this future has sent nothing.
        let results = self.raft.client_write_many(records).await.map_err(|error| self.ended_by(error))?;
        proposed.image = image;
        Ok(Proposal { last: log_id(epoch(proposed.term), proposed.image.offset()), results })
    }

    /// Waits until a proposal is committed and applied.
    async fn committed(&self, proposal: Proposal) -> Result<(), SubmitError> {
        let Proposal { last, mut results } = proposal;
        let mut written = None;
        while let Some(result) = results.next().await {
            match result.map_err(|error| self.ended_by(error))? {
                Ok(response) => written = Some(response.log_id),
                Err(ClientWriteError::ForwardToLeader(forward)) if written.is_none() => {
                    return Err(SubmitError::NotLeader { leader: forward.leader_id });
                }
                Err(_) => return Err(SubmitError::Deposed),
            }
        }
        // Otherwise it was appended in a later term, or behind what another leader has appended.
        if written == Some(last) { Ok(()) } else { Err(SubmitError::Deposed) }
    }

    /// Waits for the other voters, for so long at most. A disk that is full is waited for: it is this node's own.
    pub(super) async fn in_time<T, E: From<SubmitError>>(
        &self,
        confirmed: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if !self.has_peers {
            return confirmed.await;
        }
        let waited = runtime::clock::timeout(CONFIRMATION_MAX, confirmed).await;
        waited.unwrap_or(Err(SubmitError::Unconfirmed.into()))
    }

    /// Confirms with a majority of the voters that this node leads them, so that its state is the latest there is: a
    /// leader that was cut off does not hear of the next.
    ///
    /// # Errors
    /// [`SubmitError::NotLeader`] if another node may lead by now.
    pub async fn confirm_office(&self) -> Result<(), SubmitError> {
        if traps::is_on(Trap::DeposedLeaderReads) {
            return self.led_term().map(|_| ());
        }
        let confirmed = self.raft.ensure_linearizable(ReadPolicy::ReadIndex).await;
        confirmed.map(|_| ()).map_err(|error| match error {
            RaftError::Fatal(fatal) => self.ended_by(fatal),
            RaftError::APIError(LinearizableReadError::ForwardToLeader(forward)) => {
                SubmitError::NotLeader { leader: forward.leader_id }
            }
            RaftError::APIError(_) => SubmitError::NotLeader { leader: None },
        })
    }

    /// Waits until the record at `offset` is applied.
    pub(super) async fn wait_for(&self, offset: i64) -> Result<(), SubmitError> {
        if self.stopped.load(Ordering::Acquire) {
            return Err(SubmitError::Stopped("it was shut down".to_owned()));
        }
        if self.image().offset() >= offset {
            return Ok(());
        }
        if self.store.lacks_room() {
            return Err(SubmitError::DiskFull);
        }
        let index = u64::try_from(offset).expect("it was proposed");
        let wait = self.raft.wait(None);
        let applied = async {
            let applied = wait.applied_index_at_least(Some(index), "an answer's base").await;
            applied.map(|_| ()).map_err(|error| self.ended_by(error))
        };
        self.in_time(applied).await
    }

    /// Refuses what the log could not take: it is too late once it is proposed, because a log that fails ends the
    /// quorum. Returns the bytes that the records take.
    fn check_size(&self, records: &[EntryRecord]) -> Result<usize, SubmitError> {
        let within = |size_bytes, max_bytes| {
            if size_bytes > max_bytes { Err(SubmitError::TooLarge { size_bytes, max_bytes }) } else { Ok(()) }
        };
        let (mut size_bytes, mut batch_bytes) = (0, 0);
        for EntryRecord { record, version, ends_batch, .. } in records {
            let encoded = record.encode(*version);
            let encoded =
                encoded.map_err(|error| SubmitError::Unencodable { record: record.name(), error })?;
            let record_bytes = RECORD_OVERHEAD_BYTES + encoded.len();
            batch_bytes += record_bytes;
            within(batch_bytes, self.segment_bytes)?;
            size_bytes += record_bytes;
            batch_bytes = if *ends_batch { 0 } else { batch_bytes };
        }
        within(size_bytes, DECISION_BYTES_MAX)?;
        Ok(size_bytes)
    }

    fn check_space(&self, size_bytes: usize) -> Result<(), SubmitError> {
        if self.store.lacks_room() {
            return Err(SubmitError::DiskFull);
        }
        let needed_bytes = RESERVED_BYTES + size_bytes as u64;
        match self.fs.space(&self.dir) {
            Ok(space) if space.total_bytes > 0 && space.usable_bytes < needed_bytes => {
                Err(SubmitError::DiskFull)
            }
            // What cannot be asked will fail where it matters.
            _ => Ok(()),
        }
    }

    pub(super) async fn snapshot_when_due(&self) -> Result<(), SubmitError> {
        if self.store.unsnapshotted_bytes() < self.bytes_between_snapshots {
            return Ok(());
        }
        self.snapshot().await
    }
}

/// The parts in which the records of a decision are written: one, unless it is very large.
fn parts(mut records: Vec<MetadataRecord>) -> Vec<Vec<MetadataRecord>> {
    let mut parts = Vec::new();
    while records.len() > RECORDS_PER_REQUEST_MAX {
        let rest = records.split_off(RECORDS_PER_REQUEST_MAX);
        parts.push(std::mem::replace(&mut records, rest));
    }
    parts.push(records);
    parts
}

/// The entries of a decision on a state, or `None` if there is nothing to record. What the level of the cluster cannot
/// express is left out.
fn expressed(records: Vec<MetadataRecord>, image: &Image) -> Option<Vec<EntryRecord>> {
    let level = level::of_decision(&records, image);
    let records: Vec<_> = records.into_iter().filter_map(|record| level::express(record, level)).collect();
    (!records.is_empty()).then(|| EntryRecord::of_decision(together(records, level), level))
}

/// Records that count together: more than one are put in a transaction, if the level has those.
/// Otherwise they share a batch, see [`EntryRecord::of_decision`].
pub(super) fn together(records: Vec<MetadataRecord>, level: i16) -> Vec<MetadataRecord> {
    if records.len() == 1 || !level::has_transactions(level) {
        return records;
    }
    let begin = std::iter::once(BeginTransactionRecord::default().into());
    let end = std::iter::once(EndTransactionRecord::default().into());
    begin.chain(records).chain(end).collect()
}

/// The state with `records`, which stand together, applied.
fn with(image: &Image, records: &[EntryRecord]) -> Result<Image, ApplyError> {
    let mut proposed = image.clone();
    let mut delta = Delta::default();
    for EntryRecord { record, .. } in records {
        if !matches!(record, MetadataRecord::BeginTransaction(_) | MetadataRecord::EndTransaction(_)) {
            proposed.apply(record.clone(), &mut delta)?;
        }
    }
    let count = i64::try_from(records.len()).expect("a decision is small");
    proposed.advance_to(image.offset() + count);
    Ok(proposed)
}
