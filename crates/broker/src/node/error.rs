//! Why a broker does not start, and what to do about it.

use std::fmt;
use std::io;

use settings::{InvalidSetting, Listener};

use crate::directories::DirectoryError;

/// Why a broker does not start.
#[derive(Debug)]
pub enum StartError {
    /// Settings that cannot be.
    Settings(Vec<InvalidSetting>),
    /// The log directories cannot be used.
    Directories(DirectoryError),
    /// An address cannot be listened on.
    Listen(Listener, io::Error),
    /// The directory holds what this version cannot go on from: one sentence each.
    Foreign(Vec<String>),
    /// The metadata quorum does not start.
    Quorum(metadata::StartError),
    /// The broker could not register itself.
    Register(metadata::SubmitError),
    /// The system gives no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(errors) => {
                let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&sentences.join("\n"))
            }
            Self::Directories(error) => error.fmt(f),
            Self::Listen(listener, error) if error.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "cannot listen on {listener}: another program does. Stop it, or set listeners to another \
                 port"
            ),
            Self::Listen(listener, error)
                if error.kind() == io::ErrorKind::PermissionDenied && listener.port < 1024 =>
            {
                write!(
                    f,
                    "cannot listen on {listener}: only root may use ports below 1024. Set listeners to \
                     another port"
                )
            }
            Self::Listen(listener, error) => write!(f, "cannot listen on {listener}: {error}"),
            Self::Foreign(refusals) => {
                write!(f, "the log directory cannot be opened; nothing was changed: {}", refusals.join("; "))
            }
            Self::Quorum(error) => error.fmt(f),
            Self::Register(error) => write!(f, "the broker could not register: {error}"),
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<DirectoryError> for StartError {
    fn from(error: DirectoryError) -> Self {
        Self::Directories(error)
    }
}
