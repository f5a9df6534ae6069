//! The open files of a simulated disk.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::entries::Inode;
use super::{Disk, State};
use crate::fs::Operation;

/// An open file of a [`Disk`].
#[derive(Debug)]
pub(in crate::fs) struct Handle {
    disk: Arc<Disk>,
    inode: Inode,
    boot: u32,
    locks: AtomicBool,
}

impl Handle {
    pub(super) fn new(disk: Arc<Disk>, inode: Inode, boot: u32) -> Handle {
        Handle { disk, inode, boot, locks: AtomicBool::new(false) }
    }

    pub(in crate::fs) fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        self.disk.look(Some(self.boot), Operation::Read, |state| {
            let max = if state.short_transfers { state.random.usize(1..=bytes.len()) } else { bytes.len() };
            let current = &state.file(self.inode).current;
            let from = usize::try_from(position).unwrap_or(usize::MAX).min(current.len());
            let len = max.min(current.len() - from);
            bytes[..len].copy_from_slice(&current[from..from + len]);
            Ok(len)
        })
    }

    pub(in crate::fs) fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.disk.change(Some(self.boot), Operation::Write, |state| {
            let position = usize::try_from(position).expect("a simulated file fits in memory");
            let mut len = state.room(self.inode, position, bytes.len());
            if len == 0 && !bytes.is_empty() {
                return Err(ErrorKind::StorageFull.into());
            }
            if state.short_transfers && len > 1 {
                len = state.random.usize(1..=len);
            }
            let now_ms = state.now_ms;
            let file = state.file(self.inode);
            file.write(position, &bytes[..len]);
            file.modified_ms = now_ms;
            Ok(len)
        })
    }

    pub(in crate::fs) fn sync_data(&self) -> io::Result<()> {
        let fails = |state: &mut State| {
            let mut random = state.random.fork();
            state.file(self.inode).sync_failed(&mut random);
            Ok(())
        };
        self.disk.sync(Some(self.boot), Operation::Sync, fails, |state| {
            state.file(self.inode).sync();
            state.synced_order = state.order;
            Ok(())
        })
    }

    pub(in crate::fs) fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change(Some(self.boot), Operation::Truncate, |state| {
            state.truncate(self.inode, usize::try_from(len).expect("a simulated file fits in memory"));
            Ok(())
        })
    }

    /// The length and the time of the last change in ms.
    pub(in crate::fs) fn stat(&self) -> io::Result<(u64, i64)> {
        self.disk.look(Some(self.boot), Operation::Stat, |state| {
            let file = state.file(self.inode);
            Ok((file.current.len() as u64, file.modified_ms))
        })
    }

    /// Locks the file. Returns whether nobody else has.
    pub(in crate::fs) fn lock(&self) -> io::Result<bool> {
        let (inode, boot) = (self.inode, self.boot);
        let is_free = self.disk.look(Some(boot), Operation::Lock, |state| {
            let is_free = !state.locked.contains_key(&inode);
            state.locked.entry(inode).or_insert(boot);
            Ok(is_free)
        })?;
        self.locks.store(is_free, Ordering::Relaxed);
        Ok(is_free)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.locks.load(Ordering::Relaxed) {
            let mut state = self.disk.state();
            if state.boot == self.boot {
                state.locked.remove(&self.inode);
            }
        }
    }
}
