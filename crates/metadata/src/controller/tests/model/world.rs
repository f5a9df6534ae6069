//! The brokers of the model, and the steps that they and the controller take.

use std::collections::BTreeSet;

use protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use protocol::messages::{AlterPartitionRequest, BrokerHeartbeatRequest};
use protocol::records::{PartitionRecord, TopicRecord};

use super::super::cluster::{Cluster, directory};
use super::*;
use crate::controller::partition_change::unclean_elections;
use crate::image::Partition;

const TOPIC: Uuid = Uuid([7; 16]);
const BROKERS: [i32; 3] = [1, 2, 3];
const RECORDS_MAX: u8 = 2;
/// More than any session lasts: whether a broker is heard of is a step of its own.
const LONG_MS: i64 = 1_000_000;

/// A rule of replication that is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trap {
    /// Any replica may lead, and nobody is told.
    UncleanElection,
    /// A leader does not say which incarnation of a broker it has seen (KIP-903).
    NoBrokerEpochs,
    /// A broker that has lost records says that it was shut down cleanly (KIP-966).
    LossHidden,
    /// The high watermark passes replicas that are about to be in the ISR (KIP-497).
    CommittedIsrOnly,
    /// Records are committed by fewer replicas than are required (KIP-966).
    CommitBelowMinIsr,
}

/// A step of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A leader takes a record.
    Append(i32),
    /// A follower copies the log of a leader, which knows it then.
    Fetch(i32, i32),
    /// A leader proposes to take a follower into the ISR.
    Expand(i32, i32),
    /// A leader proposes to take a follower out of the ISR.
    Shrink(i32, i32),
    /// The controller decides a proposal.
    Deliver(i32),
    /// A broker hears of the metadata.
    Learn(i32),
    /// The controller hears of a broker.
    Heartbeat(i32),
    /// The controller does not hear of a broker for too long.
    Expire(i32),
    /// A broker asks to be shut down.
    ShutDown(i32),
    /// A process dies.
    Crash(i32),
    /// A process dies, and the last record of its log is gone.
    LoseTail(i32),
    /// A process starts.
    Restart(i32),
}

impl Action {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        BROKERS.into_iter().flat_map(|id| {
            let alone = [
                Self::Append(id),
                Self::Deliver(id),
                Self::Learn(id),
                Self::Heartbeat(id),
                Self::Expire(id),
                Self::ShutDown(id),
                Self::Crash(id),
                Self::LoseTail(id),
                Self::Restart(id),
            ];
            let others = BROKERS.into_iter().filter(move |other| *other != id);
            let pairs = others.flat_map(move |other| {
                [Self::Fetch(id, other), Self::Expand(id, other), Self::Shrink(id, other)]
            });
            alone.into_iter().chain(pairs)
        })
    }
}

/// The partition as a broker knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct View {
    leader: i32,
    leader_epoch: i32,
    partition_epoch: i32,
    isr: Vec<i32>,
}

impl View {
    fn of(partition: &Partition) -> Self {
        Self {
            leader: partition.leader,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            isr: partition.isr.to_vec(),
        }
    }
}

/// A proposed ISR, with the generation in which the leader has seen each broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Proposal {
    leader_epoch: i32,
    partition_epoch: i32,
    isr: Vec<(i32, usize)>,
    sender_generation: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Node {
    is_up: bool,
    /// Whether it lost records that the controller has not heard of.
    has_lost: bool,
    /// Whether it was told to stop.
    is_stopped_cleanly: bool,
    /// The number of registrations before the present one.
    generation: usize,
    log: Vec<u8>,
    high_watermark: usize,
    view: Option<View>,
    /// As a leader: the end and the generation of each follower that has fetched in this epoch.
    fetched: [Option<(usize, usize)>; 3],
    pending: Option<Proposal>,
}

impl Node {
    fn leads(&self, id: i32) -> Option<&View> {
        self.view.as_ref().filter(|view| self.is_up && view.leader == id)
    }
}

#[derive(Clone)]
pub(super) struct World {
    controller: std::rc::Rc<Controller>,
    image: Image,
    office: Office,
    now_ms: i64,
    with_elr: bool,
    trap: Option<Trap>,
    nodes: [Node; 3],
    /// Proposals on their way.
    wire: [Option<Proposal>; 3],
    /// The broker epoch of each generation.
    epochs: [Vec<i64>; 3],
    committed: Vec<u8>,
    appended: u8,
    fault: Option<String>,
}

fn at(id: i32) -> usize {
    usize::try_from(id - 1).expect("brokers are numbered from 1")
}

