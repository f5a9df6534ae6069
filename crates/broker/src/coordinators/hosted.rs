//! One shard on this broker: its log, its state, and the requests that wait for it.

use std::sync::Arc;

use coordinator::{DeletedTopic, Now, Output, Reply, Shard, Token};
use parking_lot::Mutex;
use protocol::ErrorCode;
use runtime::HashMap;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use super::answer::{Barrier, PendingReply, SettledReply};
use crate::replicas::{Refusal, Replica};

/// The shard of one partition.
pub(super) struct HostedShard<S> {
    pub(super) log: Arc<Replica>,
    /// The leader epoch that its log is read in. It appends in no other: who leads in between may have appended what it
    /// has not read.
    epoch: i32,
    pub(super) state: Mutex<State<S>>,
}

pub(super) enum State<S> {
    /// The log is being read, and the state is unknown until its end. The topics were deleted since the load
    /// began.
    Loading(Vec<DeletedTopic>),
    Serving(Box<ServingShard<S>>),
    /// Another broker leads the partition, or it was deleted.
    Resigned,
}

pub(super) struct ServingShard<S> {
    pub(super) shard: S,
    epoch: i32,
    /// The senders for requests without a reply.
    waiting: HashMap<Token, oneshot::Sender<SettledReply>>,
}

impl<S: Shard> HostedShard<S> {
    /// A shard whose log is yet to be read.
    pub(super) fn loading(log: Arc<Replica>) -> Self {
        // A replica that follows takes nothing, and gives nothing to read.
        let epoch = log.leading_epoch().unwrap_or(-1);
        Self { log, epoch, state: Mutex::new(State::Loading(Vec::new())) }
    }

    /// Ends the shard: waiting clients are told to look elsewhere.
    pub(super) fn resign(&self, now: Now) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Resigned);
        if let State::Serving(serving) = before {
            let ServingShard { shard, mut waiting, .. } = *serving;
            for (token, reply) in shard.resign(now) {
                settle(&mut waiting, &self.log, token, reply);
            }
        }
    }

    /// Starts to serve, unless the shard has resigned meanwhile. Returns the next deadline.
    pub(super) fn serve(&self, shard: S, now: Now) -> Option<i64> {
        for remark in shard.load_remarks() {
            info!(partition = %self.log.name(), "{remark}");
        }
        let mut state = self.state.lock();
        let State::Loading(deleted) = &mut *state else { return None };
        let deleted = std::mem::take(deleted);
        let mut serving = Box::new(ServingShard { shard, epoch: self.epoch, waiting: HashMap::default() });
        serving.topics_deleted(&self.log, &deleted, now);
        let next_ms = serving.next_deadline_ms();
        *state = State::Serving(serving);
        Some(next_ms)
    }

    /// Stores deleted topics until the log is read. Returns `false` if it is read already.
    pub(super) fn defer(&self, topics: &[DeletedTopic]) -> bool {
        match &mut *self.state.lock() {
            State::Loading(deleted) => {
                deleted.extend_from_slice(topics);
                true
            }
            State::Serving(_) | State::Resigned => false,
        }
    }
}

impl<S> State<S> {
    /// # Errors
    /// The error for clients if the shard does not serve.
    pub(super) fn serving(&mut self) -> Result<&mut ServingShard<S>, ErrorCode> {
        match self {
            Self::Loading(_) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Self::Serving(serving) => Ok(serving),
            Self::Resigned => Err(ErrorCode::NOT_COORDINATOR),
        }
    }
}

impl<S: Shard> ServingShard<S> {
    /// Lets the shard decide on a request.
    pub(super) fn decide(
        &mut self,
        log: &Arc<Replica>,
        token: Token,
        request: S::Request,
        now: Now,
    ) -> PendingReply {
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(token, sender);
        self.shard.limit_appends(log.max_message_bytes());
        let output = self.shard.decide(token, request, now);
        self.carry_out(log, output, now);
        PendingReply::new(receiver)
    }

    pub(super) fn topics_deleted(&mut self, log: &Arc<Replica>, topics: &[DeletedTopic], now: Now) {
        let output = self.shard.topics_deleted(topics);
        self.carry_out(log, output, now);
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, log: &Arc<Replica>, now: Now) {
        while self.shard.next_deadline().is_some_and(|due| due <= now.steady) {
            let output = self.shard.tick(now);
            self.carry_out(log, output, now);
        }
    }

    /// The next deadline, on the steady clock.
    pub(super) fn next_deadline_ms(&self) -> i64 {
        self.shard.next_deadline().map_or(i64::MAX, |due| due.0)
    }

    /// Carries out the appends of an output, and those that follow from them, and settles the replies.
    fn carry_out(&mut self, log: &Arc<Replica>, mut output: Output, now: Now) {
        loop {
            for (token, reply) in output.replies {
                settle(&mut self.waiting, log, token, reply);
            }
            let Some(append) = output.append else { return };
            output = match log.append_coordinator_records(append.records(), self.epoch, now.wall.0) {
                Ok(appended) => self.shard.append_succeeded(append, appended.base_offset, now),
                Err(refusal) => {
                    not_stored(log, append.records().len(), &refusal);
                    self.shard.append_failed(append, refusal.error_code, now)
                }
            };
        }
    }
}

fn not_stored(log: &Replica, records: usize, refusal: &Refusal) {
    let (partition, error) = (log.name(), refusal.error_code.name());
    if refusal.error_code == ErrorCode::KAFKA_STORAGE_ERROR {
        // The log directory has reported the failure, once.
        debug!(partition, error, records, "records of the coordinator were not stored");
    } else {
        warn!(partition, error, records, "records of the coordinator were not stored");
    }
}

fn settle(
    waiting: &mut HashMap<Token, oneshot::Sender<SettledReply>>,
    log: &Arc<Replica>,
    token: Token,
    reply: Reply,
) {
    let sender = waiting.remove(&token).expect("a request has one reply");
    // If the client is gone, nobody receives it.
    let _ = sender.send(SettledReply { reply, barrier: Barrier::at_end_of(log) });
}
