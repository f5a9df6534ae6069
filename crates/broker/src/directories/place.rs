//! Where the log of a partition is, or is to be.

use std::sync::Arc;

use metadata::image::directories::is_directory;
use protocol::Uuid;
use storage::TopicPartition;
use tracing::warn;

use super::LogDirs;
use super::log_dir::LogDir;

impl LogDirs {
    /// The directory for the log of a partition: where it is, else where a client or the controller wants it.
    ///
    /// # Errors
    /// A sentence, where it may be in a directory that does not work.
    pub(super) fn place<'a>(
        &'a self,
        partition: &TopicPartition,
        topic_id: [u8; 16],
        wanted: Uuid,
        preferred: Option<&'a Arc<LogDir>>,
    ) -> Result<&'a Arc<LogDir>, String> {
        if let Some(why) = self.why_lost(Uuid(topic_id), partition.partition) {
            return Err(why);
        }
        if let Some(found) = self.find(partition) {
            return Ok(found);
        }
        if is_directory(wanted) {
            let chosen = self.partition_dirs().find(|dir| dir.id() == wanted).filter(|dir| dir.is_online());
            let chosen = chosen.ok_or_else(|| {
                format!("the log directory with id {wanted}, which holds it, is not among those that work")
            })?;
            self.take_abandoned(partition, topic_id, chosen)?;
            let is_new = !chosen.holds(partition);
            return Ok(preferred.filter(|dir| is_new && dir.is_online()).unwrap_or(chosen));
        }
        if let Some(dir) = self.partition_dirs().find(|dir| !dir.is_online()) {
            return Err(format!("it may be in {}, which does not work", dir.path().display()));
        }
        if let Some(preferred) = preferred {
            return Ok(preferred);
        }
        let held = |dir: &Arc<LogDir>| dir.working().map_or(usize::MAX, |dir| dir.partition_count());
        self.partition_dirs()
            .min_by_key(|dir| held(dir))
            .ok_or_else(|| "there is no log directory".to_owned())
    }

    /// Makes the copy of a log that was being moved here that log, where it is gone: the controller knew already that
    /// it would be here, so that the copy had all but what was appended last.
    ///
    /// # Errors
    /// A sentence, where the log may still be in a directory that does not work.
    fn take_abandoned(
        &self,
        partition: &TopicPartition,
        topic_id: [u8; 16],
        dir: &Arc<LogDir>,
    ) -> Result<(), String> {
        let Some(directory) = dir.working() else { return Ok(()) };
        let Some(future) = directory.future_of(partition, topic_id) else { return Ok(()) };
        if let Some(other) = self.partition_dirs().find(|dir| !dir.is_online()) {
            return Err(format!(
                "its log was being moved here and may be in {}, which does not work; {} may lack what was appended last",
                other.path().display(),
                future.path.display()
            ));
        }
        let path = future.path.display();
        warn!(%partition, "the log is gone; its copy {path} takes its place, and may lack what was appended last");
        directory.promote_future(&future).map_err(|problem| directory.fail(problem).to_string())
    }
}
