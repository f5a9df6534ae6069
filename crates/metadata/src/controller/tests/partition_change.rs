//! The change of one partition: Kafka's cases by hand, and random histories.

use std::collections::BTreeMap;

use fastrand::Rng;
use protocol::records::{PartitionChangeRecord, PartitionRecord, TopicRecord};

use super::super::partition_change::{
    Election, ElectionRules, PartitionChange, RECOVERED, RECOVERING, unclean_elections,
};
use super::*;
use crate::image::{NO_LEADER, Partition};

const RULES: ElectionRules =
    ElectionRules { min_isr: 2, unclean: false, has_elr: false, bumps_on_shrink: false };
const WITH_ELR: ElectionRules = ElectionRules { has_elr: true, ..RULES };
const TOPIC: Uuid = Uuid([7; 16]);

/// A partition of brokers 1, 2 and 3.
fn partition(leader: i32, isr: &[i32], elr: &[i32], last_known_elr: &[i32]) -> Partition {
    let record = PartitionRecord {
        topic_id: TOPIC,
        partition_id: 0,
        replicas: vec![1, 2, 3],
        isr: isr.to_vec(),
        leader,
        leader_epoch: 5,
        eligible_leader_replicas: Some(elr.to_vec()),
        last_known_elr: Some(last_known_elr.to_vec()),
        ..PartitionRecord::default()
    };
    changed(record, PartitionChangeRecord::default())
}

fn after(partition: &Partition, change: PartitionChangeRecord) -> Partition {
    let record = PartitionRecord {
        topic_id: TOPIC,
        partition_id: 0,
        replicas: partition.replicas.to_vec(),
        isr: partition.isr.to_vec(),
        leader: partition.leader,
        leader_epoch: partition.leader_epoch,
        leader_recovery_state: partition.leader_recovery_state,
        eligible_leader_replicas: Some(partition.eligible_leader_replicas().to_vec()),
        last_known_elr: Some(partition.last_known_elr().to_vec()),
        ..PartitionRecord::default()
    };
    changed(record, change)
}

fn changed(partition: PartitionRecord, change: PartitionChangeRecord) -> Partition {
    let topic = TopicRecord { name: "t".into(), topic_id: TOPIC };
    let change = PartitionChangeRecord { topic_id: TOPIC, partition_id: 0, ..change };
    let image = with(Image::default(), vec![topic.into(), partition.into(), change.into()]);
    (**image.partition("t", 0).expect("it was created")).clone()
}

/// The leader, the ISR, the eligible replicas, the last known leader and the growth of the leader epoch.
type Outcome<'a> = (i32, &'a [i32], &'a [i32], &'a [i32], i32);

#[track_caller]
fn check(
    before: &Partition,
    rules: ElectionRules,
    alive: &[i32],
    change: impl FnOnce(PartitionChange<'_>) -> PartitionChange<'_>,
    expected: Outcome<'_>,
) -> Partition {
    let record = change(PartitionChange::new(before, rules)).decide(|broker| alive.contains(&broker));
    let after = record.map_or_else(|| before.clone(), |record| after(before, record));
    let outcome: Outcome<'_> = (
        after.leader,
        &after.isr,
        after.eligible_leader_replicas(),
        after.last_known_elr(),
        after.leader_epoch - before.leader_epoch,
    );
    assert_eq!(outcome, expected);
    after
}

#[test]
fn a_leader_that_leaves_is_followed_by_the_first_replica_in_sync() {
    let before = partition(1, &[3, 2, 1], &[], &[]);
    check(&before, RULES, &[2, 3], |it| it.without_isr_member(1), (2, &[3, 2], &[], &[], 1));
    // Brokers that are alive and not in sync do not lead.
    let before = partition(1, &[1], &[], &[]);
    check(&before, RULES, &[2, 3], |it| it.without_isr_member(1), (NO_LEADER, &[1], &[], &[], 1));
}

#[test]
fn the_last_replica_in_sync_stays_there_and_leads_when_it_is_back() {
    let before = partition(NO_LEADER, &[1], &[], &[]);
    assert_eq!(PartitionChange::new(&before, RULES).without_isr_member(1).decide(|_| false), None);
    check(&before, RULES, &[1, 2], |it| it, (1, &[1], &[], &[], 1));
    check(&before, RULES, &[1, 2], |it| it.with_election(Election::Keep), (NO_LEADER, &[1], &[], &[], 0));
}

#[test]
fn the_leader_epoch_stays_when_the_isr_shrinks_unless_old_brokers_need_it() {
    let before = partition(1, &[1, 2, 3], &[], &[]);
    check(&before, RULES, &[1, 2], |it| it.without_isr_member(3), (1, &[1, 2], &[], &[], 0));
    let old = ElectionRules { bumps_on_shrink: true, ..RULES };
    check(&before, old, &[1, 2], |it| it.without_isr_member(3), (1, &[1, 2], &[], &[], 1));
    let small = partition(1, &[1], &[], &[]);
    check(&small, old, &[1, 2], |it| it.with_isr(vec![1, 2]), (1, &[1, 2], &[], &[], 0));
    assert!(
        !crate::level::bumps_leader_epoch_on_shrink(12) && crate::level::bumps_leader_epoch_on_shrink(11)
    );
}

