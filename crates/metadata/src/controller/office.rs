//! The knowledge of the active controller that stands in no record.

use super::balance::LeaderBalance;
use super::heartbeats::Heartbeats;
use crate::image::Image;

/// What only the active controller knows, for as long as it is active: the next one begins anew.
///
/// A decision may change it even if its records are not committed, so it holds nothing that the state depends on.
#[derive(Clone, Debug, Default)]
pub struct Office {
    pub(super) heartbeats: Heartbeats,
    pub(super) balance: LeaderBalance,
    pub(super) unclean_elections_due_ms: Option<i64>,
}

impl Office {
    /// The knowledge of a controller that becomes active at `now_ms` of the steady clock.
    pub fn begin(image: &Image, now_ms: i64) -> Self {
        Self { heartbeats: Heartbeats::begin(image, now_ms), ..Self::default() }
    }
}
