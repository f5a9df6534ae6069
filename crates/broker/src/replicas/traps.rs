//! Mistakes of replication that other logs have made in public, put back by a test to show that the search through small
//! clusters finds each. In the product none is ever on, and the compiler leaves nothing of them.
//!
//! The letters and numbers are those of `docs/traps.md`.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trap {
    /// R1: a follower truncates its log to its high watermark when a leader is elected (KIP-101).
    TruncatedToHighWatermark,
    /// R3: a leader takes note of a fetch that was sent to the one before it, or to one that it is not yet.
    FetchUnfenced,
    /// R3: a follower joins the ISR that has what is committed by the high watermark, and less than the leader began with.
    ExpandedByHighWatermark,
    /// R7: a follower fetches from the end of its log, which is not on disk yet.
    UnsyncedFetchOffset,
    /// R7: a new leader acknowledges what is below the high watermark that it took over.
    InheritedAcknowledged,
    /// R8: while a proposal is in flight the high watermark waits for the ISR before it alone.
    CommittedIsrCounts,
    /// R8: an answer to an earlier attempt to send a proposal counts for the last one.
    EarlierAnswerTaken,
    /// R9: a fetch that was sent before its broker started anew counts as the broker's.
    StaleBrokerJoins,
    /// R12: a follower does not say which epoch its last record is of, and keeps what diverges.
    LastEpochUntold,
    /// R13: a follower goes by answers that are late.
    LateAnswerTaken,
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

/// Whether this thread makes that mistake.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn is_on(_: Trap) -> bool {
    false
}

/// Has this thread make one mistake, or none.
#[cfg(test)]
pub(crate) fn set(trap: Option<Trap>) {
    ON.set(trap);
}
