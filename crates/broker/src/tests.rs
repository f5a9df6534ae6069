//! Tests of whole requests within the process: between a unit test and a test of the binary.
#![allow(clippy::disallowed_methods, reason = "tests run in real time, and wait")]
#![allow(clippy::print_stderr, reason = "a test that skips says so")]

mod harness;

mod batches;
mod controllers;
mod fetch;
mod fetch_session;
mod group_protocol;
mod list_offsets;
mod sequences;
mod topics;
