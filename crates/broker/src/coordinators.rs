//! The host of coordinators: finds the shard for a key, appends the records that the shard decides on, sends
//! replies when the log is durable, and wakes the shard when a deadline has passed.
//!
//! The decisions of a shard are made in the `coordinator` crate, which does no IO; [`groups`] lists the kinds of shards.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use coordinator::traps::{self, Trap};
use coordinator::{DeletedTopic, LoadingShard, Now, Shard, SteadyMs, Token, WallMs};
use parking_lot::RwLock;
use protocol::ErrorCode;
use runtime::{clock, task};
use tokio::sync::Notify;
use tracing::{error, info};

use crate::replicas::Replica;

mod answer;
mod groups;
mod hosted;
mod load;
mod repeats;

pub(crate) use answer::{Barrier, PendingReply, reply_behind};
pub(crate) use groups::{Groups, OFFSETS_TOPIC};
use hosted::{HostedShard, ServingShard, State};
pub(crate) use repeats::Repeats;

/// The longest time that the timers sleep if nothing is due.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// The coordinator shards of one kind on this broker: one for each partition of the kind's topic that it
/// leads.
pub(crate) struct Coordinators<S: Shard> {
    settings: S::Settings,
    shards: RwLock<BTreeMap<i32, Arc<HostedShard<S>>>>,
    /// The number of partitions that the topic has, or will have once it is created.
    partitions: AtomicI32,
    next_token: AtomicU64,
    /// The time at which the timers wake next, on the steady clock.
    armed_ms: AtomicI64,
    earlier: Notify,
}

/// Reads both clocks. The wall-clock time is never kept, since it may have been wrong at the start.
fn now() -> Now {
    Now { steady: SteadyMs(clock::steady_ms()), wall: WallMs(clock::now_ms()) }
}

impl<S: Shard> Coordinators<S> {
    pub(crate) fn new(settings: S::Settings, partitions: i32) -> Self {
        Self {
            settings,
            shards: RwLock::default(),
            partitions: AtomicI32::new(partitions),
            next_token: AtomicU64::new(0),
            armed_ms: AtomicI64::new(0),
            earlier: Notify::new(),
        }
    }

    /// The partition of the topic that holds the state of a key, such as a group id.
    pub(crate) fn partition_for(&self, key: &str) -> i32 {
        coordinator::partition_for(key, self.partitions.load(Ordering::Relaxed))
    }

    /// Takes over `log`, one of the `partitions` of the topic. Its shard serves once the log has been read.
    pub(crate) fn elect(self: &Arc<Self>, log: Arc<Replica>, partitions: i32) {
        self.partitions.store(partitions, Ordering::Relaxed);
        let shard = Arc::new(HostedShard::loading(log));
        self.replace(&shard);
        let is_empty = shard.log.end_offset() == shard.log.log_start_offset();
        if is_empty || traps::is_on(Trap::ServedUnread) {
            self.serve(&shard, LoadingShard::new(self.settings.clone()));
            return;
        }
        let host = Arc::clone(self);
        drop(task::spawn_blocking(move || host.load(&shard)));
    }

    /// Installs a shard in place of the present one of its partition, which resigns: a request that has
    /// already found the old shard must not append records that the new one would not read.
    fn replace(&self, shard: &Arc<HostedShard<S>>) {
        let before = self.shards.write().insert(shard.log.index(), Arc::clone(shard));
        if let Some(before) = before {
            before.resign(now());
        }
    }

