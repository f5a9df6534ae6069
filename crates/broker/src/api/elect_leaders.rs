//! ElectLeaders (43), versions 0-2: gives partitions the leader that they should have (KIP-183).
//!
//! 1 tells preferred from unclean elections (KIP-460); 2 is flexible.

use protocol::messages::ElectLeadersRequest;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ElectLeadersRequest) -> Reply {
    call.reply(&call.broker.controller.elect_leaders(&call.broker.image(), &request))
}
