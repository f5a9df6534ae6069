//! IncrementalAlterConfigs and AlterConfigs.

use std::collections::BTreeMap;

use protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
};
use protocol::messages::{
    alter_configs_request, alter_configs_response, incremental_alter_configs_request,
    incremental_alter_configs_response,
};
use protocol::records::ConfigRecord;
use protocol::{ErrorCode, Str};
use settings::{Configs, Type, elements, has_empty_element};

use super::config_effects::check_min_isr;
use super::messages::Messages;
use super::topic_name::check_topic_name;
use super::{Controller, Decision, RECORDS_PER_REQUEST_MAX, Refusal, repeated};
use crate::image::{ConfigResource, Image, ResourceType};
use crate::record::MetadataRecord;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Kafka's words for a value that no record can hold: lists grow to it by APPEND.
const VALUE_TOO_LONG: &str =
    "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.";

/// One change of one setting: its name, what to do, and with which value.
type Operation = (Str, i8, Option<Str>);

/// The outcome for one resource of a request.
struct ResourceOutcome {
    error_code: ErrorCode,
    error_message: Option<Str>,
    resource_type: i8,
    resource_name: Str,
}

impl Controller {
    /// Changes single settings of topics and brokers.
    pub fn incremental_alter_configs(
        &self,
        image: &Image,
        request: &IncrementalAlterConfigsRequest,
    ) -> Decision<IncrementalAlterConfigsResponse> {
        let named = |r: &incremental_alter_configs_request::AlterConfigsResource| {
            (r.resource_type, r.resource_name.clone())
        };
        let operations = |r: &incremental_alter_configs_request::AlterConfigsResource| {
            let configs = r.configs.iter();
            configs
                .map(|config| (config.name.clone(), config.config_operation, config.value.clone()))
                .collect()
        };
        let (altered, mut records) = self.alter(image, &request.resources, named, operations);
        if request.validate_only {
            records.clear();
        }
        let response = |ResourceOutcome { error_code, error_message, resource_type, resource_name }| {
            incremental_alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type,
                resource_name,
            }
        };
        let responses = altered.into_iter().map(response).collect();
        (IncrementalAlterConfigsResponse { responses, ..IncrementalAlterConfigsResponse::default() }, records)
    }

    /// Replaces all settings of topics and brokers.
    pub fn alter_configs(
        &self,
        image: &Image,
        request: &AlterConfigsRequest,
    ) -> Decision<AlterConfigsResponse> {
        let named =
            |r: &alter_configs_request::AlterConfigsResource| (r.resource_type, r.resource_name.clone());
        let operations = |r: &alter_configs_request::AlterConfigsResource| {
            let present = present_names(image, r.resource_type, &r.resource_name);
            let goes =
                present.into_iter().filter(|name| !r.configs.iter().any(|config| config.name == *name));
            let stays = r.configs.iter().map(|config| (config.name.clone(), SET, config.value.clone()));
            stays.chain(goes.map(|name| (name, DELETE, None))).collect()
        };
        let (altered, mut records) = self.alter(image, &request.resources, named, operations);
        if request.validate_only {
            records.clear();
        }
        let response = |ResourceOutcome { error_code, error_message, resource_type, resource_name }| {
            alter_configs_response::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type,
                resource_name,
            }
        };
        let responses = altered.into_iter().map(response).collect();
        (AlterConfigsResponse { responses, ..AlterConfigsResponse::default() }, records)
    }

    /// Alters one resource after the other; gives what becomes of each, and the records of those that may be altered.
    fn alter<R>(
        &self,
        image: &Image,
        resources: &[R],
        named: impl Fn(&R) -> (i8, Str),
        operations: impl Fn(&R) -> Vec<Operation>,
    ) -> (Vec<ResourceOutcome>, Vec<MetadataRecord>) {
        let repeated = repeated(resources.iter().map(&named));
        let mut records = Vec::new();
        let mut messages = Messages::default();
        let altered = resources.iter().map(|resource| {
            let (resource_type, resource_name) = named(resource);
            let is_repeated = repeated.contains(&named(resource));
            let result = self
                .alter_resource(image, resource_type, &resource_name, &operations(resource), is_repeated)
                .and_then(|changes| take(&mut records, changes));
            let (error_code, error_message) = outcome(result);
            let error_message = messages.admit(error_message);
            ResourceOutcome { error_code, error_message, resource_type, resource_name }
        });
        let altered = altered.collect();
        let effects = self.config_effects(image, &records);
        records.extend(effects);
        (altered, records)
    }

    fn alter_resource(
        &self,
        image: &Image,
        resource_type: i8,
        name: &Str,
        operations: &[Operation],
        is_repeated: bool,
    ) -> Result<Vec<MetadataRecord>, Refusal> {
        let refuse = |message: String| Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
        if is_repeated {
            return refuse("Each resource must appear at most once.".to_owned());
        }
        if !repeated(operations.iter().map(|(name, ..)| name)).is_empty() {
            return refuse("Error due to duplicate config keys".to_owned());
        }
        let nulls: Vec<&str> = operations
            .iter()
            .filter(|(_, operation, value)| *operation != DELETE && value.is_none())
            .map(|(name, ..)| &**name)
            .collect();
        if !nulls.is_empty() {
            return refuse(format!("Null value not supported for : {}", nulls.join(", ")));
        }
        let resource = self.resource(image, resource_type, name)?;
        let changes = changes(image, &resource, operations)?;
        let mut configs = image.configs(&resource).clone();
        for (name, value) in &changes {
            match value {
                Some(value) => configs.insert(name.to_string(), value.clone()),
                None => configs.remove(&**name),
            };
        }
        check(&resource, &configs)?;
        if resource.resource_type == ResourceType::Topic && image.topic(name).is_none() {
            return Err(Refusal::plain(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        }
        let records: Vec<MetadataRecord> =
            changes.into_iter().map(|(name, value)| record(&resource, name, value)).collect();
        check_min_isr(image, &records)?;
        Ok(records)
    }

    /// The resource that a type and a name stand for.
    fn resource(&self, image: &Image, resource_type: i8, name: &Str) -> Result<ConfigResource, Refusal> {
        let refuse = |message: String| Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
        let resource_type = match ResourceType::from_i8(resource_type) {
            Some(ResourceType::Broker) => {
                let is_registered = |id| image.brokers().contains_key(&id);
                if !name.is_empty() && !name.parse().is_ok_and(is_registered) {
                    check_node_id(name, self.node_id)?;
                }
                ResourceType::Broker
            }
            Some(ResourceType::Topic) => {
                if name.is_empty() {
                    return refuse("Default topic resources are not allowed.".to_owned());
                }
                let invalid = |message| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, message);
                check_topic_name(name).map_err(invalid)?;
                ResourceType::Topic
            }
            Some(ResourceType::Group) if name.is_empty() => {
                return refuse("Default group resources are not allowed.".to_owned());
            }
            Some(ResourceType::Group) => ResourceType::Group,
            _ => {
                return refuse(format!(
                    "Unknown resource type {resource_type}: Milena keeps settings of topics, brokers and groups."
                ));
            }
        };
        Ok(ConfigResource { resource_type, name: name.detached() })
    }
}

