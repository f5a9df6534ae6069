//! Requests to the controller as messages, so that it need not be in the process of who asks.

use protocol::messages::{
    AllocateProducerIdsRequest, AlterConfigsRequest, AlterPartitionRequest, AssignReplicasToDirsRequest,
    BrokerHeartbeatRequest, BrokerRegistrationRequest, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteTopicsRequest, ElectLeadersRequest, IncrementalAlterConfigsRequest, UnregisterBrokerRequest,
};
use protocol::{Request, Uuid};

use super::{Controller, Decision, Office};
use crate::image::Image;

/// The input of a decision beside the request and the state.
#[derive(Debug)]
pub struct RequestContext<'a> {
    /// The version of the request.
    pub version: i16,
    /// The source of identities for what is created.
    pub random_id: fn() -> Uuid,
    /// The time now, in milliseconds of the steady clock.
    pub now_ms: i64,
    /// What only the active controller knows.
    pub office: &'a mut Office,
}

/// A message that the active controller answers.
pub trait ControllerRequest: Request {
    /// The answer, and the records that make it true.
    fn decide(
        &self,
        controller: &Controller,
        image: &Image,
        context: RequestContext<'_>,
    ) -> Decision<Self::Response>;
}

/// Has the controller's method of that name decide a request; what follows the name is passed on.
macro_rules! decided_by {
    ($($request:ident: $method:ident($context:ident $(, $more:expr)*);)*) => {
        $(impl ControllerRequest for $request {
            fn decide(
                &self,
                controller: &Controller,
                image: &Image,
                $context: RequestContext<'_>,
            ) -> Decision<Self::Response> {
                controller.$method(image, self $(, $more)*)
            }
        })*
    };
}

decided_by! {
    AllocateProducerIdsRequest: allocate_producer_ids(_context);
    AlterConfigsRequest: alter_configs(_context);
    AlterPartitionRequest: alter_partition(context, context.version);
    AssignReplicasToDirsRequest: assign_replicas_to_dirs(_context);
    BrokerHeartbeatRequest: broker_heartbeat(context, context.office, context.now_ms);
    BrokerRegistrationRequest: broker_registration(context, context.version, context.office, context.now_ms);
    CreatePartitionsRequest: create_partitions(_context);
    CreateTopicsRequest: create_topics(context, context.random_id);
    DeleteTopicsRequest: delete_topics(context, context.version);
    ElectLeadersRequest: elect_leaders(_context);
    IncrementalAlterConfigsRequest: incremental_alter_configs(_context);
    UnregisterBrokerRequest: unregister_broker(_context);
}
