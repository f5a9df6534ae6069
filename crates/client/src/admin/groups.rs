//! Groups and their members.

use std::collections::BTreeMap;

use protocol::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use protocol::messages::consumer_group_describe_response as consumer;
use protocol::messages::delete_groups_request::DeleteGroupsRequest;
use protocol::messages::describe_groups_request::DescribeGroupsRequest;
use protocol::messages::describe_groups_response as classic;
use protocol::messages::list_groups_request::ListGroupsRequest;
use protocol::{ApiKey, ErrorCode, Str};

use super::{Admin, only};
use crate::cluster::{ClusterError, Lane};
use crate::connection::Connection;
use crate::group::wire;
use crate::topic_partition::TopicPartition;

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub group_id: String,
    /// The kind of its members: `consumer` for consumers, empty for a group that only holds offsets.
    pub protocol_type: String,
    /// Kafka's name of its state; empty if the broker is too old to tell.
    pub state: String,
    /// `classic` or `consumer` (KIP-848); empty if the broker is too old to tell.
    pub group_type: String,
}

/// A group in detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group_id: String,
    /// Kafka's name of its state: `Empty`, `Stable`, `PreparingRebalance`, `Dead` and so on. A classic group
    /// that does not exist is `Dead`; newer brokers answer `GROUP_ID_NOT_FOUND` instead.
    pub state: String,
    /// The name of the assignor.
    pub assignor: String,
    /// The broker that coordinates it, `host:port`.
    pub coordinator: String,
    /// Its members.
    pub members: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the coordinator gave it.
    pub member_id: String,
    /// The id that a static member chose for itself.
    pub group_instance_id: Option<String>,
    /// Its `client.id`.
    pub client_id: String,
    /// The address that it connects from.
    pub host: String,
    /// The partitions that it reads.
    pub assignment: Vec<TopicPartition>,
}

impl Admin {
    /// The groups that all brokers coordinate, by id.
    ///
    /// # Errors
    /// [`ClusterError`] if a broker does not answer: half a list would look like a whole one.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, ClusterError> {
        let mut retry = self.cluster.retry();
        loop {
            match self.list_groups_once().await {
                Ok(groups) => return Ok(groups.into_values().collect()),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    async fn list_groups_once(&self) -> Result<BTreeMap<String, GroupListing>, ClusterError> {
        let mut groups = BTreeMap::new();
        for &id in self.cluster.view().brokers.keys() {
            let broker = self.cluster.broker(id, Lane::Prompt).await?;
            let response = broker.request(&ListGroupsRequest::default()).await?;
            ClusterError::check(response.error_code, None)?;
            for group in response.groups {
                let listing = GroupListing {
                    group_id: group.group_id.to_string(),
                    protocol_type: group.protocol_type.to_string(),
                    state: group.group_state.to_string(),
                    group_type: group.group_type.to_string(),
                };
                groups.insert(listing.group_id.clone(), listing);
            }
        }
        Ok(groups)
    }

    /// A group and its members.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with `GROUP_ID_NOT_FOUND` (by newer brokers), `GROUP_AUTHORIZATION_FAILED` and
    /// others.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, ClusterError> {
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let coordinator = self.cluster.coordinator(group, Lane::Prompt).await?;
                if coordinator.broker_versions(ApiKey::ConsumerGroupDescribe).is_some() {
                    match describe_consumer_group(&coordinator, group).await {
                        // A group of the other kind.
                        Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => {}
                        described => return described,
                    }
                }
                describe_classic_group(&coordinator, group).await
            };
            match attempt.await {
                Ok(description) => return Ok(description),
                Err(error) => retry.after(error).await?,
            }
        }
    }

    /// Deletes an empty group and its committed offsets.
    ///
    /// # Errors
    /// [`ClusterError::Refused`] with `NON_EMPTY_GROUP`, `GROUP_ID_NOT_FOUND` and others.
    pub async fn delete_group(&self, group: &str) -> Result<(), ClusterError> {
        let request = DeleteGroupsRequest { groups_names: vec![Str::from(group)] };
        let mut retry = self.cluster.retry();
        loop {
            let attempt = async {
                let coordinator = self.cluster.coordinator(group, Lane::Prompt).await?;
                let result = only(coordinator.request(&request).await?.results)?;
                ClusterError::check(result.error_code, None)
            };
            match attempt.await {
                Ok(()) => return Ok(()),
                Err(error) => retry.after(error).await?,
            }
        }
    }
}

async fn describe_classic_group(
    coordinator: &Connection,
    group: &str,
) -> Result<GroupDescription, ClusterError> {
    let request =
        DescribeGroupsRequest { groups: vec![Str::from(group)], include_authorized_operations: false };
    let described = only(coordinator.request(&request).await?.groups)?;
    ClusterError::check(described.error_code, described.error_message.as_deref())?;
    let member = |member: &classic::DescribedGroupMember| GroupMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.group_instance_id.as_deref().map(ToOwned::to_owned),
        client_id: member.client_id.to_string(),
        host: member.client_host.trim_start_matches('/').to_owned(),
        // Another protocol type than consumers', or another format: the assignment is unknown then.
        assignment: wire::decode_assignment(&member.member_assignment).unwrap_or_default(),
    };
    Ok(GroupDescription {
        group_id: described.group_id.to_string(),
        state: described.group_state.to_string(),
        assignor: described.protocol_data.to_string(),
        coordinator: coordinator.address().to_owned(),
        members: described.members.iter().map(member).collect(),
    })
}

async fn describe_consumer_group(
    coordinator: &Connection,
    group: &str,
) -> Result<GroupDescription, ClusterError> {
    let request = ConsumerGroupDescribeRequest {
        group_ids: vec![Str::from(group)],
        include_authorized_operations: false,
    };
    let described = only(coordinator.request(&request).await?.groups)?;
    ClusterError::check(described.error_code, described.error_message.as_deref())?;
    let assigned = |topic: &consumer::TopicPartitions| {
        let name = topic.topic_name.to_string();
        topic.partitions.iter().map(move |&p| TopicPartition::new(name.clone(), p)).collect::<Vec<_>>()
    };
    let member = |member: &consumer::Member| GroupMember {
        member_id: member.member_id.to_string(),
        group_instance_id: member.instance_id.as_deref().map(ToOwned::to_owned),
        client_id: member.client_id.to_string(),
        host: member.client_host.trim_start_matches('/').to_owned(),
        assignment: member.assignment.topic_partitions.iter().flat_map(assigned).collect(),
    };
    Ok(GroupDescription {
        group_id: described.group_id.to_string(),
        state: described.group_state.to_string(),
        assignor: described.assignor_name.to_string(),
        coordinator: coordinator.address().to_owned(),
        members: described.members.iter().map(member).collect(),
    })
}
