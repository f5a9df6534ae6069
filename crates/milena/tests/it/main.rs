//! Black-box tests: the product's own binary, and Kafka's own client library, over TCP.
//!
//! Each test starts a broker of its own on a fresh directory. With `MILENA_TEST_BOOTSTRAP=host:port` the tests run
//! against another broker instead, a real Kafka for comparison say; those that must own the process (restarts,
//! crashes, settings) then skip, and say so.
#![allow(clippy::disallowed_methods, reason = "tests run in real time, on real files and real sockets")]
#![allow(clippy::print_stderr, reason = "a test that skips says so")]

mod harness;

mod admin;
mod amplification;
mod batches;
mod bench;
mod check;
mod check_crashed;
mod clocks;
mod commands;
mod compaction;
mod connection;
mod crash;
mod damage;
mod descriptors;
mod disk;
mod dump;
mod fetch;
mod groups;
mod hostile;
mod log_dirs;
mod long_texts;
mod lost;
mod metrics;
mod migrate;
mod moves;
mod offsets;
mod produce;
mod restart;
mod scrub;
mod sequences;
mod start;
