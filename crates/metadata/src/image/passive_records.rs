//! The records of features that are not implemented yet. They are kept, so that a snapshot has all of them.

use std::collections::BTreeMap;

use protocol::records::{
    AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, RegisterControllerRecord,
    UserScramCredentialRecord,
};
use protocol::{Str, Uuid};

/// The entity of a quota: types and names, ordered by type. A name of `None` means the default.
type QuotaEntity = BTreeMap<Str, Option<Str>>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PassiveRecords {
    pub(super) controllers: BTreeMap<i32, RegisterControllerRecord>,
    pub(super) acls: BTreeMap<Uuid, AccessControlEntryRecord>,
    pub(super) scram: BTreeMap<(Str, i8), UserScramCredentialRecord>,
    pub(super) tokens: BTreeMap<Str, DelegationTokenRecord>,
    /// The last record for each entity and key.
    pub(super) quotas: BTreeMap<(QuotaEntity, Str), ClientQuotaRecord>,
}

impl PassiveRecords {
    pub(super) fn set_quota(&mut self, record: ClientQuotaRecord) {
        let entity: QuotaEntity =
            record.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone())).collect();
        let key = (entity, record.key.clone());
        if record.remove {
            self.quotas.remove(&key);
        } else {
            self.quotas.insert(key, record);
        }
    }
}
