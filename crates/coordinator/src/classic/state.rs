//! The states of a classic group.

/// The state of a group. Kafka's `Dead` is not among them: a group is deleted between two requests, not
/// during one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No members; perhaps offsets.
    Empty,
    /// Members are joining. The first rebalance of an empty group waits for more of them.
    PreparingRebalance { initial: bool },
    /// The leader is assigning the partitions.
    CompletingRebalance,
    /// Every member has its assignment.
    Stable,
}

impl State {
    /// The name that tools display.
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance { .. } => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    pub(crate) fn is_preparing_rebalance(self) -> bool {
        matches!(self, State::PreparingRebalance { .. })
    }

    /// Whether a rebalance can start.
    pub(crate) fn can_rebalance(self) -> bool {
        !self.is_preparing_rebalance()
    }

    pub(crate) fn may_become(self, next: State) -> bool {
        match next {
            State::Empty | State::CompletingRebalance => self.is_preparing_rebalance(),
            State::PreparingRebalance { initial } => {
                self.can_rebalance() && initial == (self == State::Empty)
            }
            State::Stable => self == State::CompletingRebalance,
        }
    }
}
