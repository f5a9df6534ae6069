//! Administration of a cluster.
//!
//! Each operation is one method, retried while leaders and coordinators move; see [`ClusterError`] for its
//! failures.

use std::time::Duration;

use crate::cluster::{Cluster, ClusterError};

pub use configs::{Config, ConfigChange, ConfigSource};
pub use group_offsets::CommittedOffset;
pub(crate) use group_offsets::{Committer, commit};
pub use groups::{GroupDescription, GroupListing, GroupMember};
pub use log_dirs::{LogDamage, LogDescription, LogDirDescription, PartitionLogStatus};
pub(crate) use offsets::list_offsets;
pub use offsets::{ListedOffset, OffsetSpec};
pub use topics::{CreatedTopic, NewTopic};

mod configs;
mod group_offsets;
mod groups;
mod log_dirs;
mod offsets;
mod topics;

/// The administrator's side of a cluster.
#[derive(Debug, Clone)]
pub struct Admin {
    cluster: Cluster,
}

impl Admin {
    /// Administers `cluster`.
    pub fn new(cluster: Cluster) -> Self {
        Admin { cluster }
    }

    /// The cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The time that a broker may take to carry out a change before it answers, also in the milliseconds of
    /// requests.
    fn patience(&self) -> (Duration, i32) {
        let wait = self.cluster.options().change_timeout;
        (wait, i32::try_from(wait.as_millis()).unwrap_or(i32::MAX))
    }
}

/// The only result in an answer about one thing.
fn only<T>(results: Vec<T>) -> Result<T, ClusterError> {
    let refusal = || ClusterError::Refused {
        code: protocol::ErrorCode::UNKNOWN_SERVER_ERROR,
        message: Some("the broker's answer leaves out what was requested".to_owned()),
    };
    results.into_iter().next().ok_or_else(refusal)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Admin, NewTopic};

    /// Operations can run in tasks of their own: this need not run, only compile.
    #[allow(dead_code, reason = "it shows what compiles")]
    fn operations_may_move_between_threads(admin: &Admin) -> impl Sized + Send {
        let topic: &'static NewTopic = Box::leak(Box::default());
        let offsets: &'static BTreeMap<_, _> = Box::leak(Box::default());
        (
            admin.create_topic(topic, false),
            admin.delete_topic("t"),
            admin.alter_topic_configs("t", &[]),
            admin.list_groups(),
            admin.describe_group("g"),
            admin.commit("g", offsets),
            admin.describe_log_dirs(),
            admin.topic_offsets("t", super::OffsetSpec::Latest),
        )
    }
}
