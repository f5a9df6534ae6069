//! A sorted map whose copies share what they have in common.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::sync::Arc;

/// The most entries of a chunk. A change copies one chunk and the list of chunks, so the size is a compromise
/// between the two: 100,000 entries are some 1,500 chunks.
const CHUNK_ENTRIES_MAX: usize = 128;

/// A sorted map in chunks. A copy costs one reference count for each chunk; a change to a copy also copies
/// one chunk.
///
/// Invariants: no chunk is empty; keys ascend within and across chunks.
#[derive(Clone, Debug)]
pub struct SortedMap<K, V> {
    chunks: Vec<Arc<Vec<(K, V)>>>,
    len: usize,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone> SortedMap<K, V> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.find(key).ok()?;
        Some(&self.chunks[chunk][at].1)
    }

    /// The value of `key`, for a change.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.find(key).ok()?;
        Some(&mut Arc::make_mut(&mut self.chunks[chunk])[at].1)
    }

    /// Whether `key` has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Sets the value of `key`, and returns the previous one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok((chunk, at)) => {
                let slot = &mut Arc::make_mut(&mut self.chunks[chunk])[at].1;
                Some(std::mem::replace(slot, value))
            }
            Err((chunk, at)) => {
                self.insert_new(chunk, at, key, value);
                None
            }
        }
    }

    fn insert_new(&mut self, chunk: usize, at: usize, key: K, value: V) {
        self.len += 1;
        if self.chunks.is_empty() {
            self.chunks.push(Arc::new(vec![(key, value)]));
            return;
        }
        let entries = Arc::make_mut(&mut self.chunks[chunk]);
        entries.insert(at, (key, value));
        if entries.len() > CHUNK_ENTRIES_MAX {
            let upper = entries.split_off(CHUNK_ENTRIES_MAX / 2);
            self.chunks.insert(chunk + 1, Arc::new(upper));
        }
    }

    /// Removes `key`, and returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.find(key).ok()?;
        let (_, value) = Arc::make_mut(&mut self.chunks[chunk]).remove(at);
        if self.chunks[chunk].is_empty() {
            self.chunks.remove(chunk);
        }
        self.len -= 1;
        Some(value)
    }

    /// The entries, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).map(|(key, value)| (key, value))
    }

    /// The entries from `key` on, in the order of keys.
    pub fn iter_from<Q: Ord + ?Sized>(&self, key: &Q) -> impl Iterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.find(key).unwrap_or_else(|place| place);
        let first = self.chunks.get(chunk).map_or(&[][..], |entries| &entries[at..]);
        let rest = self.chunks.get(chunk + 1..).unwrap_or_default();
        first.iter().chain(rest.iter().flat_map(|entries| entries.iter())).map(|(key, value)| (key, value))
    }

    /// The position of `key`, or the one at which it would be inserted.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<(usize, usize), (usize, usize)>
    where
        K: Borrow<Q>,
    {
        // The last chunk whose first key is not greater, or the first chunk if `key` comes before all.
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk[0].0.borrow().cmp(key) != Ordering::Greater)
            .saturating_sub(1);
        let Some(entries) = self.chunks.get(chunk) else { return Err((0, 0)) };
        match entries.binary_search_by(|(known, _)| known.borrow().cmp(key)) {
            Ok(at) => Ok((chunk, at)),
            Err(at) => Err((chunk, at)),
        }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        let entries = |map: &Self| map.len;
        entries(self) == entries(other)
            && self
                .chunks
                .iter()
                .flat_map(|chunk| chunk.iter())
                .eq(other.chunks.iter().flat_map(|chunk| chunk.iter()))
    }
}

#[cfg(test)]
mod tests;
