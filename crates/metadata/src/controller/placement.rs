//! The placement of new partitions on brokers.

use std::collections::BTreeMap;

use protocol::records::{PartitionRecord, RegisterBrokerRecord};
use protocol::{ErrorCode, Uuid};

use super::Refusal;
use super::racks::Racks;
use crate::image::Image;
use crate::image::directories::UNASSIGNED;

/// The brokers that new partitions can be put on, in turn.
pub(super) struct Placement<'a> {
    image: &'a Image,
    live: Vec<i32>,
    racks: Racks,
    /// The broker to start with for the next partition, so that the leaders of many topics are spread.
    next: usize,
    /// Replicas in each directory, of the brokers asked about so far.
    held: BTreeMap<i32, Vec<(Uuid, usize)>>,
}

impl<'a> Placement<'a> {
    pub(super) fn new(image: &'a Image) -> Self {
        Self {
            image,
            live: image.live_brokers().collect(),
            racks: Racks::new(image.brokers().values().map(|broker| &**broker).filter(|it| is_usable(it))),
            next: image.topics().partition_count(),
            held: BTreeMap::new(),
        }
    }

    /// Checks that partitions can have that many replicas.
    pub(super) fn check(&self, replication_factor: i16) -> Result<(), Refusal> {
        let registered = self.image.brokers().len();
        let why = if self.racks.unfenced() == 0 {
            "All brokers are currently fenced or in controlled shutdown.".to_owned()
        } else if usize::try_from(replication_factor).is_ok_and(|wanted| wanted <= self.racks.brokers()) {
            return Ok(());
        } else {
            format!(
                "The target replication factor of {replication_factor} cannot be reached because only \
                 {registered} broker(s) are registered."
            )
        };
        let message = format!("Unable to replicate the partition {replication_factor} time(s): {why}");
        Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, message))
    }

    /// The replicas of the next partition. [`Self::check`] has passed.
    pub(super) fn next_replicas(&mut self, replication_factor: i16) -> Vec<i32> {
        let count = usize::try_from(replication_factor).unwrap_or_default();
        let replicas = self.racks.place(self.next, count);
        self.next += 1;
        replicas
    }

    /// Checks replicas that a client chose, against those of the partitions before.
    pub(super) fn check_chosen(&self, replicas: &[i32], before: Option<usize>) -> Result<(), Refusal> {
        let refuse = |message: String| Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        if replicas.is_empty() {
            return refuse("The manual partition assignment includes an empty replica list.".to_owned());
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        if let Some(id) = sorted.iter().find(|id| !self.image.brokers().contains_key(id)) {
            return refuse(format!(
                "The manual partition assignment includes broker {id}, but no such broker is registered."
            ));
        }
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return refuse(format!(
                "The manual partition assignment includes the broker {} more than once.",
                pair[0]
            ));
        }
        match before {
            Some(before) if before != replicas.len() => refuse(format!(
                "The manual partition assignment includes a partition with {} replica(s), but this is not \
                 consistent with previous partitions, which have {before} replica(s).",
                replicas.len()
            )),
            _ => Ok(()),
        }
    }

    /// The record of a new partition whose replicas have been checked.
    pub(super) fn record(
        &mut self,
        topic_id: Uuid,
        partition_id: i32,
        replicas: Vec<i32>,
    ) -> Result<PartitionRecord, Refusal> {
        let isr: Vec<i32> = replicas.iter().copied().filter(|id| self.live.contains(id)).collect();
        let Some(leader) = isr.first().copied() else {
            let message = format!(
                "All brokers specified in the manual partition assignment for partition {partition_id} are \
                 fenced or in controlled shutdown."
            );
            return Err(Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        };
        let directories = replicas.iter().map(|id| self.directory(*id)).collect();
        Ok(PartitionRecord {
            partition_id,
            topic_id,
            replicas,
            isr,
            leader,
            leader_epoch: 0,
            partition_epoch: 0,
            directories,
            ..PartitionRecord::default()
        })
    }

    /// The directory for one more replica on a broker: the one of its directories with the fewest, the
    /// first of those in its order. (Kafka's brokers choose for themselves, by the same rule, and tell the
    /// controller later.)
    fn directory(&mut self, broker: i32) -> Uuid {
        let image = self.image;
        let held = self.held.entry(broker).or_insert_with(|| held(image, broker));
        // The first of the smallest.
        let Some((directory, count)) = held.iter_mut().min_by_key(|(_, count)| *count) else {
            return UNASSIGNED;
        };
        *count += 1;
        *directory
    }
}

/// Whether new partitions may be put on a broker: it does not leave, and not all of its directories are cordoned.
fn is_usable(broker: &RegisterBrokerRecord) -> bool {
    let mut directories = broker.log_dirs.iter();
    !broker.in_controlled_shutdown
        && (broker.log_dirs.is_empty() || directories.any(|directory| !is_cordoned(broker, *directory)))
}

fn is_cordoned(broker: &RegisterBrokerRecord, directory: Uuid) -> bool {
    broker.cordoned_log_dirs.as_ref().is_some_and(|cordoned| cordoned.contains(&directory))
}

/// The directories of a broker, without those that are cordoned, and how many replicas each has.
fn held(image: &Image, broker: i32) -> Vec<(Uuid, usize)> {
    let Some(broker) = image.brokers().get(&broker) else { return Vec::new() };
    let takes = |directory: &&Uuid| !is_usable(broker) || !is_cordoned(broker, **directory);
    let directories = broker.log_dirs.iter().filter(takes);
    directories.map(|directory| (*directory, image.topics().replicas_in(*directory))).collect()
}
