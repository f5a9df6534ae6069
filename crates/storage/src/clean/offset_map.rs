//! The greatest offset of each key, in bounded memory.

use std::hash::{DefaultHasher, Hasher};

/// Bytes of an entry: 128 bits of the key's hash, and the offset.
const ENTRY_BYTES: usize = 24;
/// The number of slots at first.
const SLOTS_MIN: usize = 1024;

/// Maps the hash of a key to the greatest offset of a record with it.
///
/// An open-addressing table that grows as keys come, up to a bound. Two keys with the same hash count as one. With
/// 128 bits that is as unlikely as in Kafka, whose hashes are as long.
#[derive(Debug)]
pub struct OffsetMap {
    /// Two halves of the hash, and the offset plus one; all zero if the slot is free.
    slots: Vec<[u64; 3]>,
    len: usize,
    slots_max: usize,
    len_max: usize,
    latest_offset: i64,
    /// The seeds of the hashes, so that nobody can make keys that collide.
    seeds: [u64; 2],
}

impl OffsetMap {
    /// A map that takes up to `bytes_max` of memory (`log.cleaner.dedupe.buffer.size`), of which keys may fill the
    /// part `load_factor` (`log.cleaner.io.buffer.load.factor`). It has space for at least two keys.
    pub fn new(bytes_max: usize, load_factor: f64) -> OffsetMap {
        let slots_max = (bytes_max / ENTRY_BYTES).max(4);
        // One slot stays free, so that the search for a key ends.
        let len_max = ((slots_max as f64 * load_factor) as usize).clamp(2, slots_max - 1);
        let seeds = [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9];
        OffsetMap { slots: Vec::new(), len: 0, slots_max, len_max, latest_offset: -1, seeds }
    }

    /// Sets secret seeds: with known ones a client could choose two keys that collide.
    #[must_use]
    pub fn seeded(self, seeds: [u64; 2]) -> OffsetMap {
        assert!(self.is_empty() && seeds[0] != seeds[1], "two different hashes from the first key on");
        OffsetMap { seeds, ..self }
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Notes the offset of a key, which is above all offsets noted before. Returns whether there was space.
    pub(super) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        if self.len >= self.len_max {
            return false;
        }
        if self.len * 4 >= self.slots.len() * 3 && self.slots.len() < self.slots_max {
            self.grow();
        }
        let [a, b] = self.seeds.map(|seed| hash(seed, key));
        let at = find(&self.slots, a, b);
        self.len += usize::from(self.slots[at][2] == 0);
        self.slots[at] = [a, b, offset as u64 + 1];
        true
    }

    /// The offset that was noted last for a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        if self.slots.is_empty() {
            return None;
        }
        let [a, b] = self.seeds.map(|seed| hash(seed, key));
        match self.slots[find(&self.slots, a, b)][2] {
            0 => None,
            offset => Some(offset as i64 - 1),
        }
    }

    /// The last offset that was added: everything above has to stay.
    pub(super) fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    pub(super) fn set_latest_offset(&mut self, offset: i64) {
        self.latest_offset = self.latest_offset.max(offset);
    }

    /// Forgets everything and gives the memory back.
    pub(super) fn clear(&mut self) {
        self.slots = Vec::new();
        self.len = 0;
        self.latest_offset = -1;
    }

    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(SLOTS_MIN).min(self.slots_max);
        let old = std::mem::replace(&mut self.slots, vec![[0; 3]; len]);
        for entry in old.into_iter().filter(|entry| entry[2] != 0) {
            let at = find(&self.slots, entry[0], entry[1]);
            self.slots[at] = entry;
        }
    }
}

/// The slot of a key, or the free one at which it belongs.
fn find(slots: &[[u64; 3]], a: u64, b: u64) -> usize {
    let mut at = ((u128::from(a) * slots.len() as u128) >> 64) as usize;
    while slots[at][2] != 0 && (slots[at][0], slots[at][1]) != (a, b) {
        at = if at + 1 == slots.len() { 0 } else { at + 1 };
    }
    at
}

fn hash(seed: u64, key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(key);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_offset_of_each_key_up_to_its_bound() {
        let mut map = OffsetMap::new(24 * 5000, 0.9);
        let mut offset = 0;
        for round in 0..3 {
            for key in 0..4000u32 {
                assert!(map.put(&key.to_be_bytes(), offset), "{round}");
                offset += 1;
            }
        }
        assert_eq!(map.len(), 4000);
        for key in 0..4000u32 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(8000 + i64::from(key)));
        }
        assert_eq!(map.get(b"none"), None);
        let more = (4000..9000u32).take_while(|key| map.put(&key.to_be_bytes(), 1)).count();
        assert_eq!(more, 500, "nine tenths of 5000 slots");
        map.clear();
        assert!(map.is_empty() && map.get(&7u32.to_be_bytes()).is_none());
    }
}
