//! Incremental fetch sessions (KIP-227): a client names its partitions once, and later requests
//! and responses carry only what changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use protocol::messages::fetch_response::PartitionData;
use protocol::{ErrorCode, Str, Uuid};
use runtime::HashMap;

/// The session id of a fetch without a session.
pub(crate) const NO_SESSION: i32 = 0;
/// The epoch of a request that asks for a new session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that wants no session, and closes the one that it names.
const FINAL_EPOCH: i32 = -1;
/// The time for which a session must have lived, or been idle, before it can be evicted for another.
const EVICTABLE_AFTER_MS: i64 = 120_000;

/// A client's request for one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchTarget {
    /// The topic's name; empty in a request that names topics by id.
    pub(crate) topic: Str,
    /// The topic's id; zero in a request that names topics by name.
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) fetch_offset: i64,
    /// The start of a follower's log; -1 of a client.
    pub(crate) log_start_offset: i64,
    pub(crate) partition_max_bytes: i32,
    pub(crate) current_leader_epoch: i32,
    pub(crate) last_fetched_epoch: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    topic: Str,
    topic_id: Uuid,
    partition: i32,
}

impl FetchTarget {
    fn key(&self) -> Key {
        Key { topic: self.topic.clone(), topic_id: self.topic_id, partition: self.partition }
    }
}

/// The session in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionClaim {
    pub(crate) session_id: i32,
    pub(crate) epoch: i32,
    /// Whether topics are named by id (version 13 and later).
    pub(crate) by_topic_id: bool,
}

/// The relation of a response to a session.
#[derive(Debug)]
pub(crate) enum FetchContext {
    /// No session: the response has every partition.
    Sessionless,
    /// The response has every partition, and a session starts if the cache has space.
    Full { by_topic_id: bool },
    /// The response has only the partitions that changed.
    Incremental { session: Arc<Session>, epoch: i32 },
}

/// All sessions of this broker.
#[derive(Debug)]
pub(crate) struct FetchSessions {
    slots: usize,
    sessions: Mutex<HashMap<i32, Arc<Session>>>,
}

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    id: i32,
    by_topic_id: bool,
    /// The time of its creation, on the steady clock.
    created_ms: i64,
    used_ms: AtomicI64,
    len: AtomicUsize,
    state: Mutex<SessionState>,
}

/// The partitions in the order in which they are read: one that had records goes to the end, so that a busy
/// partition does not starve those behind it.
#[derive(Debug, Default)]
struct SessionState {
    epoch: i32,
    places: HashMap<Key, u64>,
    partitions: BTreeMap<u64, SessionPartition>,
    next_place: u64,
}

#[derive(Debug)]
struct SessionPartition {
    target: FetchTarget,
    /// The last high watermark that was sent; -1 to send the next answer in any case.
    high_watermark: i64,
    log_start_offset: i64,
}

impl FetchSessions {
    /// A cache for `slots` sessions (`max.incremental.fetch.session.cache.slots`).
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots, sessions: Mutex::default() }
    }

    /// Determines the partitions of a request: those that it names, or those of its session with the changes
    /// that it names.
    ///
    /// # Errors
    /// The error for the whole response if the session is unknown, or is at another epoch.
    pub(crate) fn begin(
        &self,
        claim: SessionClaim,
        named: Vec<FetchTarget>,
        forgotten: &[FetchTarget],
        steady_ms: i64,
    ) -> Result<(FetchContext, Vec<FetchTarget>), ErrorCode> {
        if claim.epoch == INITIAL_EPOCH || claim.epoch == FINAL_EPOCH {
            self.sessions.lock().remove(&claim.session_id);
            let context = match claim.epoch {
                FINAL_EPOCH => FetchContext::Sessionless,
                _ => FetchContext::Full { by_topic_id: claim.by_topic_id },
            };
            return Ok((context, named));
        }
        let session = self.sessions.lock().get(&claim.session_id).cloned();
        let session = session.ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        let mut state = session.state.lock();
        if state.epoch != claim.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_topic_id != claim.by_topic_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        state.change(named, forgotten);
        session.len.store(state.places.len(), Ordering::Relaxed);
        if state.places.is_empty() {
            drop(state);
            self.sessions.lock().remove(&claim.session_id);
            return Ok((FetchContext::Sessionless, Vec::new()));
        }
        state.epoch = next_epoch(state.epoch);
        session.used_ms.store(steady_ms, Ordering::Relaxed);
        let targets = state.partitions.values().map(|partition| partition.target.clone()).collect();
        let epoch = state.epoch;
        drop(state);
        Ok((FetchContext::Incremental { session, epoch }, targets))
    }

    /// Removes from `answers` those that the client already knows. Returns the session id for the response.
    ///
    /// # Errors
    /// The error for the whole response if another request has advanced the session meanwhile.
    pub(crate) fn finish(
        &self,
        context: FetchContext,
        answers: &mut Vec<(FetchTarget, PartitionData)>,
        steady_ms: i64,
        new_id: impl Fn() -> i32,
    ) -> Result<i32, ErrorCode> {
        match context {
            FetchContext::Sessionless => Ok(NO_SESSION),
            FetchContext::Full { by_topic_id } => Ok(self.create(by_topic_id, answers, steady_ms, new_id)),
            FetchContext::Incremental { session, epoch } => {
                let mut state = session.state.lock();
                if state.epoch != epoch {
                    return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
                }
                answers.retain(|(target, data)| state.must_send(target, data));
                Ok(session.id)
            }
        }
    }

    /// The number of open sessions.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.sessions.lock().len()
    }

    fn create(
        &self,
        by_topic_id: bool,
        answers: &[(FetchTarget, PartitionData)],
        steady_ms: i64,
        new_id: impl Fn() -> i32,
    ) -> i32 {
        let mut sessions = self.sessions.lock();
        if sessions.len() >= self.slots && !evict(&mut sessions, answers.len(), steady_ms) {
            return NO_SESSION;
        }
        let id = loop {
            let id = new_id() & i32::MAX;
            if id != NO_SESSION && !sessions.contains_key(&id) {
                break id;
            }
        };
        let mut state = SessionState { epoch: next_epoch(INITIAL_EPOCH), ..SessionState::default() };
        for (target, data) in answers {
            let failed = data.error_code != ErrorCode::NONE;
            let high_watermark = if failed { -1 } else { data.high_watermark };
            state.add(target.clone(), high_watermark, data.log_start_offset);
        }
        let session = Session {
            id,
            by_topic_id,
            created_ms: steady_ms,
            used_ms: AtomicI64::new(steady_ms),
            len: AtomicUsize::new(state.places.len()),
            state: Mutex::new(state),
        };
        sessions.insert(id, Arc::new(session));
        id
    }
}

