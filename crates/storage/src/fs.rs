//! The one seam to files.
//!
//! [`Fs`] and [`File`] are concrete types that are cheap to clone; the simulated file system of the
//! tests is a variant behind them, and nothing above knows. Reads and writes are positional, so
//! a [`File`] is shared by threads without a lock. Every operation loops over short transfers and
//! interruptions until it is done or has failed.
#![allow(clippy::disallowed_methods, reason = "this module is the seam")]

#[cfg(any(test, feature = "faults"))]
pub mod faults;
#[cfg(any(test, feature = "faults"))]
pub mod simulated;

mod aside;
mod cached;
pub(crate) mod copy;
mod error;
mod handle;
mod overlay;
mod spare;

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use error::is_out_of_descriptors;
pub use error::{Error, Operation, Result};
use handle::Handle;
use overlay::Overlay;
use runtime::FileBytes;
use rustix::fs::FlockOperation;
use spare::Failure;

use crate::traps::{self, Trap};

/// The mode of opening a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; created empty if it does not exist.
    Create,
    /// For reading and writing, empty whatever was there before.
    CreateEmpty,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The name within the directory. Names that are not UTF-8 are left out.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// The length of a file in bytes; zero for a directory.
    pub len: u64,
}

/// The space on the volume that holds a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// The size of the volume in bytes.
    pub total_bytes: u64,
    /// The bytes that this user can still write.
    pub usable_bytes: u64,
}

/// A file system.
#[derive(Clone, Debug)]
pub struct Fs {
    backend: Backend,
}

#[derive(Clone, Debug)]
enum Backend {
    Real,
    Overlay(Arc<Overlay>),
    #[cfg(any(test, feature = "faults"))]
    Faulty(Arc<faults::Faults>),
    #[cfg(any(test, feature = "faults"))]
    Simulated(Arc<simulated::Disk>),
}

impl Fs {
    /// The operating system's files.
    pub fn real() -> Fs {
        spare::keep();
        Fs { backend: Backend::Real }
    }

    /// The files of this file system, with every change kept in memory: opening something here shows what opening the
    /// real files would do, and changes nothing.
    pub fn overlay(&self) -> Fs {
        Fs { backend: Backend::Overlay(Arc::new(Overlay::new(self.clone()))) }
    }

    /// The operating system's files, with operations counted and failed as `faults` says.
    #[cfg(any(test, feature = "faults"))]
    pub fn faulty(faults: Arc<faults::Faults>) -> Fs {
        Fs { backend: Backend::Faulty(faults) }
    }

    /// The files of a simulated disk.
    #[cfg(any(test, feature = "faults"))]
    pub fn simulated(disk: Arc<simulated::Disk>) -> Fs {
        Fs { backend: Backend::Simulated(disk) }
    }

    #[inline]
    fn before(&self, operation: Operation, path: &Path) -> Result<()> {
        let result = match &self.backend {
            // The file system below an overlay checks for faults itself.
            Backend::Real | Backend::Overlay(_) => Ok(()),
            #[cfg(any(test, feature = "faults"))]
            Backend::Faulty(faults) => faults.before(operation, path),
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(_) => Ok(()),
        };
        result.map_err(|source: io::Error| Error::new(operation, path, source))
    }

    /// Checks for faults before an operation that needs a descriptor.
    #[inline]
    fn before_opening(&self, operation: Operation, path: &Path) -> Result<()> {
        #[cfg(any(test, feature = "faults"))]
        if let Backend::Faulty(faults) = &self.backend {
            faults.before_opening(path).map_err(|source| Error::new(Operation::Open, path, source))?;
        }
        self.before(operation, path)
    }

