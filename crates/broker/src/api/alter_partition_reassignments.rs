//! AlterPartitionReassignments (45), versions 0-1: moves partitions to other brokers (KIP-455).
//!
//! 1 may forbid another number of replicas.
//!
//! There is one broker, so the only assignment that is taken is the one that a partition has. Kafka's tool for moving
//! partitions between log directories says so first.

use protocol::messages::AlterPartitionReassignmentsRequest;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: AlterPartitionReassignmentsRequest) -> Reply {
    call.reply(
        &call.broker.cluster.controller().alter_partition_reassignments(&call.broker.image(), &request),
    )
}
