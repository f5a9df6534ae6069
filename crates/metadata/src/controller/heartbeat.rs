//! BrokerHeartbeat (KIP-631, KIP-841, KIP-858, KIP-1066), and the brokers that send none.

use protocol::ErrorCode;
use protocol::messages::{BrokerHeartbeatRequest, BrokerHeartbeatResponse};
use protocol::records::{BrokerRegistrationChangeRecord, RegisterBrokerRecord};

use super::brokers::registered;
use super::electorate::{Electorate, is_active};
use super::{Controller, Decision, Office};
use crate::image::{Delta, Image};
use crate::record::MetadataRecord;

/// `Fenced` of a change that fences a broker (`BrokerRegistrationFencingChange.java`).
const FENCE: i8 = 1;
/// `Fenced` of a change that lets a broker take part.
const UNFENCE: i8 = -1;
/// `InControlledShutdown` of a change that begins one.
const IN_CONTROLLED_SHUTDOWN: i8 = 1;

/// The part that a broker takes in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokerState {
    /// None.
    Fenced,
    /// It serves.
    Unfenced,
    /// It serves until others lead in its place.
    ControlledShutdown,
    /// None, and its process may end.
    ShutdownNow,
}

impl BrokerState {
    fn of(broker: &RegisterBrokerRecord) -> Self {
        match (broker.fenced, broker.in_controlled_shutdown) {
            (true, _) => Self::Fenced,
            (false, true) => Self::ControlledShutdown,
            (false, false) => Self::Unfenced,
        }
    }
}

impl Controller {
    /// Takes a heartbeat: fences a broker, lets it take part, or hands its partitions to others, and takes the log directories
    /// offline that it reports to have failed.
    ///
    /// The only broker of a cluster, if it is this node, has nobody to hand its partitions to: a request to fence it or to
    /// shut it down in a controlled way is an INVALID_REQUEST.
    pub fn broker_heartbeat(
        &self,
        image: &Image,
        request: &BrokerHeartbeatRequest,
        office: &mut Office,
        now_ms: i64,
    ) -> Decision<BrokerHeartbeatResponse> {
        let refuse = |error_code| {
            (BrokerHeartbeatResponse { error_code, ..BrokerHeartbeatResponse::default() }, Vec::new())
        };
        let broker = match registered(image, request.broker_id, request.broker_epoch) {
            Ok(broker) => broker,
            Err(error_code) => return refuse(error_code),
        };
        if self.is_alone(image, broker.broker_id) && (request.want_fence || request.want_shut_down) {
            return refuse(ErrorCode::INVALID_REQUEST);
        }
        let (id, epoch) = (broker.broker_id, broker.broker_epoch);
        office.heartbeats.touch(id, epoch, request.current_metadata_offset, now_ms);
        // The directories first: a broker that joins leads nothing in one that does not work.
        let mut records = self.directories_offline(image, broker, &request.offline_log_dirs);
        let image = &after(image, &records);
        let state = BrokerState::of(broker);
        let next = next_state(image, request, broker, office, now_ms);
        if state != next {
            records.extend(match next {
                BrokerState::Fenced | BrokerState::ShutdownNow => self.fence_broker(image, broker),
                BrokerState::Unfenced => self.join_partitions(image, broker),
                BrokerState::ControlledShutdown => self.begin_controlled_shutdown(image, broker),
            });
        } else if next == BrokerState::ControlledShutdown {
            // A controller that ended in the midst of it has left some.
            records.extend(self.leave_partitions(image, id));
        }
        if next == BrokerState::ShutdownNow {
            // Its next incarnation need not wait until the session expires.
            office.heartbeats.end(id);
        }
        records.extend(cordoned(broker, request.cordoned_log_dirs.as_ref()));
        let response = BrokerHeartbeatResponse {
            // The epoch of a broker is the offset of its registration.
            is_caught_up: request.current_metadata_offset >= epoch,
            is_fenced: matches!(next, BrokerState::Fenced | BrokerState::ShutdownNow),
            should_shut_down: next == BrokerState::ShutdownNow,
            ..BrokerHeartbeatResponse::default()
        };
        (response, records)
    }

    /// Fences the brokers that were not heard of for `broker.session.timeout.ms`, and returns them.
    pub(super) fn fence_silent_brokers(
        &self,
        image: &Image,
        office: &mut Office,
        now_ms: i64,
    ) -> Decision<Vec<i32>> {
        let mut silent = office.heartbeats.expired(image, now_ms, self.session_timeout_ms(image));
        silent.retain(|broker| !self.is_alone(image, *broker));
        let mut records = Vec::new();
        // One after the other, so that none of them is elected in place of another.
        let mut state = image.clone();
        for broker in &silent {
            let fenced = self.fence_broker(&state, &image.brokers()[broker]);
            state = after(&state, &fenced);
            records.extend(fenced);
        }
        (silent, records)
    }

    /// Fences a broker of which is known that its process has died. Changes nothing if it has registered again since.
    pub fn fence_dead_broker(&self, image: &Image, broker_id: i32, broker_epoch: i64) -> Vec<MetadataRecord> {
        match registered(image, broker_id, broker_epoch) {
            Ok(broker) if !broker.fenced && !self.is_alone(image, broker_id) => {
                self.fence_broker(image, broker)
            }
            _ => Vec::new(),
        }
    }

