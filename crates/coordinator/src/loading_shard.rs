//! The load of a shard: all records of its partition, from the start to the end.

use crate::now::Now;
use crate::record::{ReplayError, ReplayOutcome, StoredRecord};
use crate::shard::Shard;

/// A shard whose records are being read, and that therefore cannot answer anything.
#[derive(Debug)]
pub struct LoadingShard<S> {
    pub(crate) shard: S,
}

impl<S: Shard> LoadingShard<S> {
    /// Starts with an empty shard.
    pub fn new(settings: S::Settings) -> LoadingShard<S> {
        LoadingShard { shard: S::new(settings) }
    }

    /// Replays the next record of the log.
    ///
    /// # Errors
    /// [`ReplayError`] if the record does not belong to the topic. The records before it stay replayed.
    pub fn replay(&mut self, record: StoredRecord) -> Result<ReplayOutcome, ReplayError> {
        self.shard.replay(record)
    }

    /// Replays the end of a transaction: the control record of the batch's producer id.
    pub fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        self.shard.end_transaction(producer_id, committed);
    }

    /// The content so far, in a few words for the log.
    pub fn contents(&self) -> String {
        self.shard.contents()
    }

    /// The shard, ready to serve: the log has been read to its end.
    pub fn loaded(mut self, now: Now) -> S {
        self.shard.begin(now);
        self.shard
    }
}
