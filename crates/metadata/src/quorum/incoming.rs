//! A snapshot that another voter sends, part by part.
//!
//! The parts go to a file under a name of their own. Once the file is whole, durable and read, it is openraft's to
//! install: the snapshot gets its name then, after the sender's vote is durable, so that a start after a loss of
//! power never meets a snapshot of a term that it has not heard of.

use std::path::PathBuf;

use storage::fs::{self, File, Fs};

use super::checkpoint::{self, Checkpoint, CheckpointError, Snapshot};
use super::message::Chunk;
use super::raft::LogId;

const SUFFIX: &str = ".incoming";

/// A snapshot between the disk and openraft.
#[derive(Debug)]
pub(super) struct SnapshotFile {
    pub(super) checkpoint: Checkpoint,
    /// The contents, if the file was received and does not have the name of a snapshot yet.
    pub(super) received: Option<Box<Snapshot>>,
}

/// The reception of a snapshot.
#[derive(Debug)]
pub(super) struct SnapshotReceiver {
    fs: Fs,
    dir: PathBuf,
    file: Option<PartialSnapshot>,
    /// Files so far: each has a name of its own, since openraft may not be done with the one before.
    files: u64,
}

#[derive(Debug)]
struct PartialSnapshot {
    last: LogId,
    size_bytes: u64,
    /// Bytes that have arrived.
    position: u64,
    path: PathBuf,
    file: File,
}

/// The state after a part.
#[derive(Debug)]
pub(super) enum Progress {
    /// The position of the next part that is wanted.
    Continue(u64),
    /// All parts are there, and the snapshot is a good one.
    Whole(SnapshotFile),
}

impl SnapshotReceiver {
    /// The reception in the directory of the metadata log, from which earlier ones are removed.
    ///
    /// # Errors
    /// An error if the directory cannot be read, or a file not removed.
    pub(super) fn new(fs: Fs, dir: PathBuf) -> fs::Result<Self> {
        for entry in fs.list(&dir)? {
            if entry.name.ends_with(SUFFIX) {
                fs.remove_file_if_exists(&dir.join(&entry.name))?;
            }
        }
        Ok(Self { fs, dir, file: None, files: 0 })
    }

    /// Takes a part. One that does not follow the last is left out.
    ///
    /// # Errors
    /// [`CheckpointError`] if it cannot be written, or if the whole is no snapshot. The next part is the first then.
    pub(super) fn take(&mut self, chunk: &Chunk) -> Result<Progress, CheckpointError> {
        let taken = self.append(chunk);
        if taken.is_err() {
            self.discard();
        }
        taken
    }

    fn append(&mut self, chunk: &Chunk) -> Result<Progress, CheckpointError> {
        let is_same = |file: &PartialSnapshot| file.last == chunk.last && file.size_bytes == chunk.size_bytes;
        if !self.file.as_ref().is_some_and(is_same) {
            if chunk.position > 0 {
                return Ok(Progress::Continue(0));
            }
            self.begin(chunk)?;
        }
        let incoming = self.file.as_mut().expect("it has begun");
        if incoming.position != chunk.position {
            return Ok(Progress::Continue(incoming.position));
        }
        incoming.file.write_all_at(&chunk.bytes, incoming.position)?;
        incoming.position += chunk.bytes.len() as u64;
        if incoming.position < incoming.size_bytes {
            return Ok(Progress::Continue(incoming.position));
        }
        incoming.file.sync_data()?;
        let checkpoint = Checkpoint {
            path: incoming.path.clone(),
            last_log_id: incoming.last,
            size_bytes: incoming.size_bytes,
        };
        let received = Some(Box::new(checkpoint::read(&self.fs, &checkpoint)?));
        self.file = None;
        Ok(Progress::Whole(SnapshotFile { checkpoint, received }))
    }

    fn begin(&mut self, chunk: &Chunk) -> Result<(), CheckpointError> {
        self.discard();
        self.files += 1;
        let path = self.dir.join(format!("{}.{}{SUFFIX}", checkpoint::name(&chunk.last), self.files));
        let file = self.fs.open(&path, fs::Mode::CreateEmpty)?;
        let (last, size_bytes) = (chunk.last, chunk.size_bytes);
        self.file = Some(PartialSnapshot { last, size_bytes, position: 0, path, file });
        Ok(())
    }

    /// Removes the file, which a full disk may need more.
    fn discard(&mut self) {
        if let Some(incoming) = self.file.take() {
            let _ = self.fs.remove_file_if_exists(&incoming.path);
        }
    }
}
