//! What the active controller does as time passes.

use super::{Controller, Decision, Office};
use crate::image::Image;

/// The outcome of a look at what is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TickOutcome {
    /// The time of the steady clock, in milliseconds, when to look again.
    pub next_ms: i64,
    /// The brokers that are fenced because they were not heard of for `broker.session.timeout.ms`.
    pub fenced: Vec<i32>,
}

impl Controller {
    /// Does what is due at `now_ms` of the steady clock. The only broker of a cluster, if it is this node, never waits for
    /// itself.
    pub fn tick(&self, image: &Image, office: &mut Office, now_ms: i64) -> Decision<TickOutcome> {
        let (fenced, records) = self.fence_silent_brokers(image, office, now_ms);
        (TickOutcome { next_ms: office.heartbeats.due_ms(), fenced }, records)
    }
}
