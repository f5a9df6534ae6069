//! BrokerRegistration and UnregisterBroker (KIP-631, KIP-858, KIP-966).

use std::collections::BTreeSet;

use protocol::messages::broker_registration_request::{Feature, Listener};
use protocol::messages::{
    BrokerRegistrationRequest, BrokerRegistrationResponse, UnregisterBrokerRequest, UnregisterBrokerResponse,
};
use protocol::records::register_broker_record::{BrokerEndpoint, BrokerFeature};
use protocol::records::{RegisterBrokerRecord, UnregisterBrokerRecord};
use protocol::{ErrorCode, Str};

use super::electorate::Electorate;
use super::messages::shortened;
use super::{Controller, Decision, Office};
use crate::features::{ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION};
use crate::image::directories::is_directory;
use crate::image::{Image, Partition};
use crate::level;
use crate::record::MetadataRecord;

/// The first version with `PreviousBrokerEpoch`, by which a broker says that it was shut down cleanly.
const CLEAN_SHUTDOWN_SINCE: i16 = 3;

impl Controller {
    /// Registers a broker at `now_ms` of the steady clock, which is fenced until its heartbeats show that it has caught up.
    ///
    /// Another incarnation leads nothing of what the one before led, because it may have lost records; one that was shut down
    /// cleanly, and any where the cluster has no eligible replicas, is still in the ISRs that have nobody else. Once it has
    /// registered, a broker says by AssignReplicasToDirs where it has found its replicas: the directory
    /// [`crate::image::directories::LOST`] is that of a replica whose log is gone, which then leads nothing.
    pub fn broker_registration(
        &self,
        image: &Image,
        request: &BrokerRegistrationRequest,
        version: i16,
        office: &mut Office,
        now_ms: i64,
    ) -> Decision<BrokerRegistrationResponse> {
        let present = image.brokers().get(&request.broker_id).map(|broker| &**broker);
        if let Err(error_code) = self.check_registration(image, request, present, (office, now_ms)) {
            let response = BrokerRegistrationResponse { error_code, ..BrokerRegistrationResponse::default() };
            return (response, Vec::new());
        }
        let mut record = registration(image, request);
        let mut records = Vec::new();
        match present.filter(|present| present.incarnation_id == request.incarnation_id) {
            // The answer was lost, or the broker has something to add.
            Some(present) => {
                record.broker_epoch = present.broker_epoch;
                record.fenced = present.fenced;
                record.in_controlled_shutdown = present.in_controlled_shutdown;
            }
            None => {
                let is_clean = version >= CLEAN_SHUTDOWN_SINCE
                    && present.is_some_and(|present| present.broker_epoch == request.previous_broker_epoch);
                records = self.end_incarnation(image, request.broker_id, is_clean);
                office.heartbeats.end(request.broker_id);
            }
        }
        let broker_epoch = record.broker_epoch;
        // The registration comes last: if this controller ends in the midst of it, the broker registers again.
        records.push(record.into());
        (BrokerRegistrationResponse { broker_epoch, ..BrokerRegistrationResponse::default() }, records)
    }

    fn check_registration(
        &self,
        image: &Image,
        request: &BrokerRegistrationRequest,
        present: Option<&RegisterBrokerRecord>,
        (office, now_ms): (&Office, i64),
    ) -> Result<(), ErrorCode> {
        if self.cluster_id.as_ref().is_some_and(|id| *id != request.cluster_id) {
            return Err(ErrorCode::INCONSISTENT_CLUSTER_ID);
        }
        let timeout_ms = self.session_timeout_ms(image);
        let is_other_alive = |present: &RegisterBrokerRecord| {
            present.incarnation_id != request.incarnation_id
                && office.heartbeats.is_alive(present.broker_id, present.broker_epoch, now_ms, timeout_ms)
        };
        if present.is_some_and(is_other_alive) {
            return Err(ErrorCode::DUPLICATE_BROKER_REGISTRATION);
        }
        if request.is_migrating_zk_broker {
            return Err(ErrorCode::BROKER_ID_NOT_REGISTERED);
        }
        check_directories(image, request)?;
        let listeners: BTreeSet<&Str> = request.listeners.iter().map(|listener| &listener.name).collect();
        if listeners.len() < request.listeners.len() {
            return Err(ErrorCode::INVALID_REGISTRATION);
        }
        check_features(image, &request.features)
    }

