//! File operations that fail on demand and are counted, for tests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

use super::Operation;

/// An operation that fails.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The kind of operation.
    pub operation: Operation,
    /// The end of the path that it is done to; empty for any.
    pub path_end: &'static str,
    /// The number of such operations that succeed first.
    pub after: u32,
    /// The number that then fail.
    pub times: u32,
    /// The error of those.
    pub error: io::ErrorKind,
}

/// A log of operations, and the planned failures. Shared by the file system and the test that watches it.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    done: Vec<(Operation, PathBuf)>,
    transfer_max: Option<usize>,
    exhaustion: Option<Exhaustion>,
    /// The operations that wait, by their kind and the end of their path.
    held: Option<(Operation, &'static str)>,
    waiting: usize,
}

/// A time in which there is no descriptor left.
#[derive(Debug)]
struct Exhaustion {
    /// The end of the paths that are not opened; empty for any.
    path_end: &'static str,
    /// The number of openings that succeed first.
    after: u32,
    /// The number that then fail.
    times: u32,
}

impl Faults {
    /// From now on operations of this kind on such a path wait.
    pub fn hold(&self, operation: Operation, path_end: &'static str) {
        self.state.lock().expect("no test panics with it").held = Some((operation, path_end));
    }

    /// Waits until a held operation waits.
    pub fn await_held(&self) {
        let state = self.state.lock().expect("no test panics with it");
        let nobody = |state: &mut State| state.waiting == 0;
        drop(self.changed.wait_while(state, nobody).expect("no test panics with it"));
    }

    /// Lets held operations continue.
    pub fn release(&self) {
        self.state.lock().expect("no test panics with it").held = None;
        self.changed.notify_all();
    }

    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        self.state.lock().expect("no test panics with it").faults.push(fault);
    }

    /// Has `times` openings fail for want of a descriptor, of files and directories whose path has that end, once `after`
    /// have succeeded.
    pub fn exhaust_descriptors(&self, path_end: &'static str, after: u32, times: u32) {
        let exhaustion = Exhaustion { path_end, after, times };
        self.state.lock().expect("no test panics with it").exhaustion = Some(exhaustion);
    }

    /// The number of openings that are still to fail for want of a descriptor.
    pub fn exhaustion_left(&self) -> u32 {
        let state = self.state.lock().expect("no test panics with it");
        state.exhaustion.as_ref().map_or(0, |exhaustion| exhaustion.times)
    }

    /// Removes all faults.
    pub fn clear(&self) {
        let mut state = self.state.lock().expect("no test panics with it");
        state.faults.clear();
        state.exhaustion = None;
    }

    /// From now on one read or write transfers no more than `bytes`.
    pub fn set_transfer_max(&self, bytes: usize) {
        self.state.lock().expect("no test panics with it").transfer_max = Some(bytes);
    }

    /// The operations since the last call, in order; failed ones included.
    pub fn take_done(&self) -> Vec<(Operation, PathBuf)> {
        std::mem::take(&mut self.state.lock().expect("no test panics with it").done)
    }

    pub(super) fn before(&self, operation: Operation, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().expect("no test panics with it");
        state.done.push((operation, path.to_owned()));
        let path = path.to_string_lossy();
        let is_held = |state: &State| {
            state.held.is_some_and(|(held, path_end)| held == operation && path.ends_with(path_end))
        };
        if is_held(&state) {
            state.waiting += 1;
            self.changed.notify_all();
            let held = self.changed.wait_while(state, |state| is_held(state));
            state = held.expect("no test panics with it");
            state.waiting -= 1;
        }
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

    pub(super) fn before_opening(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock().expect("no test panics with it");
        let Some(exhaustion) = &mut state.exhaustion else { return Ok(()) };
        if exhaustion.times == 0 || !path.to_string_lossy().ends_with(exhaustion.path_end) {
            return Ok(());
        }
        if exhaustion.after > 0 {
            exhaustion.after -= 1;
            return Ok(());
        }
        exhaustion.times -= 1;
        Err(rustix::io::Errno::MFILE.into())
    }

    pub(super) fn transfer_max(&self, len: usize) -> usize {
        let max = self.state.lock().expect("no test panics with it").transfer_max;
        max.map_or(len, |max| max.min(len).max(1))
    }
}
