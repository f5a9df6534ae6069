//! The two clocks that a coordinator is given, told apart by type: how long something takes is measured by
//! one that is never set, and what is stored is stamped by the one that operators set.

/// A moment, by both clocks. They are read together, for every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For sessions, rebalances and other deadlines.
    pub steady: SteadyMs,
    /// For what is stored, and for what is compared with it.
    pub wall: WallMs,
}

/// Milliseconds on a clock that only goes forward, since a moment that the host chooses. No record has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SteadyMs(pub i64);

/// Milliseconds since the epoch on a clock that may be set, forward and back, as records have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallMs(pub i64);

impl SteadyMs {
    /// The moment that is so much later.
    pub(crate) fn after(self, ms: i64) -> SteadyMs {
        SteadyMs(self.0.saturating_add(ms))
    }
}

impl WallMs {
    /// The moment that is so much later.
    pub(crate) fn after(self, ms: i64) -> WallMs {
        WallMs(self.0.saturating_add(ms))
    }

    /// The milliseconds since `earlier`; negative if the clock was set back meanwhile.
    pub(crate) fn since(self, earlier: WallMs) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
