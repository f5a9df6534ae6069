//! A consumer as the coordinator sees it: its knowledge and its requests.

use bytes::Bytes;
use fastrand::Rng;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::*;
use protocol::{ErrorCode, Str, Uuid};

use super::{GROUPS, group_id};
use crate::tests::script::subscription;
use crate::{RequestContext, Token};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    Out,
    Joining,
    /// The leader, unless it is told to skip that, assigns partitions to these members.
    Joined {
        assigns: Option<Vec<Str>>,
    },
    Syncing,
    Stable {
        assignment: Vec<i32>,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) member_id: Str,
    pub(super) instance_id: Option<Str>,
    pub(super) generation_id: i32,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

#[derive(Clone, Debug)]
pub(super) enum ClientRequest {
    Join,
    Sync { generation_id: i32 },
    Leave,
    Commit(Commit),
    Delete { group: usize },
}

pub(super) struct Client {
    pub(super) name: String,
    pub(super) group: usize,
    pub(super) alive: bool,
    pub(super) member_id: Str,
    pub(super) phase: Phase,
    instance_id: Option<Str>,
    version: i16,
    /// Whether it supports several protocols, and changes its preferences.
    pub(super) fickle: bool,
    generation_id: i32,
    /// The request that it waits for; the answer to any other comes too late.
    waits_for: Option<Token>,
}

impl Client {
    /// Every group has a static member, another one with the same instance id, and dynamic ones.
    pub(super) fn new(number: usize, rng: &mut Rng) -> Client {
        let group = number % GROUPS;
        let is_static = !(GROUPS..2 * GROUPS).contains(&number);
        Client {
            name: format!("c{number}"),
            group,
            alive: true,
            member_id: Str::default(),
            phase: Phase::Out,
            instance_id: is_static.then(|| Str::from(format!("i{group}"))),
            version: if is_static { rng.i16(5..=9) } else { rng.i16(0..=9) },
            fickle: true,
            generation_id: -1,
            waits_for: None,
        }
    }

    /// Its identity, which is the same across restarts if it has an instance id.
    pub(super) fn identity(&self) -> String {
        self.instance_id.as_ref().unwrap_or(&self.member_id).to_string()
    }

    pub(super) fn wait_for(&mut self, token: Token, phase: Phase) {
        self.waits_for = Some(token);
        self.phase = phase;
    }

    /// Forgets its member id; a static member is found again by its instance id.
    pub(super) fn forget(&mut self) {
        self.member_id = Str::default();
        self.generation_id = -1;
        self.phase = Phase::Out;
        self.waits_for = None;
    }

    /// Ends the process, and perhaps starts another one in its place.
    pub(super) fn die(&mut self, rng: &mut Rng) {
        self.alive = rng.u32(..3) != 0;
        if rng.bool() {
            self.forget();
        }
    }

    /// Gives up, because another client has its instance id.
    fn fenced(&mut self) {
        self.forget();
        self.alive = false;
    }

    /// Drops its pending request, which will not be answered.
    pub(super) fn disconnected(&mut self) {
        self.waits_for = None;
        if matches!(self.phase, Phase::Joining | Phase::Syncing) {
            self.phase = Phase::Out;
        }
    }

    fn context(&self, api_version: i16, uuid: Uuid) -> RequestContext {
        RequestContext {
            api_version,
            client_id: Str::from(&self.name),
            client_host: Str::from("/127.0.0.1"),
            random_uuid: uuid,
        }
    }

    pub(super) fn join(&self, rng: &mut Rng) -> (RequestContext, JoinGroupRequest) {
        let metadata = subscription(if self.fickle && rng.u32(..4) == 0 { "t,u" } else { "t" });
        let protocol =
            |name: &str| JoinGroupRequestProtocol { name: Str::from(name), metadata: metadata.clone() };
        let mut protocols = vec![protocol("range")];
        if self.fickle {
            protocols.insert(usize::from(rng.u32(..8) != 0), protocol("sticky"));
        }
        let request = JoinGroupRequest {
            group_id: group_id(self.group),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: rng.i32(6_000..12_000),
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: Str::from("consumer"),
            protocols,
            reason: None,
        };
        let uuid = Uuid(rng.u128(..).to_be_bytes());
        (self.context(self.version, uuid), request)
    }

