//! ListPartitionReassignments (46), version 0: the partitions that move to other brokers (KIP-455).

use protocol::messages::ListPartitionReassignmentsRequest;

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: ListPartitionReassignmentsRequest) -> Reply {
    call.reply(&call.broker.cluster.controller().list_partition_reassignments(&call.broker.image(), &request))
}
