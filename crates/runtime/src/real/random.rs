//! Randomness: identities that must not repeat, and jitter.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

/// The source of hash maps' keys: new ones in each process.
pub use std::collections::hash_map::RandomState as HashState;

/// Fills `bytes` from the operating system's generator.
///
/// # Panics
/// If the operating system gives no randomness: an identity that may repeat is worse than a stop.
pub fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives random bytes");
}
