//! A spare descriptor for syncing directories.
//!
//! A directory must be opened to be synced, and a name that was added or removed can often not be restored: a process
//! without a free descriptor must still be able to make the change durable.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A file that is open for nothing but its descriptor.
static SPARE: Mutex<Option<File>> = Mutex::new(None);

/// The number of times that another thread may take the released descriptor before that is a failure.
const TRIES: u32 = 100;

/// Opens the spare descriptor, unless it is open.
pub(super) fn keep() {
    refill(&mut SPARE.lock().unwrap_or_else(PoisonError::into_inner));
}

fn refill(spare: &mut Option<File>) {
    if spare.is_none() {
        *spare = File::open("/dev/null").ok();
    }
}

/// Opens the directory and runs `sync` on it, with the spare descriptor if no other is free.
pub(super) fn with_dir(path: &Path, sync: impl Fn(&File) -> io::Result<()>) -> Result<(), Failure> {
    match File::open(path) {
        Ok(dir) => return sync(&dir).map_err(Failure::Sync),
        Err(error) if !super::is_out_of_descriptors(&error) => return Err(Failure::Open(error)),
        Err(_) => {}
    }
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut opened = Err(io::ErrorKind::Other.into());
    for _ in 0..TRIES {
        *spare = None;
        opened = File::open(path);
        if !matches!(&opened, Err(error) if super::is_out_of_descriptors(error)) {
            break;
        }
        std::thread::yield_now();
    }
    let synced = opened.map_err(Failure::Open).and_then(|dir| sync(&dir).map_err(Failure::Sync));
    refill(&mut spare);
    synced
}

/// The step that failed.
pub(super) enum Failure {
    Open(io::Error),
    Sync(io::Error),
}
