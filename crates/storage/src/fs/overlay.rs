//! A file system whose changes stay in memory, over one that is only read.
//!
//! A start is tried here first: the code that opens a directory decides, and its writes are discarded if it fails. A
//! changed file is in memory as a whole, so this is for directories with small files, such as the metadata log's.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::{DirEntry, File, Fs, Mode};

#[derive(Debug)]
pub(super) struct Overlay {
    base: Fs,
    /// The changed files and directories, by path.
    nodes: Mutex<BTreeMap<PathBuf, Node>>,
}

#[derive(Clone, Debug)]
enum Node {
    File(Arc<Content>),
    /// A directory that was created here.
    Dir,
    /// It was removed or renamed, with everything below it.
    Gone,
}

/// A file: that of the base until it is changed.
#[derive(Debug)]
struct Content {
    base: Option<File>,
    changed: Mutex<Option<ChangedContent>>,
}

#[derive(Debug)]
struct ChangedContent {
    bytes: Vec<u8>,
    at: SystemTime,
}

/// An open file. All that have the same file open share its content.
#[derive(Debug)]
pub(super) struct Handle(Arc<Content>);

impl Overlay {
    pub(super) fn new(base: Fs) -> Self {
        Self { base, nodes: Mutex::default() }
    }

    pub(super) fn base(&self) -> &Fs {
        &self.base
    }

    pub(super) fn open(&self, path: &Path, mode: Mode) -> io::Result<Handle> {
        let content = match self.content(path)? {
            Some(content) => content,
            None if matches!(mode, Mode::Create | Mode::CreateEmpty) => {
                let in_dir = path.parent().map_or(Ok(true), |parent| self.exists(parent))?;
                if !in_dir {
                    return Err(ErrorKind::NotFound.into());
                }
                let content = Arc::new(Content { base: None, changed: Mutex::default() });
                self.nodes.lock().insert(path.to_owned(), Node::File(content.clone()));
                content
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        let handle = Handle(content);
        if mode == Mode::CreateEmpty {
            handle.set_len(0)?;
        }
        Ok(handle)
    }

    /// The file at a path; `None` if there is none.
    fn content(&self, path: &Path) -> io::Result<Option<Arc<Content>>> {
        match self.node(path) {
            Some(Node::File(content)) => return Ok(Some(content)),
            Some(Node::Dir) => return Err(ErrorKind::IsADirectory.into()),
            Some(Node::Gone) => return Ok(None),
            None => {}
        }
        let base = match self.base.open(path, Mode::Read) {
            Ok(base) => base,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.source),
        };
        let content = Arc::new(Content { base: Some(base), changed: Mutex::default() });
        // The next one to open the file must see what this one writes.
        self.nodes.lock().insert(path.to_owned(), Node::File(content.clone()));
        Ok(Some(content))
    }

    /// The state of a path here; `None` if the base has it.
    fn node(&self, path: &Path) -> Option<Node> {
        let nodes = self.nodes.lock();
        if let Some(node) = nodes.get(path) {
            return Some(node.clone());
        }
        let above = path.ancestors().skip(1).filter_map(|above| nodes.get(above));
        // A directory that was created here holds only what was created here.
        above.into_iter().next().map(|_| Node::Gone)
    }

    /// Renames a file. Directories cannot be renamed: nothing that is tried here needs it.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.list(from).is_ok() {
            return Err(ErrorKind::Unsupported.into());
        }
        let Some(content) = self.content(from)? else { return Err(ErrorKind::NotFound.into()) };
        let mut nodes = self.nodes.lock();
        nodes.insert(to.to_owned(), Node::File(content));
        nodes.insert(from.to_owned(), Node::Gone);
        Ok(())
    }

    pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
        if self.content(path)?.is_none() {
            return Err(ErrorKind::NotFound.into());
        }
        self.nodes.lock().insert(path.to_owned(), Node::Gone);
        Ok(())
    }

    pub(super) fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        if !self.exists(path)? {
            return Err(ErrorKind::NotFound.into());
        }
        let mut nodes = self.nodes.lock();
        nodes.retain(|below, _| !below.starts_with(path));
        nodes.insert(path.to_owned(), Node::Gone);
        Ok(())
    }

    pub(super) fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<&Path> =
            path.ancestors().take_while(|dir| !matches!(self.exists(dir), Ok(true))).collect();
        let mut nodes = self.nodes.lock();
        nodes.extend(missing.into_iter().map(|dir| (dir.to_owned(), Node::Dir)));
        Ok(())
    }

    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        if self.exists(path)? {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if !path.parent().map_or(Ok(false), |parent| self.exists(parent))? {
            return Err(ErrorKind::NotFound.into());
        }
        self.nodes.lock().insert(path.to_owned(), Node::Dir);
        Ok(())
    }

    pub(super) fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.node(path) {
            Some(Node::Gone) => Ok(false),
            Some(_) => Ok(true),
            None => self.base.exists(path).map_err(|error| error.source),
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let below = match self.node(path) {
            None => self.base.list(path).map_err(|error| error.source)?,
            Some(Node::Dir) => Vec::new(),
            Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
            Some(Node::Gone) => return Err(ErrorKind::NotFound.into()),
        };
        let mut entries: BTreeMap<String, DirEntry> =
            below.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        for (child, node) in self.nodes.lock().iter().filter(|(child, _)| child.parent() == Some(path)) {
            let Some(name) = child.file_name().and_then(|name| name.to_str()) else { continue };
            let (is_dir, len) = match node {
                Node::File(content) => (false, Handle(content.clone()).len()?),
                Node::Dir => (true, 0),
                Node::Gone => {
                    entries.remove(name);
                    continue;
                }
            };
            entries.insert(name.to_owned(), DirEntry { name: name.to_owned(), is_dir, len });
        }
        Ok(entries.into_values().collect())
    }
}

