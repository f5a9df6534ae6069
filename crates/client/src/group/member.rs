//! A member's requests to the coordinator.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::messages::heartbeat_request::HeartbeatRequest;
use protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use protocol::messages::join_group_response::JoinGroupResponse;
use protocol::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use protocol::{ErrorCode, Str};
use runtime::clock;
use runtime::task::{self, JoinHandle};
use tokio::sync::watch;

use super::range::{self, Subscription};
use super::{GroupError, GroupOptions, wire};
use crate::admin::{Committer, commit};
use crate::cluster::{Cluster, ClusterError, Lane};
use crate::topic_partition::TopicPartition;

const PROTOCOL_TYPE: &str = "consumer";
const ASSIGNOR: &str = "range";

/// The identity of this client within the group.
#[derive(Debug, Clone)]
pub(super) struct Member {
    group: String,
    group_instance_id: Option<String>,
    session_timeout: Duration,
    heartbeat_interval: Duration,
    rebalance_timeout: Duration,
    /// Empty until the coordinator has given one.
    member_id: String,
    /// -1 outside the group.
    generation: i32,
}

/// The outcome of one attempt to join.
enum JoinOutcome {
    Assigned(Vec<TopicPartition>),
    /// Something moved meanwhile: try again with what is known now.
    Again,
}

impl Member {
    pub(super) fn new(options: &GroupOptions) -> Member {
        Member {
            group: options.group.clone(),
            group_instance_id: options.group_instance_id.clone(),
            session_timeout: options.session_timeout,
            heartbeat_interval: options.heartbeat_interval,
            rebalance_timeout: options.rebalance_timeout,
            member_id: String::new(),
            generation: -1,
        }
    }

    /// Joins the group, and returns the partitions that are assigned to this member.
    pub(super) async fn join(
        &mut self,
        cluster: &Cluster,
        topics: &[String],
    ) -> Result<Vec<TopicPartition>, GroupError> {
        let mut retry = cluster.retry();
        loop {
            match self.join_once(cluster, topics).await {
                Ok(JoinOutcome::Assigned(partitions)) => return Ok(partitions),
                Ok(JoinOutcome::Again) => {}
                Err(GroupError::Cluster(error)) => retry.after(error).await?,
                Err(error) => return Err(error),
            }
        }
    }

