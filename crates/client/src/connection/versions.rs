//! The version of each API to speak with a broker (KIP-35, KIP-511).

use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, ErrorCode, Message, Reader, Request, Str};

use super::{ConnectionCore, RequestError};

/// The versions that a broker serves. Before it was asked: only ApiVersions itself.
#[derive(Debug, Default)]
pub(super) struct Versions {
    served: Vec<(ApiKey, RangeInclusive<i16>)>,
}

impl Versions {
    pub(super) fn of_broker(&self, api: ApiKey) -> Option<RangeInclusive<i16>> {
        self.served.iter().find(|(served, _)| *served == api).map(|(_, versions)| versions.clone())
    }

    /// The newest version of `R`, up to `version_max`, that both sides speak.
    pub(super) fn common<R: Request>(&self, version_max: i16) -> Result<i16, RequestError> {
        let ours = *R::VERSIONS.start()..=version_max.min(*R::VERSIONS.end());
        let broker = self.of_broker(R::API_KEY);
        let newest = broker.as_ref().map(|broker| *broker.end().min(ours.end()));
        let oldest = broker.as_ref().map(|broker| *broker.start().max(ours.start()));
        match (oldest, newest) {
            (Some(oldest), Some(newest)) if oldest <= newest => Ok(newest),
            _ => Err(RequestError::NoCommonVersion { api: R::API_KEY, broker, ours }),
        }
    }

    fn from_response(response: &ApiVersionsResponse) -> Versions {
        let served = response.api_keys.iter().filter_map(|api| {
            // A broker newer than this client serves APIs that have no name here.
            Some((ApiKey::from_i16(api.api_key)?, api.min_version..=api.max_version))
        });
        Versions { served: served.collect() }
    }
}

/// Asks in the newest version known here. A broker that does not know it answers in version 0, and may list
/// the versions that it does know; then it is asked again.
pub(super) async fn negotiate(connection: &ConnectionCore) -> Result<Versions, RequestError> {
    let newest = *ApiVersionsRequest::VERSIONS.end();
    let response = ask(connection, newest).await?;
    if response.error_code != ErrorCode::UNSUPPORTED_VERSION {
        return Ok(Versions::from_response(&response));
    }
    let offered = Versions::from_response(&response).common::<ApiVersionsRequest>(newest).unwrap_or(0);
    Ok(Versions::from_response(&ask(connection, offered).await?))
}

async fn ask(connection: &ConnectionCore, version: i16) -> Result<ApiVersionsResponse, RequestError> {
    let mut request = ApiVersionsRequest::default();
    if version >= 3 {
        request.client_software_name = Str::from("milena");
        request.client_software_version = Str::from(env!("CARGO_PKG_VERSION"));
    }
    let mut body = connection.exchange_bytes(&request, version, Duration::ZERO).await?;
    decode(&mut body, version).map_err(|error| connection.malformed(ApiKey::ApiVersions, error))
}

/// Every version begins with the error code, and with UNSUPPORTED_VERSION the rest is version 0.
fn decode(body: &mut Reader, version: i16) -> Result<ApiVersionsResponse, protocol::DecodeError> {
    let refused = body.rest().starts_with(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes());
    let response = ApiVersionsResponse::decode(body, if refused { 0 } else { version })?;
    body.finish()?;
    Ok(response)
}
