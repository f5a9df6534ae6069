//! The table of APIs and their versions.

use std::ops::RangeInclusive;

include!(concat!(env!("OUT_DIR"), "/api_key.rs"));

pub(crate) struct Api {
    key: ApiKey,
    name: &'static str,
    low: i16,
    high: i16,
    flexible: i16,
    unstable: bool,
}

impl ApiKey {
    /// Every API in the order of the keys, including those that Kafka removed.
    pub fn all() -> impl Iterator<Item = ApiKey> {
        APIS.iter().map(|api| api.key)
    }

    /// The API with the key `key`, or `None` if Kafka has none.
    pub fn from_i16(key: i16) -> Option<ApiKey> {
        usize::try_from(key).ok().and_then(|place| APIS.get(place)).map(|api| api.key)
    }

    /// The key on the wire.
    pub fn as_i16(self) -> i16 {
        self as i16
    }

    fn api(self) -> &'static Api {
        &APIS[self as usize]
    }

    /// Kafka's name, as in `ApiVersions`.
    pub fn name(self) -> &'static str {
        self.api().name
    }

    /// The versions that the schema knows; empty for an API that Kafka has removed.
    pub fn versions(self) -> RangeInclusive<i16> {
        self.api().low..=self.api().high
    }

    /// Whether the last of [`Self::versions`] may still change, so that brokers do not advertise it unless
    /// configured to.
    pub fn latest_version_unstable(self) -> bool {
        self.api().unstable
    }

    /// Whether `version` has compact lengths and tagged fields. Defined for every version, even one that the
    /// schema does not know yet.
    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.api().flexible
    }

    /// The version of the header that a request of `version` starts with.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the header that a response of `version` starts with. That of `ApiVersions` is always 0,
    /// because a client reads it before it knows the broker's versions (KIP-511).
    pub fn response_header_version(self, version: i16) -> i16 {
        i16::from(self.is_flexible(version) && self != ApiKey::ApiVersions)
    }
}

impl std::fmt::Display for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
