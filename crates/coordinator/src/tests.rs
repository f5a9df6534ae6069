//! Tests of the coordinator as its shell sees it.
//!
//! A test is a script: what clients do, and below each step what happens because of it. See
//! [`script`] for the language.

mod clocks;
mod deletion;
mod heartbeat;
mod join;
mod kafka_bytes;
mod kafka_transcripts;
mod leave;
mod list_describe;
mod load;
mod offsets;
mod random;
mod rebalance;
mod replies;
mod script;
mod shell;
mod static_members;
mod sync;
mod traps;
mod unserved;
mod versions;

use script::check;