impl World {
    /// Three active brokers that know the partition, all in sync, led by the first.
    pub(super) fn new(with_elr: bool, trap: Option<Trap>) -> Self {
        let unclean = if trap == Some(Trap::UncleanElection) { "true" } else { "false" };
        let min_isr = if with_elr { "2" } else { "1" };
        let given = [("unclean.leader.election.enable", unclean), ("min.insync.replicas", min_isr)];
        let cluster = if with_elr { Cluster::with_elr(&given) } else { Cluster::new(&given) }.of_three();
        let epochs = BROKERS.map(|id| vec![cluster.epoch(id)]);
        let partition = PartitionRecord {
            topic_id: TOPIC,
            partition_id: 0,
            replicas: BROKERS.to_vec(),
            isr: BROKERS.to_vec(),
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            directories: BROKERS.map(directory).to_vec(),
            ..PartitionRecord::default()
        };
        let topic = TopicRecord { name: "t".into(), topic_id: TOPIC };
        let image = with(cluster.image.clone(), vec![topic.into(), partition.into()]);
        let node = Node { is_up: true, ..Node::default() };
        let mut world = Self {
            controller: std::rc::Rc::new(cluster.controller),
            image,
            office: cluster.office,
            now_ms: cluster.now_ms,
            with_elr,
            trap,
            nodes: [node.clone(), node.clone(), node],
            wire: [None, None, None],
            epochs,
            committed: Vec::new(),
            appended: 0,
            fault: None,
        };
        BROKERS.into_iter().for_each(|id| _ = world.learn(id));
        world
    }

    fn partition(&self) -> &Partition {
        self.image.partition("t", 0).expect("it was created")
    }

    /// All that decides what may come, without the offsets of the metadata log.
    pub(super) fn key(&self) -> impl std::hash::Hash + Eq + use<> {
        let partition = self.partition();
        let brokers = BROKERS.map(|id| {
            let broker = &self.image.brokers()[&id];
            (broker.fenced, broker.in_controlled_shutdown)
        });
        let eligible = partition.eligible_leader_replicas().to_vec();
        let last = partition.last_known_elr().to_vec();
        let view = View::of(partition);
        let state = (view, eligible, last, partition.leader_recovery_state, brokers);
        (state, self.nodes.clone(), self.wire.clone(), self.committed.clone(), self.appended)
    }

    /// Takes a step; returns whether it is possible and changes something.
    pub(super) fn step(&mut self, action: Action) -> bool {
        match action {
            Action::Append(id) => self.append(id),
            Action::Fetch(follower, leader) => self.fetch(follower, leader),
            Action::Expand(leader, follower) => self.expand(leader, follower),
            Action::Shrink(leader, follower) => self.shrink(leader, follower),
            Action::Deliver(id) => self.deliver(id),
            Action::Learn(id) => self.learn(id),
            Action::Heartbeat(id) => self.heartbeat(id, false),
            Action::ShutDown(id) => self.heartbeat(id, true),
            Action::Expire(id) => self.expire(id),
            Action::Crash(id) => self.stop(id, false),
            Action::LoseTail(id) => self.lose_tail(id),
            Action::Restart(id) => self.restart(id),
        }
    }

    fn append(&mut self, id: i32) -> bool {
        if self.appended == RECORDS_MAX || self.nodes[at(id)].leads(id).is_none() {
            return false;
        }
        self.appended += 1;
        self.nodes[at(id)].log.push(self.appended);
        self.commit(id);
        true
    }

    fn fetch(&mut self, follower: i32, leader: i32) -> bool {
        let node = &self.nodes[at(follower)];
        let Some(leading) = self.nodes[at(leader)].leads(leader) else { return false };
        let knows = |view: &View| view.leader == leader && view.leader_epoch == leading.leader_epoch;
        if !node.is_up || !node.view.as_ref().is_some_and(knows) {
            return false;
        }
        let generation = node.generation;
        let log = self.nodes[at(leader)].log.clone();
        let fetched = Some((log.len(), generation));
        let is_news = self.nodes[at(leader)].fetched[at(follower)] != fetched;
        self.nodes[at(leader)].fetched[at(follower)] = fetched;
        self.nodes[at(follower)].log = log;
        self.commit(leader);
        let high_watermark = self.nodes[at(leader)].high_watermark;
        self.nodes[at(follower)].high_watermark = high_watermark;
        is_news
    }

