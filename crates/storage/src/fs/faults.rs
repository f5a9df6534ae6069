//! Single file operations made to fail, and all of them counted, for tests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::Operation;

/// An operation that fails.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The kind of operation.
    pub operation: Operation,
    /// The end of the path that it is done to; empty for any.
    pub path_end: &'static str,
    /// How many such operations pass first.
    pub after: u32,
    /// How many then fail.
    pub times: u32,
    /// How they fail.
    pub error: io::ErrorKind,
}

/// What was done, and what fails. Shared by the file system and the test that watches it.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    done: Vec<(Operation, PathBuf)>,
    transfer_max: Option<usize>,
}

impl Faults {
    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        self.state.lock().expect("no test panics with it").faults.push(fault);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.state.lock().expect("no test panics with it").faults.clear();
    }

    /// From now on one read or write transfers no more than `bytes`.
    pub fn set_transfer_max(&self, bytes: usize) {
        self.state.lock().expect("no test panics with it").transfer_max = Some(bytes);
    }

    /// What was done since the last call, in order; failed operations included.
    pub fn take_done(&self) -> Vec<(Operation, PathBuf)> {
        std::mem::take(&mut self.state.lock().expect("no test panics with it").done)
    }

    pub(super) fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().expect("no test panics with it");
        state.done.push((operation, path.to_owned()));
        let path = path.to_string_lossy();
        for fault in &mut state.faults {
            if fault.operation != operation || !path.ends_with(fault.path_end) || fault.times == 0 {
                continue;
            }
            if fault.after > 0 {
                fault.after -= 1;
                continue;
            }
            fault.times -= 1;
            return Err(fault.error.into());
        }
        Ok(())
    }

    pub(super) fn transfer_max(&self, len: usize) -> usize {
        let max = self.state.lock().expect("no test panics with it").transfer_max;
        max.map_or(len, |max| max.min(len).max(1))
    }
}
