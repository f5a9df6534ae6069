//! The two clocks of a coordinator, as types: durations are measured on a clock that is never set, and stored
//! timestamps come from the clock that operators set.

/// A moment on both clocks. They are read together, for every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For sessions, rebalances and other deadlines.
    pub steady: SteadyMs,
    /// For timestamps that are stored, and for comparisons with them.
    pub wall: WallMs,
}

/// Milliseconds on a clock that only goes forward, since a moment that the host chooses. It is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SteadyMs(pub i64);

/// Milliseconds since the epoch on a clock that may be set forward and back. Records have this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallMs(pub i64);

impl SteadyMs {
    /// The moment `ms` later.
    pub(crate) fn after(self, ms: i64) -> SteadyMs {
        SteadyMs(self.0.saturating_add(ms))
    }
}

impl WallMs {
    /// The moment `ms` later.
    pub(crate) fn after(self, ms: i64) -> WallMs {
        WallMs(self.0.saturating_add(ms))
    }

    /// The milliseconds since `earlier`; negative if the clock was set back meanwhile.
    pub(crate) fn since(self, earlier: WallMs) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
