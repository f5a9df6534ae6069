//! The body of this crate for the product: tokio and the operating system.

pub mod bell;
pub mod clock;
pub mod net;
pub(crate) mod random;
pub mod sync;
pub mod task;