    /// The number of bytes of `len` that one transfer may take.
    #[inline]
    fn transfer_max(&self, len: usize) -> usize {
        match &self.backend {
            Backend::Real | Backend::Overlay(_) => len,
            #[cfg(any(test, feature = "faults"))]
            Backend::Faulty(faults) => faults.transfer_max(len),
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(_) => len,
        }
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// The system's error.
    pub fn open(&self, path: &Path, mode: Mode) -> Result<File> {
        self.before_opening(Operation::Open, path)?;
        let handle = self.open_handle(path, mode).map_err(|e| Error::new(Operation::Open, path, e))?;
        Ok(File { open: Arc::new(OpenFile { handle, path: path.into(), fs: self.clone() }) })
    }

    fn open_handle(&self, path: &Path, mode: Mode) -> io::Result<Handle> {
        #[cfg(any(test, feature = "faults"))]
        if let Backend::Simulated(disk) = &self.backend {
            return disk.open(path, mode).map(Handle::Simulated);
        }
        if let Backend::Overlay(overlay) = &self.backend {
            return overlay.open(path, mode).map(Handle::Overlaid);
        }
        let mut options = std::fs::OpenOptions::new();
        options.read(true);
        match mode {
            Mode::Read => &mut options,
            Mode::Write => options.write(true),
            Mode::Create => options.write(true).create(true),
            Mode::CreateEmpty => options.write(true).create(true).truncate(true),
        };
        options.open(path).map(Handle::Real)
    }

    /// All bytes of the file at `path`. For files of bounded size: checkpoints, snapshots, indexes.
    ///
    /// # Errors
    /// The system's error.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let file = self.open(path, Mode::Read)?;
        let len = usize::try_from(file.len()?).expect("a file that is read whole fits in memory");
        let mut bytes = vec![0; len];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Replaces the file at `path` atomically: after a crash it has all of `bytes` or its old contents.
    /// Writes `path.tmp`, syncs it, renames it and syncs the directory.
    ///
    /// # Errors
    /// The system's error; the file is then unchanged.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        let temporary = if traps::is_on(Trap::CheckpointInPlace) { path.to_owned() } else { temporary };
        let file = self.open(&temporary, Mode::CreateEmpty)?;
        if let Err(error) = file.write_all_at(bytes, 0) {
            // On a full disk a partial file would waste space.
            let _ = self.remove_file(&temporary);
            return Err(error);
        }
        traps::unless(Trap::CheckpointUnsynced, || file.sync_data())?;
        self.rename(&temporary, path)?;
        let parent = path.parent().expect("a file is in a directory");
        traps::unless(Trap::RenameUnsynced, || self.sync_dir(parent))
    }

