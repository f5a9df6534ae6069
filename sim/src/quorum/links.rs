//! The links between voters: delays, losses, repetitions, reordering, and cuts of one direction or both.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use futures_util::future::BoxFuture;
use metadata::Quorum;
use metadata::quorum::{Peers, VoterEndpoint, VoterId};
use parking_lot::Mutex;
use runtime::clock;
use runtime::sim::{self, Host};
use tokio::sync::watch;

use super::Shape;

/// The links of all voters.
#[derive(Debug)]
pub(crate) struct Links {
    loss_one_in: u32,
    duplicates_one_in: u32,
    delay_max: Duration,
    nodes: i32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chance: Rng,
    up: BTreeMap<i32, (Host, Weak<Quorum>)>,
    /// Directions that carry nothing.
    cut: BTreeSet<(i32, i32)>,
    carried: u64,
    cuts: u32,
}

/// What becomes of a message.
struct Fate {
    delay: Duration,
    is_lost: bool,
    /// Whether it arrives once more, after so long.
    again: Option<Duration>,
}

impl Links {
    pub(crate) fn new(shape: &Shape, chance: Rng) -> Self {
        let state = State { chance, up: BTreeMap::new(), cut: BTreeSet::new(), carried: 0, cuts: 0 };
        Self {
            loss_one_in: shape.loss_one_in,
            duplicates_one_in: shape.duplicates_one_in,
            delay_max: shape.delay_max,
            nodes: shape.voters,
            state: Mutex::new(state),
        }
    }

    /// The end of the links at a node.
    pub(crate) fn end_at(self: &Arc<Self>, node: i32) -> Arc<dyn Peers> {
        Arc::new(End { node, links: Arc::clone(self) })
    }

    pub(crate) fn up(&self, node: i32, host: Host, quorum: &Arc<Quorum>) {
        self.state.lock().up.insert(node, (host, Arc::downgrade(quorum)));
    }

    pub(crate) fn down(&self, node: i32) {
        self.state.lock().up.remove(&node);
    }

    /// A node that runs.
    pub(crate) fn at(&self, node: i32) -> Option<(Host, Arc<Quorum>)> {
        let state = self.state.lock();
        let (host, quorum) = state.up.get(&node)?;
        Some((*host, quorum.upgrade()?))
    }

    pub(crate) fn nodes(&self) -> i32 {
        self.nodes
    }

    pub(crate) fn heal(&self) {
        self.state.lock().cut.clear();
    }

    pub(crate) fn cuts(&self) -> u32 {
        self.state.lock().cuts
    }

    pub(crate) fn carried(&self) -> u64 {
        self.state.lock().carried
    }

    fn fate(&self, from: i32, to: i32) -> Fate {
        let state = &mut *self.state.lock();
        let micros = u64::try_from(self.delay_max.as_micros()).expect("a short time");
        let mut delay = || Duration::from_micros(state.chance.u64(100..micros.max(200)));
        let (first, later) = (delay(), delay());
        let mut happens = |one_in: u32| one_in > 0 && state.chance.u32(..one_in) == 0;
        let (is_lost, is_twice) = (happens(self.loss_one_in), happens(self.duplicates_one_in));
        state.carried += 1;
        let is_lost = is_lost || state.cut.contains(&(from, to));
        Fate { delay: first, is_lost, again: is_twice.then_some(later * 4) }
    }
}

/// Cuts links, and heals them, until the faults end.
pub(crate) async fn cut_at_times(
    links: Arc<Links>,
    mut chance: Rng,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    while !*stopping.borrow() {
        clock::sleep(Duration::from_millis(chance.u64(100..4_000))).await;
        let (one, other) = (chance.i32(1..=links.nodes), chance.i32(1..=links.nodes));
        let others: Vec<i32> = (1..=links.nodes).filter(|node| *node != one).collect();
        let both = chance.bool();
        let cut: Vec<(i32, i32)> = match chance.u32(..4) {
            // One node is cut off, both ways or one way.
            0 | 1 => others.iter().map(|other| (one, *other)).collect(),
            2 => others.iter().map(|other| (*other, one)).collect(),
            // A single link.
            _ => vec![(one, other)],
        };
        sim::note(format_args!("cut {cut:?}, both ways: {both}"));
        {
            let mut state = links.state.lock();
            state.cuts += 1;
            state.cut.extend(cut.iter().copied());
            if both {
                state.cut.extend(cut.iter().map(|(from, to)| (*to, *from)));
            }
        }
        clock::sleep(Duration::from_millis(chance.u64(100..6_000))).await;
        links.heal();
    }
    Ok(())
}

#[derive(Debug)]
struct End {
    node: i32,
    links: Arc<Links>,
}

impl Peers for End {
    fn ask<'a>(
        &'a self,
        voter: VoterId,
        _endpoints: &'a [VoterEndpoint],
        request: Bytes,
    ) -> BoxFuture<'a, io::Result<Bytes>> {
        Box::pin(async move {
            let there = self.links.fate(self.node, voter.id);
            clock::sleep(there.delay).await;
            if there.is_lost {
                // Whoever waits gives up by itself.
                return std::future::pending().await;
            }
            let Some((host, quorum)) = self.links.at(voter.id) else {
                return Err(ErrorKind::ConnectionRefused.into());
            };
            if let Some(later) = there.again {
                let (quorum, request) = (Arc::downgrade(&quorum), request.clone());
                host.spawn(async move {
                    clock::sleep(later).await;
                    if let Some(quorum) = quorum.upgrade() {
                        quorum.answer(request).await;
                    }
                });
            }
            let answering = host.spawn(async move { quorum.answer(request).await });
            let answer = answering.await.map_err(|_| io::Error::from(ErrorKind::ConnectionReset))?;
            let back = self.links.fate(voter.id, self.node);
            clock::sleep(back.delay).await;
            if back.is_lost { std::future::pending().await } else { Ok(answer) }
        })
    }
}
