//! The kinds of shards that this broker hosts.

use coordinator::{GroupCoordinator, Shard};

use super::Coordinators;

/// The coordinators of consumer groups.
pub(crate) type Groups = Coordinators<GroupCoordinator>;

/// The topic that holds the groups.
pub(crate) const OFFSETS_TOPIC: &str = GroupCoordinator::TOPIC;
