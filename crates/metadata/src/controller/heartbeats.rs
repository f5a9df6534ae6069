//! The sessions of brokers with the active controller.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::records::RegisterBrokerRecord;

use crate::image::Image;

/// The sessions of brokers. Times are milliseconds of a steady clock; the timeout is `broker.session.timeout.ms`.
///
/// A session belongs to one registration of a broker. Whether that broker is fenced stands in the [`Image`] alone, so that
/// nothing here has to be undone if a decision is not committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Heartbeats {
    sessions: BTreeMap<i32, BrokerSession>,
    /// The time when a look at the sessions was due; `None` before the first.
    due_ms: Option<i64>,
}

#[derive(Clone, Debug)]
struct BrokerSession {
    broker_epoch: i64,
    /// The time of the last heartbeat.
    contact_ms: i64,
    /// The offset of the metadata log that the broker has reached.
    metadata_offset: i64,
    /// The offset that all active brokers must have reached before the broker may end its controlled shutdown.
    shutdown_offset: Option<i64>,
}

impl BrokerSession {
    fn new(broker_epoch: i64, contact_ms: i64) -> Self {
        Self { broker_epoch, contact_ms, metadata_offset: -1, shutdown_offset: None }
    }

    fn is_expired(&self, now_ms: i64, timeout_ms: i64) -> bool {
        now_ms.saturating_sub(self.contact_ms) > timeout_ms
    }
}

impl Heartbeats {
    /// The sessions of a controller that has just become active: all brokers that take part have just been heard of.
    pub(super) fn begin(image: &Image, now_ms: i64) -> Self {
        let unfenced = image.brokers().values().filter(|broker| !broker.fenced);
        let session = |broker: &Arc<RegisterBrokerRecord>| {
            (broker.broker_id, BrokerSession::new(broker.broker_epoch, now_ms))
        };
        Self { sessions: unfenced.map(session).collect(), due_ms: None }
    }

    /// Notes a heartbeat.
    pub(super) fn touch(&mut self, broker: i32, broker_epoch: i64, metadata_offset: i64, now_ms: i64) {
        let session = self.session(broker, broker_epoch, now_ms);
        session.contact_ms = now_ms;
        session.metadata_offset = metadata_offset;
    }

    /// The session of a broker in an epoch, begun now if there is none.
    fn session(&mut self, broker: i32, broker_epoch: i64, now_ms: i64) -> &mut BrokerSession {
        let new = || BrokerSession::new(broker_epoch, now_ms);
        let session = self.sessions.entry(broker).or_insert_with(new);
        if session.broker_epoch != broker_epoch {
            *session = new();
        }
        session
    }

    /// Ends the session of a broker.
    pub(super) fn end(&mut self, broker: i32) {
        self.sessions.remove(&broker);
    }

    /// Whether a broker was heard of in this epoch, not too long ago.
    pub(super) fn is_alive(&self, broker: i32, broker_epoch: i64, now_ms: i64, timeout_ms: i64) -> bool {
        let session = self.sessions.get(&broker).filter(|session| session.broker_epoch == broker_epoch);
        session.is_some_and(|session| !session.is_expired(now_ms, timeout_ms))
    }

    /// Whether all active brokers know that `broker` leads nothing any more, as of its first heartbeat in controlled
    /// shutdown.
    pub(super) fn may_end_shutdown(
        &mut self,
        image: &Image,
        broker: i32,
        broker_epoch: i64,
        now_ms: i64,
    ) -> bool {
        let session = self.session(broker, broker_epoch, now_ms);
        let shutdown_offset = *session.shutdown_offset.get_or_insert(image.offset());
        let offset = |active: i32| {
            let epoch = image.brokers().get(&active).map(|broker| broker.broker_epoch);
            let session = self.sessions.get(&active).filter(|session| Some(session.broker_epoch) == epoch);
            session.map_or(-1, |session| session.metadata_offset)
        };
        let mut others = image.live_brokers().filter(|active| *active != broker);
        others.all(|active| offset(active) >= shutdown_offset)
    }

    /// The brokers that take part and were not heard of for too long.
    ///
    /// If this look comes late, the controller itself did not run meanwhile, and heartbeats may wait to be read: all sessions
    /// begin anew.
    pub(super) fn expired(&mut self, image: &Image, now_ms: i64, timeout_ms: i64) -> Vec<i32> {
        let late_ms = self.due_ms.map_or(0, |due_ms| now_ms.saturating_sub(due_ms));
        if late_ms > timeout_ms / 4 {
            for session in self.sessions.values_mut() {
                session.contact_ms = now_ms;
            }
        }
        let unfenced = image.brokers().values().filter(|broker| !broker.fenced);
        let is_expired = |broker: &&Arc<RegisterBrokerRecord>| {
            let session = self.session(broker.broker_id, broker.broker_epoch, now_ms);
            session.is_expired(now_ms, timeout_ms)
        };
        let expired: Vec<i32> = unfenced.filter(is_expired).map(|broker| broker.broker_id).collect();
        self.due_ms = Some(self.next_expiry_ms(image, now_ms, timeout_ms));
        expired
    }

    /// The time when the next session expires, unless a heartbeat comes.
    fn next_expiry_ms(&self, image: &Image, now_ms: i64, timeout_ms: i64) -> i64 {
        let is_unfenced = |id: &i32| image.brokers().get(id).is_some_and(|broker| !broker.fenced);
        let sessions = self.sessions.iter().filter(|(id, _)| is_unfenced(id)).map(|(_, session)| session);
        let deadlines = sessions.map(|session| session.contact_ms.saturating_add(timeout_ms) + 1);
        let next = deadlines.filter(|deadline_ms| *deadline_ms > now_ms).min();
        next.unwrap_or_else(|| now_ms.saturating_add(timeout_ms))
    }

    /// The time when the sessions are to be looked at next.
    pub(super) fn due_ms(&self) -> i64 {
        self.due_ms.unwrap_or(i64::MIN)
    }
}
