//! The leader's proposals of who is in sync, on their way to the controller and back.

use runtime::clock;

use super::super::leader::{AfterAnswer, Proposal, ProposalAnswer};
use super::super::role::Role;
use super::{Replica, State};

impl Replica {
    /// The change of the ISR that this replica proposes as the leader, if there is one. A proposal that was not answered is
    /// made again. `broker_epoch` is this broker's.
    pub(crate) fn isr_proposal(&self, broker_epoch: i64) -> Option<Proposal> {
        let rules = self.rules.load().in_sync();
        let mut state = self.state.lock();
        let State { role: Role::Leader(leader), .. } = &mut *state else { return None };
        if !leader.has_followers() {
            return None;
        }
        if leader.proposal().is_some() {
            return leader.send_again().cloned();
        }
        let (end_offset, high_watermark) = (self.offsets.end(), self.offsets.high_watermark());
        if let Some(shrink) = leader.shrink(end_offset, &rules, broker_epoch, clock::steady_ms()) {
            return Some(shrink.clone());
        }
        let followers: Vec<i32> = leader.followers().collect();
        followers
            .into_iter()
            .find_map(|follower| leader.expand(follower, high_watermark, broker_epoch).cloned())
    }

    /// Takes the controller's answer to a proposal.
    pub(crate) fn isr_answered(&self, number: u32, answer: ProposalAnswer) -> AfterAnswer {
        let (after, raised) = {
            let mut state = self.state.lock();
            let Role::Leader(leader) = &mut state.role else { return AfterAnswer::Late };
            let after = leader.answered(number, answer);
            (after, state.raise_high_watermark(&self.rules.load()))
        };
        self.tell_progress(raised);
        after
    }
}
