//! The shell around the group coordinators: it finds the one that a group belongs to, appends what
//! it decides, lets answers out when the log is durable, and wakes it when its time has come.
//!
//! What a group may do is decided in the `coordinator` crate, which does no IO.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use coordinator::{DeletedTopic, GroupCoordinator, Now, Output, Settings, SteadyMs, Token, WallMs};
use parking_lot::{Mutex, RwLock};
use protocol::ErrorCode;
use runtime::{HashMap, clock, task};
use tokio::sync::{Notify, oneshot};
use tracing::{debug, error, info, warn};

use crate::replicas::Refusal;
use crate::replicas::Replica;

mod answer;
mod load;
mod repeats;

use answer::Settled;
pub(crate) use answer::{Barrier, Pending, reply_behind};
pub(crate) use repeats::Repeats;

/// The topic that holds the groups.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// How long the timers may sleep where nothing is due.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// The group coordinators of this broker, one for each partition of `__consumer_offsets` that it
/// leads.
pub(crate) struct Groups {
    settings: Settings,
    shards: RwLock<BTreeMap<i32, Arc<Shard>>>,
    /// Partitions of `__consumer_offsets`; what `offsets.topic.num.partitions` says until it exists.
    partitions: AtomicI32,
    next_token: AtomicU64,
    /// The time at which the timers wake next, by the steady clock.
    armed_ms: AtomicI64,
    earlier: Notify,
}

/// Both clocks, read anew: of the wall clock nothing is kept, for it may have been wrong at the start.
fn now() -> Now {
    Now { steady: SteadyMs(clock::steady_ms()), wall: WallMs(clock::now_ms()) }
}

/// One partition's coordinator.
struct Shard {
    log: Arc<Replica>,
    state: Mutex<State>,
}

enum State {
    /// The log is being read; nothing can be known before its end. These topics were deleted since it began.
    Loading(Vec<DeletedTopic>),
    Serving(Box<Serving>),
    /// Another broker's, or gone.
    Resigned,
}

struct Serving {
    coordinator: GroupCoordinator,
    /// Requests that have no reply yet.
    waiting: HashMap<Token, oneshot::Sender<Settled>>,
}

impl Groups {
    pub(crate) fn new(settings: Settings, partitions: i32) -> Self {
        Self {
            settings,
            shards: RwLock::default(),
            partitions: AtomicI32::new(partitions),
            next_token: AtomicU64::new(0),
            armed_ms: AtomicI64::new(0),
            earlier: Notify::new(),
        }
    }

    /// The partition of `__consumer_offsets` that holds a group.
    pub(crate) fn partition_for(&self, group_id: &str) -> i32 {
        coordinator::partition_for(group_id, self.partitions.load(Ordering::Relaxed))
    }

    /// Takes over the groups of `log`, a partition of `__consumer_offsets` of `partitions`. They
    /// are served once the log has been read.
    pub(crate) fn elect(self: &Arc<Self>, log: Arc<Replica>, partitions: i32) {
        self.partitions.store(partitions, Ordering::Relaxed);
        let shard = Arc::new(Shard { log, state: Mutex::new(State::Loading(Vec::new())) });
        self.replace(&shard);
        if shard.log.end_offset() == shard.log.log_start_offset() {
            shard.serve(self, coordinator::Loading::new(self.settings.clone()));
            return;
        }
        let groups = Arc::clone(self);
        drop(task::spawn_blocking(move || groups.load(&shard)));
    }

    /// Puts a shard in the place of the one of its partition, if there is one. That one is given up: what
    /// a request that has found it would append from now on, the new one would not read.
    fn replace(&self, shard: &Arc<Shard>) {
        let before = self.shards.write().insert(shard.log.index(), Arc::clone(shard));
        if let Some(before) = before {
            before.resign();
        }
    }

