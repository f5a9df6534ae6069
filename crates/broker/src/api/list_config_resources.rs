//! ListConfigResources (74), versions 0-1: what can have settings of its own.
//!
//! 0 lists subscriptions to clients' metrics (KIP-714); 1 any kind of resource (KIP-1142).

use protocol::messages::ListConfigResourcesRequest;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ListConfigResourcesRequest) -> Reply {
    let controller = call.broker.cluster.controller();
    call.reply(&controller.list_config_resources(&call.broker.image(), &request, call.version()))
}