    /// Has a leader move its high watermark.
    fn commit(&mut self, id: i32) {
        let node = &self.nodes[at(id)];
        let Some(view) = node.leads(id) else { return };
        let mut members: BTreeSet<i32> = view.isr.iter().copied().collect();
        if let Some(pending) = node.pending.as_ref().filter(|_| self.trap != Some(Trap::CommittedIsrOnly)) {
            members.extend(pending.isr.iter().map(|(broker, _)| *broker));
        }
        if self.with_elr && view.isr.len() < 2 && self.trap != Some(Trap::CommitBelowMinIsr) {
            return;
        }
        let end = |member: i32| match member == id {
            true => node.log.len(),
            false => node.fetched[at(member)].map_or(0, |(end, _)| end),
        };
        let least = members.into_iter().map(end).min().unwrap_or_default();
        let log = node.log.clone();
        let node = &mut self.nodes[at(id)];
        node.high_watermark = node.high_watermark.max(least).min(log.len());
        let committed = &log[..node.high_watermark];
        if committed.len() > self.committed.len() {
            if !committed.starts_with(&self.committed) {
                self.fault = Some(format!("{id} commits {committed:?} after {:?}", self.committed));
            }
            self.committed = committed.to_vec();
        }
    }

    fn expand(&mut self, leader: i32, follower: i32) -> bool {
        let node = &self.nodes[at(leader)];
        let Some(view) = node.leads(leader) else { return false };
        let Some((end, _)) = node.fetched[at(follower)] else { return false };
        if view.isr.contains(&follower) || end < node.high_watermark {
            return false;
        }
        let isr = view.isr.iter().copied().chain([follower]).collect();
        self.propose(leader, isr)
    }

    fn shrink(&mut self, leader: i32, follower: i32) -> bool {
        let Some(view) = self.nodes[at(leader)].leads(leader) else { return false };
        if !view.isr.contains(&follower) {
            return false;
        }
        let isr = view.isr.iter().copied().filter(|broker| *broker != follower).collect();
        self.propose(leader, isr)
    }

    fn propose(&mut self, leader: i32, isr: Vec<i32>) -> bool {
        let node = &self.nodes[at(leader)];
        let Some(view) = node.leads(leader).filter(|_| node.pending.is_none()) else { return false };
        let generation = |broker: i32| match node.fetched[at(broker)] {
            Some((_, generation)) => generation,
            None if broker == leader => node.generation,
            // One that was in sync and has not fetched since: it is known from the metadata.
            None => self.nodes[at(broker)].generation,
        };
        let proposal = Proposal {
            leader_epoch: view.leader_epoch,
            partition_epoch: view.partition_epoch,
            isr: isr.into_iter().map(|broker| (broker, generation(broker))).collect(),
            sender_generation: node.generation,
        };
        self.wire[at(leader)] = Some(proposal.clone());
        self.nodes[at(leader)].pending = Some(proposal);
        true
    }

    fn deliver(&mut self, id: i32) -> bool {
        let Some(proposal) = self.wire[at(id)].take() else { return false };
        let member = |(broker_id, generation): &(i32, usize)| {
            let broker_epoch = match self.trap {
                Some(Trap::NoBrokerEpochs) => -1,
                _ => self.epochs[at(*broker_id)][*generation],
            };
            BrokerState { broker_id: *broker_id, broker_epoch }
        };
        let partition = PartitionData {
            partition_index: 0,
            leader_epoch: proposal.leader_epoch,
            partition_epoch: proposal.partition_epoch,
            new_isr_with_epochs: proposal.isr.iter().map(member).collect(),
            ..PartitionData::default()
        };
        let request = AlterPartitionRequest {
            broker_id: id,
            broker_epoch: self.epochs[at(id)][proposal.sender_generation],
            topics: vec![TopicData { topic_id: TOPIC, partitions: vec![partition] }],
        };
        let (response, records) = self.controller.alter_partition(&self.image, &request, 3);
        self.apply(records);
        let node = &mut self.nodes[at(id)];
        let answer = response.topics.first().map(|topic| &topic.partitions[0]);
        if let (Some(answer), true) = (answer, node.pending.as_ref() == Some(&proposal))
            && let Some(view) = &mut node.view
        {
            match answer.error_code {
                ErrorCode::NONE => {
                    view.partition_epoch = answer.partition_epoch;
                    view.isr.clone_from(&answer.isr);
                    node.pending = None;
                }
                ErrorCode::INELIGIBLE_REPLICA | ErrorCode::INVALID_REQUEST => node.pending = None,
                // It waits for the metadata.
                _ => {}
            }
            self.commit(id);
        }
        true
    }

