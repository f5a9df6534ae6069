//! The failure of a command, as a sentence, and what its user can do about it.

use std::fmt;

/// The failure of a command.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The fault: a sentence without its full stop, beginning in lower case.
    what: String,
    /// The remedy: whole sentences.
    mend: Option<String>,
    exit: Exit,
}

/// The exit status, as shells and scripts see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 1: the command was tried and failed.
    Failed,
    /// 2: the arguments are invalid; nothing was tried.
    Usage,
    /// 0 without a message: the reader of the output has closed it (`milena consume t | head`).
    OutputClosed,
    /// 130: the user interrupted the command.
    Interrupted,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Failure { what: what.into(), mend: None, exit: Exit::Failed }
    }

    /// Invalid arguments, whatever the cluster would answer.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Failure { exit: Exit::Usage, ..Failure::new(what) }
    }

    pub(crate) fn output_closed() -> Self {
        Failure { exit: Exit::OutputClosed, ..Failure::new("standard output is closed") }
    }

    pub(crate) fn interrupted(what: impl Into<String>) -> Self {
        Failure { exit: Exit::Interrupted, ..Failure::new(what) }
    }

    /// Adds how to fix it.
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
