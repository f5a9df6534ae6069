//! How a thread beside the runtime wakes a task.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

/// What any thread rings, for one task that listens.
#[derive(Debug)]
pub struct Bell(Arc<Notify>);

/// The rings of a [`Bell`], for the task that listens.
#[derive(Debug)]
pub struct Rings(Arc<Notify>);

/// A bell, and what hears it.
///
/// # Errors
/// Never.
pub fn bell() -> io::Result<(Bell, Rings)> {
    let notify = Arc::new(Notify::new());
    Ok((Bell(Arc::clone(&notify)), Rings(notify)))
}

impl Bell {
    /// Has [`Rings::next`] return, now or when it is next waited for.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

impl Rings {
    /// Waits until the bell has rung since this last returned; several rings may be one.
    pub async fn next(&mut self) {
        self.0.notified().await;
    }
}
