//! The shape of a seed's run: its sizes, and its kinds of faults.

use fastrand::Rng;

/// The shape of a run. Each seed leaves out some kinds of faults altogether: one fault may hide another.
#[derive(Clone, Debug)]
pub(crate) struct Swarm {
    /// Partitions of the topic.
    pub(crate) partitions: i32,
    pub(crate) producers: u32,
    pub(crate) group_members: u32,
    pub(crate) segment_bytes: u32,
    pub(crate) value_bytes_max: usize,
    /// The number of consecutive faults.
    pub(crate) faults: u32,
    pub(crate) kills: bool,
    pub(crate) power_cuts: bool,
    pub(crate) clean_stops: bool,
    pub(crate) failing_syncs: bool,
    pub(crate) full_disks: bool,
    pub(crate) resets: bool,
    pub(crate) cuts: bool,
    pub(crate) short_transfers: bool,
    pub(crate) clock_jumps: bool,
    /// Whether threads wake late, so that more requests wait for each sync.
    pub(crate) slow_threads: bool,
}

impl Swarm {
    pub(crate) fn draw(chance: &mut Rng) -> Self {
        let calm = chance.u32(..8) == 0;
        let mut family = || !calm && chance.bool();
        let (kills, power_cuts, clean_stops) = (family(), family(), family());
        let (failing_syncs, full_disks, resets) = (family(), family(), family());
        let (cuts, short_transfers, clock_jumps, slow_threads) = (family(), family(), family(), family());
        Self {
            partitions: chance.i32(1..5),
            producers: chance.u32(1..4),
            group_members: chance.u32(1..4),
            segment_bytes: 1 << chance.u32(12..18),
            value_bytes_max: 1 << chance.u32(4..13),
            faults: if calm { 2 } else { chance.u32(3..9) },
            kills,
            power_cuts,
            clean_stops,
            failing_syncs,
            full_disks,
            resets,
            cuts,
            short_transfers,
            clock_jumps,
            slow_threads,
        }
    }
}
