//! The log directories of replicas (KIP-858).

use protocol::Uuid;
use protocol::records::RegisterBrokerRecord;

use super::Partition;

/// The ids below this are no directory's: 0 is one that is not chosen yet, 1 one that is lost, 2 one that is not
/// known. Source: Kafka's `DirectoryId`.
const RESERVED_MAX: u128 = 100;

/// The directory of a replica that is in none yet.
pub const UNASSIGNED: Uuid = Uuid::ZERO;

/// The directory of a replica of which no more is known than that it is offline.
pub const LOST: Uuid = Uuid(1_u128.to_be_bytes());

/// Whether an id is that of a directory, rather than one that stands for none.
pub fn is_directory(id: Uuid) -> bool {
    u128::from_be_bytes(id.0) >= RESERVED_MAX
}

/// Whether a replica in directory `id` is served by a broker whose directories `online` work. Of a broker that
/// names none, all are taken to.
pub fn is_online(id: Uuid, online: &[Uuid]) -> bool {
    id != LOST && (!is_directory(id) || online.is_empty() || online.contains(&id))
}

impl Partition {
    /// The directory in which `broker` keeps its replica; [`UNASSIGNED`] if it is unknown.
    pub fn directory_of(&self, broker: i32) -> Uuid {
        let at = self.replicas.iter().position(|replica| *replica == broker);
        at.and_then(|at| self.directories.get(at)).copied().unwrap_or(UNASSIGNED)
    }

    /// Whether the replica on a broker is served: the broker takes part and the directory works.
    pub fn is_served_by(&self, broker: &RegisterBrokerRecord) -> bool {
        !broker.fenced && is_online(self.directory_of(broker.broker_id), &broker.log_dirs)
    }
}
