//! The open transactions during a pass of compaction over a log.
//!
//! Source: Kafka's `CleanedTransactionMetadata`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::Batch;
use record::control::EndTransactionMarker;

use crate::traps::{self, Trap};
use crate::txn_index::AbortedTxn;

/// The state of transactions at one place of a pass over the whole cleanable part of a log. It is
/// carried from segment to segment: a marker may be in another than its data (KAFKA-5196).
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// Aborted transactions that begin further on, in the order of their first offsets.
    aborted: VecDeque<AbortedTxn>,
    /// Aborted transactions that have begun, by producer, and whether a batch of each was seen.
    ongoing_aborted: BTreeMap<i64, (AbortedTxn, bool)>,
    /// Producers with a batch of a transaction that is not aborted.
    ongoing_committed: BTreeSet<i64>,
    /// Aborted transactions whose marker stays because they still have data: the entries of the new index.
    pub(super) retained: Vec<AbortedTxn>,
}

impl Transactions {
    pub(super) fn new(mut aborted: Vec<AbortedTxn>) -> Transactions {
        aborted.sort_by_key(|txn| txn.first_offset);
        Transactions { aborted: aborted.into(), ..Transactions::default() }
    }

    /// Takes the next batch into account. Returns whether it may be removed: a data batch of an aborted transaction,
    /// or a marker whose transaction has no batch left.
    pub(super) fn pass(&mut self, batch: &Batch<'_>) -> bool {
        let header = batch.header();
        while let Some(txn) = self.aborted.pop_front_if(|txn| txn.first_offset <= header.last_offset()) {
            self.ongoing_aborted.entry(txn.producer_id).or_insert((txn, false));
        }
        if header.attributes.is_control() {
            return self.pass_marker(batch);
        }
        if !header.attributes.is_transactional() {
            return false;
        }
        if let Some((_, seen)) = self.ongoing_aborted.get_mut(&header.producer_id) {
            *seen = true;
            return true;
        }
        self.ongoing_committed.insert(header.producer_id);
        false
    }

    fn pass_marker(&mut self, batch: &Batch<'_>) -> bool {
        let producer_id = batch.header().producer_id;
        let Some(record) = batch.records().next() else {
            // Emptied by an earlier pass.
            return true;
        };
        match record.ok().and_then(|record| EndTransactionMarker::read(&record).ok()) {
            Some(_) if traps::is_on(Trap::MarkerGoesFirst) => true,
            Some(marker) if marker.committed => !self.ongoing_committed.remove(&producer_id),
            Some(_) => match self.ongoing_aborted.remove(&producer_id) {
                Some((txn, true)) => {
                    self.retained.push(txn);
                    false
                }
                _ => true,
            },
            // Another kind of control record.
            None => false,
        }
    }
}
