//! Records of features that nothing here reads yet. They are kept, so that a snapshot loses none of them.

use std::collections::BTreeMap;

use protocol::records::{
    AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, RegisterControllerRecord,
    UserScramCredentialRecord,
};
use protocol::{Str, Uuid};

/// Whom a quota is for: types and names, ordered by type. A name of `None` is the default.
type QuotaEntity = BTreeMap<Str, Option<Str>>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PassiveRecords {
    pub(super) controllers: BTreeMap<i32, RegisterControllerRecord>,
    pub(super) acls: BTreeMap<Uuid, AccessControlEntryRecord>,
    pub(super) scram: BTreeMap<(Str, i8), UserScramCredentialRecord>,
    pub(super) tokens: BTreeMap<Str, DelegationTokenRecord>,
    /// The last record of each entity and key.
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
