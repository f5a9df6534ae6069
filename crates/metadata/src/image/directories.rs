//! The log directories of replicas (KIP-858).

use protocol::Uuid;
use protocol::records::RegisterBrokerRecord;

use super::Partition;

/// The ids below this are reserved: 0 for a directory that is not assigned yet, 1 for a lost one, 2 for an
/// unknown one. Source: Kafka's `DirectoryId`.
const RESERVED_MAX: u128 = 100;

/// The directory of a replica that has none yet.
pub const UNASSIGNED: Uuid = Uuid::ZERO;

/// The directory of a replica that is offline, if nothing more is known.
pub const LOST: Uuid = Uuid(1_u128.to_be_bytes());

/// Whether an id identifies a directory, rather than being reserved.
pub fn is_directory(id: Uuid) -> bool {
    u128::from_be_bytes(id.0) >= RESERVED_MAX
}

/// Whether a replica in directory `id` is served by a broker whose directories `online` work. If the broker
/// names none, all count as working.
pub fn is_online(id: Uuid, online: &[Uuid]) -> bool {
    id != LOST && (!is_directory(id) || online.is_empty() || online.contains(&id))
}

impl Partition {
    /// The directory in which `broker` has its replica; [`UNASSIGNED`] if it is unknown.
    pub fn directory_of(&self, broker: i32) -> Uuid {
        let at = self.replicas.iter().position(|replica| *replica == broker);
        at.and_then(|at| self.directories.get(at)).copied().unwrap_or(UNASSIGNED)
    }

    /// Whether a broker serves its replica: the broker is not fenced and the directory works.
    pub fn is_served_by(&self, broker: &RegisterBrokerRecord) -> bool {
        !broker.fenced && is_online(self.directory_of(broker.broker_id), &broker.log_dirs)
    }
}
