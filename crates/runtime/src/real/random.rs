//! Randomness: identities that must not repeat, and jitter.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

/// How hash maps draw their keys: anew in each process.
pub use std::collections::hash_map::RandomState as HashState;

/// Fills `bytes` from the operating system's generator.
///
/// # Panics
/// Where the operating system has no randomness to give: an identity that may repeat is worse
/// than a stop.
pub fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
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
