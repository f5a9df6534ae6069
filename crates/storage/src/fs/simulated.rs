//! A file system in memory that loses power, fails and runs full on demand of a test.
//!
//! A loss of power leaves what ext4 and xfs may leave: everything synced, and of the rest any subset of the 512-byte
//! blocks, any length in between, and any subset of the entries created, renamed and removed in a directory since its
//! last sync. All of it follows from one seed.

mod content;
mod entries;
mod handle;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard};

use fastrand::Rng;

use super::{DirEntry, Mode, Operation, Space};
use content::{BLOCK_BYTES, Content};
use entries::{Entries, Inode};
pub(super) use handle::Handle;

const ROOT: Inode = 0;

/// The default capacity of a disk: more than any test needs.
pub const CAPACITY_BYTES: u64 = 1 << 40;

/// A disk with a file system on it.
#[derive(Debug)]
pub struct Disk {
    state: Mutex<State>,
}

/// The unsynced changes that survive a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Survival {
    Nothing,
    Everything,
    /// Each on its own.
    Any,
    /// Those to directories and lengths up to a place in the journal, as a journaling file system
    /// has it; those to blocks each on its own.
    Ordered(u64),
}

#[derive(Debug)]
struct State {
    random: Rng,
    nodes: BTreeMap<Inode, Node>,
    next_inode: Inode,
    /// The number of times that the power came on. Handles opened before a loss are of no use after it.
    boot: u32,
    is_down: bool,
    /// The number of operations so far that changed something: each is a point at which the power can fail.
    points: u64,
    cut_at: Option<u64>,
    /// The operation that fails, how many of its kind pass first, and how it fails.
    fault: Option<(Operation, u32, ErrorKind)>,
    /// Whether a sync has failed since the power came on.
    sync_failed: bool,
    short_transfers: bool,
    capacity_bytes: u64,
    now_ms: i64,
    /// The last change to a directory or a length, and the last that a sync has made durable.
    order: u64,
    synced_order: u64,
    locked: BTreeMap<Inode, u32>,
}

#[derive(Clone, Debug)]
enum Node {
    File(Content),
    Dir(Entries),
}

impl Node {
    fn made_durable(&self) -> Node {
        match self {
            Node::File(content) => Node::File(Content::durable(content.current.clone(), content.modified_ms)),
            Node::Dir(entries) => Node::Dir(Entries::durable(entries.current.clone())),
        }
    }
}

