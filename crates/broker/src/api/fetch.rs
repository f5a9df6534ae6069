//! Fetch (1), versions 4-18.
//!
//! 4 adds isolation levels; 5 the log start offset; 7 sessions (KIP-227); 9 the leader epoch of the client
//! (KIP-320); 11 the rack (KIP-392); 12 is flexible, and adds the epoch of the last fetched batch (KIP-595);
//! 13 names topics by id (KIP-516); 15 moves the replica id (KIP-903); 16 adds the new leader's address
//! (KIP-951); 17 the directory of a follower; 18 its high watermark.
//!
//! A fetch that finds fewer than `min_bytes` parks until an append brings enough or `max_wait_ms` is over.
//! Nothing polls: the append wakes it. At a listener for controllers it reads the metadata log.

mod metadata_log;

use protocol::messages::FetchResponse;
use protocol::messages::fetch_request::{FetchRequest, FetchTopic, ForgottenTopic};
use protocol::messages::fetch_response::FetchableTopicResponse;
use protocol::{ErrorCode, Str, Uuid};
use runtime::clock;

use crate::call::Call;
use crate::fetch::session::{FetchTarget, SessionClaim};
use crate::fetch::{self, Fetch};
use crate::peer::ListenerType;
use crate::replicas::{FetchingBroker, Isolation};
use crate::reply::Reply;

/// The first version with sessions.
const SESSIONS_SINCE: i16 = 7;
/// The first version in which topics are named by id.
const TOPIC_IDS_SINCE: i16 = 13;
/// The first version with the replica id in the replica state.
const REPLICA_STATE_SINCE: i16 = 15;
/// The epoch of a request that wants no session.
const NO_SESSION_EPOCH: i32 = -1;

pub(crate) fn handle(call: Call<'_>, request: FetchRequest) -> Reply {
    if call.peer.listener_type == ListenerType::Controller {
        return metadata_log::handle(call, request);
    }
    let version = call.version();
    let claim = SessionClaim {
        session_id: request.session_id,
        epoch: if version >= SESSIONS_SINCE { request.session_epoch } else { NO_SESSION_EPOCH },
        by_topic_id: version >= TOPIC_IDS_SINCE,
    };
    let broker = if version >= REPLICA_STATE_SINCE {
        let state = &request.replica_state;
        FetchingBroker { node_id: state.replica_id, epoch: state.replica_epoch }
    } else {
        FetchingBroker { node_id: request.replica_id, epoch: -1 }
    };
    let Some(isolation) = Isolation::of(request.isolation_level) else {
        return call.reply(&refused(request, ErrorCode::INVALID_REQUEST));
    };
    let named = request.topics.into_iter().flat_map(targets).collect();
    let forgotten: Vec<FetchTarget> =
        request.forgotten_topics_data.into_iter().flat_map(forgotten_targets).collect();
    let begun = call.broker.fetch_sessions.begin(claim, named, &forgotten, clock::steady_ms());
    let (context, targets) = match begun {
        Ok(begun) => begun,
        Err(error_code) => return call.reply(&FetchResponse { error_code, ..FetchResponse::default() }),
    };
    let max_bytes = request.max_bytes.clamp(0, call.broker.config.fetch_max_bytes);
    fetch::begin(
        &call.broker.replicas,
        &call.broker.fetch_sessions,
        call.responder,
        Fetch {
            context,
            targets,
            follower: (broker.node_id >= 0).then_some(broker),
            by_topic_id: claim.by_topic_id,
            isolation,
            max_bytes: usize::try_from(max_bytes).unwrap_or(0),
            min_bytes: usize::try_from(request.min_bytes.min(max_bytes)).unwrap_or(0),
            max_wait_ms: u64::try_from(request.max_wait_ms).unwrap_or(0),
        },
    )
}

/// Returns the same error for every partition: versions before 7 have no field for an error of the whole
/// request.
fn refused(request: FetchRequest, error_code: ErrorCode) -> FetchResponse {
    let responses = request.topics.into_iter().map(|topic| FetchableTopicResponse {
        partitions: topic.partitions.iter().map(|it| fetch::failed(it.partition, error_code)).collect(),
        topic: topic.topic,
        topic_id: topic.topic_id,
    });
    FetchResponse { error_code, responses: responses.collect(), ..FetchResponse::default() }
}

fn targets(topic: FetchTopic) -> impl Iterator<Item = FetchTarget> {
    let (name, topic_id) = (topic.topic, topic.topic_id);
    topic.partitions.into_iter().map(move |partition| FetchTarget {
        topic: name.clone(),
        topic_id,
        partition: partition.partition,
        fetch_offset: partition.fetch_offset,
        log_start_offset: partition.log_start_offset,
        partition_max_bytes: partition.partition_max_bytes,
        current_leader_epoch: partition.current_leader_epoch,
        last_fetched_epoch: partition.last_fetched_epoch,
    })
}

fn forgotten_targets(topic: ForgottenTopic) -> impl Iterator<Item = FetchTarget> {
    let (name, topic_id): (Str, Uuid) = (topic.topic, topic.topic_id);
    topic.partitions.into_iter().map(move |partition| FetchTarget {
        topic: name.clone(),
        topic_id,
        partition,
        fetch_offset: 0,
        log_start_offset: -1,
        partition_max_bytes: 0,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    })
}
