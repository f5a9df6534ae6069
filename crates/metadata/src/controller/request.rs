//! Requests to the controller as messages, so that it need not be in the process of who asks.

use protocol::messages::{
    AllocateProducerIdsRequest, AlterConfigsRequest, AlterPartitionRequest, AssignReplicasToDirsRequest,
    BrokerHeartbeatRequest, CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
    ElectLeadersRequest, IncrementalAlterConfigsRequest,
};
use protocol::{Request, Uuid};

use super::{Controller, Decision};
use crate::image::Image;

/// The input of a decision beside the request and the state.
#[derive(Clone, Copy, Debug)]
pub struct RequestContext {
    /// The version of the request.
    pub version: i16,
    /// The source of identities for what is created.
    pub random_id: fn() -> Uuid,
}

/// A message that the active controller answers.
pub trait ControllerRequest: Request {
    /// The answer, and the records that make it true.
    fn decide(
        &self,
        controller: &Controller,
        image: &Image,
        context: RequestContext,
    ) -> Decision<Self::Response>;
}

/// Has the controller's method of that name decide a request; what follows the name is passed on.
macro_rules! decided_by {
    ($($request:ident: $method:ident($context:ident $(, $more:expr)?);)*) => {
        $(impl ControllerRequest for $request {
            fn decide(
                &self,
                controller: &Controller,
                image: &Image,
                $context: RequestContext,
            ) -> Decision<Self::Response> {
                controller.$method(image, self $(, $more)?)
            }
        })*
    };
}

decided_by! {
    AllocateProducerIdsRequest: allocate_producer_ids(_context);
    AlterConfigsRequest: alter_configs(_context);
    AlterPartitionRequest: alter_partition(context, context.version);
    AssignReplicasToDirsRequest: assign_replicas_to_dirs(_context);
    BrokerHeartbeatRequest: broker_heartbeat(_context);
    CreatePartitionsRequest: create_partitions(_context);
    CreateTopicsRequest: create_topics(context, context.random_id);
    DeleteTopicsRequest: delete_topics(context, context.version);
    ElectLeadersRequest: elect_leaders(_context);
    IncrementalAlterConfigsRequest: incremental_alter_configs(_context);
}
