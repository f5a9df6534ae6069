//! Milena's HTTP endpoint: its metrics.
//!
//! The listener is separate, off by default, and unauthenticated. A connection serves one request, and
//! everything that a client can make the broker spend has a limit.

mod exposition;
mod listener;

pub use exposition::encode;
pub use listener::Console;
