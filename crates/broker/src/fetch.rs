//! Fetching: look for records, wait for more, and respond.

pub(crate) mod session;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use protocol::messages::FetchResponse;
use protocol::messages::fetch_response::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, PartitionData,
};
use protocol::{ErrorCode, Records};
use runtime::clock::{self, Instant};
use runtime::random;
use tokio::sync::Notify;
use tracing::error;

use crate::replicas::{
    FetchingBroker, FetchingReplica, Isolation, News, ReadOutcome, ReadRequest, Replica, Replicas,
    TopicTable, Watch,
};
use crate::reply::{FileRegion, Frame, Piece, Reply, Responder};

use session::{FetchContext, FetchSessions, FetchTarget};

/// Regions of at least this length go from the page cache to the socket; below it a copy is
/// cheaper than the extra system call.
const SEND_FILE_BYTES_MIN: usize = 64 * 1024;

/// One fetch request, with its session resolved.
pub(crate) struct Fetch {
    pub(crate) context: FetchContext,
    pub(crate) targets: Vec<FetchTarget>,
    /// Whether topics are named by id.
    pub(crate) by_topic_id: bool,
    /// The broker that fetches as a follower; `None` for a client.
    pub(crate) follower: Option<FetchingBroker>,
    pub(crate) isolation: Isolation,
    pub(crate) max_bytes: usize,
    pub(crate) min_bytes: usize,
    pub(crate) max_wait_ms: u64,
}

/// The most partitions with records in one response: each holds a file open until it is sent. The others
/// follow in the next response, as after a full one.
const REGIONS_MAX: usize = 256;

/// The size from which a response is full, even if its request allows more: the partitions that follow have
/// their turn in the next response, for which clients and sessions change the order. A client uses nothing of
/// a response before it has all of it, and tens of MiB are new memory to it each time: reading a hundred
/// partitions at 50 MiB a response is half as fast as reading one.
const ENOUGH_BYTES: usize = 8 << 20;
/// A full response still includes partitions whose reader keeps up, if they have fewer bytes than this: a
/// reader that lags behind elsewhere must not delay them.
const RECENT_BYTES_MAX: usize = SEND_FILE_BYTES_MIN;

/// The looks that a fetch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// When it comes.
    First,
    /// After it has waited: a follower may have fetched from further on by now, on another connection.
    Later,
}

/// The result of one look at all partitions.
#[derive(Default)]
struct FetchRound {
    answers: Vec<PartitionData>,
    /// The records of the answers that have any, in their order.
    regions: Vec<FileRegion>,
    bytes: usize,
    /// Whether there is an error or a divergence, which the client learns of at once.
    urgent: bool,
}

/// Answers now if there is enough, or parks the fetch.
pub(crate) fn begin(
    replicas: &Arc<Replicas>,
    sessions: &Arc<FetchSessions>,
    responder: Responder,
    fetch: Fetch,
) -> Reply {
    let round = fetch.look(&replicas.table(), Look::First);
    if round.urgent || round.bytes >= fetch.min_bytes || fetch.max_wait_ms == 0 || fetch.targets.is_empty() {
        return Reply::Now(fetch.respond(sessions, responder, round));
    }
    let deadline = clock::now() + Duration::from_millis(fetch.max_wait_ms);
    let (replicas, sessions) = (Arc::clone(replicas), Arc::clone(sessions));
    Reply::later(async move {
        let round = fetch.wait(&replicas, deadline).await;
        fetch.respond(&sessions, responder, round)
    })
}

impl Fetch {
    /// Waits until enough is there or the time is over.
    async fn wait(&self, replicas: &Replicas, deadline: Instant) -> FetchRound {
        let news = Arc::new(Notify::new());
        // Held until the response is built. The watches are set before the next look, so that an append
        // between that look and the wait is not missed.
        let watches: Vec<Watch> = self.watch(&replicas.table(), &news);
        loop {
            let round = self.look(&replicas.table(), Look::Later);
            // A topic that was deleted meanwhile has no partition that could wake the fetch.
            if round.urgent || round.bytes >= self.min_bytes || watches.is_empty() {
                return round;
            }
            tokio::select! {
                biased;
                () = news.notified() => {}
                () = clock::sleep_until(deadline) => return self.look(&replicas.table(), Look::Later),
            }
        }
    }

