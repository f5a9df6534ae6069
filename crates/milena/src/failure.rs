//! Why a command failed, as a sentence, and what its user can do about it.

use std::fmt;

/// The end of a command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is wrong: a sentence without its full stop, beginning in lower case.
    what: String,
    /// How to mend it: whole sentences.
    mend: Option<String>,
    exit: Exit,
}

/// How the process ends, as shells and scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 1: it was tried and did not work.
    Failed,
    /// 2: what was asked makes no sense; nothing was tried.
    Usage,
    /// 0 and not a word: whoever reads the output has read enough (`milena consume t | head`).
    OutputClosed,
    /// 130: the user interrupted it before it was done.
    Interrupted,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Failure { what: what.into(), mend: None, exit: Exit::Failed }
    }

    /// What was asked makes no sense, whatever the cluster would say.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Failure { exit: Exit::Usage, ..Failure::new(what) }
    }

    pub(crate) fn output_closed() -> Self {
        Failure { exit: Exit::OutputClosed, ..Failure::new("standard output is closed") }
    }

    pub(crate) fn interrupted(what: impl Into<String>) -> Self {
        Failure { exit: Exit::Interrupted, ..Failure::new(what) }
    }

    /// Adds how to mend it.
    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(crate) fn how_to_mend(&self) -> Option<&str> {
        self.mend.as_deref()
    }
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::OutputClosed => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Interrupted => 130,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match &self.mend {
            Some(mend) => write!(f, "\n  {mend}"),
            None => Ok(()),
        }
    }
}
