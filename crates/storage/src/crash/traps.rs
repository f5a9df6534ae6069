//! Tests that the crash test finds each trap.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::In;
use crate::traps::{self, Trap};

/// The most seeds to try with one trap.
const SEEDS: u64 = 3000;

/// The traps, each with the tests that must find it and the first seed to try: some are rarely met.
const TRAPS: &[(Trap, In, u64)] = &[
    (Trap::TornBatchServed, In::All, 0),
    (Trap::DurableDamageCut, In::All, 0),
    (Trap::ZerosAreTheEnd, In::All, 0),
    (Trap::HoleBetweenSegments, In::All, 0),
    (Trap::SegmentEntryUnsynced, In::All, 0),
    (Trap::PartitionEntryUnsynced, In::All, 0),
    (Trap::EarlierSyncCounts, In::All, 0),
    (Trap::CloseUnsynced, In::All, 0),
    (Trap::RenameUnsynced, In::All, 0),
    (Trap::CheckpointUnsynced, In::All, 0),
    (Trap::CheckpointInPlace, In::All, 0),
    (Trap::RecoveryPointAhead, In::All, 0),
    (Trap::CleanStopBelieved, In::All, 0),
    (Trap::AcknowledgedUnsynced, In::All, 0),
    (Trap::FailedSyncRetried, In::All, 0),
    (Trap::HalfBatchStays, In::All, 9425),
    (Trap::ShortWrite, In::All, 0),
    (Trap::ShortRead, In::All, 0),
    (Trap::IndexTrusted, In::All, 0),
    (Trap::SnapshotTrusted, In::All, 0),
    (Trap::SnapshotLeft, In::All, 0),
    (Trap::TruncationUnsynced, In::All, 2091),
    (Trap::MarkerGoesFirst, In::Compacting, 0),
    (Trap::UndecidedCleaned, In::Compacting, 0),
    (Trap::MarkerHasKey, In::Compacting, 0),
    (Trap::LastBatchGoes, In::Compacting, 0),
    (Trap::TombstoneGoes, In::Compacting, 0),
    (Trap::SwapUnsynced, In::Compacting, 0),
    (Trap::HalfSwapCompleted, In::Compacting, 0),
    (Trap::DeletionUntold, In::All, 0),
    (Trap::DeletedTopicReturns, In::All, 0),
    (Trap::DeletedPartitionMissed, In::All, 0),
];

/// Runs a seed with a trap. Returns whether it found a fault.
fn fails(trap: Option<Trap>, histories: In, seed: u64) -> bool {
    let run = || {
        super::pass(histories, seed);
    };
    traps::set(trap);
    let run = catch_unwind(AssertUnwindSafe(run));
    traps::set(None);
    run.is_err()
}

/// The first seed that fails with a trap and not without it.
fn find(trap: Trap, histories: In, first: u64) -> Option<u64> {
    (first..first + SEEDS).find(|seed| fails(Some(trap), histories, *seed) && !fails(None, histories, *seed))
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test spreads its seeds over threads")]
fn every_trap_is_found() {
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((trap, histories, first)) = TRAPS.get(next.fetch_add(1, Ordering::Relaxed)) {
            match find(*trap, *histories, *first) {
                Some(seed) => tracing::info!(?trap, seed, "found"),
                None => missed.lock().push(*trap),
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    assert!(missed.lock().is_empty(), "not found: {:?}", missed.lock());
}
