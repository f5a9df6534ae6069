//! An open file: real, simulated, or one whose changes stay in memory.

use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use super::overlay;
#[cfg(any(test, feature = "faults"))]
use super::simulated;

#[derive(Debug)]
pub(super) enum Handle {
    Real(std::fs::File),
    Overlaid(overlay::Handle),
    #[cfg(any(test, feature = "faults"))]
    Simulated(simulated::Handle),
}

impl Handle {
    /// The file, if it is the operating system's.
    pub(super) fn real(&self) -> Option<&std::fs::File> {
        match self {
            Handle::Real(file) => Some(file),
            Handle::Overlaid(_) => None,
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(_) => None,
        }
    }

    pub(super) fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        match self {
            Handle::Real(file) => file.read_at(bytes, position),
            Handle::Overlaid(handle) => handle.read_at(bytes, position),
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(handle) => handle.read_at(bytes, position),
        }
    }

    /// Writes the slices, or `max` bytes of the first.
    pub(super) fn write_at(&self, slices: &[IoSlice<'_>], max: usize, position: u64) -> io::Result<usize> {
        match self {
            Handle::Real(file) if max == usize::MAX => Ok(rustix::io::pwritev(file, slices, position)?),
            Handle::Real(file) => file.write_at(&slices[0][..max.min(slices[0].len())], position),
            Handle::Overlaid(handle) => handle.write_at(slices, position),
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(handle) => {
                let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter()).copied().collect();
                handle.write_at(&bytes, position)
            }
        }
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        match self {
            Handle::Real(file) => file.sync_data(),
            Handle::Overlaid(_) => Ok(()),
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(handle) => handle.sync_data(),
        }
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        match self {
            Handle::Real(file) => file.set_len(len),
            Handle::Overlaid(handle) => handle.set_len(len),
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(handle) => handle.set_len(len),
        }
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        match self {
            Handle::Real(file) => Ok(file.metadata()?.len()),
            Handle::Overlaid(handle) => handle.len(),
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(handle) => Ok(handle.stat()?.0),
        }
    }

    pub(super) fn modified(&self) -> io::Result<SystemTime> {
        match self {
            Handle::Real(file) => file.metadata()?.modified(),
            Handle::Overlaid(handle) => handle.modified(),
            #[cfg(any(test, feature = "faults"))]
            Handle::Simulated(handle) => {
                let since = std::time::Duration::from_millis(handle.stat()?.1.max(0) as u64);
                Ok(SystemTime::UNIX_EPOCH + since)
            }
        }
    }
}
