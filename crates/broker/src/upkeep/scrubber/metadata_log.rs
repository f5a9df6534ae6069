//! The metadata log and its snapshots. They are no partition of this broker, so that their files are read
//! directly.

use std::path::Path;

use metadata::quorum::METADATA_TOPIC;
use parking_lot::Mutex;
use storage::fs::Fs;
use storage::inspect::base_offset_of;
use storage::{Fault, ScrubError, scrub_file};
use tracing::debug;

use crate::replicas::ScrubNews;

/// The damaged places that the last complete read found.
#[derive(Default)]
pub(super) struct MetadataDamage(Mutex<Vec<Fault>>);

impl MetadataDamage {
    pub(super) fn places(&self) -> usize {
        self.0.lock().len()
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        self.0.lock().clone()
    }

    /// Reads the metadata in a log directory. `spend` is called for each read and may wait.
    pub(super) fn scrub(
        &self,
        fs: &Fs,
        log_dir: &Path,
        mut spend: impl FnMut(u64) -> Result<(), ScrubError>,
    ) -> Result<ScrubNews, ScrubError> {
        let dir = log_dir.join(format!("{METADATA_TOPIC}-0"));
        let entries = match fs.list(&dir) {
            Ok(entries) => entries,
            Err(error) => {
                debug!("the metadata was not scrubbed: {error}");
                return Ok(ScrubNews::default());
            }
        };
        let segment = |name: &str| base_offset_of(name, ".log");
        let active = entries.iter().filter_map(|entry| segment(&entry.name)).max();
        let mut faults = Vec::new();
        for entry in &entries {
            let base_offset = segment(&entry.name);
            if base_offset.is_none() && !entry.name.ends_with(".checkpoint") {
                continue;
            }
            let is_growing = base_offset.is_some() && base_offset == active;
            match scrub_file(fs, &dir.join(&entry.name), is_growing, &mut spend) {
                Ok(scrubbed) => faults.extend(scrubbed.faults),
                Err(ScrubError::Stopped) => return Err(ScrubError::Stopped),
                Err(lack @ ScrubError::Lack(_)) => debug!("{} was not scrubbed: {lack}", entry.name),
            }
        }
        // A new snapshot makes older files superfluous: they may have been deleted meanwhile.
        faults.retain(|fault| fs.exists(&fault.path).unwrap_or(true));
        let mut known = self.0.lock();
        let news = ScrubNews::between(&known, &faults);
        *known = faults;
        Ok(news)
    }
}
