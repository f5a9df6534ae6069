//! The state of a small cluster, its steps, and what must hold after each.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::super::follower::{FetchAnswer, Inquiry, NextStep, Reaction, Subject};
use super::super::leader::{Acknowledgement, FollowerFetch, Proposal, ProposalAnswer, divergence};
use super::super::role::Role;
use super::super::traps::{self, Trap};
use super::controller::Controller;
use super::node::{Node, Record};
use super::search::Scope;

/// What a crash takes of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing: the process ended.
    None,
    /// What was not synced: the power failed.
    Unsynced,
    /// Everything: the disk was replaced.
    All,
}

/// A fetch on its way to a leader.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Request {
    from: i32,
    broker_epoch: i64,
    inquiry: Inquiry,
}

/// Its answer on the way back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Response {
    to: i32,
    inquiry: Inquiry,
    answer: FetchAnswer,
    records: Vec<Record>,
}

/// A proposal on its way to the controller.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alteration {
    from: i32,
    proposal: Proposal,
}

/// Its answer on the way back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    to: i32,
    number: u32,
    answer: ProposalAnswer,
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Append(usize),
    Sync(usize),
    Ask(usize),
    Lose(usize),
    Serve(usize),
    Deliver(usize),
    Learn(usize),
    Shrink(usize),
    Resend(usize),
    Alter(usize),
    Tell(usize),
    Elect(usize),
    Fence(usize),
    Unfence(usize),
    Crash(usize),
    Restart(usize),
}

/// The cluster between two steps. Messages stay when they are delivered, until they are late for good: any may come late,
/// and twice.
#[derive(Clone)]
pub(super) struct Cluster {
    pub(super) left: Scope,
    pub(super) nodes: Vec<Node>,
    controller: Controller,
    requests: Vec<Request>,
    responses: Vec<Response>,
    alterations: Vec<Alteration>,
    verdicts: Vec<Verdict>,
    /// The values that producers were told are stored, by offset.
    pub(super) acknowledged: Vec<u8>,
    /// The values that consumers may have read.
    visible: Vec<u8>,
    appended: u8,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decided = &self.controller.decided;
        write!(f, "leader {} epoch {} isr {:?};", decided.leader, decided.leader_epoch, decided.isr)?;
        for node in &self.nodes {
            let log: Vec<String> = node.log.iter().map(|it| format!("{}.{}", it.epoch, it.value)).collect();
            let role = match &node.role {
                None => "down".to_owned(),
                Some(Role::Leader(leader)) => format!("leads {}", leader.epoch()),
                Some(role @ Role::Follower(_)) => format!("follows {}", role.leader_epoch()),
            };
            let (high_watermark, synced) = (node.high_watermark, node.synced);
            write!(f, " [{} {role} {log:?} hw {high_watermark} synced {synced}]", node.id)?;
        }
        write!(f, " acknowledged {:?}", self.acknowledged)
    }
}

impl Cluster {
    pub(super) fn new(scope: &Scope) -> Self {
        let controller = Controller::new(scope.nodes, scope.laggards);
        let nodes = (0..scope.nodes).map(Node::new).collect();
        let mut cluster = Self {
            left: *scope,
            nodes,
            controller,
            requests: Vec::new(),
            responses: Vec::new(),
            alterations: Vec::new(),
            verdicts: Vec::new(),
            acknowledged: Vec::new(),
            visible: Vec::new(),
            appended: 0,
        };
        (0..cluster.nodes.len()).for_each(|index| cluster.learn(index));
        cluster
    }

