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
