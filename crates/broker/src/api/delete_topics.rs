//! DeleteTopics (20), versions 1-6.
//!
//! 5 brings error messages; 6 topics by id (KIP-516).

use protocol::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use protocol::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use protocol::{ErrorCode, Uuid};

use crate::call::Call;
use crate::reply::Reply;

/// The last version in which topics are a list of names.
const NAMES_UNTIL: i16 = 5;

pub(crate) fn handle(call: Call<'_>, mut request: DeleteTopicsRequest) -> Reply {
    if call.version() <= NAMES_UNTIL {
        let named = |name| DeleteTopicState { name: Some(name), topic_id: Uuid::ZERO };
        request.topics = std::mem::take(&mut request.topic_names).into_iter().map(named).collect();
    }
    let timeout_ms = Some(request.timeout_ms);
    call.ask_controller(request, timeout_ms, failed)
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
