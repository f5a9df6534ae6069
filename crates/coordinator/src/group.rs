//! A group of any type, with its offsets.

use protocol::Str;

use crate::classic::ClassicGroup;
use crate::offsets::Offsets;
use crate::unserved::UnservedGroup;
use crate::{SteadyMs, WallMs};

/// The type of a group, with what is known of its members.
#[derive(Debug)]
pub(crate) enum GroupType {
    Classic(ClassicGroup),
    Unserved(UnservedGroup),
}

impl GroupType {
    /// The name that tools display and filter by.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            GroupType::Classic(_) => "classic",
            GroupType::Unserved(group) => group.protocol.name(),
        }
    }
}

/// A group and its committed offsets. Offsets alone are a group too: an empty classic group without a
/// protocol type, which is enough for consumers that assign their partitions themselves.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) of_type: GroupType,
    pub(crate) offsets: Offsets,
}

impl Group {
    pub(crate) fn new_classic(group_id: Str, now: WallMs) -> Group {
        Group {
            of_type: GroupType::Classic(ClassicGroup::new(group_id, Some(now))),
            offsets: Offsets::default(),
        }
    }

    /// A group with nothing but offsets. The time of its creation does not matter.
    pub(crate) fn with_offsets_only(group_id: Str) -> Group {
        Group { of_type: GroupType::Classic(ClassicGroup::new(group_id, None)), offsets: Offsets::default() }
    }

    /// Whether the group consumes `topic`, as far as the coordinator can tell.
    pub(crate) fn is_subscribed_to(&self, topic: &str, now: SteadyMs) -> bool {
        match &self.of_type {
            GroupType::Classic(group) => group.is_subscribed_to(topic),
            GroupType::Unserved(group) => group.is_subscribed_to(topic, now),
        }
    }

    /// Whether nothing would be lost with the group.
    pub(crate) fn is_vacant(&self) -> bool {
        matches!(&self.of_type, GroupType::Classic(group) if group.is_vacant()) && self.offsets.is_empty()
    }
}
