//! Producer ids for idempotent producers. The controller gives them out in blocks.

use std::ops::Range;

use parking_lot::Mutex;
use protocol::ErrorCode;
use protocol::messages::AllocateProducerIdsRequest;

use super::Cluster;

/// The ids of the last block that no producer has yet.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    left: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// The next id; `None` if the block is used up.
    fn take(&self) -> Option<i64> {
        self.left.lock().next()
    }

    /// Puts a new block in, unless another request has just done so.
    fn refill(&self, block: Range<i64>) {
        let mut left = self.left.lock();
        if left.is_empty() {
            *left = block;
        }
    }
}

impl Cluster {
    /// An id that no producer has had; `None` if the controller has to be asked for more.
    pub(crate) fn take_producer_id(&self) -> Option<i64> {
        self.producer_ids.take()
    }

    /// An id that no producer has had; asks the controller for more if necessary.
    ///
    /// # Errors
    /// Kafka's error if the controller gives none.
    pub(crate) async fn next_producer_id(&self) -> Result<i64, ErrorCode> {
        loop {
            if let Some(id) = self.take_producer_id() {
                return Ok(id);
            }
            let request =
                AllocateProducerIdsRequest { broker_id: self.node_id(), broker_epoch: self.broker_epoch() };
            let block = self.ask(&request).await.map_err(|_| ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)?;
            if block.error_code.is_error() {
                return Err(block.error_code);
            }
            let first = block.producer_id_start;
            self.producer_ids.refill(first..first + i64::from(block.producer_id_len));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_once_and_blocks_are_not_replaced_before_they_end() {
        let ids = ProducerIds::default();
        assert_eq!(ids.take(), None);
        ids.refill(5..7);
        ids.refill(100..200);
        assert_eq!([ids.take(), ids.take(), ids.take()], [Some(5), Some(6), None]);
    }
}
