//! Known mistakes of other logs, which a test puts back to show that the crash test finds each. None is ever on in the
//! product, and the compiler removes their code.
//!
//! The letters and numbers are those of `docs/traps.md`.

/// A mistake.
#[cfg_attr(not(feature = "traps"), allow(unreachable_pub, reason = "only a simulation reaches it"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// S1: the checksums of batches that may be torn are not verified.
    TornBatchServed,
    /// S1: a log is truncated at damage, durable or not.
    DurableDamageCut,
    /// S2: zeros are taken for the end of the log.
    ZerosAreTheEnd,
    /// S2: a missing end of a segment is not noticed if another segment follows.
    HoleBetweenSegments,
    /// S3: the directory is not synced after segments are created.
    SegmentEntryUnsynced,
    /// S3: the log directory is not synced after a partition's directory is created.
    PartitionEntryUnsynced,
    /// S3: a sync of the log directory counts for entries that were created after it.
    EarlierSyncCounts,
    /// S3: a log that was written is closed without a sync, as one that was not may be.
    CloseUnsynced,
    /// S3: the directory is not synced after a checkpoint is renamed.
    RenameUnsynced,
    /// S4: a checkpoint is renamed before its bytes are synced.
    CheckpointUnsynced,
    /// S4: a checkpoint is written in place.
    CheckpointInPlace,
    /// S4: the recovery point that is checkpointed is not durable yet.
    RecoveryPointAhead,
    /// S4: the mark of a clean shutdown survives the next start.
    CleanStopBelieved,
    /// S5: waiting requests are answered before the sync is done.
    AcknowledgedUnsynced,
    /// S5: a sync that failed is tried again.
    FailedSyncRetried,
    /// S6: the part of a batch that fits on a full disk stays after the last whole one.
    HalfBatchStays,
    /// S7: a write that took fewer bytes counts as done.
    ShortWrite,
    /// S7: a read that gave fewer bytes counts as done.
    ShortRead,
    /// S8: indexes are trusted after a crash.
    IndexTrusted,
    /// S8: producer snapshots newer than what is durable are trusted after a crash.
    SnapshotTrusted,
    /// S8: truncation leaves the snapshots above it.
    SnapshotLeft,
    /// S8: a truncation is not durable before others write behind it.
    TruncationUnsynced,
    /// L1: the marker of a transaction goes before its data.
    MarkerGoesFirst,
    /// L1: transactions that are not decided are cleaned.
    UndecidedCleaned,
    /// L2: markers are kept for their keys, as records are.
    MarkerHasKey,
    /// L3: the last batch of a producer goes.
    LastBatchGoes,
    /// L4: a tombstone goes as soon as it is cleaned.
    TombstoneGoes,
    /// The names that a swap of compaction changes in one step are not durable before the next.
    SwapUnsynced,
    /// A swap of which only some files have been given their names is taken to be complete.
    HalfSwapCompleted,
    /// L5: deleted segments may come back, some of them.
    DeletionUntold,
    /// L6: the directory of a deleted topic may come back under its name.
    DeletedTopicReturns,
    /// The checkpoints keep the records of a deleted partition until another of its name is created: after a crash in
    /// between that one counts as absent.
    DeletedPartitionMissed,
}

impl Trap {
    /// All of them.
    #[cfg(feature = "traps")]
    pub const ALL: &[Trap] = &[
        Trap::TornBatchServed,
        Trap::DurableDamageCut,
        Trap::ZerosAreTheEnd,
        Trap::HoleBetweenSegments,
        Trap::SegmentEntryUnsynced,
        Trap::PartitionEntryUnsynced,
        Trap::RenameUnsynced,
        Trap::CheckpointUnsynced,
        Trap::CheckpointInPlace,
        Trap::RecoveryPointAhead,
        Trap::CleanStopBelieved,
        Trap::AcknowledgedUnsynced,
        Trap::FailedSyncRetried,
        Trap::HalfBatchStays,
        Trap::ShortWrite,
        Trap::ShortRead,
        Trap::IndexTrusted,
        Trap::SnapshotTrusted,
        Trap::SnapshotLeft,
        Trap::TruncationUnsynced,
        Trap::MarkerGoesFirst,
        Trap::UndecidedCleaned,
        Trap::MarkerHasKey,
        Trap::LastBatchGoes,
        Trap::TombstoneGoes,
        Trap::SwapUnsynced,
        Trap::HalfSwapCompleted,
        Trap::DeletionUntold,
        Trap::DeletedTopicReturns,
    ];
}

#[cfg(test)]
thread_local! {
    static ON: std::cell::Cell<Option<Trap>> = const { std::cell::Cell::new(None) };
}

/// Whether this thread makes that mistake.
#[cfg(test)]
pub(crate) fn is_on(trap: Trap) -> bool {
    ON.get() == Some(trap)
}

#[cfg(all(feature = "traps", not(test)))]
static ON: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(u8::MAX);

/// Whether this process makes that mistake.
#[cfg(all(feature = "traps", not(test)))]
pub(crate) fn is_on(trap: Trap) -> bool {
    ON.load(std::sync::atomic::Ordering::Relaxed) == trap as u8
}

/// Sets the mistake of this process, or none.
#[cfg(all(feature = "traps", not(test)))]
pub fn set(trap: Option<Trap>) {
    ON.store(trap.map_or(u8::MAX, |trap| trap as u8), std::sync::atomic::Ordering::Relaxed);
}

/// Whether this thread makes that mistake.
#[cfg(not(any(test, feature = "traps")))]
#[inline(always)]
pub(crate) const fn is_on(_: Trap) -> bool {
    false
}

/// Runs `act`, which that mistake leaves out.
#[inline(always)]
pub(crate) fn unless<E>(trap: Trap, act: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    if is_on(trap) { Ok(()) } else { act() }
}

/// Sets the mistake of this thread, or none.
#[cfg(test)]
pub(crate) fn set(trap: Option<Trap>) {
    ON.set(trap);
}
