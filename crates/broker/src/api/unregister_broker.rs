//! UnregisterBroker (64), version 0: removes a broker that will not come back.

use protocol::messages::{UnregisterBrokerRequest, UnregisterBrokerResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: UnregisterBrokerRequest) -> Reply {
    call.ask_controller(request, None, |_, error_code| UnregisterBrokerResponse {
        error_code,
        ..UnregisterBrokerResponse::default()
    })
}
