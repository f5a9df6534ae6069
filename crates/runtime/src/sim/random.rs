//! Randomness from the seed.

use super::world;

/// How hash maps draw their keys: always the same, so that their order is.
pub type HashState = std::hash::BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) {
    world().with(|state| state.chance.identities.fill(bytes));
}
