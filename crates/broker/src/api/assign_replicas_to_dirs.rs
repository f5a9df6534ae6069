//! AssignReplicasToDirs (73), version 0: a broker reports the log directories of its replicas (KIP-858).

use protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};

use crate::call::Call;
use crate::reply::Reply;

pub(crate) fn handle(call: Call<'_>, request: AssignReplicasToDirsRequest) -> Reply {
    call.ask_controller(request, None, |_, error_code| AssignReplicasToDirsResponse {
        error_code,
        ..AssignReplicasToDirsResponse::default()
    })
}