impl Disk {
    /// An empty disk. All that is left to chance on it follows from `seed`.
    pub fn new(seed: u64) -> Arc<Disk> {
        let state = State {
            random: Rng::with_seed(seed),
            nodes: BTreeMap::from([(ROOT, Node::Dir(Entries::default()))]),
            next_inode: ROOT + 1,
            boot: 0,
            is_down: false,
            points: 0,
            cut_at: None,
            fault: None,
            sync_failed: false,
            short_transfers: false,
            capacity_bytes: CAPACITY_BYTES,
            now_ms: 0,
            order: 0,
            synced_order: 0,
            locked: BTreeMap::new(),
        };
        Arc::new(Disk { state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked with the lock held leaves a usable disk.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The number of operations so far that changed something or made it durable.
    pub fn points(&self) -> u64 {
        self.state().points
    }

    /// Cuts the power at the operation that makes [`Disk::points`] this number: it is half done.
    pub fn cut_power_at(&self, point: u64) {
        self.state().cut_at = Some(point);
    }

    /// Cancels [`Disk::cut_power_at`] and returns its point.
    pub fn take_cut(&self) -> Option<u64> {
        self.state().cut_at.take()
    }

    /// Cuts the power now.
    pub fn cut_power(&self) {
        self.state().is_down = true;
    }

    /// Whether the power is gone: every operation fails.
    pub fn is_down(&self) -> bool {
        self.state().is_down
    }

    /// Makes an operation of this kind fail once, after `after` of them that succeed. A failed sync drops what it
    /// should have written, and the next one succeeds.
    pub fn fail(&self, operation: Operation, after: u32, error: ErrorKind) {
        self.state().fault = Some((operation, after, error));
    }

    /// Whether the failure of [`Disk::fail`] is still to come.
    pub fn will_fail(&self) -> bool {
        self.state().fault.is_some()
    }

    /// Whether a sync has failed since the power came on: reads then differ from what is on the disk.
    pub fn has_failed_sync(&self) -> bool {
        self.state().sync_failed
    }

    /// Cancels the failure and the loss of power that are still to come.
    pub fn clear_faults(&self) {
        let mut state = self.state();
        (state.fault, state.cut_at) = (None, None);
    }

    /// Sets whether reads and writes transfer fewer bytes than they could.
    pub fn set_short_transfers(&self, short: bool) {
        self.state().short_transfers = short;
    }

    /// Sets the space for files, in bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.state().capacity_bytes = bytes;
    }

    /// The free space in bytes.
    pub fn free_bytes(&self) -> u64 {
        let state = self.state();
        state.capacity_bytes.saturating_sub(state.used_bytes())
    }

    /// The bytes that files take.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// Sets the time of the writes from here on, in ms since the epoch.
    pub fn set_now_ms(&self, now_ms: i64) {
        self.state().now_ms = now_ms;
    }

    /// Flips a bit of a file, for good.
    ///
    /// # Panics
    /// If the file does not exist.
    pub fn flip(&self, path: &Path, position: usize, bit: u8) {
        let mut state = self.state();
        let inode = state.find(path).expect("the file is there");
        state.file(inode).flip(position, bit);
    }

    /// The bytes of a file, power or not.
    ///
    /// # Panics
    /// If the file does not exist.
    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        let mut state = self.state();
        let inode = state.find(path).expect("the file is there");
        state.file(inode).current.clone()
    }

    /// Restores the power after a loss: each change that was not durable is so now, or gone.
    pub fn reboot(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let horizon = state.random.u64(state.synced_order..=state.order);
        let survival = match state.random.u8(..10) {
            0 => Survival::Nothing,
            1 => Survival::Everything,
            2..5 => Survival::Ordered(horizon),
            _ => Survival::Any,
        };
        let mut left = BTreeMap::new();
        let mut reachable = vec![ROOT];
        while let Some(inode) = reachable.pop() {
            let node = match &state.nodes[&inode] {
                Node::Dir(entries) => {
                    let entries = entries.after_power_cut(&mut state.random, survival);
                    reachable.extend(entries.values());
                    Node::Dir(Entries::durable(entries))
                }
                Node::File(content) => {
                    let bytes = content.after_power_cut(&mut state.random, survival);
                    Node::File(Content::durable(bytes, content.modified_ms))
                }
            };
            left.insert(inode, node);
        }
        state.nodes = left;
        state.locked.clear();
        state.boot += 1;
        state.is_down = false;
        state.cut_at = None;
        state.fault = None;
        state.sync_failed = false;
        state.synced_order = state.order;
    }

    /// Ends the process that used the disk, so that another may begin: everything written is there.
    pub fn restart(&self) {
        let mut state = self.state();
        state.locked.clear();
        state.boot += 1;
        state.is_down = false;
        state.cut_at = None;
        state.fault = None;
    }

    /// Cancels [`Disk::cut_power_at`] and [`Disk::fail`] if they have not happened.
    pub fn spare(&self) {
        let mut state = self.state();
        state.cut_at = None;
        state.fault = None;
    }

    /// A copy of the disk as processes see it, all of it durable.
    pub fn copy(&self, seed: u64) -> Arc<Disk> {
        let copy = Disk::new(seed);
        {
            let (from, mut to) = (self.state(), copy.state());
            to.nodes = from.nodes.iter().map(|(inode, node)| (*inode, node.made_durable())).collect();
            (to.next_inode, to.now_ms) = (from.next_inode, from.now_ms);
        }
        copy
    }

    /// Applies a change to the disk: a point at which the power can fail.
    fn change<T>(
        &self,
        boot: Option<u32>,
        operation: Operation,
        apply: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        state.check(boot)?;
        state.points += 1;
        if state.cut_at == Some(state.points) {
            if state.random.bool() {
                let _ = apply(&mut state);
            }
            state.is_down = true;
            return Err(no_power());
        }
        state.maybe_fail(operation)?;
        apply(&mut state)
    }

    /// Looks at something.
    fn look<T>(
        &self,
        boot: Option<u32>,
        operation: Operation,
        look: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        state.check(boot)?;
        state.maybe_fail(operation)?;
        look(&mut state)
    }

    pub(super) fn open(self: &Arc<Self>, path: &Path, mode: Mode) -> io::Result<Handle> {
        let found = self.look(None, Operation::Open, |state| match state.find(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            found => found.map(Some),
        })?;
        let inode = match (found, mode) {
            (Some(inode), Mode::Read | Mode::Write | Mode::Create) => inode,
            (None, Mode::Read | Mode::Write) => return Err(ErrorKind::NotFound.into()),
            (None, Mode::Create | Mode::CreateEmpty) => {
                self.change(None, Operation::Open, |state| state.create(path))?
            }
            (Some(inode), Mode::CreateEmpty) => {
                self.change(None, Operation::Truncate, |state| {
                    state.truncate(inode, 0);
                    Ok(())
                })?;
                inode
            }
        };
        let boot = self.state().boot;
        Ok(Handle::new(self.clone(), inode, boot))
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(None, Operation::Rename, |state| {
            assert_eq!(from.parent(), to.parent(), "nothing is moved between directories");
            let inode = state.find(from)?;
            let order = state.next_order();
            let (name, to) = (name_of(from).to_owned(), name_of(to).to_owned());
            state.parent(from)?.rename(&name, &to, inode, order);
            Ok(())
        })
    }

    pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change(None, Operation::Remove, |state| {
            state.find(path)?;
            let order = state.next_order();
            state.parent(path)?.unlink(name_of(path), order);
            Ok(())
        })
    }

