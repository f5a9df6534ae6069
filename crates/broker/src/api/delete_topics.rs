//! DeleteTopics (20), versions 1-6.
//!
//! 5 brings error messages; 6 topics by id (KIP-516).

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use protocol::{ErrorCode, Uuid};

use crate::call::Call;
use crate::reply::Reply;

/// The last version in which topics are a list of names.
const NAMES_UNTIL: i16 = 5;

pub(crate) fn handle(call: Call<'_>, mut request: DeleteTopicsRequest) -> Reply {
    let version = call.version();
    if version <= NAMES_UNTIL {
        let named = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
        request.topics = std::mem::take(&mut request.topic_names).into_iter().map(named).collect();
    }
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let decided = broker.cluster.ask_as(&request, version, timeout).await;
        responder.frame(&decided.unwrap_or_else(|error| failed(&request, error)))
    })
}

fn failed(request: &DeleteTopicsRequest, error_code: ErrorCode) -> DeleteTopicsResponse {
    let responses = request.topics.iter().map(|topic| DeletableTopicResult {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        error_code,
        ..DeletableTopicResult::default()
    });
    DeleteTopicsResponse { responses: responses.collect(), ..DeleteTopicsResponse::default() }
}
