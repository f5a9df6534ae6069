//! IncrementalAlterConfigs (44), versions 0-1: changes single settings (KIP-339).

use protocol::ErrorCode;
use protocol::messages::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
use protocol::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: IncrementalAlterConfigsRequest) -> Reply {
    call.ask_controller(request, None, failed)
}

fn failed(
    request: &IncrementalAlterConfigsRequest,
    error_code: ErrorCode,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| AlterConfigsResourceResponse {
        error_code,
        error_message: None,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    IncrementalAlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}
