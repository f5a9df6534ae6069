//! The operator's settings for all groups.

/// The settings of the group coordinator, under Kafka's names and with Kafka's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `group.min.session.timeout.ms`: the shortest session timeout a member may ask for.
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`: the longest session timeout a member may ask for.
    pub group_max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`: the time that the first rebalance of an empty group waits for more
    /// members.
    pub group_initial_rebalance_delay_ms: i32,
    /// `group.max.size`: the most members a group may have.
    pub group_max_size: usize,
    /// `offset.metadata.max.bytes`: the longest metadata of a committed offset, counted in UTF-16 code units
    /// as in Kafka.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`: the time that offsets outlive their group, or their last commit if there
    /// is no group.
    pub offsets_retention_minutes: i32,
    /// `offsets.retention.check.interval.ms`: the time between two searches for expired offsets.
    pub offsets_retention_check_interval_ms: i64,
    /// The bytes of keys and values that deletions put into one batch; more are split into several. Keep it
    /// below `max.message.bytes` of `__consumer_offsets`.
    pub deletion_batch_max_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            group_min_session_timeout_ms: 6_000,
            group_max_session_timeout_ms: 30 * 60 * 1_000,
            group_initial_rebalance_delay_ms: 3_000,
            group_max_size: i32::MAX as usize,
            offset_metadata_max_bytes: 4_096,
            offsets_retention_minutes: 7 * 24 * 60,
            offsets_retention_check_interval_ms: 10 * 60 * 1_000,
            deletion_batch_max_bytes: 256 * 1_024,
        }
    }
}

impl Settings {
    pub(crate) fn offsets_retention_ms(&self) -> i64 {
        i64::from(self.offsets_retention_minutes) * 60_000
    }
}
