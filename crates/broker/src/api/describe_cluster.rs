//! DescribeCluster (60), versions 0-2.
//!
//! 1 asks for brokers or controllers (KIP-919); 2 for fenced brokers too (KIP-1073).

use protocol::ErrorCode;
use protocol::messages::describe_cluster_request::DescribeClusterRequest;
use protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

use crate::call::Call;
use crate::cluster::{self, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED};
use crate::reply::Reply;

/// The endpoints of brokers.
const BROKERS: i8 = 1;
/// The endpoints of controllers, which do not listen for clients here.
const CONTROLLERS: i8 = 2;

pub(crate) fn handle(call: Call<'_>, request: DescribeClusterRequest) -> Reply {
    if request.endpoint_type != BROKERS {
        let (error_code, message) = match request.endpoint_type {
            CONTROLLERS => (
                ErrorCode::MISMATCHED_ENDPOINT_TYPE,
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                    .to_owned(),
            ),
            other => (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {other}")),
        };
        return call.reply(&DescribeClusterResponse {
            error_code,
            error_message: Some(message.into()),
            endpoint_type: BROKERS,
            ..DescribeClusterResponse::default()
        });
    }
    let image = call.broker.image();
    let listener = call.broker.listener_name(call.peer.listener);
    let shown = image.brokers().values().filter(|broker| request.include_fenced_brokers || !broker.fenced);
    let brokers = shown.filter_map(|broker| {
        let node = cluster::node(&image, broker.broker_id, listener)?;
        Some(DescribeClusterBroker {
            broker_id: node.id,
            host: node.host,
            port: node.port,
            rack: node.rack,
            is_fenced: broker.fenced,
        })
    });
    let operations = request.include_cluster_authorized_operations;
    call.reply(&DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: call.broker.cluster.id().clone(),
        controller_id: call.broker.cluster.controller_id(),
        brokers: brokers.collect(),
        cluster_authorized_operations: if operations { CLUSTER_OPERATIONS } else { OPERATIONS_NOT_ASKED },
        ..DescribeClusterResponse::default()
    })
}