/// Checks that `name` is the number of this node.
pub(super) fn check_node_id(name: &str, node_id: i32) -> Result<(), Refusal> {
    let message = match name.parse::<i32>() {
        Ok(id) if id == node_id => return Ok(()),
        Ok(id) => format!("Unexpected broker id, expected {node_id} or empty string, but received {id}"),
        Err(_) => format!("Node id must be an integer, but it is: {name}"),
    };
    Err(Refusal::new(ErrorCode::INVALID_REQUEST, message))
}

fn outcome(result: Result<(), Refusal>) -> (ErrorCode, Option<Str>) {
    match result {
        Ok(()) => (ErrorCode::NONE, None),
        Err(refusal) => (refusal.code, refusal.message),
    }
}

fn take(records: &mut Vec<MetadataRecord>, changes: Vec<MetadataRecord>) -> Result<(), Refusal> {
    if records.len() + changes.len() > RECORDS_PER_REQUEST_MAX {
        return Err(Refusal::too_large());
    }
    records.extend(changes);
    Ok(())
}

fn present_names(image: &Image, resource_type: i8, name: &Str) -> Vec<Str> {
    let Some(resource_type) = ResourceType::from_i8(resource_type) else { return Vec::new() };
    let resource = ConfigResource { resource_type, name: name.clone() };
    image.configs(&resource).keys().map(|name| name.as_str().into()).collect()
}