    /// The steps that may come next.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let is_live = self.controller.live.contains_key(&node.id);
            match &node.role {
                None => {
                    steps.push(Step::Restart(index));
                    if is_live {
                        steps.push(Step::Fence(index));
                    }
                    continue;
                }
                Some(Role::Leader(leader)) => {
                    steps.extend((self.left.appends > 0).then_some(Step::Append(index)));
                    let in_flight = leader.proposal().is_some();
                    let proposes = if in_flight { Step::Resend(index) } else { Step::Shrink(index) };
                    steps.extend((self.left.shrinks > 0).then_some(proposes));
                }
                Some(Role::Follower(follower)) if self.left.asks > 0 => {
                    let is_open = follower.open_inquiry().is_some();
                    steps.push(if is_open { Step::Lose(index) } else { Step::Ask(index) });
                }
                Some(Role::Follower(_)) => {}
            }
            steps.extend((node.synced < node.end()).then_some(Step::Sync(index)));
            steps.extend((node.learnt < self.controller.changes).then_some(Step::Learn(index)));
            if self.left.elections > 0 && self.controller.may_elect(node.id) {
                steps.push(Step::Elect(index));
            }
            if !is_live {
                steps.push(Step::Unfence(index));
            } else if self.left.fences > 0 {
                steps.push(Step::Fence(index));
            }
            // The loss of the only replica in sync is the loss of its records.
            let is_alone = self.controller.isr() == [node.id];
            if self.left.crashes > 0 && !(is_alone && self.left.loss == Loss::All) {
                steps.push(Step::Crash(index));
            }
        }
        steps.extend((0..self.requests.len()).map(Step::Serve));
        steps.extend((0..self.responses.len()).map(Step::Deliver));
        steps.extend((0..self.alterations.len()).map(Step::Alter));
        steps.extend((0..self.verdicts.len()).map(Step::Tell));
        steps
    }

    /// Takes a step.
    ///
    /// # Errors
    /// What does not hold after it.
    pub(super) fn take(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Append(index) => self.append(index),
            Step::Sync(index) => self.nodes[index].synced = self.nodes[index].end(),
            Step::Ask(index) => self.ask(index),
            Step::Lose(index) => self.lose(index),
            Step::Serve(index) => self.serve(index),
            Step::Deliver(index) => self.deliver(index),
            Step::Learn(index) => self.learn(index),
            Step::Shrink(index) => {
                self.left.shrinks -= 1;
                let from = self.nodes[index].id;
                let proposal = self.nodes[index].shrink();
                self.alterations.extend(proposal.map(|proposal| Alteration { from, proposal }));
            }
            Step::Resend(index) => {
                self.left.shrinks -= 1;
                let from = self.nodes[index].id;
                if let Some(Role::Leader(leader)) = &mut self.nodes[index].role {
                    let proposal = leader.send_again().cloned();
                    self.alterations.extend(proposal.map(|proposal| Alteration { from, proposal }));
                }
            }
            Step::Alter(index) => {
                // In the order in which they were sent; those before are lost.
                let Alteration { from, proposal } = self.alterations[index].clone();
                let mut place = 0;
                self.alterations.retain(|it| {
                    place += 1;
                    it.from != from || place > index + 1
                });
                let answer = self.controller.alter(&proposal);
                push(&mut self.verdicts, Verdict { to: from, number: proposal.number(), answer });
            }
            Step::Tell(index) => {
                let Verdict { to, number, answer } = self.verdicts[index].clone();
                if let Some(Role::Leader(leader)) = &mut self.node(to).role {
                    leader.answered(number, answer);
                }
            }
            Step::Elect(index) => {
                self.left.elections -= 1;
                self.controller.elect(self.nodes[index].id);
            }
            Step::Fence(index) => {
                self.left.fences =
                    self.left.fences.saturating_sub(u8::from(self.nodes[index].role.is_some()));
                self.controller.fence(self.nodes[index].id);
            }
            Step::Unfence(index) => {
                let Node { id, broker_epoch, .. } = self.nodes[index];
                self.controller.unfence(id, broker_epoch);
            }
            Step::Crash(index) => self.crash(index),
            Step::Restart(index) => self.restart(index),
        }
        self.nodes.iter_mut().for_each(Node::raise);
        self.acknowledge()?;
        self.forget_late();
        self.check()
    }

    fn node(&mut self, id: i32) -> &mut Node {
        &mut self.nodes[usize::try_from(id).unwrap()]
    }

    fn append(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let epoch = node.role.as_ref().expect("it is up").leader_epoch();
        self.left.appends -= 1;
        self.appended += 1;
        node.append(Record { epoch, value: self.appended });
    }

    fn ask(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let log = node.own_log();
        let Some(Role::Follower(follower)) = &mut node.role else { return };
        match follower.next(&log, 0) {
            NextStep::Ask(inquiry) => {
                self.left.asks -= 1;
                let (from, broker_epoch) = (node.id, node.broker_epoch);
                self.requests.push(Request { from, broker_epoch, inquiry });
            }
            NextStep::Truncate { offset } => node.truncate(offset),
            NextStep::Wait { .. } => {}
        }
    }

    fn lose(&mut self, index: usize) {
        let Some(Role::Follower(follower)) = &mut self.nodes[index].role else { return };
        if let Some(inquiry) = follower.open_inquiry() {
            follower.lost(&inquiry, 0);
        }
    }

    /// A leader reads a fetch, as [`super::super::Replica::read`] does. A fetch that fails has no answer: the follower asks
    /// again, as if it was lost.
    fn serve(&mut self, index: usize) {
        let Request { from, broker_epoch, inquiry } = self.requests[index].clone();
        let Subject::Records { offset, last_fetched_epoch, log_start_offset } = inquiry.subject else {
            return;
        };
        let node = self.node(inquiry.leader);
        let (end, end_of) = (node.end(), node.end_of(last_fetched_epoch));
        let own_broker_epoch = node.broker_epoch;
        let Some(role) = &mut node.role else { return };
        let is_fenced = role.check_epoch(inquiry.leader_epoch).is_err();
        let Role::Leader(leader) = role else { return };
        if is_fenced || leader.check_replica(from).is_err() {
            return;
        }
        let diverging = match last_fetched_epoch {
            -1 => None,
            epoch => match divergence(epoch, offset, end_of, 0) {
                Ok(diverging) => diverging,
                Err(_) => return,
            },
        };
        let mut records = Vec::new();
        if diverging.is_none() {
            let fetch = FollowerFetch { node_id: from, broker_epoch, offset, log_start_offset };
            if offset > end || leader.fetched(&fetch, end, 0).is_err() {
                return;
            }
            node.raise();
            records = node.records_from(offset);
        }
        let high_watermark = node.high_watermark;
        let Some(Role::Leader(leader)) = &mut node.role else { return };
        let proposal = leader.expand(from, high_watermark, own_broker_epoch).cloned();
        let answer = FetchAnswer { high_watermark, log_start_offset: 0, diverging };
        push(&mut self.responses, Response { to: from, inquiry, answer, records });
        self.alterations.extend(proposal.map(|proposal| Alteration { from: inquiry.leader, proposal }));
    }

    fn deliver(&mut self, index: usize) {
        let Response { to, inquiry, answer, records } = self.responses[index].clone();
        let node = self.node(to);
        let (log, view) = (node.own_log(), node.clone());
        let Some(Role::Follower(follower)) = &mut node.role else { return };
        match follower.fetched(&inquiry, Ok(answer), &log, |epoch| view.end_of(epoch), 0) {
            Reaction::Nothing => {}
            Reaction::Append { leader_epoch, high_watermark, .. } => {
                // As storage does: what begins below the end is refused.
                let Subject::Records { offset, .. } = inquiry.subject else { return };
                if offset == log.end_offset {
                    let known = records.into_iter().take_while(|record| record.epoch <= leader_epoch);
                    known.for_each(|record| node.append(record));
                }
                node.high_watermark = node.own_log().high_watermark_after(high_watermark);
            }
            Reaction::Truncate { offset } => node.truncate(offset),
            Reaction::StartOver { .. } => unreachable!("no log starts above 0"),
        }
    }

    fn learn(&mut self, index: usize) {
        let Self { nodes, controller, .. } = self;
        let node = &mut nodes[index];
        node.decide(&controller.decided);
        node.learnt = controller.changes;
        if let Some(Role::Leader(leader)) = &mut node.role {
            leader.set_brokers(|node_id| controller.broker_state(node_id));
        }
    }

    fn crash(&mut self, index: usize) {
        self.left.crashes -= 1;
        let loss = self.left.loss;
        let node = &mut self.nodes[index];
        node.role = None;
        match loss {
            Loss::None => {}
            Loss::Unsynced => node.truncate(node.synced),
            Loss::All => node.truncate(0),
        }
        let id = node.id;
        // Its connections are gone; what it sent may still arrive.
        self.responses.retain(|it| it.to != id);
        self.verdicts.retain(|it| it.to != id);
    }

    /// A broker comes back: the controller takes it for another until it has caught up.
    fn restart(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        node.broker_epoch += 1;
        let (id, broker_epoch) = (node.id, node.broker_epoch);
        self.controller.fence(id);
        self.controller.unfence(id, broker_epoch);
        self.learn(index);
    }

    /// Notes what producers are told and consumers can read by now.
    fn acknowledge(&mut self) -> Result<(), String> {
        for node in &self.nodes {
            let Some(Role::Leader(leader)) = &node.role else { continue };
            let values = |end: i64| node.log[..usize::try_from(end).unwrap()].iter().map(|it| it.value);
            let is_complete = |offset: &i64| {
                let answer = leader.acknowledgement(*offset, node.high_watermark, 1);
                answer == Acknowledgement::Complete
            };
            let acknowledged = (1..=node.synced).take_while(is_complete).last().unwrap_or(0);
            let acknowledged: Vec<u8> = values(acknowledged).collect();
            extend(&mut self.acknowledged, &acknowledged, "acknowledged")?;
            if self.left.loss == Loss::None {
                let visible: Vec<u8> = values(node.high_watermark).collect();
                extend(&mut self.visible, &visible, "shown")?;
            }
        }
        Ok(())
    }

    /// Drops messages that nobody will take any more.
    fn forget_late(&mut self) {
        let Self { nodes, controller, requests, responses, alterations, verdicts, .. } = self;
        let node = |id: i32| &nodes[usize::try_from(id).unwrap()];
        if !traps::is_on(Trap::FetchUnfenced) {
            requests.retain(|it| {
                let role = node(it.inquiry.leader).role.as_ref();
                role.is_none_or(|role| role.leader_epoch() <= it.inquiry.leader_epoch)
            });
        }
        if !traps::is_on(Trap::LateAnswerTaken) {
            responses.retain(|it| open_inquiry(node(it.to)) == Some(it.inquiry));
        }
        let decided = &controller.decided;
        alterations.retain(|it| it.proposal.partition_epoch() == decided.partition_epoch);
        verdicts.retain(|it| {
            let Some(Role::Leader(leader)) = &node(it.to).role else { return false };
            leader.proposal().is_some_and(|proposal| proposal.number() == it.number)
        });
    }

    /// What must hold: every replica in sync has all that was acknowledged, on disk; a leader of the present epoch has all
    /// that was shown, and has not shown more than it does once it is settled.
    fn check(&self) -> Result<(), String> {
        for id in self.controller.isr() {
            let node = &self.nodes[usize::try_from(*id).unwrap()];
            if node.role.is_none() && self.left.loss == Loss::All {
                // Its disk is gone, and the controller has not heard of it.
                continue;
            }
            for expected in [&self.acknowledged, &self.visible] {
                let has = node.log.len() >= expected.len()
                    && node.log.iter().zip(expected).all(|(record, value)| record.value == *value);
                if !has {
                    return Err(format!("{id} is in sync and lacks some of {expected:?}"));
                }
            }
        }
        for node in &self.nodes {
            let Some(Role::Leader(leader)) = &node.role else { continue };
            let is_current = leader.epoch() == self.controller.decided.leader_epoch;
            let shown = i64::try_from(self.visible.len()).unwrap();
            if is_current && leader.check_settled(node.high_watermark).is_ok() && node.high_watermark < shown
            {
                return Err(format!("{} shows {}, after {shown}", node.id, node.high_watermark));
            }
        }
        Ok(())
    }

    /// Whether a producer was told that a record is stored.
    pub(super) fn has_acknowledged(&self) -> bool {
        !self.acknowledged.is_empty()
    }
}

