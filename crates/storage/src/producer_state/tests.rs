use record::{BatchBuilder, Compression};

use super::*;
use crate::testing::{NOW_MS, end_txn, producer_batch, txn_batch};

/// Batches that follow one another, as a log gives them their offsets.
struct Producers {
    state: ProducerState,
    next_offset: i64,
}

impl Producers {
    fn new() -> Producers {
        Producers { state: ProducerState::new(0), next_offset: 0 }
    }

    fn append_from(&mut self, bytes: &[u8], origin: Origin) -> Result<Option<BatchEntry>, ProducerError> {
        let batch = Batch::parse(bytes).unwrap();
        let header = BatchHeader { base_offset: self.next_offset, ..*batch.header() };
        let marker = Marker::of(&header, bytes);
        let duplicate = self.state.check(&header, marker, origin)?;
        if duplicate.is_none() {
            self.state.apply(&header, marker);
            self.next_offset = header.next_offset();
        }
        Ok(duplicate)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<Option<BatchEntry>, ProducerError> {
        self.append_from(bytes, Origin::Client)
    }

    fn end(
        &mut self,
        id: i64,
        epoch: i16,
        committed: bool,
        transaction_version: i16,
    ) -> Result<(), ProducerError> {
        let origin = Origin::Marker { transaction_version };
        self.append_from(&end_txn(id, epoch, committed), origin).map(|_| ())
    }
}

fn base_offset_of_duplicate(duplicate: Option<BatchEntry>) -> i64 {
    duplicate.expect("a duplicate").base_offset()
}

#[test]
fn trap_t8_the_last_five_batches_are_known() {
    let mut producers = Producers::new();
    for n in 0..7 {
        assert_eq!(producers.append(&producer_batch(1, 0, n * 3, 3)), Ok(None));
    }
    for n in 2..7 {
        let again = producers.append(&producer_batch(1, 0, n * 3, 3)).unwrap();
        assert_eq!(base_offset_of_duplicate(again), i64::from(n) * 3);
    }
    let too_old = producers.append(&producer_batch(1, 0, 3, 3)).unwrap_err();
    assert_eq!(too_old, ProducerError::OutOfOrderSequence { producer_id: 1, sequence: 3, last_sequence: 20 });
    let other_range = producers.append(&producer_batch(1, 0, 18, 2)).unwrap_err();
    assert!(matches!(other_range, ProducerError::OutOfOrderSequence { .. }));
    assert_eq!(producers.next_offset, 21, "nothing was appended twice");
}

#[test]
fn sequences_have_no_gaps() {
    let mut producers = Producers::new();
    producers.append(&producer_batch(1, 0, 0, 2)).unwrap();
    let gap = producers.append(&producer_batch(1, 0, 3, 1)).unwrap_err();
    assert_eq!(gap, ProducerError::OutOfOrderSequence { producer_id: 1, sequence: 3, last_sequence: 1 });
    producers.append(&producer_batch(1, 0, 2, 1)).unwrap();
}

#[test]
fn after_the_greatest_sequence_comes_zero() {
    let mut producers = Producers::new();
    producers.append(&producer_batch(1, 0, i32::MAX - 1, 1)).unwrap();
    // From 2147483647 over to 1.
    producers.append(&producer_batch(1, 0, i32::MAX, 3)).unwrap();
    let again = producers.append(&producer_batch(1, 0, i32::MAX, 3)).unwrap();
    assert_eq!(base_offset_of_duplicate(again), 1);
    producers.append(&producer_batch(1, 0, 2, 1)).unwrap();
    let mut producers = Producers::new();
    producers.append(&producer_batch(1, 0, i32::MAX - 1, 2)).unwrap();
    producers.append(&producer_batch(1, 0, 0, 1)).unwrap();
}

#[test]
fn an_unknown_producer_goes_on_where_it_is() {
    // KIP-360: retention may have removed all that it wrote.
    let mut producers = Producers::new();
    assert_eq!(producers.append(&producer_batch(1, 4, 1000, 1)), Ok(None));
}

#[test]
fn a_new_epoch_begins_at_zero_and_ends_the_old_one() {
    let mut producers = Producers::new();
    producers.append(&producer_batch(1, 3, 0, 5)).unwrap();
    let error = producers.append(&producer_batch(1, 4, 5, 1)).unwrap_err();
    assert_eq!(error, ProducerError::OutOfOrderSequence { producer_id: 1, sequence: 5, last_sequence: -1 });
    producers.append(&producer_batch(1, 4, 0, 1)).unwrap();
    let error = producers.append(&producer_batch(1, 3, 5, 1)).unwrap_err();
    assert_eq!(error, ProducerError::InvalidProducerEpoch { producer_id: 1, epoch: 3, current_epoch: 4 });
}

#[test]
fn trap_t7_a_sequence_used_again_after_an_abort_is_no_duplicate() {
    let mut producers = Producers::new();
    producers.append(&txn_batch(1, 3, 0, 2)).unwrap();
    // Version 2 of the protocol raises the epoch with each end of a transaction.
    producers.end(1, 4, false, 2).unwrap();
    assert_eq!(producers.append(&txn_batch(1, 4, 0, 2)), Ok(None));
    assert_eq!(producers.next_offset, 5);
}

#[test]
fn transactions_decide_the_last_stable_offset() {
    let mut producers = Producers::new();
    producers.append(&txn_batch(1, 0, 0, 2)).unwrap();
    producers.append(&txn_batch(2, 0, 0, 2)).unwrap();
    producers.append(&txn_batch(1, 0, 2, 2)).unwrap();
    assert_eq!(producers.state.first_undecided_offset(), Some(0));
    let outside = producers.append(&producer_batch(1, 0, 4, 1)).unwrap_err();
    assert_eq!(outside, ProducerError::InvalidTxnState { producer_id: 1 });
    producers.end(1, 0, true, 0).unwrap();
    assert_eq!(producers.state.first_undecided_offset(), Some(2));
    // Decided, but not certainly below the high watermark.
    assert_eq!(producers.state.first_unstable_offset(), Some(0));
    producers.state.on_high_watermark(6);
    assert_eq!(producers.state.first_unstable_offset(), Some(0));
    producers.state.on_high_watermark(7);
    assert_eq!(producers.state.first_unstable_offset(), Some(2));
    producers.end(2, 0, false, 0).unwrap();
    producers.state.on_high_watermark(8);
    assert_eq!(producers.state.first_unstable_offset(), None);
}

#[test]
fn an_aborted_transaction_knows_the_last_stable_offset() {
    let mut state = ProducerState::new(0);
    let mut next_offset = 0;
    let mut apply = |bytes: &[u8]| {
        let header = BatchHeader { base_offset: next_offset, ..*Batch::parse(bytes).unwrap().header() };
        next_offset = header.next_offset();
        state.apply(&header, Marker::of(&header, bytes))
    };
    apply(&txn_batch(1, 0, 0, 3));
    apply(&txn_batch(2, 0, 0, 1));
    let expected = CompletedTxn {
        producer_id: 1,
        first_offset: 0,
        last_offset: 4,
        aborted: true,
        last_stable_offset: 3,
    };
    assert_eq!(apply(&end_txn(1, 0, false)), Some(expected));
    assert_eq!(apply(&end_txn(1, 0, false)), None, "an empty transaction");
    let ended = apply(&end_txn(2, 0, true)).unwrap();
    assert_eq!((ended.aborted, ended.last_stable_offset), (false, 7));
}

#[test]
fn markers_of_old_epochs_and_coordinators_are_fenced() {
    let mut producers = Producers::new();
    producers.append(&txn_batch(1, 5, 0, 1)).unwrap();
    let invalid = ProducerError::InvalidProducerEpoch { producer_id: 1, epoch: 4, current_epoch: 5 };
    assert_eq!(producers.end(1, 4, true, 0), Err(invalid));
    // KIP-1228: version 2 requires a greater epoch, or else a retried marker could end the next transaction.
    let invalid = ProducerError::InvalidProducerEpoch { producer_id: 1, epoch: 5, current_epoch: 5 };
    assert_eq!(producers.end(1, 5, true, 2), Err(invalid));
    producers.end(1, 6, true, 2).unwrap();
    // KAFKA-19999: a retry after a lost response does no harm.
    producers.end(1, 6, true, 2).unwrap();
    producers.state.producers.get_mut(&1).unwrap().coordinator_epoch = 2;
    let fenced = producers.end(1, 7, true, 2).unwrap_err();
    let expected = ProducerError::TransactionCoordinatorFenced {
        producer_id: 1,
        coordinator_epoch: 1,
        current_coordinator_epoch: 2,
    };
    assert_eq!(fenced, expected);
}

#[test]
fn a_coordinator_needs_no_sequence_and_a_replica_no_check() {
    let bytes = |epoch| {
        let mut builder = BatchBuilder::new(Compression::None).producer(1, epoch, -1).transactional();
        builder.push(NOW_MS, None, None, &[]);
        builder.build()
    };
    let mut producers = Producers::new();
    producers.append_from(&bytes(2), Origin::Coordinator).unwrap();
    producers.append_from(&bytes(2), Origin::Coordinator).unwrap();
    producers.append_from(&bytes(1), Origin::Coordinator).unwrap_err();
    producers.append_from(&bytes(1), Origin::Replication).unwrap();
}

#[test]
fn idle_producers_are_forgotten_but_not_open_transactions() {
    let mut producers = Producers::new();
    producers.append(&producer_batch(1, 0, 0, 1)).unwrap();
    producers.append(&txn_batch(2, 0, 0, 1)).unwrap();
    assert_eq!(producers.state.remove_expired(NOW_MS + 999, 1000), 0);
    assert_eq!(producers.state.remove_expired(NOW_MS + 1000, 1000), 1);
    assert_eq!(producers.state.producers().keys().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(producers.state.oldest_open_txn_timestamp(), Some(NOW_MS));
}

#[test]
fn trap_t9_a_marker_keeps_its_producer_from_expiring() {
    let mut producers = Producers::new();
    producers.append(&txn_batch(1, 0, 0, 1)).unwrap();
    let marker = record::control::EndTransactionMarker { committed: true, coordinator_epoch: 9 };
    let origin = Origin::Marker { transaction_version: 0 };
    producers.append_from(&marker.batch(1, 0, NOW_MS + 5000).build(), origin).unwrap();
    assert_eq!(producers.state.remove_expired(NOW_MS + 5999, 1000), 0);
    assert_eq!(producers.state.producers()[&1].coordinator_epoch, 9);
}