    /// Renames the file or directory `from` to `to`, replacing a file of that name. Durable once the
    /// directory is synced.
    ///
    /// # Errors
    /// The system's error.
    pub fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.before(Operation::Rename, from)?;
        let renamed = match &self.backend {
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(disk) => disk.rename(from, to),
            Backend::Overlay(overlay) => overlay.rename(from, to),
            _ => std::fs::rename(from, to),
        };
        renamed.map_err(|e| Error::new(Operation::Rename, from, e))
    }

    /// Removes the file at `path`.
    ///
    /// # Errors
    /// The system's error.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        self.before(Operation::Remove, path)?;
        let removed = match &self.backend {
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(disk) => disk.remove_file(path),
            Backend::Overlay(overlay) => overlay.remove_file(path),
            _ => std::fs::remove_file(path),
        };
        removed.map_err(|e| Error::new(Operation::Remove, path, e))
    }

    /// Removes the file at `path` if it exists. Returns whether it did.
    ///
    /// # Errors
    /// The system's error.
    pub fn remove_file_if_exists(&self, path: &Path) -> Result<bool> {
        match self.remove_file(path) {
            Ok(()) => Ok(true),
            Err(e) if e.is_not_found() => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Removes the directory at `path` and all in it.
    ///
    /// # Errors
    /// The system's error; some of it may be gone.
    pub fn remove_dir_all(&self, path: &Path) -> Result<()> {
        self.before(Operation::Remove, path)?;
        let removed = match &self.backend {
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(disk) => disk.remove_dir_all(path),
            Backend::Overlay(overlay) => overlay.remove_dir_all(path),
            _ => std::fs::remove_dir_all(path),
        };
        removed.map_err(|e| Error::new(Operation::Remove, path, e))
    }

    /// Creates the directory at `path`, and those above it, if they do not exist. Durable once the directory
    /// above is synced.
    ///
    /// # Errors
    /// The system's error.
    pub fn create_dir_all(&self, path: &Path) -> Result<()> {
        self.before(Operation::CreateDir, path)?;
        let created = match &self.backend {
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(disk) => disk.create_dir_all(path),
            Backend::Overlay(overlay) => overlay.create_dir_all(path),
            _ => std::fs::create_dir_all(path),
        };
        created.map_err(|e| Error::new(Operation::CreateDir, path, e))
    }

    /// Creates the directory at `path`, whose parent must exist; returns whether it was missing. Durable once
    /// the directory above is synced.
    ///
    /// # Errors
    /// The system's error.
    pub fn create_dir(&self, path: &Path) -> Result<bool> {
        self.before(Operation::CreateDir, path)?;
        let created = match &self.backend {
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(disk) => disk.create_dir(path),
            Backend::Overlay(overlay) => overlay.create_dir(path),
            _ => std::fs::create_dir(path),
        };
        match created {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            created => created.map(|()| true).map_err(|e| Error::new(Operation::CreateDir, path, e)),
        }
    }

    /// The entries of the directory at `path`, in the order of names.
    ///
    /// # Errors
    /// The system's error.
    pub fn list(&self, path: &Path) -> Result<Vec<DirEntry>> {
        self.before_opening(Operation::List, path)?;
        let failed = |e| Error::new(Operation::List, path, e);
        #[cfg(any(test, feature = "faults"))]
        if let Backend::Simulated(disk) = &self.backend {
            return disk.list(path).map_err(failed);
        }
        if let Backend::Overlay(overlay) = &self.backend {
            return overlay.list(path).map_err(failed);
        }
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // It was removed since it was listed.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed(e)),
            };
            let is_dir = metadata.is_dir();
            entries.push(DirEntry { name, is_dir, len: if is_dir { 0 } else { metadata.len() } });
        }
        entries.sort();
        Ok(entries)
    }

    /// Makes the entries of the directory at `path` durable: files created, renamed and removed in it.
    ///
    /// # Errors
    /// The system's error. As for [`File::sync_data`], nothing may retry it, unless there was no descriptor
    /// to open the directory with.
    pub fn sync_dir(&self, path: &Path) -> Result<()> {
        self.before_opening(Operation::SyncDir, path)?;
        if let Backend::Overlay(_) = &self.backend {
            return Ok(());
        }
        #[cfg(any(test, feature = "faults"))]
        if let Backend::Simulated(disk) = &self.backend {
            return disk.sync_dir(path).map_err(|e| Error::new(Operation::SyncDir, path, e));
        }
        spare::with_dir(path, std::fs::File::sync_all).map_err(|failure| match failure {
            Failure::Open(error) if is_out_of_descriptors(&error) => Error::new(Operation::Open, path, error),
            Failure::Open(error) | Failure::Sync(error) => Error::new(Operation::SyncDir, path, error),
        })
    }

    /// Whether there is a file or directory at `path`.
    ///
    /// # Errors
    /// The system's error, other than that there is none.
    pub fn exists(&self, path: &Path) -> Result<bool> {
        self.before(Operation::Stat, path)?;
        let exists = match &self.backend {
            #[cfg(any(test, feature = "faults"))]
            Backend::Simulated(disk) => disk.exists(path),
            Backend::Overlay(overlay) => overlay.exists(path),
            _ => path.try_exists(),
        };
        exists.map_err(|e| Error::new(Operation::Stat, path, e))
    }

    /// The space on the volume that holds `path`.
    ///
    /// # Errors
    /// The system's error.
    pub fn space(&self, path: &Path) -> Result<Space> {
        self.before(Operation::Stat, path)?;
        #[cfg(any(test, feature = "faults"))]
        if let Backend::Simulated(disk) = &self.backend {
            return disk.space().map_err(|e| Error::new(Operation::Stat, path, e));
        }
        if let Backend::Overlay(overlay) = &self.backend {
            return overlay.base().space(path);
        }
        let stat = rustix::fs::statvfs(path).map_err(|e| Error::new(Operation::Stat, path, e))?;
        Ok(Space {
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            usable_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        })
    }

    /// Opens the file at `path`, creating it if it does not exist, and locks it against other processes for
    /// as long as the [`File`] lives. `None` if another process has the lock.
    ///
    /// Two locks are taken: `flock`, which also excludes a second opening in this process, and the POSIX
    /// record lock that a JVM takes on the same file. In an overlay the lock is always free.
    ///
    /// # Errors
    /// The system's error, other than that the lock is held.
    pub fn lock(&self, path: &Path) -> Result<Option<File>> {
        let file = self.open(path, Mode::Create)?;
        self.before(Operation::Lock, path)?;
        #[cfg(any(test, feature = "faults"))]
        if let Handle::Simulated(handle) = &file.open.handle {
            let locked = handle.lock().map_err(|e| Error::new(Operation::Lock, path, e))?;
            return Ok(locked.then_some(file));
        }
        if matches!(file.open.handle, Handle::Overlaid(_)) {
            // Only this process sees it.
            return Ok(Some(file));
        }
        let operation = FlockOperation::NonBlockingLockExclusive;
        let locked =
            rustix::fs::flock(&file, operation).and_then(|()| rustix::fs::fcntl_lock(&file, operation));
        match locked {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::ACCESS) => Ok(None),
            Err(e) => Err(Error::new(Operation::Lock, path, e)),
        }
    }
}

