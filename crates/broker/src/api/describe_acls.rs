//! DescribeAcls (29), versions 1-3: the permissions of principals.
//!
//! 2 is flexible; 3 has users as resources (KIP-373).
//!
//! There is no authorization yet. The answer is that of a Kafka without an authorizer, which tools that copy
//! or show ACLs expect of a cluster without them.

use protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};
use protocol::{ErrorCode, Str};

use crate::call::Call;
use crate::reply::Reply;

/// The reason why ACLs cannot be read or changed.
pub(crate) const NO_AUTHORIZER: &str = "No Authorizer is configured on the broker";

pub(crate) fn handle(call: Call<'_>, _request: DescribeAclsRequest) -> Reply {
    call.reply(&DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(Str::from_static(NO_AUTHORIZER)),
        ..DescribeAclsResponse::default()
    })
}