    fn find<'t>(&self, table: &'t TopicTable, target: &FetchTarget) -> Result<&'t Arc<Replica>, ErrorCode> {
        let (topic, unknown) = if self.by_topic_id {
            (table.by_id(target.topic_id), ErrorCode::UNKNOWN_TOPIC_ID)
        } else {
            (table.by_name(&target.topic), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        };
        topic.ok_or(unknown)?.partition(target.partition)
    }

    fn watch(&self, table: &TopicTable, news: &Arc<Notify>) -> Vec<Watch> {
        let awaited = if self.follower.is_some() { News::End } else { News::HighWatermark };
        let replicas = self.targets.iter().filter_map(|target| self.find(table, target).ok());
        replicas.map(|replica| replica.watch(awaited, Arc::clone(news))).collect()
    }

    /// Reads each partition, within the limits of the request.
    fn look(&self, table: &TopicTable, look: Look) -> FetchRound {
        let mut round =
            FetchRound { answers: Vec::with_capacity(self.targets.len()), ..FetchRound::default() };
        for target in &self.targets {
            let request = self.read_request(target, &round, look);
            let outcome = self.find(table, target).and_then(|replica| replica.read(&request));
            round.take(target.partition, outcome);
        }
        round
    }

    /// The read of a partition that comes after those in `round`.
    fn read_request(&self, target: &FetchTarget, round: &FetchRound, look: Look) -> ReadRequest {
        let left = self.max_bytes.saturating_sub(round.bytes);
        let left = if round.regions.len() < REGIONS_MAX { left } else { 0 };
        let max_bytes = usize::try_from(target.partition_max_bytes).unwrap_or(0).min(left);
        let is_full = left == 0 || round.bytes >= ENOUGH_BYTES.max(self.min_bytes);
        ReadRequest {
            offset: target.fetch_offset,
            max_bytes: if is_full { max_bytes.min(RECENT_BYTES_MAX) } else { max_bytes },
            // The first batch of a response is whole, however large, so that a consumer makes progress.
            min_one_batch: round.bytes == 0,
            recent_only: is_full && round.bytes > 0,
            isolation: self.isolation,
            follower: self.follower.map(|broker| FetchingReplica {
                broker,
                log_start_offset: target.log_start_offset,
                is_new: look == Look::First,
            }),
            current_leader_epoch: target.current_leader_epoch,
            last_fetched_epoch: target.last_fetched_epoch,
        }
    }

    /// Finishes the session and encodes the response.
    fn respond(self, sessions: &FetchSessions, responder: Responder, round: FetchRound) -> Frame {
        let FetchRound { mut answers, regions, .. } = round;
        let pieces = load(&mut answers, regions);
        let mut answers: Vec<_> = self.targets.into_iter().zip(answers).collect();
        let new_id = || i32::from_ne_bytes(random::u64().to_ne_bytes()[..4].try_into().expect("four bytes"));
        let steady_ms = clock::steady_ms();
        let settled = sessions.finish(self.context, &mut answers, steady_ms, new_id);
        match settled {
            Ok(session_id) => {
                let responses = by_topic(answers);
                let response = FetchResponse { session_id, responses, ..FetchResponse::default() };
                responder.frame_with(&response, pieces)
            }
            Err(error_code) => responder.frame(&FetchResponse { error_code, ..FetchResponse::default() }),
        }
    }
}

impl FetchRound {
    /// Adds the outcome of one partition.
    fn take(&mut self, partition_index: i32, outcome: Result<ReadOutcome, ErrorCode>) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                self.urgent = true;
                self.answers.push(failed(partition_index, error));
                return;
            }
        };
        let aborted = |(producer_id, first_offset)| AbortedTransaction { producer_id, first_offset };
        let mut data = PartitionData {
            partition_index,
            high_watermark: outcome.high_watermark,
            last_stable_offset: outcome.last_stable_offset,
            log_start_offset: outcome.log_start_offset,
            aborted_transactions: outcome.aborted.map(|list| list.into_iter().map(aborted).collect()),
            records: Records::Bytes(bytes::Bytes::new()),
            ..PartitionData::default()
        };
        if let Some(storage::EpochEndOffset { epoch, end_offset }) = outcome.diverging {
            data.diverging_epoch = EpochEndOffset { epoch, end_offset };
            self.urgent = true;
        }
        if let Some(region) = outcome.region {
            data.records = Records::External { len: region.len };
            self.bytes += region.len;
            self.regions.push(region);
        }
        self.answers.push(data);
    }
}

/// Reads short regions into memory and leaves long ones to the kernel. If a region cannot be read, its
/// partition's answer becomes an error.
fn load(answers: &mut [PartitionData], regions: Vec<FileRegion>) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(regions.len());
    let with_records = answers.iter_mut().filter(|answer| matches!(answer.records, Records::External { .. }));
    for (answer, region) in with_records.zip(regions) {
        if region.len >= SEND_FILE_BYTES_MIN {
            pieces.push(Piece::File(region));
            continue;
        }
        let mut bytes = BytesMut::zeroed(region.len);
        match region.file.read_cached(&mut bytes, region.position) {
            Ok(true) => pieces.push(Piece::Bytes(bytes.freeze())),
            // The sender waits for the disk, so that other partitions do not.
            Ok(false) => pieces.push(Piece::File(region)),
            Err(problem) => {
                error!("a fetch cannot be answered: {problem}");
                *answer = failed(answer.partition_index, ErrorCode::KAFKA_STORAGE_ERROR);
            }
        }
    }
    pieces
}

/// Groups answers by topic: consecutive answers of one topic share an entry of the response.
fn by_topic(answers: Vec<(FetchTarget, PartitionData)>) -> Vec<FetchableTopicResponse> {
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for (target, data) in answers {
        match topics.last_mut() {
            Some(last) if last.topic == target.topic && last.topic_id == target.topic_id => {
                last.partitions.push(data);
            }
            _ => topics.push(FetchableTopicResponse {
                topic: target.topic,
                topic_id: target.topic_id,
                partitions: vec![data],
            }),
        }
    }
    topics
}

/// The answer for a partition that failed.
pub(crate) fn failed(partition_index: i32, error_code: ErrorCode) -> PartitionData {
    let is_unknown =
        matches!(error_code, ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    PartitionData {
        partition_index,
        error_code,
        high_watermark: -1,
        // As in Kafka: null for a partition that was read, and empty for one that does not exist.
        aborted_transactions: is_unknown.then(Vec::new),
        records: Records::Bytes(bytes::Bytes::new()),
        ..PartitionData::default()
    }
}
