//! Randomness from the seed.

use super::world;

/// How hash maps draw their keys: always the same, so that their order is.
pub type HashState = std::hash::BuildHasherDefault<std::collections::hash_map::DefaultHasher>;

/// Fills `bytes`.
pub fn fill(bytes: &mut [u8]) {
    world().with(|state| state.chance.identities.fill(bytes));
}

/// A random 64-bit number.
pub fn u64() -> u64 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// The 16 bytes of a random (version 4) UUID.
pub fn uuid_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    bytes
}
