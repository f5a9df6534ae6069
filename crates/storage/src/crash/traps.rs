//! Each trap, put back, is found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::In;
use crate::traps::{self, Trap};

/// Seeds that are tried with a trap put back, at most.
const SEEDS: u64 = 4000;

/// Each trap, and where it is looked for.
const TRAPS: &[(Trap, In)] = &[
    (Trap::TornBatchServed, In::All),
    (Trap::DurableDamageCut, In::All),
    (Trap::ZerosAreTheEnd, In::All),
    (Trap::HoleBetweenSegments, In::All),
    (Trap::SegmentEntryUnsynced, In::All),
    (Trap::PartitionEntryUnsynced, In::All),
    (Trap::RenameUnsynced, In::All),
    (Trap::CheckpointUnsynced, In::All),
    (Trap::CheckpointInPlace, In::All),
    (Trap::RecoveryPointAhead, In::All),
    (Trap::CleanStopBelieved, In::All),
    (Trap::AcknowledgedUnsynced, In::All),
    (Trap::FailedSyncRetried, In::All),
    (Trap::HalfBatchStays, In::All),
    (Trap::ShortWrite, In::All),
    (Trap::ShortRead, In::All),
    (Trap::IndexTrusted, In::All),
    (Trap::SnapshotTrusted, In::All),
    (Trap::SnapshotLeft, In::All),
    (Trap::TruncationUnsynced, In::All),
    (Trap::MarkerGoesFirst, In::Compacting),
    (Trap::UndecidedCleaned, In::Compacting),
    (Trap::MarkerHasKey, In::Compacting),
    (Trap::LastBatchGoes, In::Compacting),
    (Trap::TombstoneGoes, In::Compacting),
    (Trap::SwapUnsynced, In::Compacting),
    (Trap::HalfSwapCompleted, In::Compacting),
    (Trap::DeletionUntold, In::All),
    (Trap::DeletedTopicReturns, In::All),
];

/// Runs a seed with a trap put back; whether something was found wrong.
fn fails(trap: Option<Trap>, histories: In, seed: u64) -> bool {
    let run = || {
        super::pass(histories, seed);
    };
    traps::set(trap);
    let run = catch_unwind(AssertUnwindSafe(run));
    traps::set(None);
    run.is_err()
}

/// The first seed that fails with a trap put back and not without it.
fn find(trap: Trap, histories: In) -> Option<u64> {
    (0..SEEDS).find(|seed| fails(Some(trap), histories, *seed) && !fails(None, histories, *seed))
}

#[test]
fn every_trap_is_found() {
    let (next, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((trap, histories)) = TRAPS.get(next.fetch_add(1, Ordering::Relaxed)) {
            match find(*trap, *histories) {
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