fn open_inquiry(node: &Node) -> Option<Inquiry> {
    match &node.role {
        Some(Role::Follower(follower)) => follower.open_inquiry(),
        _ => None,
    }
}

fn push<T: PartialEq>(messages: &mut Vec<T>, message: T) {
    if !messages.contains(&message) {
        messages.push(message);
    }
}

/// Takes a longer history in place of a shorter one that it begins with.
fn extend(history: &mut Vec<u8>, later: &[u8], what: &str) -> Result<(), String> {
    if history.iter().zip(later).any(|(before, now)| before != now) {
        return Err(format!("{later:?} was {what} after {history:?}"));
    }
    if later.len() > history.len() {
        *history = later.to_vec();
    }
    Ok(())
}

/// States count as equal that differ only in how many messages there were.
impl Hash for Cluster {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { left, nodes, controller, requests, responses, alterations, verdicts, .. } = self;
        (left, nodes, &self.acknowledged, &self.visible).hash(state);
        let decided = &controller.decided;
        (decided.leader, decided.leader_epoch, decided.partition_epoch, controller.isr()).hash(state);
        controller.live.hash(state);
        for it in requests {
            let is_open = open_inquiry(&nodes[usize::try_from(it.from).unwrap()]) == Some(it.inquiry);
            (it.from, it.broker_epoch, it.inquiry, is_open).hash(state);
        }
        requests.len().hash(state);
        for it in responses {
            let FetchAnswer { high_watermark, diverging, .. } = it.answer;
            let diverging = diverging.map(|end| (end.epoch, end.end_offset));
            let is_open = open_inquiry(&nodes[usize::try_from(it.to).unwrap()]) == Some(it.inquiry);
            (it.to, it.inquiry, is_open, high_watermark, diverging, &it.records).hash(state);
        }
        responses.len().hash(state);
        for it in alterations {
            let node = &nodes[usize::try_from(it.from).unwrap()];
            let in_flight = match &node.role {
                Some(Role::Leader(leader)) => leader.proposal() == Some(&it.proposal),
                _ => false,
            };
            (it.from, in_flight, &it.proposal).hash(state);
        }
        alterations.len().hash(state);
        for it in verdicts {
            match &it.answer {
                ProposalAnswer::Accepted { leader_epoch, partition_epoch, isr } => {
                    (it.to, leader_epoch, partition_epoch, isr).hash(state);
                }
                ProposalAnswer::Rejected(error) => (it.to, error.0).hash(state),
            }
        }
    }
}