    /// Has the next incarnation of a broker lead nothing that this one led. Of an unclean shutdown the ISRs and the eligible
    /// replicas take no notice unless the cluster has the latter: otherwise nothing would be left to elect.
    fn end_incarnation(&self, image: &Image, broker: i32, is_clean: bool) -> Vec<MetadataRecord> {
        if is_clean || image.feature_level(ELIGIBLE_LEADER_REPLICAS) == 0 {
            self.leave_partitions(image, broker)
        } else {
            self.forget_replicas(image, broker)
        }
    }

    /// Takes a broker out of the ISRs and the eligible replicas of its partitions.
    fn forget_replicas(&self, image: &Image, broker: i32) -> Vec<MetadataRecord> {
        self.change_partitions(
            &Electorate::without(image, broker),
            |partition: &Partition| {
                partition.isr.contains(&broker) || partition.eligible_leader_replicas().contains(&broker)
            },
            |change| change.with_unclean_shutdown(broker),
        )
    }

    /// Forgets a broker. Its partitions are led by others, if there are any.
    pub fn unregister_broker(
        &self,
        image: &Image,
        request: &UnregisterBrokerRequest,
    ) -> Decision<UnregisterBrokerResponse> {
        let broker_id = request.broker_id;
        let refuse = |error_code, message: String| {
            let error_message = Some(shortened(message.into()));
            let response =
                UnregisterBrokerResponse { error_code, error_message, ..UnregisterBrokerResponse::default() };
            (response, Vec::new())
        };
        let Some(broker) = image.brokers().get(&broker_id) else {
            let message = format!("Broker ID {broker_id} is not currently registered");
            return refuse(ErrorCode::BROKER_ID_NOT_REGISTERED, message);
        };
        if self.is_alone(image, broker_id) {
            let message = format!("Broker {broker_id} is the only one, and the controller.");
            return refuse(ErrorCode::INVALID_REQUEST, message);
        }
        let mut records = self.forget_replicas(image, broker_id);
        records.push(UnregisterBrokerRecord { broker_id, broker_epoch: broker.broker_epoch }.into());
        (UnregisterBrokerResponse::default(), records)
    }
}

/// The record of a registration that is new.
pub(super) fn registration(image: &Image, request: &BrokerRegistrationRequest) -> RegisterBrokerRecord {
    let endpoint = |listener: &Listener| BrokerEndpoint {
        name: listener.name.detached(),
        host: listener.host.detached(),
        port: listener.port,
        security_protocol: listener.security_protocol,
    };
    let feature = |feature: &Feature| BrokerFeature {
        name: feature.name.detached(),
        min_supported_version: feature.min_supported_version,
        max_supported_version: feature.max_supported_version,
    };
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        // The offset of the decision, as in Kafka, so that it grows.
        broker_epoch: image.offset() + 1,
        end_points: request.listeners.iter().map(endpoint).collect(),
        features: request.features.iter().map(feature).collect(),
        rack: request.rack.as_ref().map(Str::detached),
        fenced: true,
        log_dirs: request.log_dirs.clone(),
        ..RegisterBrokerRecord::default()
    }
}

/// Checks that the directories are distinct and nobody else's.
fn check_directories(image: &Image, request: &BrokerRegistrationRequest) -> Result<(), ErrorCode> {
    if !level::has_directories(level::of(image)) {
        return Ok(());
    }
    let directories: BTreeSet<_> = request.log_dirs.iter().collect();
    let mut others = image.brokers().values().filter(|broker| broker.broker_id != request.broker_id);
    let are_valid = !directories.is_empty()
        && directories.len() == request.log_dirs.len()
        && directories.iter().all(|directory| is_directory(**directory))
        && !others.any(|broker| broker.log_dirs.iter().any(|directory| directories.contains(directory)));
    if are_valid { Ok(()) } else { Err(ErrorCode::INVALID_REGISTRATION) }
}

/// Checks that the broker can work at the finalized level of each feature.
fn check_features(image: &Image, supported: &[Feature]) -> Result<(), ErrorCode> {
    let finalized = |name: &str| match name {
        METADATA_VERSION => level::of(image),
        name => image.feature_level(name),
    };
    let serves = |feature: &Feature| {
        (feature.min_supported_version..=feature.max_supported_version).contains(&finalized(&feature.name))
    };
    let knows = |name: &str| supported.iter().any(|feature| &*feature.name == name);
    if !supported.iter().all(serves) {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    if !knows(METADATA_VERSION) {
        return Err(ErrorCode::INVALID_REGISTRATION);
    }
    let is_missing = image.features().any(|(name, level)| level != 0 && !knows(name));
    if is_missing { Err(ErrorCode::UNSUPPORTED_VERSION) } else { Ok(()) }
}
