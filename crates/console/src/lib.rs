//! What Milena serves by HTTP: its metrics.
//!
//! The listener is one of its own, off by default, and knows no passwords. One request is answered for
//! each connection, and everything that a client could draw out has a limit.

mod exposition;
mod listener;

pub use exposition::encode;
pub use listener::Console;