    pub(super) fn joined(&mut self, token: Token, response: &JoinGroupResponse) {
        if self.waits_for != Some(token) {
            return;
        }
        self.waits_for = None;
        self.phase = Phase::Out;
        match response.error_code {
            ErrorCode::NONE => {
                self.member_id = response.member_id.clone();
                self.generation_id = response.generation_id;
                let leads = response.leader == response.member_id && !response.skip_assignment;
                let members = response.members.iter().map(|member| member.member_id.clone()).collect();
                self.phase = Phase::Joined { assigns: leads.then_some(members) };
            }
            ErrorCode::MEMBER_ID_REQUIRED => self.member_id = response.member_id.clone(),
            ErrorCode::UNKNOWN_MEMBER_ID => self.forget(),
            ErrorCode::FENCED_INSTANCE_ID => self.fenced(),
            _ => {}
        }
    }

    pub(super) fn sync(
        &self,
        assigns: Option<Vec<Str>>,
        partitions: i32,
    ) -> (RequestContext, SyncGroupRequest) {
        let members = assigns.unwrap_or_default();
        let assignments = members.iter().enumerate().map(|(place, member_id)| {
            let of_member = (0..partitions as u8).filter(|it| *it as usize % members.len() == place);
            SyncGroupRequestAssignment {
                member_id: member_id.clone(),
                assignment: of_member.collect::<Vec<u8>>().into(),
            }
        });
        let request = SyncGroupRequest {
            group_id: group_id(self.group),
            generation_id: self.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            assignments: assignments.collect(),
            ..Default::default()
        };
        (self.context(4, Uuid::ZERO), request)
    }

    pub(super) fn synced(&mut self, token: Token, response: &SyncGroupResponse) {
        if self.waits_for != Some(token) {
            return;
        }
        self.waits_for = None;
        let assignment: &Bytes = &response.assignment;
        self.phase = Phase::Stable { assignment: assignment.iter().map(|it| i32::from(*it)).collect() };
        self.told(response.error_code);
    }

    pub(super) fn told(&mut self, error: ErrorCode) {
        match error {
            ErrorCode::NONE => {}
            ErrorCode::UNKNOWN_MEMBER_ID => self.forget(),
            ErrorCode::FENCED_INSTANCE_ID => self.fenced(),
            _ => self.phase = Phase::Out,
        }
    }

    pub(super) fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: group_id(self.group),
            generation_id: self.generation_id,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
        }
    }

    pub(super) fn leave(&self) -> (RequestContext, LeaveGroupRequest) {
        let identity = MemberIdentity {
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            reason: None,
        };
        let request = LeaveGroupRequest {
            group_id: group_id(self.group),
            member_id: self.member_id.clone(),
            members: vec![identity],
        };
        let version = if self.instance_id.is_some() { 5 } else { self.version.min(5) };
        (self.context(version, Uuid::ZERO), request)
    }

    pub(super) fn commit(&self, partition: i32, rng: &mut Rng) -> Commit {
        Commit {
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
            generation_id: self.generation_id,
            partition,
            offset: rng.i64(0..1_000_000),
        }
    }

    pub(super) fn commit_request(&self, commit: &Commit) -> (RequestContext, OffsetCommitRequest) {
        let partition = OffsetCommitRequestPartition {
            partition_index: commit.partition,
            committed_offset: commit.offset,
            ..Default::default()
        };
        let topic = OffsetCommitRequestTopic {
            name: Str::from("t"),
            topic_id: Uuid::ONE,
            partitions: vec![partition],
        };
        let request = OffsetCommitRequest {
            group_id: group_id(self.group),
            generation_id_or_member_epoch: commit.generation_id,
            member_id: commit.member_id.clone(),
            group_instance_id: commit.instance_id.clone(),
            topics: vec![topic],
            ..Default::default()
        };
        (self.context(9, Uuid::ZERO), request)
    }
}
