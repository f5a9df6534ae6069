//! The first entries of a quorum: its protocol, its voters, its first records.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;
use protocol::records::{ConfigRecord, FeatureLevelRecord, NoOpRecord};
use storage::Log;

use super::batches::{self, Leadership};
use super::checkpoint::{Bootstrap, Snapshot};
use super::log_store::voter_ids;
use super::raft::{Entry, EntryRecord, Membership, Payload, VoterEndpoint, VoterId, VoterNode, log_id};
use super::start::QuorumConfig;
use crate::features::{ELIGIBLE_LEADER_REPLICAS, METADATA_VERSION, METADATA_VERSION_NEW};
use crate::image::ResourceType;
use crate::level;
use crate::record::MetadataRecord;

/// The time in the batches that each of several voters writes for itself, which are the same bytes on all: none.
const FOUNDING_MS: i64 = record::NO_TIMESTAMP;

/// A voter that a quorum begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundingVoter {
    /// Its id.
    pub id: VoterId,
    /// Its addresses.
    pub endpoints: Vec<VoterEndpoint>,
}

/// The state before the first entry that says otherwise.
#[derive(Clone, Debug, Default)]
pub(super) struct InitialState {
    /// The voters; empty if others have founded the quorum, which this node joins.
    pub(super) voters: Membership,
    /// The protocol of the quorum.
    pub(super) kraft_version: i16,
}

impl InitialState {
    /// The founding of the quorum that `this` is of: alone, or with peers among the voters that its settings name.
    pub(super) fn of(
        config: &QuorumConfig,
        snapshot: Option<&Snapshot>,
        bootstrap: Option<&Bootstrap>,
    ) -> Self {
        let kraft_version = match (snapshot, bootstrap) {
            (Some(snapshot), _) => snapshot.kraft_version,
            (None, Some(bootstrap)) => bootstrap.kraft_version,
            (None, None) => 0,
        };
        // Voters that stand in Kafka's settings alone: here in this node's, or it is the only one.
        let named = bootstrap.map(|bootstrap| &bootstrap.membership);
        let voters = named.filter(|voters| voters.nodes().next().is_some()).cloned();
        Self { voters: voters.unwrap_or_else(|| configured(config)), kraft_version }
    }

    /// Begins a log: one that Kafka has formatted for a node alone with `first_records`, in one batch. A new one with
    /// the protocol of its quorum, without which Kafka would look for the voters in its settings, and the voters. It
    /// is durable before any vote is given, so that an empty log beside a vote is one that was lost.
    ///
    /// Several voters begin with the same entries, whichever starts first; the first leader adds the records.
    pub(super) fn begin(
        &self,
        log: &mut Log,
        this: VoterId,
        voted: bool,
        first_records: Option<&[MetadataRecord]>,
    ) -> Result<(), String> {
        let voters = voter_ids(Some(&self.voters));
        if voters.is_empty() {
            // The leader sends the first entry. A vote may come before it.
            return Ok(());
        }
        if voted {
            return Err("it is empty, and a vote was given in it: its files are missing".to_owned());
        }
        let is_alone = voters == [this];
        let now_ms = if is_alone { runtime::clock::now_ms() } else { FOUNDING_MS };
        let mut bytes = Vec::new();
        let entries = match first_records {
            Some(records) if is_alone => in_one_batch(records),
            // Its voters are in settings alone.
            Some(_) if self.kraft_version == 0 => vec![nothing()],
            _ => {
                bytes.extend(batches::protocol(now_ms).map_err(|error| error.to_string())?);
                vec![Entry::new(log_id(0, 1), Payload::Membership(self.voters.clone()))]
            }
        };
        let leadership = Leadership { leader: this, voters };
        batches::encode(&entries, &leadership, now_ms, &mut bytes).map_err(|error| error.to_string())?;
        log.append_with_offsets(&bytes, runtime::clock::now_ms()).map_err(|error| error.to_string())?;
        log.flush().map_err(|error| error.to_string())?;
        Ok(())
    }
}

/// An entry that only keeps the log from being empty.
fn nothing() -> Entry {
    let record =
        EntryRecord { record: NoOpRecord::default().into(), version: 0, ends_batch: true, expected: None };
    Entry::new(log_id(0, 0), Payload::Normal(record))
}

fn in_one_batch(records: &[MetadataRecord]) -> Vec<Entry> {
    let mut entries = EntryRecord::of_decision(records.to_vec(), level::set_by(records));
    let last = entries.len() - 1;
    for (at, entry) in entries.iter_mut().enumerate() {
        entry.ends_batch = at == last;
    }
    let entry = |(at, record)| Entry::new(log_id(0, at), Payload::Normal(record));
    (0..).zip(entries).map(entry).collect()
}

/// The voters by the settings: this node alone if they name none, and none if they name others.
fn configured(config: &QuorumConfig) -> Membership {
    let this = config.voter();
    let voters = if config.voters.is_empty() {
        vec![FoundingVoter { id: this, endpoints: config.endpoints.clone() }]
    } else {
        config.voters.clone()
    };
    if !voters.iter().any(|voter| voter.id == this) {
        return Membership::default();
    }
    let nodes: BTreeMap<VoterId, VoterNode> =
        voters.into_iter().map(|voter| (voter.id, VoterNode { endpoints: voter.endpoints })).collect();
    let ids: BTreeSet<VoterId> = nodes.keys().copied().collect();
    Membership::new(vec![ids], nodes).expect("the voters of one configuration are its nodes")
}

/// The records that a cluster begins with: those of its formatting, or the level of a new one.
pub(super) fn first_records(config: &QuorumConfig, bootstrap: Option<&Bootstrap>) -> Vec<MetadataRecord> {
    let mut records = bootstrap.map(|bootstrap| bootstrap.records.clone()).unwrap_or_default();
    if records.is_empty() {
        let name = METADATA_VERSION.into();
        records.push(FeatureLevelRecord { name, feature_level: METADATA_VERSION_NEW }.into());
    }
    let switches_on = |record: &MetadataRecord| {
        matches!(record, MetadataRecord::FeatureLevel(feature)
            if &*feature.name == ELIGIBLE_LEADER_REPLICAS && feature.feature_level > 0)
    };
    if records.iter().any(switches_on) {
        // As Kafka: who is eligible depends on it, and it must not differ from broker to broker.
        let record = ConfigRecord {
            resource_type: ResourceType::Broker as i8,
            resource_name: Str::default(),
            name: "min.insync.replicas".into(),
            value: Some(config.min_insync_replicas.to_string().into()),
        };
        records.push(record.into());
    }
    records
}
