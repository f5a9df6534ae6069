//! Groups that one request names again and again. Each is answered anew, as Kafka does, but only while the
//! answers are few: a name of three bytes could else be worth an answer of megabytes as often as it is sent.

use std::collections::BTreeSet;

use protocol::Str;

/// Members or partitions that a response may tell of before it tells no more of groups that it has told of.
const TOLD_MAX: usize = 10_000;

/// What a response has told of so far.
#[derive(Debug, Default)]
pub(crate) struct Repeats<'a> {
    groups: BTreeSet<&'a Str>,
    told: usize,
}

impl<'a> Repeats<'a> {
    /// Whether the group is to be answered: it has not been, or not much has been said.
    pub(crate) fn admits(&mut self, group_id: &'a Str) -> bool {
        self.groups.insert(group_id) || self.told < TOLD_MAX
    }

    /// Notes that an answer tells of so many members or partitions.
    pub(crate) fn tell(&mut self, count: usize) {
        self.told += count;
    }
}
