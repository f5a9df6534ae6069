//! Tests of the coordinator, as its host sees it.
//!
//! A test is a script: the actions of clients, and below each the events that follow. See [`script`] for the
//! language.

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
