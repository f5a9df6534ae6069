//! Going through all states of a small cluster, the near ones first.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::rc::Rc;

use super::cluster::{Cluster, Loss, Step};

/// The nodes of a cluster, and the steps of each kind that it takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) nodes: i32,
    /// Those that are not in sync at first.
    pub(super) laggards: i32,
    pub(super) appends: u8,
    /// Fetches.
    pub(super) asks: u8,
    /// Elections of another replica that is in sync, for no reason.
    pub(super) elections: u8,
    /// Brokers that are fenced although they live.
    pub(super) fences: u8,
    pub(super) crashes: u8,
    /// Looks for followers that lag behind, and proposals that are sent again.
    pub(super) shrinks: u8,
    /// What a crash takes.
    pub(super) loss: Loss,
}

impl std::hash::Hash for Scope {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.appends, self.asks, self.elections, self.fences, self.crashes, self.shrinks).hash(state);
    }
}

/// A hash of 64 bits that costs little without optimization.
#[derive(Default)]
struct StateHasher(u64);

impl StateHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for StateHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, word: u8) {
        self.mix(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    fn write_i32(&mut self, word: i32) {
        self.mix(word as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_i64(&mut self, word: i64) {
        self.mix(word as u64);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}

/// The outcome of a search.
pub(super) enum Outcome {
    /// All states hold; so many, and so many with something acknowledged.
    Sound { states: usize, acknowledged: usize },
    /// One does not: the steps to it.
    Broken { trace: Vec<String>, problem: String },
}

/// A state to go on from, and the way to it.
struct Place {
    cluster: Cluster,
    way: Option<Rc<Way>>,
}

struct Way {
    step: Step,
    before: Option<Rc<Way>>,
}

/// Goes through all states of the scope that follow on these first steps.
pub(super) fn explore(scope: &Scope, first: &[Step]) -> Outcome {
    let hasher = BuildHasherDefault::<StateHasher>::default();
    let mut start = Cluster::new(scope);
    first.iter().for_each(|step| start.take(*step).expect("the first steps are sound"));
    let mut seen = HashSet::from([hasher.hash_one(&start)]);
    let mut places = VecDeque::from([Place { cluster: start.clone(), way: None }]);
    let mut acknowledged = 0;
    while let Some(Place { cluster, way }) = places.pop_front() {
        for step in cluster.steps() {
            let mut next = cluster.clone();
            let held = next.take(step);
            let way = || Some(Rc::new(Way { step, before: way.clone() }));
            if let Err(problem) = held {
                return Outcome::Broken { trace: retrace(start, way()), problem };
            }
            if seen.insert(hasher.hash_one(&next)) {
                acknowledged += usize::from(next.has_acknowledged());
                places.push_back(Place { cluster: next, way: way() });
            }
        }
    }
    Outcome::Sound { states: seen.len(), acknowledged }
}

/// The steps of a way, each with the state that it leads to.
fn retrace(mut cluster: Cluster, mut way: Option<Rc<Way>>) -> Vec<String> {
    let mut steps = Vec::new();
    while let Some(place) = way {
        steps.push(place.step);
        way = place.before.clone();
    }
    let lines = steps.iter().rev().map(|step| {
        let _ = cluster.take(*step);
        format!("{step:?}: {cluster:?}")
    });
    lines.collect()
}
