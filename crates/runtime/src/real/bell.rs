//! A wake-up of a task by a thread outside the runtime.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

use std::io::{self, PipeWriter, Write};
use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// The sending end: any thread rings it, for one task that listens.
///
/// Waking a task directly from a thread outside the runtime costs two wake-ups: of the worker that runs the
/// task, and of another worker that the first one has look for more work. The bell reaches the runtime as
/// sockets do, at the worker that waits for those, and the tasks that its listener wakes run on that worker
/// next.
#[derive(Debug)]
pub struct Bell(PipeWriter);

/// The receiving end of a [`Bell`], for the task that listens.
#[derive(Debug)]
pub struct Rings(Receiver);

/// Creates a bell and its receiving end.
///
/// # Errors
/// An error if the system has no free descriptors.
///
/// # Panics
/// Outside the runtime.
pub fn bell() -> io::Result<(Bell, Rings)> {
    let (heard, rung) = io::pipe()?;
    rustix::fs::fcntl_setfl(&rung, OFlags::NONBLOCK)?;
    Ok((Bell(rung), Rings(Receiver::from_owned_fd(OwnedFd::from(heard))?)))
}

impl Bell {
    /// Makes [`Rings::next`] return, now or when it is next waited for.
    pub fn ring(&self) {
        // A full pipe has rung already, and one without a reader need not.
        let _ = (&self.0).write(&[1]);
    }
}

impl Rings {
    /// Waits until the bell has rung since the last return; several rings may count as one.
    pub async fn next(&mut self) {
        let mut rings = [0; 64];
        if !matches!(self.0.read(&mut rings).await, Ok(1..)) {
            // The bell was dropped.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn no_ring_is_missed() {
        let (bell, mut heard) = bell().unwrap();
        let rings = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rings);
        let (next, wait) = std::sync::mpsc::channel();
        let ringer = crate::task::spawn_thread("ringer", move || {
            while wait.recv().is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
                bell.ring();
            }
        });
        for count in 1..=1_000 {
            next.send(()).unwrap();
            while rings.load(Ordering::SeqCst) < count {
                heard.next().await;
            }
        }
        drop(next);
        ringer.unwrap().join().unwrap();
    }
}