/// An open file. Clones share it; it closes with the last of them.
#[derive(Clone, Debug)]
pub struct File {
    open: Arc<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    handle: Handle,
    path: Box<Path>,
    fs: Fs,
}

impl File {
    /// The path that it was opened by. The file may have been renamed since.
    pub fn path(&self) -> &Path {
        &self.open.path
    }

    fn error(&self, operation: Operation, source: impl Into<io::Error>) -> Error {
        Error::new(operation, &self.open.path, source)
    }

    /// Reads into `bytes` from `position` until it is full or the file ends; returns the number of bytes
    /// read.
    ///
    /// # Errors
    /// The system's error.
    pub fn read_at(&self, bytes: &mut [u8], position: u64) -> Result<usize> {
        let mut read = 0;
        while read < bytes.len() {
            self.open.fs.before(Operation::Read, &self.open.path)?;
            let max = self.open.fs.transfer_max(bytes.len() - read);
            match self.open.handle.read_at(&mut bytes[read..read + max], position + read as u64) {
                Ok(0) => break,
                Ok(_) if traps::is_on(Trap::ShortRead) => return Ok(bytes.len()),
                Ok(n) => read += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(Operation::Read, e)),
            }
        }
        Ok(read)
    }

    /// Fills `bytes` from `position`.
    ///
    /// # Errors
    /// The system's error; `UnexpectedEof` if the file ends first.
    pub fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> Result<()> {
        if self.read_at(bytes, position)? == bytes.len() {
            return Ok(());
        }
        Err(self.error(Operation::Read, io::ErrorKind::UnexpectedEof))
    }

    /// Writes all of `bytes` at `position`.
    ///
    /// # Errors
    /// The system's error; some of the bytes may have been written.
    pub fn write_all_at(&self, bytes: &[u8], position: u64) -> Result<()> {
        self.write_all_vectored_at(&mut [IoSlice::new(bytes)], position)
    }

    /// Writes all of `slices`, one after the other, at `position`. The slices are consumed.
    ///
    /// # Errors
    /// The system's error; some of the bytes may have been written.
    pub fn write_all_vectored_at(&self, mut slices: &mut [IoSlice<'_>], position: u64) -> Result<()> {
        let mut position = position;
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            self.open.fs.before(Operation::Write, &self.open.path)?;
            let max = self.open.fs.transfer_max(usize::MAX);
            match self.open.handle.write_at(slices, max, position) {
                Ok(0) => return Err(self.error(Operation::Write, io::ErrorKind::WriteZero)),
                Ok(_) if traps::is_on(Trap::ShortWrite) => return Ok(()),
                Ok(n) => {
                    position += n as u64;
                    IoSlice::advance_slices(&mut slices, n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(self.error(Operation::Write, e)),
            }
        }
        Ok(())
    }

    /// Makes the file's bytes and length durable (`fdatasync`).
    ///
    /// # Errors
    /// The system's error. The kernel then marks the pages as clean although they are not on the disk, so a
    /// second try would succeed and mean nothing: nothing may retry it.
    pub fn sync_data(&self) -> Result<()> {
        self.open.fs.before(Operation::Sync, &self.open.path)?;
        self.open.handle.sync_data().map_err(|e| self.error(Operation::Sync, e))
    }

    /// Truncates the file, or extends it with zeros, to `len` bytes.
    ///
    /// # Errors
    /// The system's error.
    pub fn truncate(&self, len: u64) -> Result<()> {
        self.open.fs.before(Operation::Truncate, &self.open.path)?;
        self.open.handle.set_len(len).map_err(|e| self.error(Operation::Truncate, e))
    }

    /// The file's length in bytes.
    ///
    /// # Errors
    /// The system's error.
    pub fn len(&self) -> Result<u64> {
        self.open.fs.before(Operation::Stat, &self.open.path)?;
        self.open.handle.len().map_err(|e| self.error(Operation::Stat, e))
    }

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// The system's error.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The time of the last write to the file, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// The system's error.
    pub fn modified_ms(&self) -> Result<i64> {
        self.open.fs.before(Operation::Stat, &self.open.path)?;
        let failed = |e| self.error(Operation::Stat, e);
        let modified = self.open.handle.modified().map_err(failed)?;
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl AsFd for File {
    /// The descriptor, for `sendfile`.
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.open.handle {
            Handle::Real(file) => file.as_fd(),
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(_) => panic!("a simulated file has no descriptor"),
            Handle::Overlaid(_) => panic!("a file of an overlay has no descriptor"),
        }
    }
}

impl FileBytes for File {
    fn read_bytes_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        self.read_at(bytes, position).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests;
