//! Randomness from the seed.

use super::world;

/// The source of hash maps' keys: constant, so that their order is, too.
pub type HashState = std::hash::BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) {
    world().with(|state| state.chance.identities.fill(bytes));
}
