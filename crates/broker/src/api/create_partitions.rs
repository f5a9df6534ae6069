//! CreatePartitions (37), versions 0-3: adds partitions to topics (KIP-195).

use std::sync::Arc;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::create_partitions_request::CreatePartitionsRequest;
use protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: CreatePartitionsRequest) -> Reply {
    let version = call.version();
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let decided = broker.cluster.ask_as(&request, version, timeout).await;
        responder.frame(&decided.unwrap_or_else(|error| failed(&request, error)))
    })
}

fn failed(request: &CreatePartitionsRequest, error_code: ErrorCode) -> CreatePartitionsResponse {
    let results = request.topics.iter().map(|topic| CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code,
        error_message: None,
    });
    CreatePartitionsResponse { results: results.collect(), ..CreatePartitionsResponse::default() }
}
