//! Producer ids for idempotent producers. The controller gives them out in blocks.

use std::ops::Range;

use parking_lot::Mutex;

/// The ids of the last block that no producer has yet.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    left: Mutex<Range<i64>>,
}

impl ProducerIds {
    /// The next id; none where the block is used up.
    pub(crate) fn take(&self) -> Option<i64> {
        self.left.lock().next()
    }

    /// Puts a new block in, unless another request has just done so.
    pub(crate) fn refill(&self, block: Range<i64>) {
        let mut left = self.left.lock();
        if left.is_empty() {
            *left = block;
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
