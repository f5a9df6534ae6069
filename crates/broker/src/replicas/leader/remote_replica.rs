//! A replica on another broker, as far as its leader knows it.

use protocol::ErrorCode;

use super::super::traps::{self, Trap};

/// An offset before a follower's first fetch in the leader's epoch: it is not known.
const UNKNOWN_OFFSET: i64 = -1;

/// The epoch of a broker that does not say (fetches before version 15).
pub(super) const UNKNOWN_BROKER_EPOCH: i64 = -1;

/// The broker that a replica is on, as the metadata has it: registered and not fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BrokerState {
    /// The epoch of its registration.
    pub(crate) epoch: i64,
    /// Whether it is about to stop.
    pub(crate) in_controlled_shutdown: bool,
}

/// What a follower's fetch says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FollowerFetch {
    pub(crate) node_id: i32,
    /// -1 if it does not say.
    pub(crate) broker_epoch: i64,
    /// It has everything before.
    pub(crate) offset: i64,
    /// The start of its log.
    pub(crate) log_start_offset: i64,
}

/// A follower, as its leader knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RemoteReplica {
    node_id: i32,
    /// `None` if it is fenced or not registered.
    broker: Option<BrokerState>,
    /// The epoch that it fetched with last; `None` before the first fetch.
    broker_epoch: Option<i64>,
    /// The offset that it fetched from last: the end of its log.
    end_offset: i64,
    log_start_offset: i64,
    /// The end of the leader's log at that fetch, and its time.
    last_fetch: Option<LastFetch>,
    /// The latest time that it is known to have had all that the leader had; `None` if it never did.
    caught_up_at_ms: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct LastFetch {
    leader_end_offset: i64,
    at_ms: i64,
}

impl RemoteReplica {
    /// A follower at the begin of an epoch. One that is in sync counts as caught up by then, and has its time to fetch.
    pub(super) fn new(node_id: i32, in_sync: bool, now_ms: i64) -> Self {
        Self {
            node_id,
            broker: None,
            broker_epoch: None,
            end_offset: UNKNOWN_OFFSET,
            log_start_offset: UNKNOWN_OFFSET,
            last_fetch: None,
            caught_up_at_ms: in_sync.then_some(now_ms),
        }
    }

    /// Takes over what was known before a decision of the controller.
    pub(super) fn inherit(&mut self, before: &Self, same_epoch: bool) {
        if same_epoch { *self = *before } else { self.broker = before.broker }
    }

    pub(super) fn set_broker(&mut self, broker: Option<BrokerState>) {
        self.broker = broker;
    }

    pub(super) fn node_id(&self) -> i32 {
        self.node_id
    }

    pub(super) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub(super) fn log_start_offset(&self) -> i64 {
        self.log_start_offset
    }

    pub(super) fn broker_epoch(&self) -> Option<i64> {
        self.broker_epoch
    }

    /// Whether its broker takes part in the cluster.
    pub(super) fn is_live(&self) -> bool {
        self.broker.is_some()
    }

    /// Whether it may be in the ISR as far as its broker goes: live, not about to stop, and the one that fetches
    /// (KIP-841, KIP-903).
    pub(super) fn may_join(&self) -> bool {
        let (Some(broker), Some(fetched)) = (self.broker, self.broker_epoch) else { return false };
        let is_itself = fetched == UNKNOWN_BROKER_EPOCH || fetched == broker.epoch;
        !broker.in_controlled_shutdown && (is_itself || traps::is_on(Trap::StaleBrokerJoins))
    }

    /// Whether it has all that the leader has, or had it at some time not longer than `max_lag_ms` ago.
    pub(super) fn is_caught_up(&self, leader_end_offset: i64, now_ms: i64, max_lag_ms: i64) -> bool {
        let lately = |at_ms: i64| now_ms.saturating_sub(at_ms) <= max_lag_ms;
        self.end_offset == leader_end_offset || self.caught_up_at_ms.is_some_and(lately)
    }

    /// Notes a fetch. It caught up now if it fetches from the leader's end, and at its fetch before if it fetches from
    /// where the end was then: a follower of a busy leader never finds the end where it is.
    pub(super) fn fetched(
        &mut self,
        fetch: &FollowerFetch,
        leader_end_offset: i64,
        now_ms: i64,
    ) -> Result<(), ErrorCode> {
        let is_stale = |broker: BrokerState| {
            fetch.broker_epoch != UNKNOWN_BROKER_EPOCH && fetch.broker_epoch < broker.epoch
        };
        if self.broker.is_some_and(is_stale) && !traps::is_on(Trap::StaleBrokerJoins) {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let caught_up_at_ms = if fetch.offset >= leader_end_offset {
            Some(now_ms)
        } else {
            let before = self.last_fetch.filter(|before| fetch.offset >= before.leader_end_offset);
            before.map(|before| before.at_ms)
        };
        self.caught_up_at_ms = self.caught_up_at_ms.max(caught_up_at_ms);
        let seen = self.last_fetch.map_or(UNKNOWN_OFFSET, |before| before.leader_end_offset);
        self.last_fetch = Some(LastFetch { leader_end_offset: leader_end_offset.max(seen), at_ms: now_ms });
        self.end_offset = fetch.offset;
        self.log_start_offset = fetch.log_start_offset;
        self.broker_epoch = Some(fetch.broker_epoch);
        Ok(())
    }
}
