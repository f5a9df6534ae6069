//! ListConfigResources (KIP-1142).

use protocol::messages::list_config_resources_response::ConfigResource as Listed;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use protocol::{ErrorCode, Str};

use super::Controller;
use crate::image::{Image, ResourceType};

/// Loggers of a broker whose levels can be set, which Milena has none of.
const BROKER_LOGGER: i8 = 8;

impl Controller {
    /// Lists what can have settings of its own: topics and live brokers, and the groups and subscriptions to clients'
    /// metrics that have some.
    ///
    /// `version` is that of the request: version 0 asks for subscriptions alone.
    pub fn list_config_resources(
        &self,
        image: &Image,
        request: &ListConfigResourcesRequest,
        version: i16,
    ) -> ListConfigResourcesResponse {
        let all = [
            ResourceType::Topic as i8,
            ResourceType::Broker as i8,
            BROKER_LOGGER,
            ResourceType::ClientMetrics as i8,
            ResourceType::Group as i8,
        ];
        let mut wanted = match (version, &request.resource_types[..]) {
            (0, _) => vec![ResourceType::ClientMetrics as i8],
            (_, []) => all.to_vec(),
            (_, types) => types.to_vec(),
        };
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.iter().any(|kind| !all.contains(kind)) {
            let error_code = ErrorCode::UNSUPPORTED_VERSION;
            return ListConfigResourcesResponse { error_code, ..ListConfigResourcesResponse::default() };
        }
        let mut config_resources = Vec::new();
        for kind in wanted.into_iter().filter_map(ResourceType::from_i8) {
            let names: Vec<Str> = match kind {
                ResourceType::Topic => image.topics().iter().map(|topic| topic.name.clone()).collect(),
                ResourceType::Broker => image.live_brokers().map(|id| id.to_string().into()).collect(),
                ResourceType::ClientMetrics | ResourceType::Group => {
                    let set = image.all_configs().filter(|(resource, _)| resource.resource_type == kind);
                    set.map(|(resource, _)| resource.name.clone()).collect()
                }
            };
            let listed = |resource_name| Listed { resource_name, resource_type: kind as i8 };
            config_resources.extend(names.into_iter().map(listed));
        }
        ListConfigResourcesResponse { config_resources, ..ListConfigResourcesResponse::default() }
    }
}
