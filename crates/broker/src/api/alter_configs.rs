//! AlterConfigs (33), versions 0-2: replaces all settings of a resource.
//!
//! 2 is flexible. Clients older than IncrementalAlterConfigs (KIP-339) have only this request.

use protocol::ErrorCode;
use protocol::messages::alter_configs_request::AlterConfigsRequest;
use protocol::messages::alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: AlterConfigsRequest) -> Reply {
    call.ask_controller(request, None, failed)
}

fn failed(request: &AlterConfigsRequest, error_code: ErrorCode) -> AlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| AlterConfigsResourceResponse {
        error_code,
        error_message: None,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    });
    AlterConfigsResponse { responses: responses.collect(), ..Default::default() }
}
