//! A client that commits by hand, one offset after another, and looks whether the last one is there.

use std::sync::Arc;
use std::time::Duration;

use client::cluster::{Cluster, Lane};
use client::{Admin, TopicPartition};
use fastrand::Rng;
use protocol::messages::OffsetCommitRequest;
use protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::{ErrorCode, Str};
use runtime::clock;
use tokio::sync::watch;

use crate::history::History;
use crate::run;
use crate::workload::TOPIC;

/// The group, in which nobody else is.
const GROUP: &str = "by-hand";
/// The newest version that names topics by name.
const VERSION_MAX: i16 = 9;

/// The offsets that the group may have.
#[derive(Debug, Default)]
struct Register {
    acknowledged: Option<i64>,
    /// Offsets whose commit was not acknowledged: it may be stored, also later than others.
    unknown: Vec<i64>,
}

/// Commits and looks until it is stopped.
pub(super) async fn run(
    history: Arc<History>,
    mut chance: Rng,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let cluster = run::connect().await?;
    let admin = Admin::new(cluster.clone());
    let mut register = Register::default();
    let mut next = 1;
    while !*stopping.borrow() {
        clock::sleep(Duration::from_millis(chance.u64(..100))).await;
        match chance.u32(..8) {
            0..5 => {
                if commit(&cluster, next, -1, "").await == Some(ErrorCode::NONE) {
                    register.acknowledged = Some(next);
                } else {
                    register.unknown.push(next);
                }
                next += 1;
            }
            5..7 => look(&admin, &register).await?,
            // A member of a generation that is over, or never was.
            _ => {
                if commit(&cluster, 0, chance.i32(0..5), "gone").await == Some(ErrorCode::NONE) {
                    return Err("a commit of a client that is not in the group was acknowledged".to_owned());
                }
            }
        }
    }
    look(&admin, &register).await?;
    history.count(|counts| counts.commits_by_hand += u32::from(register.acknowledged.is_some()));
    Ok(())
}

/// Commits once; `None` if there is no answer.
async fn commit(cluster: &Cluster, offset: i64, generation: i32, member: &str) -> Option<ErrorCode> {
    let partition = OffsetCommitRequestPartition {
        committed_offset: offset,
        committed_leader_epoch: -1,
        ..Default::default()
    };
    let topic = OffsetCommitRequestTopic {
        name: Str::from(TOPIC),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = OffsetCommitRequest {
        group_id: Str::from(GROUP),
        generation_id_or_member_epoch: generation,
        member_id: Str::from(member),
        topics: vec![topic],
        ..Default::default()
    };
    let coordinator = cluster.coordinator(GROUP, Lane::Prompt).await.ok()?;
    let response = coordinator.request_with(&request, VERSION_MAX, Duration::ZERO).await.ok()?;
    Some(response.topics.first()?.partitions.first()?.error_code)
}

/// Compares the committed offset with those that it may be.
async fn look(admin: &Admin, register: &Register) -> Result<(), String> {
    // The node may be down for longer than a client waits.
    let Ok(committed) = admin.committed(GROUP).await else { return Ok(()) };
    let found = committed.get(&TopicPartition::new(TOPIC, 0)).map(|committed| committed.offset);
    let is_known = found == register.acknowledged || found.is_some_and(|it| register.unknown.contains(&it));
    if is_known { Ok(()) } else { Err(format!("the committed offset is {found:?} after {register:?}")) }
}
