//! What changed settings mean for partitions at once.

use protocol::records::{ClearElrRecord, ConfigRecord};
use protocol::{ErrorCode, Str};

use super::electorate::Electorate;
use super::heartbeat::after;
use super::partition_change::Election;
use super::{Controller, Refusal};
use crate::features::ELIGIBLE_LEADER_REPLICAS;
use crate::image::{Image, Partition, ResourceType};
use crate::record::MetadataRecord;

const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const UNCLEAN_LEADER_ELECTION: &str = "unclean.leader.election.enable";

/// Checks that a cluster with eligible leader replicas keeps one minimum of in-sync replicas for all brokers: which replicas
/// are eligible depends on it, so it does not depend on which controller is active.
pub(super) fn check_min_isr(image: &Image, records: &[MetadataRecord]) -> Result<(), Refusal> {
    if image.feature_level(ELIGIBLE_LEADER_REPLICAS) == 0 {
        return Ok(());
    }
    let mut of_brokers = configs(records)
        .filter(|it| it.resource_type == ResourceType::Broker as i8 && &*it.name == MIN_INSYNC_REPLICAS);
    let refused = of_brokers.find_map(|config| match (config.resource_name.is_empty(), &config.value) {
        (false, _) => Some("Broker-level min.insync.replicas cannot be altered while ELR is enabled."),
        (true, None) => Some("Cluster-level min.insync.replicas cannot be removed while ELR is enabled."),
        (true, Some(_)) => None,
    });
    refused.map_or(Ok(()), |message| Err(Refusal::new(ErrorCode::INVALID_CONFIG, message)))
}

fn configs(records: &[MetadataRecord]) -> impl Iterator<Item = &ConfigRecord> {
    records.iter().filter_map(|record| match record {
        MetadataRecord::Config(config) => Some(config),
        _ => None,
    })
}

impl Controller {
    /// The records that follow from changed settings: partitions forget the replicas that were eligible by another
    /// `min.insync.replicas`, and those without a leader get one where unclean elections have just been allowed.
    pub(super) fn config_effects(&self, image: &Image, records: &[MetadataRecord]) -> Vec<MetadataRecord> {
        let mut effects: Vec<MetadataRecord> = Vec::new();
        if image.feature_level(ELIGIBLE_LEADER_REPLICAS) > 0 {
            let topic_name = |config: &ConfigRecord| match ResourceType::from_i8(config.resource_type) {
                Some(ResourceType::Topic) => config.resource_name.clone(),
                _ => Str::default(),
            };
            let min_isr = configs(records).filter(|config| &*config.name == MIN_INSYNC_REPLICAS);
            effects.extend(min_isr.map(|config| ClearElrRecord { topic_name: topic_name(config) }.into()));
        }
        if configs(records).any(|config| &*config.name == UNCLEAN_LEADER_ELECTION) {
            let state = after(&after(image, records), &effects);
            effects.extend(self.elect_unclean_leaders(&state));
        }
        effects
    }

    /// Elects leaders of the partitions without one whose topics allow unclean elections.
    ///
    /// The only broker of a cluster, if it is this node, has nobody to elect but itself: if it does not lead, its log is
    /// lost, and only who asks for an election accepts that.
    pub(super) fn elect_unclean_leaders(&self, image: &Image) -> Vec<MetadataRecord> {
        if self.is_alone(image, self.node_id) {
            return Vec::new();
        }
        let electorate = Electorate::new(image);
        let mut records = Vec::new();
        for topic in image.topics().iter().filter(|topic| topic.partitions.iter().any(is_leaderless)) {
            if self.election_rules(image, topic).unclean {
                let partitions =
                    (0..).zip(&topic.partitions).filter(|(_, partition)| is_leaderless(partition));
                records.extend(partitions.filter_map(|(id, partition)| {
                    let of = (&**topic, id, &**partition);
                    self.change_partition(&electorate, of, |change| change.with_election(Election::Unclean))
                }));
            }
        }
        records
    }
}

fn is_leaderless(partition: &std::sync::Arc<Partition>) -> bool {
    !partition.has_leader()
}
