//! The sources of chance, all from one seed.

use fastrand::Rng;

/// One source of chance for each consumer, so that a change of one (a longer workload, say) does not affect
/// the others: a seed that showed a fault still shows it.
#[derive(Debug)]
pub(super) struct Chance {
    pub(super) scheduler: Rng,
    pub(super) network: Rng,
    pub(super) identities: Rng,
    /// The director's: disks, workload, faults.
    rest: Rng,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        let mut root = Rng::with_seed(seed);
        // Never change this order: another one makes another run of every seed.
        Self { scheduler: root.fork(), network: root.fork(), identities: root.fork(), rest: root.fork() }
    }

    /// A further source, for a consumer outside this crate.
    pub(super) fn fork(&mut self) -> Rng {
        self.rest.fork()
    }
}
