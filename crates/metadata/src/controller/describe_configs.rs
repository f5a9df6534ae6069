//! DescribeConfigs.

use std::borrow::Cow;
use std::collections::hash_map::Entry;

use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use protocol::{ErrorCode, Str};
use runtime::{HashMap, HashSet};
use settings::{Configs, Layers, Scope, Setting, Source};

use super::alter_configs::check_node_id;
use super::messages::Messages;
use super::{Controller, Refusal, check_topic_name};
use crate::image::{ConfigResource, Image, ResourceType};

/// Bytes of the settings in one answer. It is less than librdkafka takes (`receive.message.max.bytes`), and room for
/// 20,000 topics without documentation.
const ANSWER_BYTES_MAX: usize = 64 << 20;

impl Controller {
    /// Describes the settings of topics and of this broker: their values, sources and documentation.
    pub fn describe_configs(
        &self,
        image: &Image,
        request: &DescribeConfigsRequest,
    ) -> DescribeConfigsResponse {
        let mut messages = Messages::default();
        let mut left_bytes = ANSWER_BYTES_MAX;
        let results = distinct(request).into_iter().map(|asked| {
            let configs = self.describe(image, request, &asked).and_then(|configs| {
                let bytes = configs.iter().map(size_bytes).sum();
                left_bytes = usize::checked_sub(left_bytes, bytes).ok_or_else(too_large)?;
                Ok(configs)
            });
            let (error_code, error_message, configs) = match configs {
                // Kafka's text of no error is empty here, and not null.
                Ok(configs) => (ErrorCode::NONE, Some(Str::default()), configs),
                Err(refusal) => (refusal.code, messages.admit(refusal.message), Vec::new()),
            };
            DescribeConfigsResult {
                error_code,
                error_message,
                resource_type: asked.resource_type,
                resource_name: asked.name.clone(),
                configs,
            }
        });
        DescribeConfigsResponse { results: results.collect(), ..DescribeConfigsResponse::default() }
    }

    fn describe(
        &self,
        image: &Image,
        request: &DescribeConfigsRequest,
        resource: &ResourceQuery<'_>,
    ) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
        let (name, keys) = (resource.name, resource.keys.as_ref());
        let asked = |setting: &&Setting| keys.map_or(!setting.internal, |keys| keys.contains(setting.name));
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

/// A resource that is described, named once or more often.
struct ResourceQuery<'a> {
    resource_type: i8,
    name: &'a Str,
    /// The settings that are asked for; `None` for all of them.
    keys: Option<HashSet<&'a str>>,
}

/// Each resource of a request once, with all settings that are asked for. Kafka describes one that is named again as
/// often as it is named: a request of 160 kB is answered with 300 MB.
fn distinct(request: &DescribeConfigsRequest) -> Vec<ResourceQuery<'_>> {
    let mut all: Vec<ResourceQuery<'_>> = Vec::new();
    let mut places: HashMap<(i8, &Str), usize> = HashMap::default();
    for DescribeConfigsResource { resource_type, resource_name: name, configuration_keys, .. } in
        &request.resources
    {
        // No names mean all of them, as null does.
        let keys = configuration_keys.as_deref().filter(|keys| !keys.is_empty());
        let keys = keys.map(|keys| keys.iter().map(Str::as_str));
        match places.entry((*resource_type, name)) {
            Entry::Vacant(place) => {
                place.insert(all.len());
                all.push(ResourceQuery {
                    resource_type: *resource_type,
                    name,
                    keys: keys.map(Iterator::collect),
                });
            }
            Entry::Occupied(place) => {
                let before = &mut all[*place.get()].keys;
                match (before.as_mut(), keys) {
                    (Some(before), Some(keys)) => before.extend(keys),
                    _ => *before = None,
                }
            }
        }
    }
    all
}

/// The bytes of a setting in an answer, about.
fn size_bytes(config: &DescribeConfigsResourceResult) -> usize {
    const NUMBERS: usize = 16;
    let text = |text: &Option<Str>| text.as_ref().map_or(0, |text| text.len());
    let synonyms = config.synonyms.iter().map(|it| NUMBERS + it.name.len() + text(&it.value)).sum::<usize>();
    NUMBERS + config.name.len() + text(&config.value) + text(&config.documentation) + synonyms
}

fn too_large() -> Refusal {
    let message = format!(
        "The answer would have more than {} MiB: describe fewer resources at once, or without documentation.",
        ANSWER_BYTES_MAX >> 20
    );
    Refusal::new(ErrorCode::POLICY_VIOLATION, message)
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
        name: Str::from_static(setting.name),
        value: resolved.value.as_deref().map(|value| setting.canonical(value)).as_deref().and_then(shown),
        read_only: setting.is_read_only(),
        config_source: resolved.source as i8,
        is_sensitive: setting.is_sensitive(),
        synonyms: synonyms
            .iter()
            .map(|synonym| DescribeConfigsSynonym {
                name: Str::from_static(synonym.name),
                value: shown(synonym.value),
                source: synonym.source as i8,
            })
            .collect(),
        config_type: setting.kind as i8,
        documentation: request.include_documentation.then(|| match setting.documentation() {
            Cow::Borrowed(text) => Str::from_static(text),
            Cow::Owned(text) => text.into(),
        }),
    }
}