    /// `broker.session.timeout.ms`.
    pub(super) fn session_timeout_ms(&self, image: &Image) -> i64 {
        self.setting(image, "broker.session.timeout.ms").whole()
    }

    /// Whether a broker is the only one, and this node.
    pub(super) fn is_alone(&self, image: &Image, broker: i32) -> bool {
        broker == self.node_id && image.brokers().len() == 1
    }

    /// Takes a broker out of all ISRs, and fences it. If only a part of the records is written before this controller ends, the
    /// broker is not fenced, and its next heartbeat or the lack of one brings the rest.
    fn fence_broker(&self, image: &Image, broker: &RegisterBrokerRecord) -> Vec<MetadataRecord> {
        let mut records = self.leave_partitions(image, broker.broker_id);
        records.push(BrokerRegistrationChangeRecord { fenced: FENCE, ..change_of(broker) }.into());
        records
    }

    /// Lets a broker take part, and lead the partitions that have no leader that does and that it may lead. If only a part of
    /// the records is written before this controller ends, the broker is still fenced, and its next heartbeat brings the rest.
    fn join_partitions(&self, image: &Image, broker: &RegisterBrokerRecord) -> Vec<MetadataRecord> {
        let id = broker.broker_id;
        let mut records = self.change_partitions(
            &Electorate::only_joining(image, id),
            |partition| partition.replicas.contains(&id) && !is_active(image, partition.leader),
            |change| change,
        );
        records.push(self.unfence_broker(id, broker.broker_epoch));
        records
    }

    /// Lets the broker that has registered with `broker_epoch` take part.
    pub fn unfence_broker(&self, broker_id: i32, broker_epoch: i64) -> MetadataRecord {
        let change = BrokerRegistrationChangeRecord {
            broker_id,
            broker_epoch,
            ..BrokerRegistrationChangeRecord::default()
        };
        BrokerRegistrationChangeRecord { fenced: UNFENCE, ..change }.into()
    }

    /// Takes a broker out of all ISRs while it still serves.
    fn begin_controlled_shutdown(&self, image: &Image, broker: &RegisterBrokerRecord) -> Vec<MetadataRecord> {
        let in_controlled_shutdown = IN_CONTROLLED_SHUTDOWN;
        let change = BrokerRegistrationChangeRecord { in_controlled_shutdown, ..change_of(broker) };
        let mut records = vec![change.into()];
        records.extend(self.leave_partitions(image, broker.broker_id));
        records
    }
}

/// The state that a heartbeat leads to.
fn next_state(
    image: &Image,
    request: &BrokerHeartbeatRequest,
    broker: &RegisterBrokerRecord,
    office: &mut Office,
    now_ms: i64,
) -> BrokerState {
    let (id, epoch) = (broker.broker_id, broker.broker_epoch);
    let partitions = || image.topics().iter().flat_map(|topic| &topic.partitions);
    let leads = || partitions().any(|partition| partition.leader == id);
    let state = BrokerState::of(broker);
    match state {
        BrokerState::Fenced if request.want_shut_down => BrokerState::ShutdownNow,
        BrokerState::Fenced if !request.want_fence && request.current_metadata_offset >= epoch => {
            BrokerState::Unfenced
        }
        BrokerState::Unfenced => match (request.want_fence, request.want_shut_down) {
            (true, true) => BrokerState::ShutdownNow,
            (true, false) => BrokerState::Fenced,
            (false, true) if leads() => BrokerState::ControlledShutdown,
            (false, true) => BrokerState::ShutdownNow,
            (false, false) => BrokerState::Unfenced,
        },
        BrokerState::ControlledShutdown
            if !leads() && office.heartbeats.may_end_shutdown(image, id, epoch, now_ms) =>
        {
            BrokerState::ShutdownNow
        }
        _ => state,
    }
}

/// The change of the directories that take no new partitions. A broker that does not know them yet says nothing.
fn cordoned(broker: &RegisterBrokerRecord, cordoned: Option<&Vec<protocol::Uuid>>) -> Option<MetadataRecord> {
    let cordoned = cordoned?;
    let before = broker.cordoned_log_dirs.as_deref().unwrap_or_default();
    let is_same =
        cordoned.len() == before.len() && cordoned.iter().all(|directory| before.contains(directory));
    let cordoned_log_dirs = Some(cordoned.clone());
    (!is_same).then(|| BrokerRegistrationChangeRecord { cordoned_log_dirs, ..change_of(broker) }.into())
}

/// A change of a registration that changes nothing yet.
fn change_of(broker: &RegisterBrokerRecord) -> BrokerRegistrationChangeRecord {
    BrokerRegistrationChangeRecord {
        broker_id: broker.broker_id,
        broker_epoch: broker.broker_epoch,
        ..BrokerRegistrationChangeRecord::default()
    }
}

/// The state after a decision.
///
/// # Panics
/// If the records contradict the state: they were decided on it.
pub(super) fn after(image: &Image, records: &[MetadataRecord]) -> Image {
    let mut state = image.clone();
    let mut delta = Delta::default();
    for record in records {
        state.apply(record.clone(), &mut delta).expect("a decision follows the state that it was made on");
    }
    state
}
