//! DescribeConfigs (32), versions 1-4: settings, where their values come from, what they mean.
//!
//! 1 brings sources and synonyms (KIP-226); 3 types and documentation (KIP-569).

use protocol::messages::DescribeConfigsRequest;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: DescribeConfigsRequest) -> Reply {
    call.reply(&call.broker.controller.describe_configs(&call.broker.image(), &request))
}
