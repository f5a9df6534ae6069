//! ElectLeaders (43), versions 0-2: elects leaders of partitions (KIP-183).
//!
//! 1 tells preferred from unclean elections (KIP-460); 2 is flexible.

use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ElectLeadersRequest) -> Reply {
    let timeout_ms = Some(request.timeout_ms);
    call.ask_controller(request, timeout_ms, |_, error_code| ElectLeadersResponse {
        error_code,
        ..ElectLeadersResponse::default()
    })
}
