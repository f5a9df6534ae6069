//! CreatePartitions (37), versions 0-3: adds partitions to topics (KIP-195).

use protocol::ErrorCode;
use protocol::messages::create_partitions_request::CreatePartitionsRequest;
use protocol::messages::create_partitions_response::{CreatePartitionsResponse, CreatePartitionsTopicResult};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: CreatePartitionsRequest) -> Reply {
    let timeout_ms = Some(request.timeout_ms);
    call.ask_controller(request, timeout_ms, failed)
}

fn failed(request: &CreatePartitionsRequest, error_code: ErrorCode) -> CreatePartitionsResponse {
    let results = request.topics.iter().map(|topic| CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code,
        error_message: None,
    });
    CreatePartitionsResponse { results: results.collect(), ..CreatePartitionsResponse::default() }
}
