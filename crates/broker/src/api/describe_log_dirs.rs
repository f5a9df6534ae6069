//! DescribeLogDirs (35), versions 1-5: the log directories, and the sizes of partitions in each.
//!
//! 2 is flexible; 3 adds an error for the whole response; 4 the size of the volume and its free space
//! (KIP-827); 5 whether new partitions are kept away (KIP-1066), which they never are here. A tagged field of
//! Milena's own asks for the status of each log, and another returns it.
//!
//! A partition that is being moved appears in its present directory and, as a future one, in the target, with
//! its size there and its lag in offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use metadata::quorum::METADATA_TOPIC;
use protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
    LogDamage, PartitionLogStatus,
};
use protocol::{ErrorCode, Str};
use runtime::HashMap;
use runtime::task;
use storage::Fault;

use crate::broker::Broker;
use crate::call::Call;
use crate::directories::LogDir;
use crate::replicas::Replica;
use crate::reply::Reply;

/// Partitions by topic and number; `None` for all of them.
type Partitions = Option<HashMap<Str, BTreeSet<i32>>>;

/// The partitions to describe.
struct LogDirsQuery {
    partitions: Partitions,
    with_status: bool,
}

pub(crate) fn handle(call: Call<'_>, request: DescribeLogDirsRequest) -> Reply {
    let partitions: Partitions = request.topics.map(|topics| {
        let mut asked: HashMap<Str, BTreeSet<i32>> = HashMap::default();
        for topic in topics {
            asked.entry(topic.topic).or_default().extend(topic.partitions);
        }
        asked
    });
    let query = LogDirsQuery { partitions, with_status: request.include_log_status };
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        // A slow disk may take long to report its free space.
        let described = task::spawn_blocking(move || describe(&broker, &query)).await;
        let results = described.unwrap_or_default();
        responder.frame(&DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() })
    })
}

fn describe(broker: &Broker, query: &LogDirsQuery) -> Vec<DescribeLogDirsResult> {
    let dirs = broker.replicas.dirs().partition_dirs();
    let mut described = dirs.map(|dir| describe_dir(broker, dir, query)).collect();
    if query.with_status && query.partitions.is_none() {
        add_metadata_damage(broker, &mut described);
    }
    described
}

/// Shows the metadata log, which is not a partition, if it is damaged and the request asks for the status of
/// logs.
fn add_metadata_damage(broker: &Broker, described: &mut Vec<DescribeLogDirsResult>) {
    let faults = broker.scrubber.metadata_faults();
    if faults.is_empty() {
        return;
    }
    let unknown = PartitionLogStatus {
        segments: -1,
        log_start_offset: -1,
        log_end_offset: -1,
        recovery_point: -1,
        scrub_timestamp: broker.scrubber.progress().last_round_end_ms.unwrap_or(-1),
        scrubbed_bytes: -1,
        damage: faults.iter().map(damage).collect(),
    };
    let partition =
        DescribeLogDirsPartition { log_status: Some(unknown), ..DescribeLogDirsPartition::default() };
    let topic = DescribeLogDirsTopic { name: Str::from_static(METADATA_TOPIC), partitions: vec![partition] };
    let log_dir = shown(broker.replicas.dirs().metadata_dir().path());
    match described.iter_mut().find(|dir| dir.log_dir == log_dir) {
        Some(dir) => dir.topics.push(topic),
        None => {
            described.push(DescribeLogDirsResult { log_dir, topics: vec![topic], ..Default::default() });
        }
    }
}

fn describe_dir(broker: &Broker, dir: &Arc<LogDir>, query: &LogDirsQuery) -> DescribeLogDirsResult {
    let log_dir = shown(dir.path());
    let space = dir.working().and_then(|directory| directory.space().ok());
    let Some(space) = space else {
        let error_code = ErrorCode::KAFKA_STORAGE_ERROR;
        return DescribeLogDirsResult { error_code, log_dir, ..DescribeLogDirsResult::default() };
    };
    let mut topics: BTreeMap<Str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    let is_wanted = |partition: &Replica| {
        query.partitions.as_ref().is_none_or(|partitions| {
            partitions.get(partition.topic()).is_some_and(|indexes| indexes.contains(&partition.index()))
        })
    };
    let mut show = |partition: &Replica, size: u64, offset_lag: i64, is_future_key: bool| {
        topics.entry(partition.topic().clone()).or_default().push(DescribeLogDirsPartition {
            partition_index: partition.index(),
            partition_size: i64::try_from(size).unwrap_or(i64::MAX),
            offset_lag,
            is_future_key,
            log_status: if query.with_status && !is_future_key { status(partition) } else { None },
        });
    };
    for partition in broker.replicas.table().partitions() {
        if is_wanted(partition)
            && Arc::ptr_eq(&partition.log_dir(), dir)
            && let Some(size) = partition.size_bytes()
        {
            // A partition without other replicas never lags.
            show(partition, size, 0, false);
        }
    }
    for future in broker.moves.under_way() {
        let partition = future.partition();
        // The move may have ended already: the partition is then shown in its target.
        let is_future = Arc::ptr_eq(future.target(), dir) && !Arc::ptr_eq(&partition.log_dir(), dir);
        if is_future && is_wanted(partition) {
            let offset_lag = partition.end_offset().saturating_sub(future.end_offset()).max(0);
            show(partition, future.size_bytes(), offset_lag, true);
        }
    }
    let topics = topics.into_iter().map(|(name, mut partitions)| {
        partitions.sort_unstable_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name, partitions }
    });
    DescribeLogDirsResult {
        log_dir,
        topics: topics.collect(),
        total_bytes: i64::try_from(space.total_bytes).unwrap_or(i64::MAX),
        usable_bytes: i64::try_from(space.usable_bytes).unwrap_or(i64::MAX),
        ..DescribeLogDirsResult::default()
    }
}

/// The status of the log for `milena log status`; `None` if the log has just been deleted.
fn status(partition: &Replica) -> Option<PartitionLogStatus> {
    let status = partition.log_status()?;
    Some(PartitionLogStatus {
        segments: i32::try_from(status.segments).unwrap_or(i32::MAX),
        log_start_offset: status.log_start_offset,
        log_end_offset: status.log_end_offset,
        recovery_point: status.recovery_point,
        scrub_timestamp: status.last_scrub.map_or(-1, |last| last.end_ms),
        scrubbed_bytes: status.last_scrub.map_or(-1, |last| number(last.bytes)),
        damage: status.damage.iter().map(damage).collect(),
    })
}

fn damage(fault: &Fault) -> LogDamage {
    LogDamage {
        file: shown(&fault.path),
        position: number(fault.position),
        offset: fault.offset,
        what: fault.reason.to_string().into(),
        mend: Str::from_static(fault.mend()),
    }
}

fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn shown(path: &Path) -> Str {
    path.to_string_lossy().as_ref().into()
}