    async fn join_once(&mut self, cluster: &Cluster, topics: &[String]) -> Result<JoinOutcome, GroupError> {
        let metadata =
            wire::encode_subscription(topics).map_err(|error| GroupError::Protocol(error.to_string()))?;
        let request = JoinGroupRequest {
            group_id: Str::from(&self.group),
            session_timeout_ms: milliseconds(self.session_timeout),
            rebalance_timeout_ms: milliseconds(self.rebalance_timeout),
            member_id: Str::from(&self.member_id),
            group_instance_id: self.group_instance_id.as_deref().map(Str::from),
            protocol_type: Str::from(PROTOCOL_TYPE),
            protocols: vec![JoinGroupRequestProtocol { name: Str::from(ASSIGNOR), metadata }],
            reason: None,
        };
        let coordinator = cluster.coordinator(&self.group, Lane::Group).await?;
        let response = coordinator.request_with(&request, i16::MAX, self.rebalance_timeout).await;
        let response = response.map_err(ClusterError::Request)?;
        match response.error_code {
            ErrorCode::NONE => {}
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.member_id = response.member_id.to_string();
                return Ok(JoinOutcome::Again);
            }
            code => return self.again_or_error(code),
        }
        self.member_id = response.member_id.to_string();
        self.generation = response.generation_id;
        let assignments = if response.leader == response.member_id && !response.skip_assignment {
            assign(cluster, &response).await?
        } else {
            Vec::new()
        };
        self.sync(cluster, &response, assignments).await
    }

    /// Fetches this member's assignment; the leader sends everyone's.
    async fn sync(
        &mut self,
        cluster: &Cluster,
        joined: &JoinGroupResponse,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<JoinOutcome, GroupError> {
        let request = SyncGroupRequest {
            group_id: Str::from(&self.group),
            generation_id: self.generation,
            member_id: Str::from(&self.member_id),
            group_instance_id: self.group_instance_id.as_deref().map(Str::from),
            protocol_type: Some(Str::from(PROTOCOL_TYPE)),
            protocol_name: Some(joined.protocol_name.clone().unwrap_or_default()),
            assignments,
        };
        let coordinator = cluster.coordinator(&self.group, Lane::Group).await?;
        let response = coordinator.request_with(&request, i16::MAX, self.rebalance_timeout).await;
        let response = response.map_err(ClusterError::Request)?;
        if response.error_code != ErrorCode::NONE {
            return self.again_or_error(response.error_code);
        }
        let partitions = wire::decode_assignment(&response.assignment);
        partitions.map(JoinOutcome::Assigned).map_err(|error| GroupError::Protocol(error.to_string()))
    }

    fn again_or_error(&mut self, code: ErrorCode) -> Result<JoinOutcome, GroupError> {
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => self.member_id.clear(),
            ErrorCode::ILLEGAL_GENERATION | ErrorCode::REBALANCE_IN_PROGRESS => {}
            ErrorCode::FENCED_INSTANCE_ID => return Err(GroupError::Fenced),
            code => return Err(ClusterError::Refused { code, message: None }.into()),
        }
        Ok(JoinOutcome::Again)
    }

    /// Starts sending heartbeats.
    pub(super) fn heartbeats(&self, cluster: &Cluster) -> Heartbeats {
        let (lost, receiver) = watch::channel(false);
        let member = self.clone();
        let cluster = cluster.clone();
        Heartbeats {
            lost: receiver,
            task: task::spawn(async move {
                member.heartbeat_until_lost(&cluster).await;
                // The receiver may be gone.
                let _ = lost.send(true);
            }),
        }
    }

    /// Returns once a rebalance has started or the group no longer counts this member in.
    async fn heartbeat_until_lost(&self, cluster: &Cluster) {
        let request = HeartbeatRequest {
            group_id: Str::from(&self.group),
            generation_id: self.generation,
            member_id: Str::from(&self.member_id),
            group_instance_id: self.group_instance_id.as_deref().map(Str::from),
        };
        let mut answered = clock::now();
        loop {
            clock::sleep(self.heartbeat_interval).await;
            let beat = async {
                let coordinator = cluster.coordinator(&self.group, Lane::Group).await?;
                ClusterError::check(coordinator.request(&request).await?.error_code, None)
            };
            match beat.await {
                Ok(()) => answered = clock::now(),
                Err(error) if error.code() == Some(ErrorCode::REBALANCE_IN_PROGRESS) => return,
                Err(error) if !error.is_retriable() => return,
                Err(error) if answered.elapsed() > self.session_timeout => {
                    tracing::warn!(%error, group = self.group, "no heartbeat was answered for a whole session");
                    return;
                }
                // The coordinator has moved, or its broker restarts.
                Err(_) => cluster.forget(),
            }
        }
    }

    /// Commits. Returns `false` if the group has moved on and rejects the commit.
    pub(super) async fn commit(
        &self,
        cluster: &Cluster,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<bool, GroupError> {
        let committer = Committer {
            group: &self.group,
            generation: self.generation,
            member_id: &self.member_id,
            group_instance_id: self.group_instance_id.as_deref(),
        };
        let mut retry = cluster.retry();
        loop {
            let Err(error) = commit(cluster, &committer, offsets, Lane::Prompt).await else {
                return Ok(true);
            };
            match error.code() {
                Some(
                    ErrorCode::REBALANCE_IN_PROGRESS
                    | ErrorCode::ILLEGAL_GENERATION
                    | ErrorCode::UNKNOWN_MEMBER_ID,
                ) => return Ok(false),
                Some(ErrorCode::FENCED_INSTANCE_ID) => return Err(GroupError::Fenced),
                _ => retry.after(error).await?,
            }
        }
    }

    pub(super) async fn leave(&mut self, cluster: &Cluster) -> Result<(), GroupError> {
        let coordinator = cluster.coordinator(&self.group, Lane::Prompt).await?;
        let mut request = LeaveGroupRequest { group_id: Str::from(&self.group), ..Default::default() };
        if coordinator.version_of::<LeaveGroupRequest>().map_err(ClusterError::Request)? >= 3 {
            request.members = vec![MemberIdentity {
                member_id: Str::from(&self.member_id),
                group_instance_id: self.group_instance_id.as_deref().map(Str::from),
                reason: None,
            }];
        } else {
            request.member_id = Str::from(&self.member_id);
        }
        let response = coordinator.request(&request).await.map_err(ClusterError::Request)?;
        self.generation = -1;
        self.member_id.clear();
        Ok(ClusterError::check(response.error_code, None)?)
    }
}

/// The leader's assignment to each member.
async fn assign(
    cluster: &Cluster,
    joined: &JoinGroupResponse,
) -> Result<Vec<SyncGroupRequestAssignment>, GroupError> {
    let mut members = Vec::with_capacity(joined.members.len());
    for member in &joined.members {
        let topics = wire::decode_subscription(&member.metadata);
        members.push(Subscription {
            member_id: member.member_id.to_string(),
            group_instance_id: member.group_instance_id.as_deref().map(ToOwned::to_owned),
            topics: topics.map_err(|error| GroupError::Protocol(error.to_string()))?,
        });
    }
    let mut partitions = BTreeMap::new();
    for topic in members.iter().flat_map(|member| &member.topics) {
        if !partitions.contains_key(topic) {
            cluster.forget_topic(topic);
            match cluster.topic(topic).await {
                Ok(known) => {
                    partitions.insert(topic.clone(), u32::try_from(known.partitions.len()).unwrap_or(0))
                }
                Err(ClusterError::UnknownTopic { .. }) => None,
                Err(error) => return Err(error.into()),
            };
        }
    }
    let encode = |(member_id, assignment): (String, range::Assignment)| {
        let assignment =
            wire::encode_assignment(&assignment).map_err(|error| GroupError::Protocol(error.to_string()));
        Ok(SyncGroupRequestAssignment { member_id: Str::from(member_id), assignment: assignment? })
    };
    range::assign(&members, &partitions).into_iter().map(encode).collect()
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// The heartbeats of one generation. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Heartbeats {
    lost: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl Heartbeats {
    /// Waits until the member has to join again.
    pub(super) async fn lost(&mut self) {
        // The task ends by sending; if it panicked, there are no heartbeats either.
        let _ = self.lost.wait_for(|&lost| lost).await;
    }
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.task.abort();
    }
}
