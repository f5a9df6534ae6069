//! Groups that one request names several times. Each is answered again, as in Kafka, but only while the
//! answers are small: otherwise a name of three bytes could fetch an answer of megabytes each time it is
//! sent.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Str;
use protocol::messages::describe_groups_response::DescribedGroup;
use protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;

/// The size from which a response no longer repeats itself.
const TOLD_BYTES_MAX: usize = 1 << 20;
/// The most partitions of one group that are answered as often as they are named.
const PARTITIONS_MAX: usize = 100;
/// The approximate size of a member or a partition beside its texts.
const NUMBERS: usize = 32;

/// The groups and partitions of a response so far.
#[derive(Debug, Default)]
pub(crate) struct Repeats<'a> {
    groups: BTreeSet<&'a Str>,
    told_bytes: usize,
}

impl<'a> Repeats<'a> {
    /// Whether to answer for the group: it is new, or the response is still small.
    pub(crate) fn admits(&mut self, group_id: &'a Str) -> bool {
        self.groups.insert(group_id) || self.told_bytes < TOLD_BYTES_MAX
    }

    /// Counts an answer about the group's members.
    pub(crate) fn tell_members(&mut self, group: &DescribedGroup) {
        let texts = group.members.iter().map(|member| {
            NUMBERS
                + member.member_id.len()
                + member.client_id.len()
                + member.client_host.len()
                + member.member_metadata.len()
                + member.member_assignment.len()
        });
        self.told_bytes += NUMBERS + group.group_id.len() + texts.sum::<usize>();
    }

    /// Counts an answer about the group's offsets.
    pub(crate) fn tell_offsets(&mut self, group: &OffsetFetchResponseGroup) {
        let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
        let texts = partitions.map(|it| NUMBERS + it.metadata.as_ref().map_or(0, |text| text.len()));
        self.told_bytes += NUMBERS + group.group_id.len() + texts.sum::<usize>();
    }

    /// Removes repeated partitions of a group from a request that names many: the metadata of a partition can
    /// be a thousand times as long as its number.
    pub(crate) fn thin_out(&self, group: &mut OffsetFetchRequestGroup) {
        let topics = group.topics.iter_mut().flatten();
        let named = topics.map(|topic| topic.partition_indexes.len()).sum::<usize>();
        if named <= PARTITIONS_MAX && self.told_bytes < TOLD_BYTES_MAX {
            return;
        }
        let mut seen: BTreeMap<_, BTreeSet<i32>> = BTreeMap::new();
        for topic in group.topics.iter_mut().flatten() {
            let seen = seen.entry((topic.name.clone(), topic.topic_id.0)).or_default();
            topic.partition_indexes.retain(|index| seen.insert(*index));
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::messages::describe_groups_response::DescribedGroupMember;
    use protocol::messages::offset_fetch_request::OffsetFetchRequestTopics;

    use super::*;

    #[test]
    fn a_group_is_told_of_again_while_that_is_short() {
        let (name, other) = (Str::from("group"), Str::from("other"));
        let mut repeats = Repeats::default();
        let member =
            DescribedGroupMember { member_assignment: vec![0; 1 << 19].into(), ..Default::default() };
        let group = DescribedGroup { members: vec![member], ..Default::default() };
        let told = (0..20_000).filter(|_| {
            let admitted = repeats.admits(&name);
            if admitted {
                repeats.tell_members(&group);
            }
            admitted
        });
        assert_eq!(told.count(), 2, "a member of half a MiB");
        assert!(repeats.admits(&other) && !repeats.admits(&other), "another group has its answer");
    }

    #[test]
    fn a_partition_is_told_of_once_where_many_are_named() {
        let named = |count: usize| {
            let topic = OffsetFetchRequestTopics { partition_indexes: vec![7; count], ..Default::default() };
            let topics = Some(vec![topic.clone(), topic]);
            let mut group = OffsetFetchRequestGroup { topics, ..Default::default() };
            Repeats::default().thin_out(&mut group);
            group.topics.iter().flatten().map(|topic| topic.partition_indexes.len()).sum::<usize>()
        };
        assert_eq!(named(2), 4, "as Kafka does");
        assert_eq!(named(10_000), 1);
    }
}
