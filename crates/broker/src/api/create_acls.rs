//! CreateAcls (30), versions 1-3: adds ACLs.
//!
//! 2 is flexible; 3 has users as resources (KIP-373). The answer is the error of DescribeAcls.

use protocol::messages::CreateAclsRequest;
use protocol::messages::create_acls_response::{AclCreationResult, CreateAclsResponse};
use protocol::{ErrorCode, Str};

use super::describe_acls::NO_AUTHORIZER;
use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: CreateAclsRequest) -> Reply {
    let refused = |_| AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(Str::from_static(NO_AUTHORIZER)),
    };
    let results = request.creations.iter().map(refused).collect();
    call.reply(&CreateAclsResponse { results, ..CreateAclsResponse::default() })
}
