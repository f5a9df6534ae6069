//! The replicas of new partitions, spread over racks and brokers.
//!
//! The guarantees are those of Kafka's `StripedReplicaPlacer`: no broker twice; a leader that is alive; each rack in turn
//! before any a second time; of a rack, the brokers that are fenced last; leaders in equal parts on the brokers of equal
//! racks, and the partitions that a broker leads on as many others as can be, so that those share its load if it fails.
//! Brokers that name no rack are in one together.

use std::collections::BTreeMap;

use protocol::records::RegisterBrokerRecord;

/// The brokers that new partitions can be put on, by rack.
pub(super) struct Racks {
    /// In the order of their names; those in which all brokers are fenced come last.
    racks: Vec<Rack>,
    unfenced: usize,
}

#[derive(Default)]
struct Rack {
    unfenced: Vec<i32>,
    fenced: Vec<i32>,
}

impl Rack {
    /// The brokers of the rack from the one at `start` on, those that are fenced last.
    fn starting_at(&self, start: usize) -> impl Iterator<Item = i32> {
        turned(&self.unfenced, start).chain(turned(&self.fenced, start))
    }
}

impl Racks {
    pub(super) fn new<'a>(brokers: impl Iterator<Item = &'a RegisterBrokerRecord>) -> Self {
        let mut racks: BTreeMap<Option<&str>, Rack> = BTreeMap::new();
        for broker in brokers {
            let rack = racks.entry(broker.rack.as_deref()).or_default();
            let list = if broker.fenced { &mut rack.fenced } else { &mut rack.unfenced };
            list.push(broker.broker_id);
        }
        let (mut racks, dead): (Vec<Rack>, Vec<Rack>) =
            racks.into_values().partition(|rack| !rack.unfenced.is_empty());
        racks.extend(dead);
        let unfenced = racks.iter().map(|rack| rack.unfenced.len()).sum();
        Self { racks, unfenced }
    }

    /// The number of brokers, fenced or not.
    pub(super) fn brokers(&self) -> usize {
        self.unfenced + self.racks.iter().map(|rack| rack.fenced.len()).sum::<usize>()
    }

    /// The number of brokers that are not fenced.
    pub(super) fn unfenced(&self) -> usize {
        self.unfenced
    }

    /// The replicas of the partition that comes after `number` others.
    ///
    /// # Panics
    /// If no broker may lead, or there are fewer than `replication_factor`.
    pub(super) fn place(&self, number: usize, replication_factor: usize) -> Vec<i32> {
        assert!(self.unfenced > 0 && replication_factor <= self.brokers(), "it was checked");
        let alive = self.racks.iter().filter(|rack| !rack.unfenced.is_empty()).count();
        // Each cycle has every broker lead once, and pairs it with others than the one before.
        let cycle = number / self.unfenced;
        let lead = number % alive;
        let leading = &self.racks[lead];
        let at = number / alive % leading.unfenced.len();
        let mut order = leading.starting_at(at);
        let leader = order.next().expect("it has one that is alive");
        let rest: Vec<i32> = order.collect();
        let others: Vec<&Rack> = turned_by(&self.racks, lead + 1).take(self.racks.len() - 1).collect();
        let shift = cycle.checked_div(others.len()).unwrap_or_default();
        let mut rows: Vec<std::vec::IntoIter<i32>> = Vec::with_capacity(self.racks.len());
        for rack in turned_by(&others, cycle) {
            rows.push(rack.starting_at(number / alive + shift).collect::<Vec<_>>().into_iter());
        }
        // The leader's own rack comes last in each round.
        let alive_left = leading.unfenced.len() - 1;
        let mates: Vec<i32> =
            turned(&rest[..alive_left], cycle).chain(rest[alive_left..].iter().copied()).collect();
        rows.push(mates.into_iter());
        let mut replicas = vec![leader];
        while replicas.len() < replication_factor {
            let room = replication_factor - replicas.len();
            replicas.extend(rows.iter_mut().filter_map(Iterator::next).take(room));
        }
        replicas
    }
}

/// The entries of a list from the one at `start` on, all of them once.
fn turned(list: &[i32], start: usize) -> impl Iterator<Item = i32> {
    turned_by(list, start).copied()
}

fn turned_by<T>(list: &[T], start: usize) -> impl Iterator<Item = &T> {
    let (before, after) = list.split_at(start.checked_rem(list.len()).unwrap_or_default());
    after.iter().chain(before)
}
