//! Leaders handed back to the brokers that are to lead them (`auto.leader.rebalance.enable`).

use std::collections::{BTreeMap, BTreeSet};

use super::elect_leaders::has_preferred_leader;
use super::{Controller, Decision, Office};
use crate::image::Image;

/// Leaders that change at once, as in Kafka (`MAX_ELECTIONS_PER_IMBALANCE`).
const ELECTIONS_MAX: usize = 1_000;
/// The time until the next ones do.
const PAUSE_MS: i64 = 1_000;

/// The progress of handing leaders back.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaderBalance {
    /// The time of the next look; `None` before the first.
    due_ms: Option<i64>,
    /// Since when brokers lead less than they are to and are not in sync everywhere.
    behind_since_ms: BTreeMap<i32, i64>,
}

impl Controller {
    /// Hands leaders back if that is due, and returns when it is due next.
    ///
    /// A broker that has come back first catches up: it leads again once it is in the ISR of all its partitions (KIP-1358),
    /// so that no leader moves while others still copy to it; but it does not wait for longer than an interval
    /// (`leader.imbalance.check.interval.seconds`) for one that it cannot catch up with.
    pub(super) fn balance_leaders(&self, image: &Image, office: &mut Office, now_ms: i64) -> Decision<i64> {
        let interval_ms =
            self.setting(image, "leader.imbalance.check.interval.seconds").whole().saturating_mul(1_000);
        let balance = &mut office.balance;
        let due_ms = *balance.due_ms.get_or_insert(now_ms.saturating_add(interval_ms));
        if now_ms < due_ms {
            return (due_ms, Vec::new());
        }
        let next_ms = now_ms.saturating_add(interval_ms);
        balance.due_ms = Some(next_ms);
        if !self.setting(image, "auto.leader.rebalance.enable").boolean() {
            return (next_ms, Vec::new());
        }
        let behind = behind(image);
        balance.behind_since_ms.retain(|broker, _| behind.contains(broker));
        let mut waits = |broker: i32| {
            behind.contains(&broker)
                && *balance.behind_since_ms.entry(broker).or_insert(now_ms)
                    > now_ms.saturating_sub(interval_ms)
        };
        let mut records = Vec::new();
        for topic in image.topics().iter() {
            for (partition_id, partition) in (0..).zip(&topic.partitions) {
                let Some(preferred) = partition.replicas.first() else { continue };
                if has_preferred_leader(partition) || waits(*preferred) {
                    continue;
                }
                if records.len() == ELECTIONS_MAX {
                    let soon_ms = now_ms.saturating_add(PAUSE_MS.min(interval_ms));
                    balance.due_ms = Some(soon_ms);
                    return (soon_ms, records);
                }
                records.extend(self.elect_preferred_leader(image, (topic, partition_id, partition)));
            }
        }
        (next_ms, records)
    }
}

/// The active brokers that are not in sync in some partition that is led.
fn behind(image: &Image) -> BTreeSet<i32> {
    let partitions = image.topics().iter().flat_map(|topic| &topic.partitions);
    let led = partitions.filter(|partition| partition.has_leader());
    let behind = led.flat_map(|partition| {
        partition.replicas.iter().copied().filter(|replica| !partition.isr.contains(replica))
    });
    let behind: BTreeSet<i32> = behind.collect();
    image.live_brokers().filter(|broker| behind.contains(broker)).collect()
}
