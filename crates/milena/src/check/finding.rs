//! What a check finds.

use std::path::{Path, PathBuf};

/// Whether something is lost or cannot be used, or only worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is not what was written.
    Damage,
    /// The next start mends it, or it is in nobody's way.
    Note,
}

/// One thing that is not as it should be.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) weight: Weight,
    pub(super) path: PathBuf,
    /// In bytes from the start of the file, where it is at one place.
    pub(super) position: Option<u64>,
    /// What is wrong: a sentence without its full stop.
    pub(super) what: String,
    /// How to mend it: whole sentences.
    pub(super) mend: &'static str,
}

impl Finding {
    pub(super) fn damage(path: &Path, what: impl Into<String>, mend: &'static str) -> Finding {
        let (path, what) = (path.to_owned(), what.into());
        Finding { weight: Weight::Damage, path, position: None, what, mend }
    }

    pub(super) fn note(path: &Path, what: impl Into<String>, mend: &'static str) -> Finding {
        Finding { weight: Weight::Note, ..Finding::damage(path, what, mend) }
    }

    pub(super) fn at(self, position: u64) -> Finding {
        Finding { position: Some(position), ..self }
    }

    /// A file that the system does not give.
    pub(super) fn unreadable(path: &Path, error: &storage::fs::Error) -> Finding {
        Finding::damage(path, error.to_string(), "See to its permissions, or to the disk.")
    }
}