    fn load(&self, shard: &Arc<Shard>) {
        let began = clock::now();
        let load = || {
            let loaded = load::load(&shard.log, self.settings.clone()).map_err(|error| error.to_string())?;
            let counts = loaded.counts();
            shard.serve(self, loaded);
            Ok(counts)
        };
        // A record that makes it panic must not leave clients waiting for the end of the load.
        let loaded = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| Err("it panicked".to_owned()));
        match loaded {
            Ok((groups, offsets)) => {
                let took_ms = began.elapsed().as_millis();
                info!(partition = %shard.log.name(), groups, offsets, took_ms, "groups loaded");
            }
            // Answers from half a log would send consumers back to where they have been. There is no
            // coordinator until someone mends it; the others serve.
            Err(problem) => {
                error!(partition = %shard.log.name(), "groups not loaded: {problem}");
                shard.resign();
                let mut shards = self.shards.write();
                if shards.get(&shard.log.index()).is_some_and(|current| Arc::ptr_eq(current, shard)) {
                    shards.remove(&shard.log.index());
                }
            }
        }
    }

    /// Has a shard's coordinator do something.
    ///
    /// A coordinator that panics has a bug, and may have done half of what it was asked. What is in its log is whole:
    /// it is read again, so that one request ends neither the other groups of the partition nor whoever asked.
    ///
    /// # Errors
    /// What a client is told where the shard does not serve, or does no more.
    fn work<R>(
        self: &Arc<Self>,
        shard: &Arc<Shard>,
        work: impl FnOnce(&mut Serving) -> R,
    ) -> Result<R, ErrorCode> {
        let mut state = shard.state.lock();
        let serving = state.serving()?;
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| work(serving))) {
            return Ok(result);
        }
        *state = State::Resigned;
        drop(state);
        error!(partition = %shard.log.name(), "the coordinator panicked: its groups are loaded again");
        let current = self.shards.read().get(&shard.log.index()).cloned();
        if current.is_some_and(|current| Arc::ptr_eq(&current, shard)) {
            self.elect(Arc::clone(&shard.log), self.partitions.load(Ordering::Relaxed));
        }
        Err(ErrorCode::NOT_COORDINATOR)
    }

    /// Gives up the groups of all partitions: whoever waits is told to look elsewhere.
    pub(crate) fn resign_all(&self) {
        std::mem::take(&mut *self.shards.write()).into_values().for_each(|shard| shard.resign());
    }

    /// Gives up the groups of one partition.
    pub(crate) fn resign(&self, partition: i32) {
        let shard = self.shards.write().remove(&partition);
        if let Some(shard) = shard {
            shard.resign();
        }
    }

    /// Whether the partition that holds a group is open here. The metadata tells of it a moment earlier.
    pub(crate) fn holds(&self, group_id: &str) -> bool {
        self.shard(group_id).is_ok()
    }

    /// The shard of a group.
    ///
    /// # Errors
    /// What a client is told that asks the wrong broker, or too early.
    fn shard(&self, group_id: &str) -> Result<Arc<Shard>, ErrorCode> {
        let shards = self.shards.read();
        if shards.is_empty() {
            return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
        }
        shards.get(&self.partition_for(group_id)).cloned().ok_or(ErrorCode::NOT_COORDINATOR)
    }

    /// Puts a request to the coordinator of a group; its reply may come later.
    ///
    /// # Errors
    /// As [`Groups::shard`].
    pub(crate) fn ask(
        self: &Arc<Self>,
        group_id: &str,
        request: impl FnOnce(&mut GroupCoordinator, Token, Now) -> Output,
    ) -> Result<Pending, ErrorCode> {
        let shard = self.shard(group_id)?;
        let token = Token(self.next_token.fetch_add(1, Ordering::Relaxed));
        let now = now();
        self.work(&shard, |serving| {
            let (sender, receiver) = oneshot::channel();
            serving.waiting.insert(token, sender);
            serving.coordinator.limit_appends(shard.log.max_message_bytes());
            let output = request(&mut serving.coordinator, token, now);
            serving.carry_out(&shard.log, output, now);
            self.arm(&serving.coordinator);
            Pending::new(receiver)
        })
    }

    /// Looks something up in the coordinator of a group.
    ///
    /// # Errors
    /// As [`Groups::shard`].
    pub(crate) fn look<R>(
        self: &Arc<Self>,
        group_id: &str,
        question: impl FnOnce(&mut GroupCoordinator, Now) -> R,
    ) -> Result<(R, Barrier), ErrorCode> {
        let shard = self.shard(group_id)?;
        self.work(&shard, |serving| {
            let answer = question(&mut serving.coordinator, now());
            self.arm(&serving.coordinator);
            (answer, Barrier::at_end_of(&shard.log))
        })
    }

    /// Looks something up in every coordinator that this broker has.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS where one cannot answer yet.
    pub(crate) fn look_everywhere<R>(
        self: &Arc<Self>,
        mut question: impl FnMut(&GroupCoordinator, Now) -> R,
    ) -> Result<Vec<(R, Barrier)>, ErrorCode> {
        let shards: Vec<_> = self.shards.read().values().cloned().collect();
        let look = |shard: Arc<Shard>| {
            let look = |serving: &mut Serving| {
                (question(&serving.coordinator, now()), Barrier::at_end_of(&shard.log))
            };
            match self.work(&shard, look) {
                // Given up a moment ago: not this broker's to tell of.
                Err(ErrorCode::NOT_COORDINATOR) => None,
                looked => Some(looked),
            }
        };
        shards.into_iter().filter_map(look).collect()
    }

    /// Forgets the offsets of topics that are gone.
    pub(crate) fn topics_deleted(self: &Arc<Self>, topics: &[DeletedTopic]) {
        let now = now();
        let shards: Vec<_> = self.shards.read().values().cloned().collect();
        for shard in shards {
            if let State::Loading(deleted) = &mut *shard.state.lock() {
                deleted.extend_from_slice(topics);
                continue;
            }
            // One that serves no more has nothing to forget.
            let _ = self.work(&shard, |serving| serving.topics_deleted(&shard.log, topics, now));
        }
    }

    /// Wakes the timers where a coordinator needs them before they would wake by themselves.
    fn arm(&self, coordinator: &GroupCoordinator) {
        let due_ms = coordinator.next_deadline().map_or(i64::MAX, |due| due.0);
        if due_ms < self.armed_ms.load(Ordering::Relaxed) {
            self.earlier.notify_one();
        }
    }

    /// Runs sessions, rebalances and retention as they fall due. Runs until it is dropped.
    pub(crate) async fn run_timers(self: &Arc<Self>) {
        loop {
            // Armed for never while the next time is found: whoever is due earlier says so.
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

    /// Does what is due; returns when something is due next, by the steady clock.
    fn tick(self: &Arc<Self>) -> i64 {
        let now = now();
        let shards: Vec<_> = self.shards.read().values().cloned().collect();
        let mut next_ms = i64::MAX;
        for shard in shards {
            let due_ms = self.work(&shard, |serving| {
                while serving.coordinator.next_deadline().is_some_and(|due| due <= now.steady) {
                    let output = serving.coordinator.tick(now);
                    serving.carry_out(&shard.log, output, now);
                }
                serving.coordinator.next_deadline().map_or(i64::MAX, |due| due.0)
            });
            next_ms = next_ms.min(due_ms.unwrap_or(i64::MAX));
        }
        next_ms
    }
}

impl Shard {
    fn resign(&self) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Resigned);
        if let State::Serving(serving) = before {
            let Serving { coordinator, mut waiting } = *serving;
            let settle = |(token, reply)| settle(&mut waiting, &self.log, token, reply);
            coordinator.resign(now()).into_iter().for_each(settle);
        }
    }

    fn serve(&self, groups: &Groups, loaded: coordinator::Loading) {
        let coordinator = loaded.loaded(now());
        for (record_type, count) in &coordinator.skipped_records().by_type {
            info!(partition = %self.log.name(), record_type, count, "records of an unknown type are left as they are");
        }
        for (group_type, groups) in coordinator.unserved_groups() {
            info!(partition = %self.log.name(), group_type, groups, "groups of a protocol that is not served are kept");
        }
        let mut state = self.state.lock();
        let State::Loading(deleted) = &mut *state else { return };
        let deleted = std::mem::take(deleted);
        let mut serving = Box::new(Serving { coordinator, waiting: HashMap::default() });
        serving.topics_deleted(&self.log, &deleted, now());
        groups.arm(&serving.coordinator);
        *state = State::Serving(serving);
    }
}

