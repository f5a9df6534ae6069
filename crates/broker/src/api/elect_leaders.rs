//! ElectLeaders (43), versions 0-2: gives partitions the leader that they should have (KIP-183).
//!
//! 1 tells preferred from unclean elections (KIP-460); 2 is flexible.

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ElectLeadersRequest) -> Reply {
    let logs = call.broker.replicas.dirs();
    let is_lost = |topic_id, partition| logs.is_lost(topic_id, partition);
    let (response, records) =
        call.broker.cluster.controller().elect_leaders(&call.broker.image(), &request, is_lost);
    if records.is_empty() {
        return call.reply(&response);
    }
    let (broker, responder) = (Arc::clone(call.broker), call.responder);
    Reply::later(async move {
        let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
        let decided = broker.cluster.decide(timeout, |controller, image| {
            controller.elect_leaders(image, &request, |topic_id, number| {
                broker.replicas.dirs().is_lost(topic_id, number)
            })
        });
        let failed = |error_code| ElectLeadersResponse { error_code, ..ElectLeadersResponse::default() };
        responder.frame(&decided.await.unwrap_or_else(failed))
    })
}
