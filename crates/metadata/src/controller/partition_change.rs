//! The change of one partition: its leader, its in-sync replicas, and the replicas that may still lead it.
//!
//! Every decision about a partition goes through [`PartitionChange`], so that all of them keep one set of rules: Kafka's
//! (`PartitionChangeBuilder`), with eligible leader replicas (KIP-966) where the cluster has them, and with a mark on the
//! leader of an unclean election (KIP-704).

use std::collections::BTreeSet;

use protocol::Uuid;
use protocol::records::PartitionChangeRecord;

use super::Controller;
use crate::features::ELIGIBLE_LEADER_REPLICAS;
use crate::image::{Image, NO_LEADER, Partition, Topic};
use crate::level;
use crate::record::MetadataRecord;

/// `LeaderRecoveryState` of a leader that has, as far as is known, all committed records.
pub(super) const RECOVERED: i8 = 0;
/// `LeaderRecoveryState` of a leader that an unclean election has brought, until it changes its ISR.
pub(super) const RECOVERING: i8 = 1;

/// The choice of a leader when a partition changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Election {
    /// There is none: the leader stays, or nobody leads as before.
    Keep,
    /// The leader stays if it may; otherwise the first replica that has all committed records leads.
    Online,
    /// The first replica leads if it may; otherwise as [`Election::Online`].
    Preferred,
    /// As [`Election::Online`], and if there is no such replica, the first one that is alive leads: records may be lost.
    Unclean,
}

/// The rules for the partitions of a topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct ElectionRules {
    /// In-sync replicas that `acks=all` requires: `min.insync.replicas`, at most the topic's number of replicas.
    pub(super) min_isr: usize,
    /// `unclean.leader.election.enable`.
    pub(super) unclean: bool,
    /// Whether the cluster keeps the replicas outside the ISR that have all committed records (KIP-966).
    pub(super) has_elr: bool,
    /// Whether the leader epoch grows when the ISR shrinks: brokers before Kafka 3.6 rely on it (KAFKA-15021).
    pub(super) bumps_on_shrink: bool,
}

impl ElectionRules {
    /// The choice of a leader when the cluster changes on its own accord.
    pub(super) fn election(&self) -> Election {
        if self.unclean { Election::Unclean } else { Election::Online }
    }
}

impl Controller {
    /// The rules for the partitions of a topic.
    pub(super) fn election_rules(&self, image: &Image, topic: &Topic) -> ElectionRules {
        let layers = image.layers(Some(&topic.name), self.node_id, &self.given);
        let setting = |name| layers.value(settings::Scope::Topic, name);
        let replicas = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
        let min_isr = usize::try_from(setting("min.insync.replicas").whole()).unwrap_or(usize::MAX);
        ElectionRules {
            min_isr: min_isr.min(replicas),
            unclean: setting("unclean.leader.election.enable").boolean(),
            has_elr: image.feature_level(ELIGIBLE_LEADER_REPLICAS) > 0,
            bumps_on_shrink: level::bumps_leader_epoch_on_shrink(level::of(image)),
        }
    }
}

/// A change of a partition that is being decided.
#[derive(Clone, Debug)]
pub(super) struct PartitionChange<'a> {
    partition: &'a Partition,
    rules: ElectionRules,
    election: Election,
    isr: Vec<i32>,
    directories: Option<Vec<Uuid>>,
    leader_recovery_state: i8,
    /// The replica that has come back without what it had not synced.
    unclean_shutdown: Option<i32>,
}

/// The leader that an election comes to.
struct ElectionResult {
    leader: i32,
    /// Whether the leader may lack committed records.
    is_unclean: bool,
}

impl<'a> PartitionChange<'a> {
    /// A change of `partition` that elects a leader if the present one may not lead.
    pub(super) fn new(partition: &'a Partition, rules: ElectionRules) -> Self {
        Self {
            partition,
            rules,
            election: rules.election(),
            isr: partition.isr.to_vec(),
            directories: None,
            leader_recovery_state: partition.leader_recovery_state,
            unclean_shutdown: None,
        }
    }

    /// Chooses the leader in another way.
    pub(super) fn with_election(self, election: Election) -> Self {
        Self { election, ..self }
    }

    /// Sets the in-sync replicas.
    pub(super) fn with_isr(self, isr: Vec<i32>) -> Self {
        Self { isr, ..self }
    }

    /// Takes a replica out of the ISR.
    pub(super) fn without_isr_member(mut self, broker: i32) -> Self {
        self.isr.retain(|replica| *replica != broker);
        self
    }

    /// Takes a replica out of the ISR and out of the eligible replicas, because it may have lost records.
    pub(super) fn with_unclean_shutdown(self, broker: i32) -> Self {
        Self { unclean_shutdown: Some(broker), ..self.without_isr_member(broker) }
    }

    /// Sets the directories of the replicas, if there is a change.
    pub(super) fn with_directories(self, directories: Option<Vec<Uuid>>) -> Self {
        Self { directories, ..self }
    }

    /// Sets whether the leader has recovered from an unclean election.
    pub(super) fn with_leader_recovery_state(self, leader_recovery_state: i8) -> Self {
        Self { leader_recovery_state, ..self }
    }

