//! Reading topics as a member of a group: the classic protocol, with the range assignor.
//!
//! The coordinator divides the partitions among the members and keeps how far the group has come.
//! Partitions that a topic gets later are divided at the next rebalance.

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

/// How a member takes part.
#[derive(Debug, Clone)]
pub struct GroupOptions {
    /// The group's id.
    pub group: String,
    /// For a static member (KIP-345): the id under which it comes back after a restart.
    pub group_instance_id: Option<String>,
    /// After how long without a heartbeat the others go on without this member.
    pub session_timeout: Duration,
    /// How often it says that it is there.
    pub heartbeat_interval: Duration,
    /// How long the others may take to join when the group is divided anew.
    pub rebalance_timeout: Duration,
    /// How often the positions are committed while records are read; `None` leaves it to
    /// [`GroupConsumer::commit`].
    pub commit_interval: Option<Duration>,
    /// Where to begin with a partition of which the group has committed nothing.
    pub reset: OffsetSpec,
    /// How to read.
    pub consumer: ConsumerOptions,
}

impl GroupOptions {
    /// As Kafka's consumer has them.
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

/// Why a member cannot go on.
#[derive(Debug)]
pub enum GroupError {
    /// The coordinator cannot be found, does not answer, or says no.
    Cluster(ClusterError),
    /// Reading failed.
    Consume(ConsumeError),
    /// Another member has come with the same `group.instance.id`.
    Fenced,
    /// The group's name or topics cannot be said in the protocol, or another member's cannot be read.
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

/// Reads what a group assigns to it.
#[derive(Debug)]
pub struct GroupConsumer {
    cluster: Cluster,
    options: GroupOptions,
    topics: Vec<String>,
    member: Member,
    /// `None` until the group has been joined, and while it is being divided anew.
    heartbeats: Option<Heartbeats>,
    assignment: Vec<TopicPartition>,
    joined_at: Option<Instant>,
    consumer: Consumer,
    /// What the coordinator knows of the positions.
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

    /// When the partitions were given to this member; `None` until it has joined.
    pub fn joined_at(&self) -> Option<Instant> {
        self.joined_at
    }

    /// What reads them.
    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// The next records; none where `patience` ran out first. What was handed out before counts as done:
    /// its positions are committed before partitions go to another member, and from time to time.
    ///
    /// # Errors
    /// [`GroupError`].
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

    /// Takes records back that were handed out and are not done: each partition is read on from the
    /// lowest offset that is given for it, and that is what [`GroupConsumer::commit`] commits.
    pub fn rewind(&mut self, to: impl IntoIterator<Item = (TopicPartition, i64)>) {
        for (at, offset) in to {
            if self.consumer.position(&at).is_some_and(|position| position > offset) {
                self.consumer.seek(&at, Position::Offset(offset));
            }
        }
    }

    /// Commits the positions after all records that were handed out.
    ///
    /// # Errors
    /// [`GroupError`]. That the group is being divided anew is none: the partitions may belong to another
    /// member by now, which reads them from what was committed before.
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

    /// Leaves the group, whose other members go on at once. What is not committed is read again.
    ///
    /// # Errors
    /// [`GroupError`]; then the group goes on after the session timeout.
    pub async fn leave(mut self) -> Result<(), GroupError> {
        if self.heartbeats.take().is_some() {
            self.member.leave(&self.cluster).await?;
        }
        Ok(())
    }

    /// Commits while the partitions are still this member's, then stops to read them.
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
