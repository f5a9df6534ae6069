//! ListConfigResources (74), versions 0-1: lists the resources with settings of their own.
//!
//! 0 lists client metrics subscriptions (KIP-714); 1 any type of resource (KIP-1142).

use protocol::messages::ListConfigResourcesRequest;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ListConfigResourcesRequest) -> Reply {
    let controller = call.broker.cluster.controller();
    call.reply(&controller.list_config_resources(&call.broker.image(), &request, call.version()))
}