#[test]
fn the_preferred_leader_leads_if_it_may() {
    let before = partition(2, &[2, 1], &[], &[]);
    check(&before, RULES, &[1, 2], |it| it.with_election(Election::Preferred), (1, &[2, 1], &[], &[], 1));
    check(&before, RULES, &[2, 3], |it| it.with_election(Election::Preferred), (2, &[2, 1], &[], &[], 0));
    let behind = partition(2, &[2, 3], &[], &[]);
    check(&behind, RULES, &[1, 2, 3], |it| it.with_election(Election::Preferred), (2, &[2, 3], &[], &[], 0));
}

#[test]
fn an_unclean_election_is_marked_and_leaves_the_new_leader_alone_in_the_isr() {
    let before = partition(1, &[1], &[], &[]);
    let unclean = ElectionRules { unclean: true, ..RULES };
    let change = PartitionChange::new(&before, unclean).without_isr_member(1);
    let record = change.decide(|broker| broker != 1).expect("it changes");
    assert_eq!((record.leader, record.isr.as_deref()), (2, Some(&[2][..])));
    assert_eq!(record.leader_recovery_state, RECOVERING);
    let record = PartitionChangeRecord { topic_id: TOPIC, partition_id: 4, ..record };
    assert_eq!(unclean_elections(&[record.clone().into()]).collect::<Vec<_>>(), [(TOPIC, 4)]);
    // A clean one is preferred where there is a choice, and is not reported.
    let change = PartitionChange::new(&before, RULES).with_election(Election::Unclean);
    assert_eq!(change.decide(|_| true), None);
    let again = after(&before, record);
    let recovered = PartitionChange::new(&again, RULES).with_leader_recovery_state(RECOVERED);
    let record = recovered.decide(|broker| broker == 2).expect("it recovers");
    assert_eq!((record.leader_recovery_state, unclean_elections(&[record.into()]).count()), (RECOVERED, 0));
}

#[test]
fn replicas_that_leave_a_small_isr_stay_eligible() {
    let mut it = partition(1, &[1, 2, 3], &[], &[]);
    it = check(&it, WITH_ELR, &[1, 2], |it| it.without_isr_member(3), (1, &[1, 2], &[], &[], 0));
    it = check(&it, WITH_ELR, &[1], |it| it.without_isr_member(2), (1, &[1], &[2], &[], 0));
    // Nobody is left in the ISR: the partition has no leader, and remembers the last.
    it = check(&it, WITH_ELR, &[], |it| it.without_isr_member(1), (NO_LEADER, &[], &[1, 2], &[1], 1));
    // 3 has missed nothing committed in between, but nobody can tell.
    check(&it, WITH_ELR, &[3], |it| it, (NO_LEADER, &[], &[1, 2], &[1], 0));
    it = check(&it, WITH_ELR, &[2, 3], |it| it, (2, &[2], &[1], &[], 1));
    it = check(&it, WITH_ELR, &[2, 1], |it| it.with_isr(vec![2, 1]), (2, &[2, 1], &[], &[], 0));
    assert_eq!(it.leader_recovery_state, RECOVERED);
}

#[test]
fn a_replica_that_lost_records_is_eligible_no_more_but_the_last_leader_may_recover() {
    let mut it = partition(NO_LEADER, &[], &[1, 2], &[1]);
    it = check(&it, WITH_ELR, &[3], |it| it.with_unclean_shutdown(2), (NO_LEADER, &[], &[1], &[1], 0));
    it = check(&it, WITH_ELR, &[3], |it| it.with_unclean_shutdown(1), (NO_LEADER, &[], &[], &[1], 0));
    check(&it, WITH_ELR, &[2, 3], |it| it, (NO_LEADER, &[], &[], &[1], 0));
    let led = check(&it, WITH_ELR, &[1, 2, 3], |it| it, (1, &[1], &[], &[], 1));
    assert_eq!(led.leader_recovery_state, RECOVERING, "it may lack records");
    let unclean = ElectionRules { unclean: true, ..WITH_ELR };
    check(&it, unclean, &[2, 3], |it| it, (2, &[2], &[], &[], 1));
}

#[test]
fn a_cluster_that_gives_up_eligible_replicas_forgets_them() {
    let before = partition(1, &[1], &[2], &[]);
    check(&before, RULES, &[1, 3], |it| it.with_isr(vec![1, 3]), (1, &[1, 3], &[], &[], 0));
}

/// A partition with the logs of its replicas: how many records each has, and how many are committed.
#[derive(Clone, Debug)]
struct Logs {
    partition: Partition,
    rules: ElectionRules,
    alive: Vec<i32>,
    ends: BTreeMap<i32, u32>,
    committed: u32,
    lost: bool,
}

