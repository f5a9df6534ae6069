//! The work of a voter among others: taking office when it is elected, and snapshots of its own.

use std::sync::Arc;

use openraft::rt::WatchReceiver;

use super::{Quorum, SubmitError};

impl Quorum {
    /// Has a task do what is due at each change, until the quorum is dropped or stops.
    pub(super) fn attend(self: &Arc<Self>) {
        let mut metrics = self.raft.metrics();
        let quorum = Arc::downgrade(self);
        runtime::task::spawn(async move {
            // The term in which this node has taken office.
            let mut in_office = None;
            loop {
                let is_over = metrics.changed().await.is_err();
                let Some(quorum) = quorum.upgrade() else { return };
                // A follower learns of it here: nobody asks it for anything.
                let state = metrics.borrow_watched().running_state.clone();
                if let Err(fatal) = state {
                    quorum.ended_by(fatal);
                    return;
                }
                if is_over {
                    return;
                }
                if let Err(error) = quorum.do_what_is_due(&mut in_office).await {
                    tracing::debug!(%error, "the metadata quorum will try again");
                }
            }
        });
    }

    async fn do_what_is_due(&self, in_office: &mut Option<u64>) -> Result<(), SubmitError> {
        if let Ok(term) = self.led_term()
            && *in_office != Some(term)
        {
            self.take_office().await?;
            if let Err(error) = self.found().await {
                tracing::warn!(%error, "the first records of the cluster are not written yet");
                return Ok(());
            }
            *in_office = Some(term);
            tracing::info!(term, "this node leads the metadata quorum");
        }
        self.snapshot_when_due().await
    }
}
