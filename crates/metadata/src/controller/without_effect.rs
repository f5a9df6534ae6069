//! Settings that a decision keeps and that have no effect.

use protocol::records::ConfigRecord;

use crate::image::ResourceType;
use crate::record::MetadataRecord;

/// The settings in the records of a decision that are kept but have no effect, as sentences for the log.
pub fn settings_without_effect(records: &[MetadataRecord]) -> Vec<String> {
    let configs = records.iter().filter_map(|record| match record {
        MetadataRecord::Config(config) => Some(config),
        _ => None,
    });
    configs.filter_map(sentence).collect()
}

fn sentence(config: &ConfigRecord) -> Option<String> {
    let resource_type = ResourceType::from_i8(config.resource_type)?;
    let objection = settings::find(resource_type.scope(), &config.name)?.objection(config.value.as_ref()?)?;
    let whose = match (resource_type, &*config.resource_name) {
        (ResourceType::Topic, name) => format!("topic {name}"),
        (ResourceType::Broker, "") => "all brokers".to_owned(),
        (ResourceType::Broker, id) => format!("broker {id}"),
        (ResourceType::ClientMetrics, name) => format!("client metrics {name}"),
        (ResourceType::Group, name) => format!("group {name}"),
    };
    Some(format!("{whose}: {objection}"))
}