    pub(super) fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        for entry in self.list(path)? {
            let path = path.join(entry.name);
            if entry.is_dir { self.remove_dir_all(&path)? } else { self.remove_file(&path)? }
        }
        self.remove_file(path)
    }

    pub(super) fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        if self.exists(path)? {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.create_dir_all(parent)?;
        }
        self.change(None, Operation::CreateDir, |state| {
            state.link(path, Node::Dir(Entries::default())).map(|_| ())
        })
    }

    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        if self.exists(path)? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.change(None, Operation::CreateDir, |state| {
            state.link(path, Node::Dir(Entries::default())).map(|_| ())
        })
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.look(None, Operation::List, |state| {
            let inode = state.find(path)?;
            let entries = state.dir(inode)?.current.clone();
            let entries = entries.into_iter().map(|(name, inode)| match &state.nodes[&inode] {
                Node::Dir(_) => DirEntry { name, is_dir: true, len: 0 },
                Node::File(file) => DirEntry { name, is_dir: false, len: file.current.len() as u64 },
            });
            Ok(entries.collect())
        })
    }

    pub(super) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let fails = |state: &mut State| {
            let inode = state.find(path)?;
            let mut random = state.random.fork();
            state.dir(inode)?.sync_failed(&mut random);
            Ok(())
        };
        self.sync(None, Operation::SyncDir, fails, |state| {
            let inode = state.find(path)?;
            state.dir(inode)?.sync();
            state.synced_order = state.order;
            Ok(())
        })
    }

    fn sync(
        &self,
        boot: Option<u32>,
        operation: Operation,
        fails: impl FnOnce(&mut State) -> io::Result<()>,
        apply: impl FnOnce(&mut State) -> io::Result<()>,
    ) -> io::Result<()> {
        let synced = self.change(boot, operation, apply);
        let mut state = self.state();
        if synced.is_err() && !state.is_down && state.check(boot).is_ok() {
            state.sync_failed = true;
            fails(&mut state)?;
        }
        synced
    }

    pub(super) fn exists(&self, path: &Path) -> io::Result<bool> {
        self.look(None, Operation::Stat, |state| match state.find(path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        })
    }

    pub(super) fn space(&self) -> io::Result<Space> {
        self.look(None, Operation::Stat, |state| {
            let usable_bytes = state.capacity_bytes.saturating_sub(state.used_bytes());
            Ok(Space { total_bytes: state.capacity_bytes, usable_bytes })
        })
    }
}