/// Evicts a session in favour of one with `len` partitions, as Kafka does: the one that has been idle for
/// longest, or else a smaller one that is not new.
fn evict(sessions: &mut HashMap<i32, Arc<Session>>, len: usize, steady_ms: i64) -> bool {
    let Some(stalest) = sessions.values().min_by_key(|session| session.used_ms.load(Ordering::Relaxed))
    else {
        return false;
    };
    let victim = if steady_ms - stalest.used_ms.load(Ordering::Relaxed) > EVICTABLE_AFTER_MS {
        Some(stalest.id)
    } else {
        let evictable =
            sessions.values().filter(|session| steady_ms - session.created_ms > EVICTABLE_AFTER_MS);
        let smallest = evictable.min_by_key(|session| (session.len.load(Ordering::Relaxed), session.id));
        smallest.filter(|smallest| smallest.len.load(Ordering::Relaxed) < len).map(|smallest| smallest.id)
    };
    victim.is_some_and(|id| sessions.remove(&id).is_some())
}

/// Epochs go 1, 2, … and, after the largest, 1 again: 0 and -1 have other meanings.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

impl SessionState {
    fn change(&mut self, named: Vec<FetchTarget>, forgotten: &[FetchTarget]) {
        for target in named {
            let known = self.places.get(&target.key()).and_then(|place| self.partitions.get_mut(place));
            match known {
                Some(partition) => partition.target = target,
                None => self.add(target, -1, -1),
            }
        }
        for target in forgotten {
            if let Some(place) = self.places.remove(&target.key()) {
                self.partitions.remove(&place);
            }
        }
    }

    fn add(&mut self, target: FetchTarget, high_watermark: i64, log_start_offset: i64) {
        let place = self.next_place;
        self.next_place += 1;
        if let Some(before) = self.places.insert(target.key(), place) {
            self.partitions.remove(&before);
        }
        self.partitions.insert(place, SessionPartition { target, high_watermark, log_start_offset });
    }

    /// Whether the client must be sent `data`. Stores what it then knows.
    fn must_send(&mut self, target: &FetchTarget, data: &PartitionData) -> bool {
        let key = target.key();
        let Some(&place) = self.places.get(&key) else { return true };
        let partition = self.partitions.get_mut(&place).expect("a place in use has a partition");
        let failed = data.error_code != ErrorCode::NONE;
        let changed = partition.high_watermark != data.high_watermark
            || partition.log_start_offset != data.log_start_offset;
        let diverged = data.diverging_epoch.epoch >= 0;
        // After an error the partition is sent again even if nothing has changed.
        partition.high_watermark = if failed { -1 } else { data.high_watermark };
        partition.log_start_offset = data.log_start_offset;
        if data.records.is_empty() {
            return failed || changed || diverged;
        }
        let moved = self.partitions.remove(&place).expect("just found");
        self.places.insert(key, self.next_place);
        self.partitions.insert(self.next_place, moved);
        self.next_place += 1;
        true
    }
}

#[cfg(test)]
mod tests;
