//! The rules of the house.

/// What breaks a rule, a sentence each.
pub fn check() -> Vec<String> {
    Vec::new()
}