impl State {
    fn serving(&mut self) -> Result<&mut Serving, ErrorCode> {
        match self {
            Self::Loading(_) => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            Self::Serving(serving) => Ok(serving),
            Self::Resigned => Err(ErrorCode::NOT_COORDINATOR),
        }
    }
}

impl Serving {
    fn topics_deleted(&mut self, log: &Arc<Replica>, topics: &[DeletedTopic], now: Now) {
        let output = self.coordinator.topics_deleted(topics);
        self.carry_out(log, output, now);
    }

    /// Appends what the coordinator wants appended, and settles what it has answered.
    fn carry_out(&mut self, log: &Arc<Replica>, mut output: Output, now: Now) {
        loop {
            for (token, reply) in output.replies {
                settle(&mut self.waiting, log, token, reply);
            }
            let Some(append) = output.append else { return };
            output = match log.append_coordinator_records(&append.records, now.wall.0) {
                Ok(appended) => self.coordinator.append_succeeded(append, appended.base_offset, now),
                Err(refusal) => {
                    not_stored(log, append.records.len(), &refusal);
                    self.coordinator.append_failed(append, refusal.error_code, now)
                }
            };
        }
    }
}

fn not_stored(log: &Replica, records: usize, refusal: &Refusal) {
    let (partition, error) = (log.name(), refusal.error_code.name());
    if refusal.error_code == ErrorCode::KAFKA_STORAGE_ERROR {
        // The log directory has told of it, once.
        debug!(partition, error, records, "group records were not stored");
    } else {
        warn!(partition, error, records, "group records were not stored");
    }
}

fn settle(
    waiting: &mut HashMap<Token, oneshot::Sender<Settled>>,
    log: &Arc<Replica>,
    token: Token,
    reply: coordinator::Reply,
) {
    let sender = waiting.remove(&token).expect("a request has one reply");
    // The client may be gone: then nobody waits.
    let _ = sender.send(Settled { reply, barrier: Barrier::at_end_of(log) });
}

#[cfg(test)]
mod tests;
