//! FindCoordinator (10), versions 0-6.
//!
//! 1 adds the type of the key; 4 several keys in one request (KIP-699); 5 an error for transactions
//! (KIP-890); 6 share groups (KIP-932).
//!
//! Kafka answers a first request with COORDINATOR_NOT_AVAILABLE while it creates `__consumer_offsets`; Milena
//! creates the topic and answers.

use std::sync::Arc;

use metadata::Image;
use protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use protocol::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use protocol::{ErrorCode, Str};

use crate::broker::Broker;
use crate::call::Call;
use crate::cluster;
use crate::coordinators::OFFSETS_TOPIC;
use crate::reply::Reply;
use runtime::HashSet;

/// The first version with several keys in a request.
const KEYS_SINCE: i16 = 4;
/// The key type of a consumer group.
const GROUP: i8 = 0;
/// The key type of a transactional id.
const TRANSACTION: i8 = 1;
/// The key type of a share group's partition.
const SHARE: i8 = 2;

/// The most keys that are answered as often as they are named, as Kafka does. If there are more, each is
/// answered once: a host name can be a hundred times as long as a key.
const REPEATS_MAX: usize = 1000;

/// The error message for a transactional producer.
const NO_TRANSACTIONS: &str = "This broker does not serve transactions.";

pub(crate) fn handle(call: Call<'_>, request: FindCoordinatorRequest) -> Reply {
    let version = call.version();
    let mut keys = if version >= KEYS_SINCE { request.coordinator_keys } else { vec![request.key] };
    if keys.len() > REPEATS_MAX {
        let mut seen = HashSet::default();
        keys.retain(|key| seen.insert(key.clone()));
    }
    let listener = call.broker.listener_name(call.peer.listener).clone();
    let key_type = request.key_type;
    let answer = move |broker: &Broker, image: &Image| {
        let coordinators = keys.iter().map(|key| coordinator(broker, image, &listener, key_type, key));
        respond(version, coordinators.collect())
    };
    let image = call.broker.image();
    if key_type != GROUP || image.topic(OFFSETS_TOPIC).is_some() {
        return call.reply(&answer(call.broker, &image));
    }
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        // If the topic cannot be created, the answer is that there is no coordinator yet.
        broker.cluster.create_offsets_topic().await;
        responder.frame(&answer(&broker, &broker.image()))
    })
}

fn coordinator(broker: &Broker, image: &Image, listener: &str, key_type: i8, key: &Str) -> Coordinator {
    let found = match key_type {
        GROUP => {
            let partition = broker.groups.partition_for(key);
            let leader = image.partition(OFFSETS_TOPIC, partition).map(|partition| partition.leader);
            // This broker may not have opened the partition yet. The client asks again; if it were sent here
            // too early, it might give up.
            let leader = leader.filter(|id| *id != broker.config.node_id || broker.groups.holds(key));
            let node = leader.and_then(|leader| cluster::node(image, leader, listener));
            let error_code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
            node.ok_or((error_code, error_code.message()))
        }
        // With COORDINATOR_NOT_AVAILABLE clients would retry until they give up; with this error they fail at
        // once.
        TRANSACTION => Err((ErrorCode::UNSUPPORTED_VERSION, NO_TRANSACTIONS)),
        // The answer of a Kafka without a coordinator of share groups.
        SHARE => Err((ErrorCode::INVALID_REQUEST, "This broker does not serve share groups.")),
        _ => Err((ErrorCode::INVALID_REQUEST, ErrorCode::INVALID_REQUEST.message())),
    };
    match found {
        Ok(node) => Coordinator {
            key: key.clone(),
            node_id: node.id,
            host: node.host,
            port: node.port,
            error_code: ErrorCode::NONE,
            error_message: Some(Str::default()),
        },
        Err((error_code, message)) => Coordinator {
            key: key.clone(),
            node_id: -1,
            host: Str::default(),
            port: -1,
            error_code,
            error_message: Some(Str::from_static(message)),
        },
    }
}

fn respond(version: i16, mut coordinators: Vec<Coordinator>) -> FindCoordinatorResponse {
    if version >= KEYS_SINCE {
        return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
    }
    let only = coordinators.pop().expect("an old request has one key");
    FindCoordinatorResponse {
        error_code: only.error_code,
        // If there is no error, Kafka sends that error's name.
        error_message: only.error_message.filter(|message| !message.is_empty()).or(Some("NONE".into())),
        node_id: only.node_id,
        host: only.host,
        port: only.port,
        ..FindCoordinatorResponse::default()
    }
}
