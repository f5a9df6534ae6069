//! Reading topics as a member of a group: the classic protocol, with the range assignor.
//!
//! The coordinator divides the partitions among the members and keeps the group's offsets. Partitions that a
//! topic gets later are divided at the next rebalance.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use runtime::clock;
use runtime::clock::Instant;

use crate::admin::OffsetSpec;
use crate::cluster::{Cluster, ClusterError};
use crate::consumer::{ConsumeError, ConsumedRecord, Consumer, ConsumerOptions, Position};
use crate::topic_partition::TopicPartition;
use member::{Heartbeats, Member};

pub use range::{Assignment, Subscription, assign};

mod member;
mod range;
pub(crate) mod wire;

/// The options of a member.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// The group's id.
    pub group: String,
    /// The id under which a static member (KIP-345) returns after a restart.
    pub group_instance_id: Option<String>,
    /// The time without a heartbeat after which the group continues without this member.
    pub session_timeout: Duration,
    /// The time between two heartbeats.
    pub heartbeat_interval: Duration,
    /// The time that the others may take to join in a rebalance.
    pub rebalance_timeout: Duration,
    /// The time between two commits while records are read; `None` leaves committing to
    /// [`GroupConsumer::commit`].
    pub commit_interval: Option<Duration>,
    /// The offset to start from in a partition without a committed offset.
    pub reset: OffsetSpec,
    /// The options of its consumer.
    pub consumer: ConsumerOptions,
}

impl GroupOptions {
    /// The defaults of Kafka's consumer.
    pub fn new(group: impl Into<String>) -> Self {
        GroupOptions {
            group: group.into(),
            group_instance_id: None,
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(60),
            commit_interval: Some(Duration::from_secs(5)),
            reset: OffsetSpec::Latest,
            consumer: ConsumerOptions::default(),
        }
    }
}

/// The failure of a member.
#[derive(Debug)]
pub enum GroupError {
    /// The coordinator cannot be found, does not answer, or rejects a request.
    Cluster(ClusterError),
    /// Reading failed.
    Consume(ConsumeError),
    /// Another member has come with the same `group.instance.id`.
    Fenced,
    /// The group's name or topics cannot be encoded, or another member's cannot be decoded.
    Protocol(String),
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupError::Cluster(error) => error.fmt(f),
            GroupError::Consume(error) => error.fmt(f),
            GroupError::Fenced => {
                write!(f, "another member has joined the group under the same group.instance.id")
            }
            GroupError::Protocol(what) => write!(f, "the group's protocol does not work out: {what}"),
        }
    }
}

impl std::error::Error for GroupError {}

impl From<ClusterError> for GroupError {
    fn from(error: ClusterError) -> Self {
        GroupError::Cluster(error)
    }
}

impl From<ConsumeError> for GroupError {
    fn from(error: ConsumeError) -> Self {
        GroupError::Consume(error)
    }
}

/// Reads the partitions that a group assigns to it.
#[derive(Debug)]
pub struct GroupConsumer {
    cluster: Cluster,
    options: GroupOptions,
    topics: Vec<String>,
    member: Member,
    /// `None` until the group has been joined, and during a rebalance.
    heartbeats: Option<Heartbeats>,
    assignment: Vec<TopicPartition>,
    joined_at: Option<Instant>,
    consumer: Consumer,
    /// The positions that the coordinator knows.
    committed: BTreeMap<TopicPartition, i64>,
    committed_at: Instant,
}

impl GroupConsumer {
    /// A member that will read `topics`. It joins the group with the first [`GroupConsumer::poll`].
    pub fn new(cluster: Cluster, options: GroupOptions, topics: Vec<String>) -> GroupConsumer {
        GroupConsumer {
            consumer: Consumer::new(cluster.clone(), options.consumer.clone()),
            member: Member::new(&options),
            cluster,
            options,
            topics,
            heartbeats: None,
            assignment: Vec::new(),
            joined_at: None,
            committed: BTreeMap::new(),
            committed_at: clock::now(),
        }
    }

    /// The partitions that this member reads now.
    pub fn assignment(&self) -> &[TopicPartition] {
        &self.assignment
    }

    /// The time of the last assignment; `None` until it has joined.
    pub fn joined_at(&self) -> Option<Instant> {
        self.joined_at
    }

