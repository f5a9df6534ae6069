//! The settings of brokers, topics and groups, in one table.
//!
//! A row of the table has Kafka's name of a setting, its type, default and range, when a change takes effect,
//! its meaning, and whether Milena honours it. The table drives the parsing and checking of values, the
//! answers to DescribeConfigs, the typed views [`TopicConfig`] and [`BrokerConfig`], and the documentation.
//!
//! No setting without an effect is accepted silently: see [`Honour`].

mod broker_config;
mod broker_known;
mod broker_security;
mod broker_table;
mod check;
mod document;
mod group_table;
mod layers;
mod listeners;
mod nearest;
mod setting;
mod topic_config;
mod topic_table;
mod value;

use std::collections::BTreeMap;

pub use broker_config::BrokerConfig;
pub use check::{check_broker, check_dynamic_broker, check_group, check_topic};
pub use document::document;
pub use layers::{Layers, ResolvedSetting, Source, Synonym};
pub use listeners::Listener;
pub use nearest::nearest;
pub use setting::{Honour, Objection, Scope, Setting, Type, Update, Valid};
pub use topic_config::{TimestampType, TopicConfig};
pub use value::{InvalidSetting, Value};
pub use value::{elements, has_empty_element};

/// Settings by name, as texts: a topic's own, a broker's dynamic ones, or a properties file.
pub type Configs = BTreeMap<String, String>;

/// The parts of the table that hold `scope`, each in the order of names.
fn tables(scope: Scope) -> [&'static [Setting]; 3] {
    match scope {
        Scope::Broker => [broker_table::BROKER, broker_known::BROKER_KNOWN, broker_security::BROKER_SECURITY],
        Scope::Topic => [topic_table::TOPIC, &[], &[]],
        Scope::Group => [group_table::GROUP, &[], &[]],
    }
}

/// The settings of `scope`.
pub fn all(scope: Scope) -> impl Iterator<Item = &'static Setting> {
    tables(scope).into_iter().flatten()
}

/// The setting of that name.
pub fn find(scope: Scope, name: &str) -> Option<&'static Setting> {
    tables(scope).into_iter().find_map(|table| {
        let at = table.binary_search_by(|setting| setting.name.cmp(name)).ok()?;
        Some(&table[at])
    })
}

/// The setting of that name, which the table has.
///
/// # Panics
/// If it does not: the name is a literal in the calling code.
pub(crate) fn known(scope: Scope, name: &str) -> &'static Setting {
    find(scope, name).unwrap_or_else(|| panic!("{name} is in the table of {scope} settings"))
}

#[cfg(test)]
mod tests;
