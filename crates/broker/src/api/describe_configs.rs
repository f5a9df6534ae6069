//! DescribeConfigs (32), versions 1-4: settings, with the sources of their values and their documentation.
//!
//! 1 adds sources and synonyms (KIP-226); 3 types and documentation (KIP-569).

use protocol::messages::DescribeConfigsRequest;

use crate::call::Call;
use crate::reply::Reply;

/// The number of resources from which an answer may be large: one resource can have 100 kB of settings.
const MANY_RESOURCES: usize = 4;

pub(crate) fn handle(call: Call<'_>, request: DescribeConfigsRequest) -> Reply {
    if request.resources.len() < MANY_RESOURCES {
        return call
            .reply(&call.broker.cluster.controller().describe_configs(&call.broker.image(), &request));
    }
    call.reply_aside(move |broker| broker.cluster.controller().describe_configs(&broker.image(), &request))
}
