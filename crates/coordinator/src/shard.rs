//! The contract of every kind of shard, and what a shard and its host exchange.

use std::collections::VecDeque;

use protocol::{ErrorCode, Str};

use crate::reply::Reply;
use crate::traps::{self, Trap};
use crate::{CoordinatorRecord, Now, ReplayError, ReplayOutcome, SteadyMs, StoredRecord};

/// The identity of a request, by which its reply finds its way back. The host chooses it; every token that a
/// shard gets comes back in exactly one reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The state of one partition of a coordinator's topic, and the rules by which it changes. A shard does no
/// IO, has no clock and draws no random numbers; the crate's documentation describes how its host drives it.
///
/// Its state has two parts. The stored part is the content of the partition's records, and only
/// [`replay`](Self::replay) changes it: it is the same in a shard that has decided for days and in one that
/// was just loaded from the same records. The rest (waiting requests, deadlines, a round that is not
/// complete) is lost when the shard ends; a decision may change it at once.
pub trait Shard: Sized + Send + 'static {
    /// A request whose reply may have to wait.
    type Request;
    /// An operator's settings for all shards of the kind.
    type Settings: Clone + Send + Sync + 'static;

    /// The topic whose partitions hold the records. Each of them has a shard.
    const TOPIC: &'static str;

    /// A shard of an empty partition, for [`LoadingShard`](crate::LoadingShard) to replay the records to.
    fn new(settings: Self::Settings) -> Self;

    /// Replays the next record of the partition, on loading or right after it was appended. A record in a
    /// transaction takes effect when the transaction ends.
    ///
    /// # Errors
    /// [`ReplayError`] if the record does not belong to the topic. The records before it stay replayed.
    fn replay(&mut self, record: StoredRecord) -> Result<ReplayOutcome, ReplayError>;

    /// Replays the control record that ends a producer's transaction.
    fn end_transaction(&mut self, producer_id: i64, committed: bool);

    /// Starts to serve: all records of the partition are replayed.
    fn begin(&mut self, now: Now);

    /// Remarks for the operator about the records that were loaded.
    fn load_remarks(&self) -> Vec<String>;

    /// The content of the shard, in a few words for the log: "3 groups with 12 offsets".
    fn contents(&self) -> String;

    /// Sets the largest batch that the partition accepts, in bytes (`max.message.bytes`).
    fn limit_appends(&mut self, max_bytes: usize);

    /// Decides on a request.
    fn decide(&mut self, token: Token, request: Self::Request, now: Now) -> Output;

    /// Removes state about topics that were deleted. There is no reply; if the append fails, the state stays.
    fn topics_deleted(&mut self, topics: &[DeletedTopic]) -> Output;

    /// Continues after the records of an append were stored and replayed: answers the requests that waited
    /// for them.
    fn appended(&mut self, now: Now) -> Output;

    /// Continues after `records`, a batch of an append, could not be stored: answers the requests that waited
    /// for them. The stored part of the state stays as it is.
    fn not_appended(&mut self, records: &[CoordinatorRecord], error: ErrorCode, now: Now) -> Output;

    /// The next time at which [`tick`](Self::tick) has work.
    fn next_deadline(&self) -> Option<SteadyMs>;

    /// Does what is due. It returns one append at a time, so call it again until
    /// [`next_deadline`](Self::next_deadline) lies ahead.
    fn tick(&mut self, now: Now) -> Output;

    /// Ends the shard, because another broker takes over or the process stops. Returns the replies to all
    /// waiting requests: their clients look for the coordinator again.
    fn resign(self, now: Now) -> Vec<(Token, Reply)>;

    /// Replays the first batch of `append`, which is stored from `base_offset` on. The output has the next
    /// batch, or, after the last one, all replies that waited for the append.
    fn append_succeeded(&mut self, mut append: Append, base_offset: i64, now: Now) -> Output {
        let stored = append.batches.pop_front().expect("an append has a batch");
        for (record, offset) in stored.into_iter().zip(base_offset..) {
            self.replay(StoredRecord::new(offset, record)).expect("own records are readable");
        }
        if !append.batches.is_empty() {
            return Output { append: Some(append), ..Output::default() };
        }
        let mut output = self.appended(now);
        output.replies.extend(append.reply);
        output
    }

    /// Drops `append`, whose first batch could not be stored. The output has the replies that report it.
    fn append_failed(&mut self, append: Append, error: ErrorCode, now: Now) -> Output {
        let mut output = self.not_appended(append.records(), error, now);
        let answer = |reply: Reply| {
            if traps::is_on(Trap::LostCommitAcknowledged) { reply } else { reply.into_error(error) }
        };
        output.replies.extend(append.reply.map(|(token, reply)| (token, answer(reply))));
        output
    }
}