    fn load(&self, shard: &Arc<HostedShard<S>>) {
        let began = clock::now();
        let load = || {
            let loading = load::load(&shard.log, self.settings.clone()).map_err(|error| error.to_string())?;
            let contents = loading.contents();
            self.serve(shard, loading);
            Ok(contents)
        };
        // If a record makes the shard panic, clients must not wait for ever for the end of the load.
        let loaded = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| Err("it panicked".to_owned()));
        let partition = shard.log.name();
        match loaded {
            Ok(contents) => {
                let took_ms = began.elapsed().as_millis();
                info!(%partition, took_ms, "coordinator loaded: {contents}");
            }
            // Answers from half a log would send consumers back to records that they have read. The partition
            // has no coordinator until someone repairs it; the others serve.
            Err(problem) => {
                error!(%partition, "coordinator not loaded: {problem}");
                shard.resign(now());
                let mut shards = self.shards.write();
                if shards.get(&shard.log.index()).is_some_and(|current| Arc::ptr_eq(current, shard)) {
                    shards.remove(&shard.log.index());
                }
            }
        }
    }

    fn serve(&self, shard: &HostedShard<S>, loading: LoadingShard<S>) {
        if let Some(next_ms) = shard.serve(loading.loaded(now()), now()) {
            self.arm(next_ms);
        }
    }

    /// Runs `work` on a shard.
    ///
    /// A shard that panics has a bug, and may have done half of its work. Its log is complete and is loaded
    /// again, so that one request costs neither the other state of the partition nor the client an answer.
    ///
    /// # Errors
    /// The error for clients if the shard does not serve.
    fn work<R>(
        self: &Arc<Self>,
        shard: &Arc<HostedShard<S>>,
        work: impl FnOnce(&mut ServingShard<S>) -> R,
    ) -> Result<R, ErrorCode> {
        let mut state = shard.state.lock();
        let serving = state.serving()?;
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(serving))) {
            return Ok(result);
        }
        *state = State::Resigned;
        drop(state);
        error!(partition = %shard.log.name(), "the coordinator panicked: its log is loaded again");
        let current = self.shards.read().get(&shard.log.index()).cloned();
        if current.is_some_and(|current| Arc::ptr_eq(&current, shard)) {
            self.elect(Arc::clone(&shard.log), self.partitions.load(Ordering::Relaxed));
        }
        Err(ErrorCode::NOT_COORDINATOR)
    }

    /// Resigns from all partitions: waiting clients are told to look elsewhere.
    pub(crate) fn resign_all(&self) {
        std::mem::take(&mut *self.shards.write()).into_values().for_each(|shard| shard.resign(now()));
    }

    /// Resigns from one partition.
    pub(crate) fn resign(&self, partition: i32) {
        let shard = self.shards.write().remove(&partition);
        if let Some(shard) = shard {
            shard.resign(now());
        }
    }

    /// Whether the partition that holds a key is open here. The metadata assigns it a moment earlier.
    pub(crate) fn holds(&self, key: &str) -> bool {
        self.shard(key).is_ok()
    }

    /// The shard of a key.
    ///
    /// # Errors
    /// The error for a client that asks the wrong broker, or asks too early.
    fn shard(&self, key: &str) -> Result<Arc<HostedShard<S>>, ErrorCode> {
        let shards = self.shards.read();
        if shards.is_empty() {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        shards.get(&self.partition_for(key)).cloned().ok_or(ErrorCode::NOT_COORDINATOR)
    }

    /// Sends a request to the shard of a key; the reply may come later.
    ///
    /// # Errors
    /// As [`Coordinators::shard`].
    pub(crate) fn ask(self: &Arc<Self>, key: &str, request: S::Request) -> Result<PendingReply, ErrorCode> {
        let shard = self.shard(key)?;
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        self.work(&shard, |serving| {
            let pending = serving.decide(&shard.log, token, request, now());
            self.arm(serving.next_deadline_ms());
            pending
        })
    }

    /// Reads from the shard of a key.
    ///
    /// # Errors
    /// As [`Coordinators::shard`].
    pub(crate) fn look<R>(
        self: &Arc<Self>,
        key: &str,
        question: impl FnOnce(&mut S, Now) -> R,
    ) -> Result<(R, Barrier), ErrorCode> {
        let shard = self.shard(key)?;
        self.work(&shard, |serving| {
            let answer = question(&mut serving.shard, now());
            self.arm(serving.next_deadline_ms());
            (answer, Barrier::at_end_of(&shard.log))
        })
    }

    /// Reads from every shard on this broker.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS if a shard is still loading.
    pub(crate) fn look_everywhere<R>(
        self: &Arc<Self>,
        mut question: impl FnMut(&S, Now) -> R,
    ) -> Result<Vec<(R, Barrier)>, ErrorCode> {
        let shards: Vec<_> = self.shards.read().values().cloned().collect();
        let look = |shard: Arc<HostedShard<S>>| {
            let look = |serving: &mut ServingShard<S>| {
                (question(&serving.shard, now()), Barrier::at_end_of(&shard.log))
            };
            match self.work(&shard, look) {
                // This broker has just resigned from it: another one answers for it.
                Err(ErrorCode::NOT_COORDINATOR) => None,
                looked => Some(looked),
            }
        };
        shards.into_iter().filter_map(look).collect()
    }

    /// Removes the state of deleted topics.
    pub(crate) fn topics_deleted(self: &Arc<Self>, topics: &[DeletedTopic]) {
        let now = now();
        let shards: Vec<_> = self.shards.read().values().cloned().collect();
        for shard in shards {
            if shard.defer(topics) {
                continue;
            }
            // A shard that has stopped serving has nothing to remove.
            let _ = self.work(&shard, |serving| serving.topics_deleted(&shard.log, topics, now));
        }
    }

    /// Wakes the timers if a shard needs them earlier than they would wake.
    fn arm(&self, due_ms: i64) {
        if due_ms < self.armed_ms.load(Ordering::Relaxed) {
            self.earlier.notify_one();
        }
    }

    /// Does what is due in the shards, as it falls due. Runs until it is dropped.
    pub(crate) async fn run_timers(self: &Arc<Self>) {
        loop {
            // Set to never while the next deadline is computed, so that an earlier one that comes up
            // meanwhile rings.
            self.armed_ms.store(i64::MAX, Ordering::Relaxed);
            let due_ms = self.tick();
            self.armed_ms.store(due_ms, Ordering::Relaxed);
            let left_ms = u64::try_from(due_ms.saturating_sub(clock::steady_ms())).unwrap_or(0);
            tokio::select! {
                biased;
                () = self.earlier.notified() => {}
                () = clock::sleep(Duration::from_millis(left_ms).min(SLEEP_MAX)) => {}
            }
        }
    }

    /// Does what is due. Returns the next deadline, on the steady clock.
    fn tick(self: &Arc<Self>) -> i64 {
        let now = now();
        let shards: Vec<_> = self.shards.read().values().cloned().collect();
        let mut next_ms = i64::MAX;
        for shard in shards {
            let due_ms = self.work(&shard, |serving| {
                serving.tick(&shard.log, now);
                serving.next_deadline_ms()
            });
            next_ms = next_ms.min(due_ms.unwrap_or(i64::MAX));
        }
        next_ms
    }
}

#[cfg(test)]
mod tests;
