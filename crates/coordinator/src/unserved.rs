//! Groups of the protocols that this coordinator does not serve: consumer (KIP-848), share (KIP-932) and
//! streams groups (KIP-1071), which Kafka has left in the log.
//!
//! They stay in the log as they are, so that Kafka can serve them again. Enough is known of them to list
//! them, to reject clients that would take their name, and to delete all of their records.
//!
//! Their members cannot send heartbeats here. As after any failover of Kafka's coordinator, they count as
//! alive for their session timeout after the load, and as gone from then on.

mod record_type;

use std::collections::{BTreeMap, BTreeSet};

use protocol::messages::JoinGroupRequest;
use protocol::{ErrorCode, Str, Uuid};

use crate::classic::ClassicGroup;
use crate::{CoordinatorRecord, SteadyMs};

pub(crate) use record_type::{UnservedKey, UnservedRecord};

/// Kafka's default of `group.consumer.session.timeout.ms`, `group.share.session.timeout.ms` and
/// `group.streams.session.timeout.ms`.
const SESSION_TIMEOUT_MS: i64 = 45_000;

/// The first version of OffsetCommit with member epochs.
const MEMBER_EPOCH_VERSION: i16 = 9;

/// The protocol of a group that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UnservedProtocol {
    Consumer,
    Share,
    Streams,
}

impl UnservedProtocol {
    /// The name of the group's type, as tools show it and filter by it, and also that of its protocol.
    pub(crate) fn name(self) -> &'static str {
        match self {
            UnservedProtocol::Consumer => "consumer",
            UnservedProtocol::Share => "share",
            UnservedProtocol::Streams => "streams",
        }
    }
}

/// The part of such a group's member that matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnservedMember {
    /// -1 if the member is about to be removed.
    epoch: i32,
    is_stable: bool,
    /// Whether it is a classic consumer in a consumer group (KIP-848's online upgrade).
    is_classic: bool,
    topics: Vec<Str>,
}

/// The content of the records of a group of another protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnservedGroup {
    group_id: Str,
    pub(crate) protocol: UnservedProtocol,
    epoch: i32,
    /// -1 if there is no assignment.
    assignment_epoch: i32,
    members: BTreeMap<Str, UnservedMember>,
    /// The members with a target assignment.
    targets: BTreeSet<Str>,
    /// The resolved regular expressions, and their topics.
    regexes: BTreeMap<Str, Vec<Str>>,
    /// The epoch of a streams group's topology and the topics that it reads.
    topology: Option<(i32, Vec<Str>)>,
    validated_topology_epoch: i32,
    /// The types of other records about the whole group, which have no field here.
    others: BTreeSet<i16>,
    /// The partitions with state in `__share_group_state`.
    share_partitions: BTreeSet<(Uuid, i32)>,
    /// The time at which the members count as gone; `None` while the log is read.
    pub(crate) members_until: Option<SteadyMs>,
}

impl UnservedGroup {
    pub(crate) fn new(group_id: Str, protocol: UnservedProtocol) -> UnservedGroup {
        UnservedGroup {
            group_id,
            protocol,
            epoch: 0,
            assignment_epoch: -1,
            members: BTreeMap::new(),
            targets: BTreeSet::new(),
            regexes: BTreeMap::new(),
            topology: None,
            validated_topology_epoch: -1,
            others: BTreeSet::new(),
            share_partitions: BTreeSet::new(),
            members_until: None,
        }
    }

    /// Starts the sessions of the members.
    pub(crate) fn begin_after_load(&mut self, now: SteadyMs) {
        self.members_until = Some(now.after(SESSION_TIMEOUT_MS));
    }

    fn live_members(&self, now: SteadyMs) -> Option<&BTreeMap<Str, UnservedMember>> {
        let alive = self.members_until.is_none_or(|until| now < until);
        Some(&self.members).filter(|members| alive && !members.is_empty())
    }

    /// Whether the group has no members, or none that can still be alive.
    pub(crate) fn is_empty(&self, now: SteadyMs) -> bool {
        self.live_members(now).is_none()
    }

