//! DescribeCluster (60), versions 0-2.
//!
//! 1 asks for brokers or controllers (KIP-919); 2 for fenced brokers too (KIP-1073).

use protocol::ErrorCode;
use protocol::messages::describe_cluster_request::DescribeClusterRequest;
use protocol::messages::describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse};

use crate::call::Call;
use crate::cluster::{self, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED};
use crate::peer::ListenerType;
use crate::reply::Reply;

/// The endpoints of brokers.
const BROKERS: i8 = 1;
/// The endpoints of controllers.
const CONTROLLERS: i8 = 2;
/// The id of the active controller if there is none.
const NO_CONTROLLER: i32 = -1;

pub(crate) fn handle(call: Call<'_>, request: DescribeClusterRequest) -> Reply {
    let here = match call.peer.listener_type {
        ListenerType::Broker => BROKERS,
        ListenerType::Controller => CONTROLLERS,
    };
    if request.endpoint_type != here {
        return call.reply(&mismatched(here, request.endpoint_type));
    }
    let response = match call.peer.listener_type {
        ListenerType::Broker => brokers(&call, &request),
        ListenerType::Controller => controllers(&call),
    };
    let operations = request.include_cluster_authorized_operations;
    call.reply(&DescribeClusterResponse {
        endpoint_type: here,
        cluster_id: call.broker.cluster.id().clone(),
        cluster_authorized_operations: if operations { CLUSTER_OPERATIONS } else { OPERATIONS_NOT_ASKED },
        ..response
    })
}

fn mismatched(here: i8, asked: i8) -> DescribeClusterResponse {
    let kind = |endpoint_type| if endpoint_type == BROKERS { "BROKER" } else { "CONTROLLER" };
    let (error_code, message) = match asked {
        BROKERS | CONTROLLERS => (
            ErrorCode::MISMATCHED_ENDPOINT_TYPE,
            format!(
                "The request was sent to an endpoint of type {}, but we wanted an endpoint of type {}",
                kind(here),
                kind(asked)
            ),
        ),
        other => (ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, format!("Unsupported endpoint type {other}")),
    };
    DescribeClusterResponse {
        error_code,
        error_message: Some(message.into()),
        endpoint_type: here,
        ..DescribeClusterResponse::default()
    }
}

fn brokers(call: &Call<'_>, request: &DescribeClusterRequest) -> DescribeClusterResponse {
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
    DescribeClusterResponse {
        controller_id: call.broker.cluster.controller_id(),
        brokers: brokers.collect(),
        ..DescribeClusterResponse::default()
    }
}

/// The voters of the metadata quorum, as far as their addresses are known.
fn controllers(call: &Call<'_>) -> DescribeClusterResponse {
    let listener = call.broker.listener_name(call.peer.listener);
    let status = call.broker.cluster.quorum_status();
    let voters = status.voters.iter().filter_map(|voter| {
        let endpoint = voter.endpoints.iter().find(|endpoint| endpoint.name == **listener)?;
        Some(DescribeClusterBroker {
            broker_id: voter.id.id,
            host: endpoint.host.as_str().into(),
            port: i32::from(endpoint.port),
            ..DescribeClusterBroker::default()
        })
    });
    DescribeClusterResponse {
        controller_id: status.leader.map_or(NO_CONTROLLER, |leader| leader.id),
        brokers: voters.collect(),
        ..DescribeClusterResponse::default()
    }
}