    fn learn(&mut self, id: i32) -> bool {
        let view = View::of(self.partition());
        let node = &mut self.nodes[at(id)];
        if !node.is_up || node.view.as_ref() == Some(&view) {
            return false;
        }
        if node.view.as_ref().is_none_or(|before| before.leader_epoch != view.leader_epoch) {
            node.fetched = [None; 3];
            node.pending = None;
        }
        node.pending.take_if(|pending| pending.partition_epoch < view.partition_epoch);
        node.view = Some(view);
        self.commit(id);
        true
    }

    fn heartbeat(&mut self, id: i32, want_shut_down: bool) -> bool {
        let node = &self.nodes[at(id)];
        if !node.is_up {
            return false;
        }
        let request = BrokerHeartbeatRequest {
            broker_id: id,
            broker_epoch: self.epochs[at(id)][node.generation],
            current_metadata_offset: self.image.offset(),
            want_shut_down,
            ..BrokerHeartbeatRequest::default()
        };
        let (response, records) =
            self.controller.broker_heartbeat(&self.image, &request, &mut self.office, self.now_ms);
        let changes = !records.is_empty();
        self.apply(records);
        if response.should_shut_down {
            return self.stop(id, true);
        }
        changes
    }

    fn expire(&mut self, id: i32) -> bool {
        let epoch = self.image.brokers()[&id].broker_epoch;
        let records = self.controller.fence_dead_broker(&self.image, id, epoch);
        let changes = !records.is_empty();
        self.apply(records);
        changes
    }

    fn stop(&mut self, id: i32, is_stopped_cleanly: bool) -> bool {
        let node = &mut self.nodes[at(id)];
        let was_up = std::mem::replace(&mut node.is_up, false);
        if was_up {
            node.is_stopped_cleanly = is_stopped_cleanly;
            node.view = None;
            node.fetched = [None; 3];
            node.pending = None;
        }
        was_up
    }

    /// Only where replicas are eligible: otherwise records are safe on the disk when they are copied, or nothing is.
    fn lose_tail(&mut self, id: i32) -> bool {
        if !self.with_elr || self.nodes[at(id)].log.is_empty() || !self.stop(id, false) {
            return false;
        }
        let node = &mut self.nodes[at(id)];
        node.log.pop();
        node.high_watermark = node.high_watermark.min(node.log.len());
        node.has_lost = true;
        true
    }

    fn restart(&mut self, id: i32) -> bool {
        let node = &self.nodes[at(id)];
        if node.is_up || node.generation == 2 {
            return false;
        }
        let incarnation = u8::try_from(10 + node.generation).expect("few");
        let mut request = Cluster::request(id, incarnation);
        if node.is_stopped_cleanly || self.trap == Some(Trap::LossHidden) {
            request.previous_broker_epoch = self.epochs[at(id)][node.generation];
        }
        self.now_ms += LONG_MS;
        let (response, records) =
            self.controller.broker_registration(&self.image, &request, 4, &mut self.office, self.now_ms);
        assert_eq!(response.error_code, ErrorCode::NONE);
        self.apply(records);
        self.epochs[at(id)].push(response.broker_epoch);
        let node = &mut self.nodes[at(id)];
        node.generation += 1;
        node.is_up = true;
        node.has_lost = false;
        node.is_stopped_cleanly = false;
        true
    }

    fn apply(&mut self, records: Vec<MetadataRecord>) {
        if records.is_empty() {
            return;
        }
        let offset = self.image.offset() + i64::try_from(records.len()).expect("few");
        // After an unclean election what the leader has is what there is.
        let is_unclean = unclean_elections(&records).next().is_some();
        self.image = with(self.image.clone(), records);
        self.image.advance_to(offset);
        if is_unclean && self.trap != Some(Trap::UncleanElection) {
            let log = &self.nodes[at(self.partition().leader)].log;
            let kept = log.iter().zip(&self.committed).take_while(|(has, had)| has == had).count();
            self.committed.truncate(kept);
        }
    }

    /// A replica that leads or may be elected and lacks a committed record.
    pub(super) fn fault(&self) -> Option<String> {
        if let Some(fault) = &self.fault {
            return Some(fault.clone());
        }
        let partition = self.partition();
        let complete = partition.isr.iter().chain(partition.eligible_leader_replicas());
        let mut complete = complete.filter(|_| partition.leader_recovery_state == 0 || self.trap.is_some());
        let lacks = complete.find(|id| {
            let node = &self.nodes[at(**id)];
            !node.has_lost && !node.log.starts_with(&self.committed)
        });
        lacks.map(|id| {
            let node = &self.nodes[at(*id)];
            format!("{id} has {:?} of {:?} in {partition:?}", node.log, self.committed)
        })
    }
}
