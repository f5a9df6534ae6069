//! ElectLeaders (43), versions 0-2: elects leaders of partitions (KIP-183).
//!
//! 1 tells preferred from unclean elections (KIP-460); 2 is flexible.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ElectLeadersRequest) -> Reply {
    let version = call.version();
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let decided = broker.cluster.ask_as(&request, version, timeout).await;
        let failed = |error_code| ElectLeadersResponse { error_code, ..ElectLeadersResponse::default() };
        responder.frame(&decided.unwrap_or_else(failed))
    })
}