    /// The record of the change, without the topic and the number of the partition; `None` if nothing changes. `may_lead`
    /// says of a replica whether it is alive.
    pub(super) fn decide(self, may_lead: impl Fn(i32) -> bool) -> Option<PartitionChangeRecord> {
        let before = self.partition;
        let mut record = PartitionChangeRecord::default();
        let mut isr = self.isr.clone();
        let mut elr = self.eligible();
        let ElectionResult { leader, is_unclean } = self.elect(&elr, &may_lead);
        if leader != before.leader {
            record.leader = leader;
            if is_unclean || elr.contains(&leader) {
                isr = vec![leader];
                elr.retain(|replica| *replica != leader);
            }
            if is_unclean {
                record.leader_recovery_state = RECOVERING;
            }
        }
        if is_unclean || !self.rules.has_elr {
            elr.clear();
        }
        if elr != before.eligible_leader_replicas() {
            record.eligible_leader_replicas = Some(elr);
        }
        // Without eligible replicas, the last one in the ISR stays there: nothing else says that it may lead again.
        if isr != *before.isr && (!isr.is_empty() || self.rules.has_elr) {
            record.isr = Some(isr);
        }
        self.bump_leader_epoch_on_shrink(&mut record);
        self.note_last_known_leader(&mut record);
        record.directories = self.directories;
        if self.leader_recovery_state != before.leader_recovery_state {
            record.leader_recovery_state = self.leader_recovery_state;
        }
        (record != PartitionChangeRecord::default()).then_some(record)
    }

    /// The replicas outside the ISR that have all committed records: while the ISR is smaller than the minimum nothing is
    /// committed, so those that leave it stay complete, unless they lose what they had.
    fn eligible(&self) -> Vec<i32> {
        if !self.rules.has_elr {
            return self.partition.eligible_leader_replicas().to_vec();
        }
        if self.isr.len() >= self.rules.min_isr {
            return Vec::new();
        }
        let before = self.partition.eligible_leader_replicas().iter().chain(self.partition.isr.iter());
        let stays = |replica: &i32| !self.isr.contains(replica) && self.unclean_shutdown != Some(*replica);
        let eligible: BTreeSet<i32> = before.copied().filter(stays).collect();
        eligible.into_iter().collect()
    }

    fn elect(&self, elr: &[i32], may_lead: &impl Fn(i32) -> bool) -> ElectionResult {
        let is_complete =
            |replica: i32| self.isr.contains(&replica) || (self.isr.is_empty() && elr.contains(&replica));
        let is_valid = |replica: i32| is_complete(replica) && may_lead(replica);
        let clean = |leader| ElectionResult { leader, is_unclean: false };
        let unclean = |leader| ElectionResult { leader, is_unclean: true };
        let replicas = &self.partition.replicas;
        if self.election == Election::Keep {
            return clean(self.partition.leader);
        }
        if self.election == Election::Preferred
            && let Some(preferred) = replicas.first().filter(|preferred| is_valid(**preferred))
        {
            return clean(*preferred);
        }
        if is_valid(self.partition.leader) {
            return clean(self.partition.leader);
        }
        if let Some(leader) = replicas.iter().find(|replica| is_valid(**replica)) {
            return clean(*leader);
        }
        if let Some(leader) = self.last_known_leader(elr).filter(|leader| may_lead(*leader)) {
            return unclean(leader);
        }
        let any = replicas.iter().find(|replica| may_lead(**replica));
        match any.filter(|_| self.election == Election::Unclean) {
            Some(leader) => unclean(*leader),
            None => clean(NO_LEADER),
        }
    }

    /// The leader that was the last to have all committed records, if no replica is known to have them any more. It has
    /// the best claim there is, and an operator is not asked (the "balanced" recovery of KIP-966).
    fn last_known_leader(&self, elr: &[i32]) -> Option<i32> {
        match self.partition.last_known_elr() {
            [leader] if self.rules.has_elr && self.isr.is_empty() && elr.is_empty() => Some(*leader),
            _ => None,
        }
    }

    /// Has the leader epoch grow if the ISR loses a member, at levels whose brokers need that.
    fn bump_leader_epoch_on_shrink(&self, record: &mut PartitionChangeRecord) {
        let before = self.partition;
        let shrinks = |isr: &Vec<i32>| before.isr.iter().any(|replica| !isr.contains(replica));
        let changes_leader = record.leader != PartitionChangeRecord::default().leader;
        if self.rules.bumps_on_shrink && !changes_leader && record.isr.as_ref().is_some_and(shrinks) {
            record.leader = before.leader;
        }
    }

    /// Keeps the leader that a partition loses, until it has one again.
    fn note_last_known_leader(&self, record: &mut PartitionChangeRecord) {
        let before = self.partition;
        let is_known = !before.last_known_elr().is_empty();
        if !self.rules.has_elr {
            return;
        }
        if record.leader == NO_LEADER && before.has_leader() && !is_known {
            record.last_known_elr = Some(vec![before.leader]);
        } else if record.leader >= 0 && is_known {
            record.last_known_elr = Some(Vec::new());
        }
    }
}

/// The unclean elections among the records of a decision on `image`, as sentences for the log.
pub fn data_losses(image: &Image, records: &[MetadataRecord]) -> Vec<String> {
    let sentence = |(topic_id, partition_id)| {
        let topic = image.topic_by_id(topic_id)?;
        let before = topic.partition(partition_id)?;
        let isr = match &*before.isr {
            [] => "no replica was in sync".to_owned(),
            isr => format!("the in-sync replicas {isr:?} are not available"),
        };
        Some(format!(
            "{}-{partition_id} has elected a leader that was not in sync: {isr}. Records may be lost.",
            topic.name
        ))
    };
    unclean_elections(records).filter_map(sentence).collect()
}

/// The unclean elections among the records of a decision, by topic id and partition: committed records may be lost there.
pub(super) fn unclean_elections(records: &[MetadataRecord]) -> impl Iterator<Item = (Uuid, i32)> {
    records.iter().filter_map(|record| match record {
        MetadataRecord::PartitionChange(change)
            if change.leader >= 0 && change.leader_recovery_state == RECOVERING =>
        {
            Some((change.topic_id, change.partition_id))
        }
        _ => None,
    })
}
