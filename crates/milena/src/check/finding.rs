//! The findings of a check.

use std::path::{Path, PathBuf};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// The bytes are not those that were written.
    Damage,
    /// The next start repairs it, or it does no harm.
    Note,
}

/// One thing that is not as it should be.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) weight: Weight,
    pub(super) path: PathBuf,
    /// The position in the file, in bytes, if the finding has one place.
    pub(super) position: Option<u64>,
    /// The fault: a sentence without its full stop.
    pub(super) what: String,
    /// The remedy: whole sentences.
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

    /// A file that the system cannot read.
    pub(super) fn unreadable(path: &Path, error: &storage::fs::Error) -> Finding {
        Finding::damage(path, error.to_string(), "Check its permissions and the disk.")
    }
}
