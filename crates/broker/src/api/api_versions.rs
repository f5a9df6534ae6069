//! ApiVersions (18), versions 0-4.
//!
//! 0 lists the APIs; 1 adds the throttle time; 3 the client's software name and version, and the features of
//! the cluster (KIP-511, KIP-584); 4 features whose lowest level is 0 (KAFKA-17492). The response header
//! always has version 0: a client reads it before it knows which versions the broker speaks.

use std::ops::RangeInclusive;

use protocol::messages::ApiVersionsRequest;
use protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use protocol::{ApiKey, ErrorCode};

use crate::broker::Broker;
use crate::call::Call;
use crate::peer::ListenerType;
use crate::reply::{Reply, Responder};

/// The first version in which a client names its software.
const CLIENT_SOFTWARE_SINCE: i16 = 3;
/// The last version that leaves out features whose lowest level is 0: old clients reject them.
const NO_LEVEL_ZERO_UNTIL: i16 = 3;

/// Answers with the APIs that are `served` by the listener that was asked, each with its versions.
pub(crate) fn handle<'a, Served: Iterator<Item = (ApiKey, RangeInclusive<i16>)>>(
    call: Call<'a>,
    request: ApiVersionsRequest,
    served: impl FnOnce(&'a Broker, ListenerType) -> Served,
) -> Reply {
    let version = call.version();
    let named =
        is_software_name(&request.client_software_name) && is_software_name(&request.client_software_version);
    if version >= CLIENT_SOFTWARE_SINCE && !named {
        return call.reply(&ApiVersionsResponse {
            error_code: ErrorCode::INVALID_REQUEST,
            ..ApiVersionsResponse::default()
        });
    }
    let image = call.broker.image();
    let supported = metadata::features::SUPPORTED
        .iter()
        .filter(|feature| version > NO_LEVEL_ZERO_UNTIL || *feature.levels.start() > 0);
    let supported_features = supported.map(|feature| SupportedFeatureKey {
        name: feature.name.into(),
        min_version: *feature.levels.start(),
        max_version: *feature.levels.end(),
    });
    // A directory that comes from Kafka stores levels of features that are not served: a client that sees
    // transaction.version would use it.
    let is_served = |name: &str| metadata::features::SUPPORTED.iter().any(|feature| feature.name == name);
    let finalized_features = image.features().filter(|(name, _)| is_served(name)).map(|(name, level)| {
        FinalizedFeatureKey { name: name.clone(), max_version_level: level, min_version_level: level }
    });
    call.reply(&ApiVersionsResponse {
        api_keys: served(call.broker, call.peer.listener_type)
            .map(|(key, versions)| range(key, &versions))
            .collect(),
        supported_features: supported_features.collect(),
        finalized_features: finalized_features.collect(),
        finalized_features_epoch: image.offset(),
        ..ApiVersionsResponse::default()
    })
}

/// The answer to a version that is not served: version 0, so that any client can read it, with
/// the one range that the client needs to ask again (KIP-511).
pub(crate) fn unsupported_version(correlation_id: i32, served: &RangeInclusive<i16>) -> Reply {
    let responder = Responder { version: 0, correlation_id };
    responder.reply(&ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: vec![range(ApiKey::ApiVersions, served)],
        ..ApiVersionsResponse::default()
    })
}

fn range(key: ApiKey, versions: &RangeInclusive<i16>) -> ApiVersion {
    // Up to 2.11, librdkafka takes "Produce 0" as the sign that a broker supports compression, and silently
    // sends uncompressed batches without it. Kafka advertises it too, and rejects the version itself
    // (KAFKA-18659).
    let min_version = if key == ApiKey::Produce { 0 } else { *versions.start() };
    ApiVersion { api_key: key.as_i16(), min_version, max_version: *versions.end() }
}

/// Returns whether a software name has only letters, digits, and `-` and `.` inside it: it may then go into a
/// log or a metric.
fn is_software_name(name: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::is_software_name;

    #[test]
    fn software_names_are_what_kafka_takes_for_one() {
        for good in ["a", "apache-kafka-java", "4.3.1", "a--b..c"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", ".a", "a b", "a\n", "é", "a_b"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
