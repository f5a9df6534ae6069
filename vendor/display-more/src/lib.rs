//! The traits by which openraft shows options, results, slices and sets in its logs, as far as it calls them.
//!
//! See `docs/adr/0009-no-time-zones-below-openraft.md` for why this stands in the place of the crate of that name.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

/// The elements of a list that are shown if the caller names no number.
const ELEMENTS_MAX: usize = 5;

/// `None`, or the value.
pub trait DisplayOptionExt<'a, T: Display> {
    /// The option as text.
    fn display(&'a self) -> ShownOption<'a, T>;
}

impl<'a, T: Display> DisplayOptionExt<'a, T> for Option<T> {
    fn display(&'a self) -> ShownOption<'a, T> {
        ShownOption(self)
    }
}

/// An option as text.
pub struct ShownOption<'a, T>(&'a Option<T>);

impl<T: Display> Display for ShownOption<'_, T> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => value.fmt(out),
            None => out.write_str("None"),
        }
    }
}

/// `Ok(value)` or `Err(error)`.
pub trait DisplayResultExt<'a, T: Display, E: Display> {
    /// The result as text.
    fn display(&'a self) -> ShownResult<'a, T, E>;
}

impl<'a, T: Display, E: Display> DisplayResultExt<'a, T, E> for Result<T, E> {
    fn display(&'a self) -> ShownResult<'a, T, E> {
        ShownResult(self)
    }
}

/// A result as text.
pub struct ShownResult<'a, T, E>(&'a Result<T, E>);

impl<T: Display, E: Display> Display for ShownResult<'_, T, E> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(value) => write!(out, "Ok({value})"),
            Err(error) => write!(out, "Err({error})"),
        }
    }
}

/// The first elements of a slice and its last.
pub trait DisplaySliceExt<'a, T: Display> {
    /// The slice as text, with five elements at most.
    fn display(&'a self) -> ShownList<std::slice::Iter<'a, T>>;
    /// The same with `max` elements at most.
    fn display_n(&'a self, max: usize) -> ShownList<std::slice::Iter<'a, T>>;
}

impl<'a, T: Display> DisplaySliceExt<'a, T> for [T] {
    fn display(&'a self) -> ShownList<std::slice::Iter<'a, T>> {
        self.display_n(ELEMENTS_MAX)
    }

    fn display_n(&'a self, max: usize) -> ShownList<std::slice::Iter<'a, T>> {
        ShownList { elements: self.iter(), max }
    }
}

/// The first elements of a set and its last.
pub trait DisplayBTreeSetExt<'a, T: Display> {
    /// The set as text, with five elements at most.
    fn display(&'a self) -> ShownList<std::collections::btree_set::Iter<'a, T>>;
}

impl<'a, T: Display> DisplayBTreeSetExt<'a, T> for BTreeSet<T> {
    fn display(&'a self) -> ShownList<std::collections::btree_set::Iter<'a, T>> {
        ShownList { elements: self.iter(), max: ELEMENTS_MAX }
    }
}

/// A list as text: `[1,2,3,4,..,9]`.
pub struct ShownList<I> {
    elements: I,
    max: usize,
}

impl<I: ExactSizeIterator<Item: Display> + Clone> Display for ShownList<I> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let count = self.elements.len();
        let left_out = count > self.max;
        // The last is shown in any case, unless nothing is.
        let head = if left_out { self.max.saturating_sub(1) } else { count };
        out.write_str("[")?;
        for (index, element) in self.elements.clone().take(head).enumerate() {
            let separator = if index > 0 { "," } else { "" };
            write!(out, "{separator}{element}")?;
        }
        if left_out {
            out.write_str(if head > 0 { ",.." } else { ".." })?;
            if let Some(last) = self.elements.clone().last().filter(|_| self.max > 0) {
                write!(out, ",{last}")?;
            }
        }
        out.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_results() {
        assert_eq!(Some(1).display().to_string(), "1");
        assert_eq!(None::<i32>.display().to_string(), "None");
        assert_eq!(Ok::<i32, &str>(1).display().to_string(), "Ok(1)");
        assert_eq!(Err::<i32, &str>("no").display().to_string(), "Err(no)");
    }

    #[test]
    fn lists_show_their_ends() {
        let seven = [1, 2, 3, 4, 5, 6, 7];
        assert_eq!([0; 0].display().to_string(), "[]");
        assert_eq!(seven[..5].display().to_string(), "[1,2,3,4,5]");
        assert_eq!(seven.display().to_string(), "[1,2,3,4,..,7]");
        assert_eq!(seven.display_n(1024).to_string(), "[1,2,3,4,5,6,7]");
        assert_eq!(seven.display_n(2).to_string(), "[1,..,7]");
        assert_eq!(seven.display_n(1).to_string(), "[..,7]");
        assert_eq!(seven.display_n(0).to_string(), "[..]");
        assert_eq!(BTreeSet::from(seven).display().to_string(), "[1,2,3,4,..,7]");
    }
}
