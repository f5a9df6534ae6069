//! Names say what a thing is.

use super::lexer::code_of;
use super::tree::Tree;

/// Words without a meaning of their own.
const EMPTY_WORDS: [&str; 11] =
    ["manager", "helper", "helpers", "util", "utils", "service", "impl", "data", "info", "common", "misc"];

pub(super) fn check(tree: &Tree) -> Vec<String> {
    let mut faults = Vec::new();
    for file in tree.rust() {
        for part in file.path.trim_end_matches(".rs").split('/') {
            if let Some(word) = empty_word(part) {
                faults.push(format!("{} has {word:?} in its path", file.path));
            }
        }
        for (number, line) in code_of(&file.text).lines().enumerate() {
            let words: Vec<&str> = line.split(|it: char| it != '_' && !it.is_alphanumeric()).collect();
            for pair in words.windows(2) {
                if let [kind, name] = pair
                    && ["struct", "enum", "trait", "mod", "union"].contains(kind)
                    && let Some(word) = empty_word(name)
                {
                    faults.push(format!("{}:{} {name} has {word:?} in it", file.path, number + 1));
                }
            }
        }
    }
    faults
}

/// The empty word in a name in snake or camel case, if there is one.
fn empty_word(name: &str) -> Option<&'static str> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter == '-' || letter.is_uppercase() {
            words.push(String::new());
        }
        words.last_mut().expect("there is one").extend(letter.to_lowercase());
    }
    let is_it = |empty: &&str| words.iter().any(|word| word.trim_matches(['_', '-']) == *empty);
    EMPTY_WORDS.iter().find(|empty| is_it(empty)).copied()
}

#[cfg(test)]
mod tests {
    use super::empty_word;

    #[test]
    fn words_are_whole() {
        assert_eq!(empty_word("GroupManager"), Some("manager"));
        assert_eq!(empty_word("log_utils"), Some("utils"));
        assert_eq!(empty_word("partition_metadata"), None);
        assert_eq!(empty_word("Implicit"), None);
    }
}
