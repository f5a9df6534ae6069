//! Files that a user names on the command line. `storage::fs` is for the broker's own.
#![allow(clippy::disallowed_methods, reason = "files that a user names are not the broker's data")]

use std::fs::File;
use std::path::Path;

use crate::connect::system_words;
use crate::failure::Failure;

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| cannot_read(path, &error))
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| cannot_read(path, &error))
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {}", path.display(), system_words(error)))
}
