//! Files that a user names on the command line. The broker's own are reached through `storage::fs`.
#![allow(clippy::disallowed_methods, reason = "what a user names is none of the broker's data")]

use std::fs::File;
use std::path::Path;

use crate::connect::system_words;
use crate::failure::Failure;

/// Opens a file to read it.
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
