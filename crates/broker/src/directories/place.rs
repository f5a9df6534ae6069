//! The choice of the directory for a partition's log.

use std::sync::Arc;

use metadata::image::directories::is_directory;
use protocol::Uuid;
use storage::TopicPartition;
use tracing::warn;

use super::LogDirs;
use super::log_dir::LogDir;

impl LogDirs {
    /// The directory for a partition's log: its present one, or else the one that a client or the controller
    /// chose.
    ///
    /// # Errors
    /// A sentence for people, if the log may be in a directory that does not work.
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
            let chosen = chosen
                .ok_or_else(|| format!("the log directory with id {wanted}, which has it, does not work"))?;
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

    /// Promotes the copy of a log that was being moved here, if the log itself is missing. The controller
    /// already assigned the log to this directory, so the copy had all but the last records.
    ///
    /// # Errors
    /// A sentence for people, if the log may still be in a directory that does not work.
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
                "its log was being moved and may be in {}, which does not work; {} may lack the last \
                 records",
                other.path().display(),
                future.path.display()
            ));
        }
        let path = future.path.display();
        warn!(%partition, "the log is missing; its copy {path} replaces it, and may lack the last records");
        directory.promote_future(&future).map_err(|problem| directory.fail(problem).to_string())
    }
}
