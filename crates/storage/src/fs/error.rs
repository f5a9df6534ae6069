//! The errors of file operations.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// An operation of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// Open or create a file.
    Open,
    /// Read bytes.
    Read,
    /// Write bytes.
    Write,
    /// Make a file's bytes durable.
    Sync,
    /// Make a directory's entries durable.
    SyncDir,
    /// Set a file's length.
    Truncate,
    /// Give a file or directory another name.
    Rename,
    /// Remove a file or a directory.
    Remove,
    /// Make a directory.
    CreateDir,
    /// List a directory.
    List,
    /// Ask for a file's length, times or existence.
    Stat,
    /// Lock a file against other processes.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Open => "open",
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Sync => "sync",
            Operation::SyncDir => "sync directory",
            Operation::Truncate => "truncate",
            Operation::Rename => "rename",
            Operation::Remove => "remove",
            Operation::CreateDir => "create directory",
            Operation::List => "list",
            Operation::Stat => "stat",
            Operation::Lock => "lock",
        })
    }
}

/// A file operation that failed: which one, on what, and what the system said.
#[derive(Debug)]
pub struct Error {
    /// The operation.
    pub operation: Operation,
    /// The file or directory.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
}

/// The result of a file operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(super) fn new(operation: Operation, path: &Path, source: impl Into<io::Error>) -> Error {
        Error { operation, path: path.to_owned(), source: source.into() }
    }

    /// Whether the disk, or this user's share of it, is full (`ENOSPC`, `EDQUOT`): a failure that passes
    /// without a repair. That is not so for a sync: if the file system allocates space only then, data
    /// without space may be dropped.
    pub fn is_full(&self) -> bool {
        let is_sync = matches!(self.operation, Operation::Sync | Operation::SyncDir);
        let kind = self.source.kind();
        !is_sync && matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether this process, or the system, had no descriptor left (`EMFILE`, `ENFILE`). Nothing has been tried then.
    pub fn is_out_of_descriptors(&self) -> bool {
        is_out_of_descriptors(&self.source)
    }

    /// Whether the same may succeed later without a repair: the disk was full, or there was no descriptor left.
    pub fn passes(&self) -> bool {
        self.is_full() || self.is_out_of_descriptors()
    }

    /// Whether there is no such file or directory.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.operation, self.path.display(), self.source)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