impl Handle {
    pub(super) fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let changed = self.0.changed.lock();
        match (&*changed, &self.0.base) {
            (Some(changed), _) => {
                let from = usize::try_from(position).unwrap_or(usize::MAX).min(changed.bytes.len());
                let len = bytes.len().min(changed.bytes.len() - from);
                bytes[..len].copy_from_slice(&changed.bytes[from..from + len]);
                Ok(len)
            }
            (None, Some(base)) => base.read_at(bytes, position).map_err(|error| error.source),
            (None, None) => Ok(0),
        }
    }

    pub(super) fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter()).copied().collect();
        let from = usize::try_from(position).map_err(io::Error::other)?;
        self.change(|content| {
            content.resize(content.len().max(from + bytes.len()), 0);
            content[from..from + bytes.len()].copy_from_slice(&bytes);
        })?;
        Ok(bytes.len())
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.change(|content| content.resize(len, 0))
    }

    /// Changes the bytes, which are those of the base so far.
    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut changed = self.0.changed.lock();
        let mut bytes = match (changed.take(), &self.0.base) {
            (Some(changed), _) => changed.bytes,
            (None, None) => Vec::new(),
            (None, Some(base)) => {
                let len = base.len().map_err(|error| error.source)?;
                let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
                base.read_exact_at(&mut bytes, 0).map_err(|error| error.source)?;
                bytes
            }
        };
        change(&mut bytes);
        *changed = Some(ChangedContent { bytes, at: now() });
        Ok(())
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        match (&*self.0.changed.lock(), &self.0.base) {
            (Some(changed), _) => Ok(changed.bytes.len() as u64),
            (None, Some(base)) => base.len().map_err(|error| error.source),
            (None, None) => Ok(0),
        }
    }

    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        match (&*self.0.changed.lock(), &self.0.base) {
            (Some(changed), _) => Ok(changed.at),
            (None, Some(base)) => {
                let ms = base.modified_ms().map_err(|error| error.source)?;
                Ok(SystemTime::UNIX_EPOCH + Duration::from_millis(ms.max(0).unsigned_abs()))
            }
            (None, None) => Ok(now()),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a file's time is the system's, as a real one's")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests;
