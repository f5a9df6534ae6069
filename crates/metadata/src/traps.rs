//! Mistakes that other quorums have made in public, put back by a simulation to show that it finds each. In the product
//! none is ever on, and the compiler leaves nothing of them.
//!
//! The letters and numbers are those of `docs/traps.md`.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// C1: entries are acknowledged before they are durable.
    EntryUnsynced,
    /// C2: a voter is told that entries are durable which replaced those that are.
    TruncatedFlushCounts,
    /// C3: a snapshot has half of a decision, whose other half is in the log that it replaces.
    SnapshotWithHole,
    /// C3: a snapshot is renamed before its bytes are durable.
    SnapshotUnsynced,
    /// C4: a vote is told and not kept.
    VoteForgotten,
    /// C4: a vote is given to a candidate whose log is behind.
    VoteForShorterLog,
    /// C11: a follower writes the entries of its leader in its own way.
    EntriesWrittenAnew,
    /// C8: a leader reads without asking whether it still is one.
    DeposedLeaderReads,
    /// C9: a deposed leader keeps what it had proposed, and builds on it when it leads again.
    ProposalsKept,
    /// C10: entries that were truncated stay in memory, and are applied.
    TruncatedEntriesApplied,
}

#[cfg(feature = "traps")]
impl Trap {
    /// All of them.
    pub const ALL: &[Trap] = &[
        Trap::EntryUnsynced,
        Trap::TruncatedFlushCounts,
        Trap::SnapshotWithHole,
        Trap::SnapshotUnsynced,
        Trap::VoteForgotten,
        Trap::VoteForShorterLog,
        Trap::EntriesWrittenAnew,
        Trap::DeposedLeaderReads,
        Trap::ProposalsKept,
        Trap::TruncatedEntriesApplied,
    ];
}

#[cfg(feature = "traps")]
static ON: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(u8::MAX);

/// Whether this process makes that mistake.
#[cfg(feature = "traps")]
pub(crate) fn is_on(trap: Trap) -> bool {
    ON.load(std::sync::atomic::Ordering::Relaxed) == trap as u8
}

/// Has this process make one mistake, or none.
#[cfg(feature = "traps")]
pub fn set(trap: Option<Trap>) {
    ON.store(trap.map_or(u8::MAX, |trap| trap as u8), std::sync::atomic::Ordering::Relaxed);
}

/// Whether this process makes that mistake.
#[cfg(not(feature = "traps"))]
#[inline(always)]
pub(crate) const fn is_on(_: Trap) -> bool {
    false
}
