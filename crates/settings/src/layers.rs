//! The sources of a setting's value.

use std::borrow::Cow;

use crate::topic_table::{BROKER_SYNONYMS, TOPIC_SYNONYMS};
use crate::{Configs, Scope, Setting, Value, known};

/// The source of a value. The numbers are those of the DescribeConfigs answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// The topic.
    Topic = 1,
    /// This broker, set while it ran.
    DynamicBroker = 2,
    /// All brokers, set while they ran.
    DynamicDefaultBroker = 3,
    /// The start of this broker: file, environment, flags.
    StaticBroker = 4,
    /// The default.
    Default = 5,
    /// The group.
    Group = 8,
}

/// The sources of settings, of which the first wins.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// The topic's or the group's own; `None` for settings of a broker.
    pub topic: Option<&'a Configs>,
    /// Set for this broker while it ran.
    pub broker: &'a Configs,
    /// Set for all brokers while they ran.
    pub brokers: &'a Configs,
    /// Given at the start.
    pub given: &'a Configs,
}

/// A setting's value and its source.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedSetting<'a> {
    /// The value; `None` if none is set and there is no default.
    pub value: Option<Cow<'a, str>>,
    /// The source of `value`.
    pub source: Source,
    /// Every source with a value, the winning one first.
    pub synonyms: Vec<Synonym<'a>>,
}

/// A value of a setting from one source.
#[derive(Clone, Debug, PartialEq)]
pub struct Synonym<'a> {
    /// The name of the setting there.
    pub name: &'static str,
    /// The value, in the unit of `name`.
    pub value: &'a str,
    /// The source.
    pub source: Source,
    /// The factor from the unit of `name` to that of the requested setting.
    unit: i64,
}

impl<'a> Layers<'a> {
    /// The value of `setting`, with every source that sets it.
    pub fn resolve(&self, setting: &'static Setting) -> ResolvedSetting<'a> {
        let synonyms = self.synonyms(setting);
        // A value that cannot be parsed was written by another version of Kafka: the next best counts.
        let best = synonyms.iter().find_map(|synonym| Some((synonym.converted(setting)?, synonym.source)));
        match best {
            Some((value, source)) => ResolvedSetting { value: Some(value), source, synonyms },
            None => ResolvedSetting { value: None, source: Source::Default, synonyms },
        }
    }

    /// The value of the setting called `name`, which has one.
    ///
    /// # Panics
    /// If the table has no such setting, or no default for it.
    pub fn value(&self, scope: Scope, name: &'static str) -> Value {
        self.optional(scope, name).unwrap_or_else(|| panic!("{name} has a default"))
    }

    /// The value of the setting called `name`.
    ///
    /// # Panics
    /// If the table has no such setting.
    pub(crate) fn optional(&self, scope: Scope, name: &'static str) -> Option<Value> {
        let setting = known(scope, name);
        let value = self.resolve(setting).value?;
        Some(setting.parse(&value).expect("a resolved value has been read before"))
    }

    fn synonyms(&self, setting: &'static Setting) -> Vec<Synonym<'a>> {
        let mut found = Vec::new();
        let mut names: Vec<(&'static str, i64)> = Vec::new();
        if setting.scope != Scope::Broker
            && let Some((name, value)) = self.topic.and_then(|topic| topic.get_key_value(setting.name))
        {
            debug_assert_eq!(name, setting.name);
            let source = if setting.scope == Scope::Topic { Source::Topic } else { Source::Group };
            found.push(Synonym { name: setting.name, value, source, unit: 1 });
        }
        if setting.scope == Scope::Topic {
            if let Some((_, broker)) = TOPIC_SYNONYMS.iter().find(|(topic, _)| *topic == setting.name) {
                names.extend_from_slice(broker);
            }
        } else if setting.scope == Scope::Broker {
            match BROKER_SYNONYMS.iter().find(|(name, _)| *name == setting.name) {
                // Another unit is shown as a synonym and does not count as this setting's value, as in Kafka:
                // log.retention.ms stays unset while log.retention.hours is 168.
                Some((_, others)) => names.extend(others.iter().map(|other| (*other, 1))),
                None => names.push((setting.name, 1)),
            }
        }
        let layers = [
            (self.broker, Source::DynamicBroker),
            (self.brokers, Source::DynamicDefaultBroker),
            (self.given, Source::StaticBroker),
        ];
        for (layer, source) in layers {
            for (name, unit) in &names {
                if let Some(value) = layer.get(*name) {
                    found.push(Synonym { name, value, source, unit: *unit });
                }
            }
        }
        found.extend(defaults(setting, &names));
        found
    }
}

fn defaults<'a>(
    setting: &'static Setting,
    names: &[(&'static str, i64)],
) -> impl Iterator<Item = Synonym<'a>> {
    let own = if names.is_empty() { vec![(setting.name, 1)] } else { names.to_vec() };
    let scope = if names.is_empty() { setting.scope } else { Scope::Broker };
    own.into_iter().filter_map(move |(name, unit)| {
        let value = known(scope, name).default?;
        Some(Synonym { name, value, source: Source::Default, unit })
    })
}

impl<'a> Synonym<'a> {
    /// The value in the unit of `setting`; `None` if it cannot be parsed or is another setting's.
    fn converted(&self, setting: &Setting) -> Option<Cow<'a, str>> {
        if setting.scope == Scope::Broker && self.name != setting.name && !means_the_same(self.name) {
            return None;
        }
        if self.unit == 1 {
            return setting.parse(self.value).ok().map(|_| Cow::Borrowed(self.value));
        }
        let count = self.value.trim().parse::<i64>().ok()?;
        // Any negative time means "forever".
        let converted = if count < 0 { -1 } else { count.saturating_mul(self.unit) };
        let text = converted.to_string();
        setting.parse(&text).ok()?;
        Some(Cow::Owned(text))
    }
}

/// Whether a broker's synonym has the unit of the setting that it replaces.
fn means_the_same(name: &str) -> bool {
    matches!(name, "log.dir" | "broker.id")
}
