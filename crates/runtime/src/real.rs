//! The body of this crate that the product runs on: tokio and the operating system.

pub mod bell;
pub mod clock;
pub mod net;
pub(crate) mod random;
pub mod sync;
pub mod task;