/// The changed settings: name and new value, `None` if it is removed.
fn changes(
    image: &Image,
    resource: &ConfigResource,
    operations: &[Operation],
) -> Result<BTreeMap<Str, Option<String>>, Refusal> {
    let present = image.configs(resource);
    let mut changes = BTreeMap::new();
    for (name, operation, value) in operations {
        let current = present.get(&**name).map(String::as_str);
        let value = value.as_deref().unwrap_or_default();
        let new = match *operation {
            SET => Some(value.to_owned()),
            DELETE => None,
            APPEND | SUBTRACT => Some(change_list(resource, name, current, *operation, value)?),
            unknown => {
                let message = format!("Unknown operations type {unknown}");
                return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
            }
        };
        if new.as_deref().is_some_and(|value| !Str::fits(value)) {
            return Err(Refusal::new(ErrorCode::INVALID_CONFIG, VALUE_TOO_LONG));
        }
        // A broker reads its files again even where the value stays (KAFKA-14136).
        if new.as_deref() != current || resource.resource_type == ResourceType::Broker {
            changes.insert(name.detached(), new);
        }
    }
    Ok(changes)
}

fn change_list(
    resource: &ConfigResource,
    name: &str,
    current: Option<&str>,
    operation: i8,
    value: &str,
) -> Result<String, Refusal> {
    let setting = settings::find(resource.resource_type.scope(), name);
    let Some(setting) = setting.filter(|setting| setting.kind == Type::List) else {
        let verb = if operation == APPEND { "APPEND" } else { "SUBTRACT" };
        let message = format!("Can't {verb} to key {name} because its type is not LIST.");
        return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
    };
    let mut list = elements(current.or(setting.default).unwrap_or_default());
    let given = elements(value);
    if operation == APPEND {
        // What ends in commas ends there, as in Kafka.
        if given.is_empty() || has_empty_element(value.trim_end_matches(',')) {
            let message = format!("Configuration '{name}' values must not be empty.");
            return Err(Refusal::new(ErrorCode::INVALID_CONFIG, message));
        }
        list.extend(given);
    } else {
        list.retain(|element| !given.contains(element));
    }
    Ok(elements(&list.join(",")).join(","))
}

/// Checks what a resource's settings will be. A broker's wrong setting is an invalid request in Kafka.
fn check(resource: &ConfigResource, configs: &Configs) -> Result<(), Refusal> {
    let (checked, error_code) = match resource.resource_type {
        ResourceType::Topic => (settings::check_topic(configs), ErrorCode::INVALID_CONFIG),
        ResourceType::Broker => {
            let for_all = resource.name.is_empty();
            (settings::check_dynamic_broker(configs, for_all), ErrorCode::INVALID_REQUEST)
        }
        ResourceType::Group | ResourceType::ClientMetrics => {
            (settings::check_group(configs), ErrorCode::INVALID_CONFIG)
        }
    };
    checked.map_err(|error| Refusal::new(error_code, error.message))
}

fn record(resource: &ConfigResource, name: Str, value: Option<String>) -> MetadataRecord {
    ConfigRecord {
        resource_type: resource.resource_type as i8,
        resource_name: resource.name.clone(),
        name,
        value: value.map(Str::from),
    }
    .into()
}