    /// The consumer of the partitions.
    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// The next records; empty if `patience` runs out first. Records returned before count as processed:
    /// their positions are committed before partitions go to another member, and from time to time.
    ///
    /// # Errors
    /// [`GroupError`] if the member cannot go on.
    pub async fn poll(&mut self, patience: Duration) -> Result<Vec<ConsumedRecord>, GroupError> {
        let deadline = clock::now() + patience;
        loop {
            let Some(heartbeats) = &mut self.heartbeats else {
                self.join().await?;
                continue;
            };
            let interval = self.options.commit_interval;
            if interval.is_some_and(|interval| self.committed_at.elapsed() >= interval) {
                self.commit().await?;
                continue;
            }
            let left = deadline.saturating_duration_since(clock::now());
            let until_commit = interval
                .map_or(left, |interval| interval.saturating_sub(self.committed_at.elapsed()).min(left));
            let polled = tokio::select! {
                biased;
                () = heartbeats.lost() => None,
                records = self.consumer.poll(until_commit) => Some(records?),
            };
            match polled {
                None => self.give_up_assignment().await?,
                Some(records) if !records.is_empty() || clock::now() >= deadline => return Ok(records),
                Some(_) => {}
            }
        }
    }

    /// Takes back records that were returned and not processed: each partition continues from the lowest
    /// offset given for it, and [`GroupConsumer::commit`] commits that.
    pub fn rewind(&mut self, to: impl IntoIterator<Item = (TopicPartition, i64)>) {
        for (at, offset) in to {
            if self.consumer.position(&at).is_some_and(|position| position > offset) {
                self.consumer.seek(&at, Position::Offset(offset));
            }
        }
    }

    /// Commits the positions after all records that were returned. Succeeds without a commit during a
    /// rebalance: the partitions may belong to another member by now, which reads them from the last commit.
    ///
    /// # Errors
    /// [`GroupError`] if the coordinator does not take the commit.
    pub async fn commit(&mut self) -> Result<(), GroupError> {
        self.committed_at = clock::now();
        let mut moved = BTreeMap::new();
        for at in &self.assignment {
            if let Some(offset) = self.consumer.position(at)
                && self.committed.get(at) != Some(&offset)
            {
                moved.insert(at.clone(), offset);
            }
        }
        if !moved.is_empty() && self.member.commit(&self.cluster, &moved).await? {
            self.committed.append(&mut moved);
        }
        Ok(())
    }

    /// The positions that the coordinator has acknowledged, or had when this member joined.
    pub fn committed(&self) -> &BTreeMap<TopicPartition, i64> {
        &self.committed
    }

    /// Leaves the group, whose other members continue at once. Records that were not committed are read
    /// again.
    ///
    /// # Errors
    /// [`GroupError`] if the coordinator is not told; the group then continues after the session timeout.
    pub async fn leave(mut self) -> Result<(), GroupError> {
        if self.heartbeats.take().is_some() {
            self.member.leave(&self.cluster).await?;
        }
        Ok(())
    }

    /// Commits while the partitions are still this member's, then stops reading them.
    async fn give_up_assignment(&mut self) -> Result<(), GroupError> {
        if self.options.commit_interval.is_some() {
            self.commit().await?;
        }
        self.heartbeats = None;
        self.assignment.clear();
        self.consumer.assign([]);
        Ok(())
    }

    async fn join(&mut self) -> Result<(), GroupError> {
        let assignment = self.member.join(&self.cluster, &self.topics).await?;
        self.heartbeats = Some(self.member.heartbeats(&self.cluster));
        let committed = crate::Admin::new(self.cluster.clone()).committed(&self.options.group).await?;
        self.committed.clear();
        let mut positions = Vec::with_capacity(assignment.len());
        for at in &assignment {
            let position = match committed.get(at) {
                Some(committed) => Position::Offset(committed.offset),
                None => Position::Spec(self.options.reset),
            };
            if let Position::Offset(offset) = position {
                self.committed.insert(at.clone(), offset);
            }
            positions.push((at.clone(), position));
        }
        tracing::info!(group = self.options.group, partitions = positions.len(), "joined");
        self.consumer.assign(positions);
        self.assignment = assignment;
        self.committed_at = clock::now();
        self.joined_at = Some(self.committed_at);
        Ok(())
    }
}
