//! A log directory that has failed.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::fs;

/// Why a log directory is offline: the operation on it that failed. Kafka answers `KAFKA_STORAGE_ERROR` for its
/// partitions.
///
/// It stays so until the process ends: after a failed fsync the kernel counts the lost pages as clean, so writes that
/// seem to succeed afterwards may be missing.
#[derive(Clone, Debug)]
pub struct Offline {
    dir: Arc<Path>,
    cause: Arc<fs::Error>,
}

impl Offline {
    /// The log directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The operation that failed first.
    pub fn cause(&self) -> &fs::Error {
        &self.cause
    }
}

impl fmt::Display for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the log directory {} is offline: {}", self.dir.display(), self.cause)
    }
}

impl std::error::Error for Offline {}

/// The listener that is called once when a log directory fails. It may be called with locks of the logs held.
pub type FailureListener = Box<dyn Fn(&Offline) + Send + Sync>;

/// Whether a log directory still works.
pub(crate) struct Health {
    dir: Arc<Path>,
    offline: OnceLock<Offline>,
    listener: OnceLock<FailureListener>,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Health({}, {:?})", self.dir.display(), self.offline)
    }
}

impl Health {
    pub(crate) fn new(dir: &Path) -> Health {
        Health { dir: dir.into(), offline: OnceLock::new(), listener: OnceLock::new() }
    }

    /// Sets the listener for the failure.
    pub(crate) fn set_listener(&self, listener: FailureListener) {
        assert!(self.listener.set(listener).is_ok(), "a log directory has one listener for its failure");
    }

    pub(crate) fn check(&self) -> Result<(), Offline> {
        match self.offline.get() {
            None => Ok(()),
            Some(offline) => Err(offline.clone()),
        }
    }

    /// Takes the directory offline if making its entries durable has failed: those of new partitions are
    /// dropped along with that of the file that was being replaced, and the next sync of the directory would
    /// succeed all the same. Returns the error.
    pub(crate) fn meet(&self, error: fs::Error) -> fs::Error {
        if error.operation != fs::Operation::SyncDir {
            return error;
        }
        let offline = self.fail(error);
        let fs::Error { operation, path, source } = offline.cause();
        fs::Error { operation: *operation, path: path.clone(), source: source.kind().into() }
    }

    /// Takes the directory offline for good. The first failure is the one that is remembered.
    pub(crate) fn fail(&self, cause: fs::Error) -> Offline {
        let mut first = false;
        let offline = self.offline.get_or_init(|| {
            first = true;
            tracing::error!(dir = %self.dir.display(), "log directory taken offline: {cause}");
            Offline { dir: self.dir.clone(), cause: Arc::new(cause) }
        });
        if let Some(listener) = self.listener.get().filter(|_| first) {
            listener(offline);
        }
        offline.clone()
    }
}
