//! A wake-up of a task by a thread outside the runtime.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

/// The sending end: any thread rings it, for one task that listens.
#[derive(Debug)]
pub struct Bell(Arc<Notify>);

/// The receiving end of a [`Bell`], for the task that listens.
#[derive(Debug)]
pub struct Rings(Arc<Notify>);

/// Creates a bell and its receiving end.
///
/// # Errors
/// Never.
pub fn bell() -> io::Result<(Bell, Rings)> {
    let notify = Arc::new(Notify::new());
    Ok((Bell(Arc::clone(&notify)), Rings(notify)))
}

impl Bell {
    /// Makes [`Rings::next`] return, now or when it is next waited for.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}

impl Rings {
    /// Waits until the bell has rung since the last return; several rings may count as one.
    pub async fn next(&mut self) {
        self.0.notified().await;
    }
}
