//! Randomness: identities that must not repeat, and jitter.

#[cfg(not(feature = "simulation"))]
pub use crate::real::random::{HashState, fill};
#[cfg(feature = "simulation")]
pub use crate::sim::random::{HashState, fill};

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