    /// The name of the state that Kafka would display.
    pub(crate) fn state_name(&self, now: SteadyMs) -> &'static str {
        let Some(members) = self.live_members(now) else { return "Empty" };
        let is_streams = self.protocol == UnservedProtocol::Streams;
        let topology_epoch = self.topology.as_ref().map(|(epoch, _)| *epoch);
        let reconciled = |member: &UnservedMember| member.is_stable && member.epoch == self.assignment_epoch;
        if self.protocol == UnservedProtocol::Share {
            "Stable"
        } else if is_streams && topology_epoch != Some(self.validated_topology_epoch) {
            "NotReady"
        } else if self.epoch > self.assignment_epoch {
            "Assigning"
        } else if !members.values().all(reconciled) {
            "Reconciling"
        } else {
            "Stable"
        }
    }

    /// Whether a member reads `topic`, so that its offsets are needed.
    pub(crate) fn is_subscribed_to(&self, topic: &str, now: SteadyMs) -> bool {
        let Some(members) = self.live_members(now) else { return false };
        let named = members.values().flat_map(|member| &member.topics);
        let resolved = self.regexes.values().flatten();
        let read = self.topology.iter().flat_map(|(_, topics)| topics);
        named.chain(resolved).chain(read).any(|name| **name == *topic)
    }

    /// # Errors
    /// Kafka's error for a commit that comes neither from a member of this epoch nor, if the group is empty,
    /// from a client that does not claim to be a member. Kafka also accepts some commits of an earlier epoch
    /// (KIP-1251).
    pub(crate) fn validate_offset_commit(
        &self,
        member_id: &str,
        member_epoch: i32,
        api_version: i16,
        now: SteadyMs,
    ) -> Result<(), ErrorCode> {
        if self.protocol == UnservedProtocol::Share {
            return Err(ErrorCode::GROUP_ID_NOT_FOUND);
        }
        if member_epoch < 0 && self.is_empty(now) {
            return Ok(());
        }
        let member = self.live_member(member_id, now)?;
        if !member.is_classic && api_version < MEMBER_EPOCH_VERSION {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        member.validate_epoch(member_epoch)
    }

    /// # Errors
    /// Kafka's error for an OffsetFetch that names an unknown member, or one of another epoch.
    pub(crate) fn validate_offset_fetch(
        &self,
        member_id: Option<&Str>,
        member_epoch: i32,
        now: SteadyMs,
    ) -> Result<(), ErrorCode> {
        match member_id {
            // A share group has no committed offsets, which is the answer.
            _ if self.protocol == UnservedProtocol::Share => Ok(()),
            None if member_epoch < 0 => Ok(()),
            _ => {
                let member_id = member_id.map(Str::as_str).unwrap_or_default();
                self.live_member(member_id, now)?.validate_epoch(member_epoch)
            }
        }
    }

    /// # Errors
    /// Kafka's error for an OffsetDelete.
    pub(crate) fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        match self.protocol {
            UnservedProtocol::Share => Err(ErrorCode::GROUP_ID_NOT_FOUND),
            UnservedProtocol::Consumer | UnservedProtocol::Streams => Ok(()),
        }
    }

    fn live_member(&self, member_id: &str, now: SteadyMs) -> Result<&UnservedMember, ErrorCode> {
        self.live_members(now).and_then(|members| members.get(member_id)).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// The records that convert an empty group to a classic one, with the same offsets, for a client that
    /// joins.
    ///
    /// # Errors
    /// Kafka's error for the client if the name stays taken.
    pub(crate) fn conversion(
        &self,
        request: &JoinGroupRequest,
        now: SteadyMs,
    ) -> Result<Vec<CoordinatorRecord>, ErrorCode> {
        // A share group's offsets are elsewhere, and are of no use to consumers.
        if self.protocol == UnservedProtocol::Share || !self.is_empty(now) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        if !request.member_id.is_empty() {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if request.protocol_type.is_empty() || request.protocols.is_empty() {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        let classic = ClassicGroup::new(self.group_id.clone(), None);
        let record = classic.to_record(&[]).expect("a group id that was stored fits");
        Ok(self.tombstones().into_iter().chain([record]).collect())
    }

    /// The partitions of a share group that have state in `__share_group_state`.
    pub(crate) fn share_partitions(&self) -> impl Iterator<Item = (Uuid, i32)> {
        self.share_partitions.iter().copied()
    }

    /// Applies one of the group's records.
    pub(crate) fn apply(&mut self, key: &UnservedKey, record: UnservedRecord) {
        match record {
            UnservedRecord::Group { epoch, validated_topology_epoch } => {
                (self.epoch, self.validated_topology_epoch) = (epoch, validated_topology_epoch);
            }
            UnservedRecord::AssignmentEpoch(epoch) => self.assignment_epoch = epoch,
            UnservedRecord::Member { is_classic, topics } => {
                let member = self.members.entry(key.name.clone()).or_default();
                (member.is_classic, member.topics) = (is_classic, topics);
            }
            UnservedRecord::Target => drop(self.targets.insert(key.name.clone())),
            UnservedRecord::Current { epoch, is_stable } => {
                let member = self.members.entry(key.name.clone()).or_default();
                (member.epoch, member.is_stable) = (epoch, is_stable);
            }
            UnservedRecord::Regex(topics) => drop(self.regexes.insert(key.name.clone(), topics)),
            UnservedRecord::Topology { epoch, topics } => self.topology = Some((epoch, topics)),
            UnservedRecord::SharePartitions(partitions) => {
                self.share_partitions = partitions;
                self.others.insert(key.record_type);
            }
            UnservedRecord::Other => drop(self.others.insert(key.record_type)),
        }
    }

    /// Applies a tombstone of one of the group's records, except that of the group itself.
    pub(crate) fn apply_tombstone(&mut self, key: &UnservedKey) {
        let types = self.protocol.types();
        match key.record_type {
            it if it == types.assignment_epoch => self.assignment_epoch = -1,
            it if it == types.member => drop(self.members.remove(&key.name)),
            it if it == types.target => drop(self.targets.remove(&key.name)),
            it if it == types.current => {
                if let Some(member) = self.members.get_mut(&key.name) {
                    (member.epoch, member.is_stable) = (-1, false);
                }
            }
            record_type::REGEX => drop(self.regexes.remove(&key.name)),
            record_type::TOPOLOGY => self.topology = None,
            other => {
                self.others.remove(&other);
                if other == record_type::SHARE_PARTITIONS {
                    self.share_partitions.clear();
                }
            }
        }
    }

    /// The tombstones of all records that the group may have, in the order in which Kafka can replay them: a
    /// member's assignments before the member, and the group's own record last. They include those that Kafka
    /// always writes, whether there is such a record or not.
    pub(crate) fn tombstones(&self) -> Vec<CoordinatorRecord> {
        let types = self.protocol.types();
        let of_group = |record_type| UnservedKey::tombstone(record_type, &self.group_id, None);
        let of_each = |record_type, names: &BTreeSet<Str>| {
            let of_one = |name| UnservedKey::tombstone(record_type, &self.group_id, Some(name));
            names.iter().map(of_one).collect::<Vec<_>>()
        };
        let members: BTreeSet<Str> = self.members.keys().chain(&self.targets).cloned().collect();
        let mut records = of_each(types.current, &members);
        records.extend(of_each(types.target, &members));
        records.push(of_group(types.assignment_epoch));
        records.extend(of_each(types.member, &members));
        records.extend(of_each(record_type::REGEX, &self.regexes.keys().cloned().collect()));
        let others: BTreeSet<i16> = self.others.iter().copied().chain([types.other]).collect();
        records.extend(others.into_iter().map(of_group));
        records.push(of_group(types.group));
        records
    }
}

impl UnservedMember {
    fn validate_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        if epoch == self.epoch {
            Ok(())
        } else if self.is_classic {
            Err(ErrorCode::ILLEGAL_GENERATION)
        } else {
            Err(ErrorCode::STALE_MEMBER_EPOCH)
        }
    }
}
