//! The bytes of a simulated file: as the page cache has them, and what a loss of power leaves.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::Survival;

/// The size of an atomic write to the disk.
pub(super) const BLOCK_BYTES: usize = 512;

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// As every reader sees them.
    pub(super) current: Vec<u8>,
    /// As of the last sync.
    durable: Vec<u8>,
    /// The changes since.
    changes: Vec<Change>,
    pub(super) modified_ms: i64,
}

#[derive(Clone, Debug)]
enum Change {
    Write {
        position: usize,
        bytes: Vec<u8>,
    },
    /// A truncation, and its place in the journal.
    Truncate {
        len: usize,
        order: u64,
    },
}

impl Content {
    pub(super) fn durable(bytes: Vec<u8>, modified_ms: i64) -> Content {
        Content { current: bytes.clone(), durable: bytes, changes: Vec::new(), modified_ms }
    }

    pub(super) fn write(&mut self, position: usize, bytes: &[u8]) {
        put(&mut self.current, position, bytes);
        self.changes.push(Change::Write { position, bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, len: usize, order: u64) {
        self.current.resize(len, 0);
        self.changes.push(Change::Truncate { len, order });
    }

    /// Makes all changes durable, except those that a failed sync has dropped before.
    pub(super) fn sync(&mut self) {
        for change in self.changes.drain(..) {
            match change {
                Change::Write { position, bytes } => put(&mut self.durable, position, &bytes),
                Change::Truncate { len, .. } => self.durable.resize(len, 0),
            }
        }
    }

    /// A sync that failed: some of the pages were written, and all of them count as clean.
    pub(super) fn sync_failed(&mut self, random: &mut Rng) {
        self.durable = self.after_power_cut(random, Survival::Any);
        self.changes.clear();
    }

    /// Flips a bit, durably.
    pub(super) fn flip(&mut self, position: usize, bit: u8) {
        for bytes in [&mut self.current, &mut self.durable] {
            if let Some(byte) = bytes.get_mut(position) {
                *byte ^= 1 << bit;
            }
        }
    }

    /// The content after a loss of power: the synced bytes, any of the blocks written since, and a length
    /// between. Truncations take effect in order; data written after one that did not went to blocks that the
    /// file does not have.
    pub(super) fn after_power_cut(&self, random: &mut Rng, survival: Survival) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if self.changes.is_empty() || survival == Survival::Nothing {
            return bytes;
        }
        if survival == Survival::Everything {
            return self.current.clone();
        }
        let mut survivors = Survivors::new(random, survival, self.changes.len());
        // The lengths that the file may have: the least one, and those of the writes since.
        let mut lengths = vec![bytes.len()];
        for (index, change) in self.changes.iter().enumerate() {
            match change {
                Change::Truncate { len, order } => {
                    if !survivors.truncation(*order) {
                        break;
                    }
                    bytes.resize(*len, 0);
                    lengths = vec![*len];
                }
                Change::Write { position, bytes: written } => {
                    survivors.blocks_of(index, *position, written, &mut bytes);
                    lengths.push(position + written.len());
                }
            }
        }
        let least = lengths[0];
        if lengths.len() > 1 && random.bool() {
            let len = match random.u8(..3) {
                0 => bytes.len() / BLOCK_BYTES * BLOCK_BYTES,
                1 => random.usize(least.min(bytes.len())..=bytes.len()) / BLOCK_BYTES * BLOCK_BYTES,
                _ => lengths[random.usize(..lengths.len())],
            };
            bytes.resize(len.max(least), 0);
        }
        bytes
    }
}

/// The changes to a file that survive a loss of power.
struct Survivors<'a> {
    random: &'a mut Rng,
    survival: Survival,
    changes: usize,
    /// The number of changes that had been made when each block was written back.
    until: BTreeMap<usize, usize>,
}

impl Survivors<'_> {
    fn new(random: &mut Rng, survival: Survival, changes: usize) -> Survivors<'_> {
        Survivors { random, survival, changes, until: BTreeMap::new() }
    }

    fn truncation(&mut self, order: u64) -> bool {
        match self.survival {
            Survival::Ordered(horizon) => order <= horizon,
            _ => self.random.bool(),
        }
    }

    /// Applies the blocks of a write that were written back after it.
    fn blocks_of(&mut self, index: usize, position: usize, written: &[u8], bytes: &mut Vec<u8>) {
        let end = position + written.len();
        let mut from = position;
        while from < end {
            let block = from / BLOCK_BYTES;
            let to = end.min((block + 1) * BLOCK_BYTES);
            if index < self.written_back(block) {
                put(bytes, from, &written[from - position..to - position]);
            }
            from = to;
        }
    }

    fn written_back(&mut self, block: usize) -> usize {
        let (random, changes) = (&mut *self.random, self.changes);
        *self.until.entry(block).or_insert_with(|| match random.u8(..10) {
            0..5 => changes,
            5..8 => 0,
            _ => random.usize(..=changes),
        })
    }
}

fn put(bytes: &mut Vec<u8>, position: usize, written: &[u8]) {
    let end = position + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[position..end].copy_from_slice(written);
}
