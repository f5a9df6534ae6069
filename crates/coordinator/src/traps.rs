//! Mistakes that other group coordinators have made in public. The simulation puts each back to show that it
//! finds it. In the product none is ever on, and the compiler removes them.
//!
//! The letters and numbers are those of `docs/traps.md`.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// G1: a commit is accepted from a client that is not a member of the generation.
    ZombieCommits,
    /// G4: a shard serves before its log is read.
    ServedUnread,
    /// G6: a reply leaves before the record that it depends on is durable.
    CommitUnsynced,
    /// G6: a commit whose record could not be stored is acknowledged.
    LostCommitAcknowledged,
}

#[cfg(feature = "traps")]
impl Trap {
    /// All of them.
    pub const ALL: &[Trap] =
        &[Trap::ZombieCommits, Trap::ServedUnread, Trap::CommitUnsynced, Trap::LostCommitAcknowledged];
}

#[cfg(feature = "traps")]
static ON: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(u8::MAX);

/// Whether this process makes the mistake.
#[cfg(feature = "traps")]
pub fn is_on(trap: Trap) -> bool {
    ON.load(std::sync::atomic::Ordering::Relaxed) == trap as u8
}

/// Makes this process commit one mistake, or none.
#[cfg(feature = "traps")]
pub fn set(trap: Option<Trap>) {
    ON.store(trap.map_or(u8::MAX, |trap| trap as u8), std::sync::atomic::Ordering::Relaxed);
}

/// Whether this process makes the mistake.
#[cfg(not(feature = "traps"))]
#[inline(always)]
pub const fn is_on(_: Trap) -> bool {
    false
}
