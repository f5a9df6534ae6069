//! DescribeConfigs.

use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use protocol::{ErrorCode, Str};

use super::alter_configs::check_node_id;
use super::{Controller, Refusal, check_topic_name};
use crate::image::{ConfigResource, Image, ResourceType};
use crate::settings::{self, Configs, Layers, Scope, Setting, Source};

impl Controller {
    /// Tells the settings of topics and of this broker: their values, where those were set, and
    /// what they mean.
    pub fn describe_configs(
        &self,
        image: &Image,
        request: &DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let results = request
            .resources
            .iter()
            .map(|resource| {
                let configs = self.describe(image, request, resource);
                let (error_code, error_message, configs) = match configs {
                    // Kafka's text of no error is empty here, and not null.
                    Ok(configs) => (ErrorCode::NONE, Some(Str::default()), configs),
                    Err(refusal) => (refusal.code, refusal.message, Vec::new()),
                };
                DescribeConfigsResult {
                    error_code,
                    error_message,
                    resource_type: resource.resource_type,
                    resource_name: resource.resource_name.clone(),
                    configs,
                }
            })
            .collect();
        DescribeConfigsResponse { results, ..DescribeConfigsResponse::default() }
    }

    fn describe(
        &self,
        image: &Image,
        request: &DescribeConfigsRequest,
        resource: &DescribeConfigsResource,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let name = &resource.resource_name;
        // No names mean all of them, as null does.
        let keys = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty());
        let asked = |setting: &&Setting| {
            keys.map_or(!setting.internal, |keys| keys.iter().any(|key| key == setting.name))
        };
        let describe = |layers: &Layers<'_>, setting| describe_one(layers, setting, request);
        match ResourceType::from_i8(resource.resource_type) {
            Some(ResourceType::Topic) => {
                check_topic_name(name)
                    .map_err(|message| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message))?;
                if image.topic(name).is_none() {
                    return Err(Refusal::plain(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
                }
                let layers = image.layers(Some(name), self.node_id, &self.given);
                Ok(settings::all(Scope::Topic).filter(asked).map(|s| describe(&layers, s)).collect())
            }
            Some(ResourceType::Broker) if name.is_empty() => {
                let none = Configs::new();
                let brokers = image.configs(&ConfigResource::all_brokers());
                let layers = Layers { topic: None, broker: &none, brokers, given: &none };
                let is_set = |setting: &&Setting| brokers.contains_key(setting.name);
                let all = settings::all(Scope::Broker);
                Ok(all.filter(asked).filter(is_set).map(|s| describe(&layers, s)).collect())
            }
            Some(ResourceType::Broker) => {
                check_node_id(name, self.node_id)?;
                let layers = self.layers(image);
                // A default that Milena does not follow would be told as if it did.
                let is_true = |setting: &&'static Setting| {
                    keys.is_some()
                        || !setting.doc.is_empty()
                        || layers.resolve(setting).source != Source::Default
                };
                let all = settings::all(Scope::Broker);
                Ok(all.filter(asked).filter(is_true).map(|s| describe(&layers, s)).collect())
            }
            Some(ResourceType::Group) if name.is_empty() => {
                Err(Refusal::new(ErrorCode::INVALID_REQUEST, "Group name must not be empty"))
            }
            Some(ResourceType::Group) => {
                let none = Configs::new();
                let group = ConfigResource { resource_type: ResourceType::Group, name: name.clone() };
                let layers = Layers {
                    topic: Some(image.configs(&group)),
                    broker: &none,
                    brokers: &none,
                    given: &none,
                };
                Ok(settings::all(Scope::Group).filter(asked).map(|s| describe(&layers, s)).collect())
            }
            _ => {
                let message = format!("Unknown resource type {}.", resource.resource_type);
                Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
            }
        }
    }
}

fn describe_one(
    layers: &Layers<'_>,
    setting: &'static Setting,
    request: &DescribeConfigsRequest,
) -> DescribeConfigsResourceResult {
    let resolved = layers.resolve(setting);
    let shown = |value: &str| (!setting.is_sensitive()).then(|| Str::from(value));
    let synonyms = if request.include_synonyms { resolved.synonyms.as_slice() } else { &[] };
    DescribeConfigsResourceResult {
        name: setting.name.into(),
        value: resolved.value.as_deref().map(|value| setting.canonical(value)).as_deref().and_then(shown),
        read_only: setting.is_read_only(),
        config_source: resolved.source as i8,
        is_sensitive: setting.is_sensitive(),
        synonyms: synonyms
            .iter()
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name.into(),
                value: shown(synonym.value),
                source: synonym.source as i8,
            })
            .collect(),
        config_type: setting.kind as i8,
        documentation: request.include_documentation.then(|| setting.documentation().into()),
    }
}
