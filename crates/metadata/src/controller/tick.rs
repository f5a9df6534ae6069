//! What the active controller does as time passes.

use super::heartbeat::after;
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
        let (fenced, mut records) = self.fence_silent_brokers(image, office, now_ms);
        let state = after(image, &records);
        let (unclean_due_ms, unclean) = self.elect_unclean_leaders_when_due(&state, office, now_ms);
        let state = after(&state, &unclean);
        records.extend(unclean);
        let (balance_due_ms, balanced) = self.balance_leaders(&state, office, now_ms);
        records.extend(balanced);
        let next_ms = office.heartbeats.due_ms().min(unclean_due_ms).min(balance_due_ms);
        (TickOutcome { next_ms, fenced }, records)
    }

    /// Looks every `unclean.leader.election.interval.ms` for partitions that an unclean election would give a leader. Others
    /// than changed settings may have made it possible: a broker that came back, a setting in a file.
    fn elect_unclean_leaders_when_due(
        &self,
        image: &Image,
        office: &mut Office,
        now_ms: i64,
    ) -> Decision<i64> {
        let interval_ms = self.setting(image, "unclean.leader.election.interval.ms").whole();
        let next_ms = now_ms.saturating_add(interval_ms);
        let due_ms = office.unclean_elections_due_ms.get_or_insert(next_ms);
        if now_ms < *due_ms {
            return (*due_ms, Vec::new());
        }
        *due_ms = next_ms;
        (next_ms, self.elect_unclean_leaders(image))
    }
}