impl Logs {
    fn new(rules: ElectionRules) -> Self {
        let partition = partition(1, &[1, 2, 3], &[], &[]);
        let ends = [(1, 0), (2, 0), (3, 0)].into();
        Self { partition, rules, alive: vec![1, 2, 3], ends, committed: 0, lost: false }
    }

    fn change(&mut self, change: impl FnOnce(PartitionChange<'_>) -> PartitionChange<'_>) {
        let change = change(PartitionChange::new(&self.partition, self.rules));
        let Some(record) = change.decide(|broker| self.alive.contains(&broker)) else { return };
        let elected = record.leader >= 0 && record.leader != self.partition.leader;
        let is_unclean = unclean_elections(&[record.clone().into()]).next().is_some();
        self.partition = after(&self.partition, record);
        if elected {
            let leader = self.partition.leader;
            let end = self.ends[&leader];
            assert!(
                end >= self.committed || is_unclean,
                "{leader} leads without committed records, and nobody is told: {self:?}"
            );
            assert!(!is_unclean || self.rules.unclean || self.lost, "nothing was lost: {self:?}");
            self.committed = self.committed.min(end);
            self.lost &= !is_unclean;
            self.ends.values_mut().for_each(|other| *other = (*other).min(end));
        }
        self.check();
    }

    fn check(&self) {
        let it = &self.partition;
        let (isr, elr) = (&*it.isr, it.eligible_leader_replicas());
        assert!(!it.has_leader() || isr.contains(&it.leader), "{self:?}");
        assert!(!it.has_leader() || self.alive.contains(&it.leader), "{self:?}");
        assert!(isr.iter().chain(elr).all(|replica| it.replicas.contains(replica)), "{self:?}");
        assert!(elr.iter().all(|replica| !isr.contains(replica)), "{self:?}");
        assert!(self.rules.has_elr || (elr.is_empty() && !isr.is_empty()), "{self:?}");
        assert!(elr.is_empty() || isr.len() < self.rules.min_isr, "{self:?}");
        let complete = isr.iter().chain(elr);
        let complete = complete.filter(|_| it.leader_recovery_state == RECOVERED);
        assert!(complete.into_iter().all(|replica| self.ends[replica] >= self.committed), "{self:?}");
        assert!(it.last_known_elr().is_empty() || !it.has_leader(), "{self:?}");
    }

    /// The leader takes a record, which is committed once all in sync have it, if they are enough.
    fn append(&mut self, min_isr: usize) {
        if !self.partition.has_leader() {
            return;
        }
        let end = self.ends[&self.partition.leader] + 1;
        self.ends.insert(self.partition.leader, end);
        if self.partition.isr.iter().all(|replica| self.alive.contains(replica)) {
            self.partition.isr.iter().for_each(|replica| _ = self.ends.insert(*replica, end));
            if self.partition.isr.len() >= min_isr {
                self.committed = end;
            }
        }
    }

    fn step(&mut self, rng: &mut Rng) {
        let broker = rng.i32(1..=3);
        match rng.u8(..7) {
            0 | 1 => self.append(if self.rules.has_elr { self.rules.min_isr } else { 1 }),
            2 if self.alive.contains(&broker) => {
                self.alive.retain(|alive| *alive != broker);
                self.change(|it| it.without_isr_member(broker));
            }
            3 if !self.alive.contains(&broker) => {
                // What it had not synced may be gone, and where replicas are eligible the controller is told.
                if self.rules.has_elr && rng.bool() {
                    let end = self.ends[&broker];
                    self.ends.insert(broker, end - rng.u32(..=end.min(3)));
                    self.lost = true;
                    self.change(|it| it.with_unclean_shutdown(broker));
                }
                self.alive.push(broker);
                self.change(|it| it);
            }
            // A follower has caught up.
            4 if self.partition.has_leader() && self.alive.contains(&broker) => {
                self.ends.insert(broker, self.ends[&self.partition.leader]);
                let mut isr = self.partition.isr.to_vec();
                if !isr.contains(&broker) {
                    isr.push(broker);
                }
                self.change(|it| it.with_isr(isr).with_leader_recovery_state(RECOVERED));
            }
            5 if self.partition.leader != broker && self.partition.isr.contains(&broker) => {
                self.change(|it| it.without_isr_member(broker));
            }
            6 if self.partition.has_leader() => self.change(|it| it.with_election(Election::Preferred)),
            _ => {}
        }
    }
}

#[test]
fn no_election_takes_a_broker_that_may_lack_committed_records() {
    let (mut elections, mut committed) = (0, 0);
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let rules = ElectionRules {
            min_isr: rng.usize(1..=3),
            unclean: rng.u8(..4) == 0,
            has_elr: rng.bool(),
            bumps_on_shrink: rng.bool(),
        };
        let mut logs = Logs::new(rules);
        for _ in 0..200 {
            logs.step(&mut rng);
        }
        elections += logs.partition.leader_epoch;
        committed += logs.committed;
    }
    assert!(elections > 4_000 && committed > 4_000, "{elections} elections, {committed} committed records");
}