/// A deleted topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// Its name.
    pub name: Str,
    /// Its id. State about a later topic of the same name has another one.
    pub id: protocol::Uuid,
}

/// The outcome of a request, or of the passing of time.
#[derive(Debug, Default)]
#[must_use = "its replies must be sent and its append made"]
pub struct Output {
    /// Replies that depend on no record of `append`.
    pub replies: Vec<(Token, Reply)>,
    /// Records to append before the shard is asked anything else.
    pub append: Option<Append>,
}

impl Output {
    pub(crate) fn reply(token: Token, reply: Reply) -> Output {
        Output { replies: vec![(token, reply)], append: None }
    }

    pub(crate) fn append(append: Option<Append>) -> Output {
        Output { replies: Vec::new(), append }
    }
}

/// Records to append to the shard's partition. They are one batch, so that either all or none are stored; only
/// deletions may be several.
///
/// Report its outcome with [`Shard::append_succeeded`] or [`Shard::append_failed`]. Until then the shard's
/// stored state is as if the request had never come, and nothing may be asked of the shard.
#[derive(Debug)]
#[must_use = "the shard waits for its outcome"]
pub struct Append {
    /// Invariant: not empty, and neither is any batch.
    batches: VecDeque<Vec<CoordinatorRecord>>,
    /// The reply that waits for the last batch.
    reply: Option<(Token, Reply)>,
}

impl Append {
    /// Appends `records`, of which there must be some, as one batch.
    pub fn new(records: Vec<CoordinatorRecord>) -> Append {
        assert!(!records.is_empty(), "there is something to append");
        Append { batches: VecDeque::from([records]), reply: None }
    }

    /// Records that delete something, in batches of about `batch_max_bytes`. If a batch fails, the rest is
    /// not deleted, and can be deleted later. `None` if there is nothing to delete.
    pub(crate) fn deletion(records: Vec<CoordinatorRecord>, batch_max_bytes: usize) -> Option<Append> {
        let mut batches: VecDeque<Vec<CoordinatorRecord>> = VecDeque::new();
        let mut batch_bytes = 0;
        for record in records {
            batch_bytes += record.size();
            match batches.back_mut() {
                Some(batch) if batch_bytes <= batch_max_bytes => batch.push(record),
                _ => {
                    batch_bytes = record.size();
                    batches.push_back(vec![record]);
                }
            }
        }
        if batches.is_empty() { None } else { Some(Append { batches, reply: None }) }
    }

    /// Answers `token` with `reply` once the records are stored.
    pub fn with_reply(mut self, token: Token, reply: Reply) -> Append {
        assert!(self.reply.is_none(), "an append is waited for by one request");
        self.reply = Some((token, reply));
        self
    }

    /// The records to append next, as one batch. Never empty.
    pub fn records(&self) -> &[CoordinatorRecord] {
        self.batches.front().expect("an append has a batch")
    }

    /// The request that is answered once the last batch is stored, if there is one.
    #[cfg(test)]
    pub(crate) fn answers(&self) -> Option<Token> {
        self.reply.as_ref().map(|(token, _)| *token)
    }
}