impl State {
    fn check(&self, boot: Option<u32>) -> io::Result<()> {
        let is_old = boot.is_some_and(|boot| boot != self.boot);
        if self.is_down || is_old { Err(no_power()) } else { Ok(()) }
    }

    fn maybe_fail(&mut self, operation: Operation) -> io::Result<()> {
        let Some((failing, after, error)) = &mut self.fault else { return Ok(()) };
        if *failing != operation {
            return Ok(());
        }
        if *after > 0 {
            *after -= 1;
            return Ok(());
        }
        let error = *error;
        self.fault = None;
        Err(error.into())
    }

    fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    fn find(&self, path: &Path) -> io::Result<Inode> {
        let mut inode = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Node::Dir(dir) = &self.nodes[&inode] else { return Err(ErrorKind::NotADirectory.into()) };
            let name = name.to_str().expect("names are UTF-8");
            inode = *dir.current.get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(inode)
    }

    fn dir(&mut self, inode: Inode) -> io::Result<&mut Entries> {
        match self.nodes.get_mut(&inode) {
            Some(Node::Dir(entries)) => Ok(entries),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn file(&mut self, inode: Inode) -> &mut Content {
        match self.nodes.get_mut(&inode) {
            Some(Node::File(content)) => content,
            _ => panic!("a file is open, not a directory"),
        }
    }

    fn parent(&mut self, path: &Path) -> io::Result<&mut Entries> {
        let parent = self.find(path.parent().ok_or(ErrorKind::NotFound)?)?;
        self.dir(parent)
    }

    fn create(&mut self, path: &Path) -> io::Result<Inode> {
        // The space is counted only on a small disk.
        let is_small = self.capacity_bytes < CAPACITY_BYTES;
        if is_small && self.used_bytes() + BLOCK_BYTES as u64 > self.capacity_bytes {
            return Err(ErrorKind::StorageFull.into());
        }
        let now_ms = self.now_ms;
        self.link(path, Node::File(Content::durable(Vec::new(), now_ms)))
    }

    fn link(&mut self, path: &Path, node: Node) -> io::Result<Inode> {
        let (inode, order) = (self.next_inode, self.next_order());
        self.parent(path)?.link(name_of(path), inode, order);
        self.next_inode += 1;
        self.nodes.insert(inode, node);
        Ok(inode)
    }

    fn truncate(&mut self, inode: Inode, len: usize) {
        let (order, now_ms) = (self.next_order(), self.now_ms);
        let file = self.file(inode);
        file.truncate(len, order);
        file.modified_ms = now_ms;
    }

    /// A file takes its blocks and one more.
    fn used_bytes(&self) -> u64 {
        let bytes = |node: &Node| match node {
            Node::File(file) => (file.current.len().div_ceil(BLOCK_BYTES) + 1) * BLOCK_BYTES,
            Node::Dir(_) => 0,
        };
        let linked = self.nodes.values().filter_map(|node| match node {
            Node::Dir(entries) => Some(entries.current.values()),
            Node::File(_) => None,
        });
        linked.flatten().map(|inode| bytes(&self.nodes[inode]) as u64).sum()
    }

    /// The number of `len` bytes at `position` of a file for which there is space.
    fn room(&mut self, inode: Inode, position: usize, len: usize) -> usize {
        if self.capacity_bytes >= CAPACITY_BYTES {
            return len;
        }
        let has = self.file(inode).current.len().next_multiple_of(BLOCK_BYTES);
        let free = self.capacity_bytes.saturating_sub(self.used_bytes());
        let end = has.saturating_add(usize::try_from(free).unwrap_or(usize::MAX)) / BLOCK_BYTES * BLOCK_BYTES;
        len.min(end.saturating_sub(position))
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a file has a name, in UTF-8")
}

fn no_power() -> io::Error {
    io::Error::other("the power is gone")
}

#[cfg(test)]
mod tests;
