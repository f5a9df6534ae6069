//! Suggestions for mistyped names.

/// The name in `known` nearest to `given`, if one is near enough.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = given.chars().count();
    let limit = (length / 4).clamp(1, 4);
    known
        .into_iter()
        .map(|name| (distance(given, name), name))
        // Names without a letter in common are never near.
        .filter(|&(distance, _)| distance <= limit && distance < length)
        .min()
        .map(|(_, name)| name)
}

/// The number of letters to change, add, leave out or swap with their neighbour (optimal string alignment).
/// Letter case does not count, nor the difference between `.`, `_` and `-`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

fn letters(name: &str) -> Vec<char> {
    name.chars().flat_map(char::to_lowercase).map(|c| if matches!(c, '_' | '-') { '.' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("log.dris", "log.dirs"), 1);
        assert_eq!(distance("LOG_DIRS", "log.dirs"), 0);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn only_near_names_are_suggested() {
        let known = ["log.dirs", "log.dir", "listeners", "num.partitions"];
        assert_eq!(nearest("log.dris", known), Some("log.dirs"));
        assert_eq!(nearest("listener", known), Some("listeners"));
        assert_eq!(nearest("num.partition", known), Some("num.partitions"));
        assert_eq!(nearest("zookeeper.connect", known), None);
        assert_eq!(nearest("t", ["a", "b"]), None);
    }
}
