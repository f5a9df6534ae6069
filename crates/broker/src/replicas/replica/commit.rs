//! Acknowledging: what a produce with acks=all, and whatever a coordinator has stored, waits for.

use protocol::ErrorCode;

use super::super::leader::Acknowledgement;
use super::{News, Replica};
use crate::directories::DurabilityLoss;

impl Replica {
    /// Whether all replicas in sync have everything before `end_offset`, on disk if the topic's acknowledgements
    /// promise that.
    pub(crate) fn is_committed(&self, end_offset: i64) -> bool {
        self.is_durable(end_offset) && self.acknowledgement(end_offset) == Ok(Acknowledgement::Complete)
    }

    /// Waits until that is so.
    ///
    /// # Errors
    /// Kafka's error if it cannot happen any more, because the disk has failed, the log was deleted, or another
    /// broker leads; NOT_ENOUGH_REPLICAS_AFTER_APPEND if fewer replicas than `min.insync.replicas` are in sync by then.
    pub(crate) async fn committed(&self, end_offset: i64) -> Result<(), ErrorCode> {
        self.durable(end_offset).await?;
        let decided = || match self.acknowledgement(end_offset) {
            Ok(Acknowledgement::Outstanding) => None,
            decided => Some(decided),
        };
        match self.durability.wait_until(decided).await.map_err(|DurabilityLoss| self.gone())?? {
            Acknowledgement::TooFewReplicas => Err(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND),
            Acknowledgement::Complete | Acknowledgement::Outstanding => Ok(()),
        }
    }

    /// Wakes the acknowledgements that wait for replicas in sync and, if the high watermark has `risen`, the fetches of
    /// consumers.
    pub(super) fn tell_progress(&self, risen: bool) {
        if risen {
            self.watchers.notify(&[News::HighWatermark]);
        }
        self.durability.look_again();
    }

    fn acknowledgement(&self, end_offset: i64) -> Result<Acknowledgement, ErrorCode> {
        let min_in_sync = self.rules.load().in_sync().min_in_sync;
        let state = self.state.lock();
        let leader = state.role.leader()?;
        Ok(leader.acknowledgement(end_offset, self.offsets.high_watermark(), min_in_sync))
    }

    /// Whether everything before `end_offset` is as durable as this topic's acknowledgements promise.
    fn is_durable(&self, end_offset: i64) -> bool {
        !self.rules.load().durable_acks() || self.offsets.flushed() >= end_offset
    }

    /// Waits until everything before `end_offset` is as durable as that.
    async fn durable(&self, end_offset: i64) -> Result<(), ErrorCode> {
        if self.is_durable(end_offset) {
            return Ok(());
        }
        // The records may have been appended by a request that did not ask for a flush.
        if let Some(log) = self.lock().as_ref() {
            log.enqueue_flush();
        }
        self.durability.wait(end_offset).await.map_err(|DurabilityLoss| self.gone())
    }
}
