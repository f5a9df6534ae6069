//! AlterPartition (56), versions 2-3: the leader of a partition proposes who is in sync with it (KIP-497).
//!
//! 2 names topics by id; 3 has the epochs of the brokers in the ISR (KIP-903).

use protocol::messages::{AlterPartitionRequest, AlterPartitionResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: AlterPartitionRequest) -> Reply {
    call.ask_controller(request, None, |_, error_code| AlterPartitionResponse {
        error_code,
        ..AlterPartitionResponse::default()
    })
}
