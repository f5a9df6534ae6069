//! What the product takes from the machine it runs on: time, randomness, sockets, tasks.
//!
//! Each of the four is reached through one module here and nowhere else (clippy's
//! `disallowed_methods` holds it); files are reached through `storage::fs`. A simulation replaces
//! these modules and runs the product's own code, so that one seed always gives one trace.
//!
//! Nothing here decides anything: what decides is given `now` and random values by its caller.

pub mod clock;
pub mod net;
pub mod random;
pub mod task;
