//! AlterPartitionReassignments (45), versions 0-1: moves partitions to other brokers (KIP-455).
//!
//! 1 can forbid a change of the replication factor.
//!
//! Only the present assignment of a partition is accepted, since there is one broker. Kafka's tool for moving
//! partitions between log directories sends that assignment first.

use protocol::messages::AlterPartitionReassignmentsRequest;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: AlterPartitionReassignmentsRequest) -> Reply {
    call.reply(
        &call.broker.cluster.controller().alter_partition_reassignments(&call.broker.image(), &request),
    )
}
