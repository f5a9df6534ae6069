//! BrokerRegistration (62), versions 0-4: a broker joins the cluster (KIP-631).
//!
//! 2 adds the log directories (KIP-858); 3 the epoch before a clean shutdown (KIP-966); 4 features whose lowest level is 0.

use protocol::messages::{BrokerRegistrationRequest, BrokerRegistrationResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: BrokerRegistrationRequest) -> Reply {
    call.ask_controller(request, None, |_, error_code| BrokerRegistrationResponse {
        error_code,
        ..BrokerRegistrationResponse::default()
    })
}
