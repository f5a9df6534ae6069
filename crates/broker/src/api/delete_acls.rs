//! DeleteAcls (31), versions 1-3: removes ACLs.
//!
//! 2 is flexible; 3 has users as resources (KIP-373). The answer is the error of DescribeAcls.

use protocol::messages::DeleteAclsRequest;
use protocol::messages::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsResponse};
use protocol::{ErrorCode, Str};

use super::describe_acls::NO_AUTHORIZER;
use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: DeleteAclsRequest) -> Reply {
    let refused = |_| DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(Str::from_static(NO_AUTHORIZER)),
        ..DeleteAclsFilterResult::default()
    };
    let filter_results = request.filters.iter().map(refused).collect();
    call.reply(&DeleteAclsResponse { filter_results, ..DeleteAclsResponse::default() })
}
