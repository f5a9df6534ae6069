//! CreateTopics (19), versions 2-7.
//!
//! 4 uses the default partition count and replication factor (KIP-464); 5 returns the topic's configuration
//! (KIP-525); 7 its id.

use protocol::ErrorCode;
use protocol::messages::create_topics_request::CreateTopicsRequest;
use protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: CreateTopicsRequest) -> Reply {
    let timeout_ms = Some(request.timeout_ms);
    call.ask_controller(request, timeout_ms, failed)
}

fn failed(request: &CreateTopicsRequest, error_code: ErrorCode) -> CreateTopicsResponse {
    let topics = request.topics.iter().map(|topic| CreatableTopicResult {
        name: topic.name.clone(),
        error_code,
        ..CreatableTopicResult::default()
    });
    CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
}
