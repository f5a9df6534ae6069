//! Suggestions for mistyped names.

use crate::Scope;

/// The name of a setting of `scope` that is nearest to `name`, if one is near enough: at most a third of its
/// letters differ.
pub fn nearest(scope: Scope, name: &str) -> Option<&'static str> {
    // A name of a megabyte is no typing error, and the distance costs its square.
    if name.len() > 128 {
        return None;
    }
    crate::all(scope)
        .filter(|setting| !setting.internal)
        .map(|setting| (distance(name, setting.name), setting.name))
        .filter(|(distance, known)| *distance * 3 <= known.len())
        .min()
        .map(|(_, known)| known)
}

/// The number of single-letter changes from `a` to `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(!from.eq_ignore_ascii_case(to));
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
