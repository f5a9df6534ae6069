//! A short list that is never changed in place.

use std::fmt;
use std::ops::Deref;

/// A list that mostly has one entry, which is then stored in place rather than on the heap: each partition of
/// the cluster has three such lists, and with a replication factor of 1 all have one entry.
#[derive(Clone)]
pub struct Few<T>(Entries<T>);

#[derive(Clone)]
enum Entries<T> {
    One([T; 1]),
    Other(Box<[T]>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Entries::Other(Box::default()))
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(entries: Vec<T>) -> Self {
        Self(match <[T; 1]>::try_from(entries) {
            Ok(one) => Entries::One(one),
            Err(other) => Entries::Other(other.into()),
        })
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Entries::One(one) => one,
            Entries::Other(entries) => entries,
        }
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T: PartialEq, const N: usize> PartialEq<[T; N]> for Few<T> {
    fn eq(&self, other: &[T; N]) -> bool {
        **self == *other
    }
}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
