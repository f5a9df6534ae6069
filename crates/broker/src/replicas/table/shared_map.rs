//! A hash map whose copies share what they have in common.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use runtime::HashMap;
use runtime::random::HashState;

/// The most entries of a shard, on average. A change to a copy copies one shard and the list of shards, so
/// the size is a compromise between the two: 20,000 entries are 512 shards.
const SHARD_ENTRIES: usize = 64;

/// A hash map in shards. A copy costs one reference count for each shard; a change to a copy also copies one
/// shard.
#[derive(Clone)]
pub(super) struct SharedMap<K, V> {
    /// The number of shards is a power of two.
    shards: Vec<Arc<HashMap<K, V>>>,
    len: usize,
    hasher: HashState,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { shards: vec![Arc::default()], len: 0, hasher: HashState::default() }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> SharedMap<K, V> {
    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[self.shard_of(key)].get(key)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.len >= self.shards.len() * SHARD_ENTRIES {
            self.double();
        }
        let shard = self.shard_of(&key);
        let before = Arc::make_mut(&mut self.shards[shard]).insert(key, value);
        self.len += usize::from(before.is_none());
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let shard = self.shard_of(key);
        if !self.shards[shard].contains_key(key) {
            return None;
        }
        self.len -= 1;
        Arc::make_mut(&mut self.shards[shard]).remove(key)
    }

    fn shard_of<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        match self.shards.len() {
            1 => 0,
            shards => self.hasher.hash_one(key) as usize & (shards - 1),
        }
    }

    fn double(&mut self) {
        let shards = self.shards.len() * 2;
        let empty = (0..shards).map(|_| Arc::default()).collect();
        let before = std::mem::replace(&mut self.shards, empty);
        for (key, value) in before.iter().flat_map(|shard| shard.iter()) {
            let shard = self.shard_of(key);
            let shard = Arc::get_mut(&mut self.shards[shard]);
            shard.expect("nobody else has it yet").insert(key.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::{SHARD_ENTRIES, SharedMap};

    #[test]
    fn it_holds_what_a_plain_map_holds() {
        let (mut map, mut plain) = (SharedMap::default(), BTreeMap::new());
        for n in 0..5_000_u32 {
            let key = format!("topic-{}", n % 700);
            if n % 3 == 0 {
                assert_eq!(map.remove(key.as_str()), plain.remove(&key));
            } else {
                map.insert(key.clone(), n);
                plain.insert(key, n);
            }
        }
        assert_eq!(map.len, plain.len());
        assert!(map.shards.len() > 1);
        for n in 0..700 {
            let key = format!("topic-{n}");
            assert_eq!(map.get(&key), plain.get(&key));
        }
        let mut values: Vec<_> = map.values().copied().collect();
        let mut expected: Vec<_> = plain.into_values().collect();
        values.sort_unstable();
        expected.sort_unstable();
        assert_eq!(values, expected);
    }

    #[test]
    fn a_change_to_a_copy_copies_one_shard() {
        let mut map = SharedMap::default();
        for n in 0..10_000_u32 {
            map.insert(n, n);
        }
        let before = map.clone();
        map.insert(10_000, 0);
        map.remove(&10_000);
        let differ = map.shards.iter().zip(&before.shards).filter(|(one, other)| !Arc::ptr_eq(one, other));
        assert_eq!(differ.count(), 1);
        assert!(map.shards.iter().all(|shard| shard.len() < SHARD_ENTRIES * 3), "they are spread");
        assert_eq!(before.get(&10_000), None);
    }
}
