//! AllocateProducerIds (67), version 0: a broker gets a block of producer ids (KIP-730).

use protocol::messages::{AllocateProducerIdsRequest, AllocateProducerIdsResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: AllocateProducerIdsRequest) -> Reply {
    call.ask_controller(request, None, |_, error_code| AllocateProducerIdsResponse {
        error_code,
        ..AllocateProducerIdsResponse::default()
    })
}
