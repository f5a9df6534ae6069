//! CreateTopics (19), versions 2-7.
//!
//! 4 uses the default partition count and replication factor (KIP-464); 5 returns the topic's configuration
//! (KIP-525); 7 its id.

use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::create_topics_request::CreateTopicsRequest;
use protocol::messages::create_topics_response::{CreatableTopicResult, CreateTopicsResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: CreateTopicsRequest) -> Reply {
    let version = call.version();
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let decided = broker.cluster.ask_as(&request, version, timeout).await;
        responder.frame(&decided.unwrap_or_else(|error| failed(&request, error)))
    })
}

fn failed(request: &CreateTopicsRequest, error_code: ErrorCode) -> CreateTopicsResponse {
    let topics = request.topics.iter().map(|topic| CreatableTopicResult {
        name: topic.name.clone(),
        error_code,
        ..CreatableTopicResult::default()
    });
    CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
}
