//! Checks of whole sets of settings.

use std::collections::BTreeMap;

use crate::broker_config::{is_only_voter, node_id};
use crate::{
    BrokerConfig, Configs, InvalidSetting, Objection, Scope, Setting, Type, Update, Valid, find,
    has_empty_element, nearest,
};

const DEDUPE_BUFFER: &str = "log.cleaner.dedupe.buffer.size";

/// Checks the settings of a topic as a whole.
///
/// # Errors
/// The first setting that is unknown, has an invalid value, or has one that Milena rejects.
pub fn check_topic(configs: &Configs) -> Result<(), InvalidSetting> {
    for (name, value) in configs {
        let setting = find(Scope::Topic, name).ok_or_else(|| unknown(Scope::Topic, name))?;
        check_one(setting, value)?;
    }
    let lag = |name| {
        let setting = find(Scope::Topic, name)?;
        let text = configs.get(name).map(String::as_str).or(setting.default)?;
        Some(setting.parse(text).ok()?.whole())
    };
    let (least, most) = (lag("min.compaction.lag.ms"), lag("max.compaction.lag.ms"));
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        let message = format!(
            "min.compaction.lag.ms ({least}) is more than max.compaction.lag.ms ({most}): lower the first or \
             raise the second."
        );
        return Err(InvalidSetting::because("min.compaction.lag.ms", message));
    }
    Ok(())
}

/// Checks the settings of a group as a whole.
///
/// # Errors
/// See [`check_topic`].
pub fn check_group(configs: &Configs) -> Result<(), InvalidSetting> {
    for (name, value) in configs {
        let setting = find(Scope::Group, name).ok_or_else(|| unknown(Scope::Group, name))?;
        check_one(setting, value)?;
    }
    Ok(())
}

/// Checks settings that a client sets for a running broker, or, with `all_brokers`, for all.
///
/// # Errors
/// The first setting that is unknown or read-only, has an invalid value, or has one that Milena rejects.
pub fn check_dynamic_broker(configs: &Configs, all_brokers: bool) -> Result<(), InvalidSetting> {
    for (name, value) in configs {
        let setting = find(Scope::Broker, name).ok_or_else(|| unknown(Scope::Broker, name))?;
        if setting.is_read_only() {
            let message = format!(
                "Cannot update these configs dynamically: {name}. Set it where the broker is started, and \
                 restart it."
            );
            return Err(InvalidSetting::because(name, message));
        }
        if all_brokers && setting.update == Update::PerBroker {
            let message = format!(
                "Cannot update these configs at default cluster level, broker id must be specified: {name}"
            );
            return Err(InvalidSetting::because(name, message));
        }
        check_one(setting, value)?;
    }
    check_times(configs)
}

/// Kafka's checks of a broker's settings beyond the range of each.
fn check_times(configs: &Configs) -> Result<(), InvalidSetting> {
    let whole = |name: &str| {
        let text = configs.get(name)?;
        Some(find(Scope::Broker, name)?.parse(text).ok()?.whole())
    };
    let retention = ["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    let retention = retention.into_iter().find_map(|name| Some((name, whole(name)?)));
    let least = |name, least| whole(name).filter(|value| *value < least).map(|_| (name, least));
    let wrong = [least("log.roll.ms", 1), least("log.roll.jitter.ms", 0), least(DEDUPE_BUFFER, 1 << 20)];
    if let Some((name, 0)) = retention {
        let message = format!("{name} must be unlimited (-1) or, greater than or equal to 1.");
        return Err(InvalidSetting::because(name, message));
    }
    match wrong.into_iter().flatten().next() {
        Some((name, least)) => {
            Err(InvalidSetting::because(name, format!("{name} must be greater than or equal to {least}.")))
        }
        None => Ok(()),
    }
}

fn check_one(setting: &Setting, value: &str) -> Result<Option<Objection>, InvalidSetting> {
    setting.parse(value)?;
    if matches!(setting.valid, Valid::Words(_)) && setting.kind == Type::List && has_empty_element(value) {
        let message = format!("Configuration '{}' values must not be empty.", setting.name);
        return Err(InvalidSetting::because(setting.name, message));
    }
    match setting.objection(value) {
        Some(objection) if objection.refused => {
            Err(InvalidSetting::because(setting.name, objection.to_string()))
        }
        objection => Ok(objection),
    }
}

fn unknown(scope: Scope, name: &str) -> InvalidSetting {
    let mut message = format!("Unknown {scope} config name: {name}.");
    if let Some(near) = nearest(scope, name) {
        message = format!("{message} Did you mean {near}?");
    }
    InvalidSetting::because(name, message)
}

/// Checks the settings that a broker is started with.
///
/// Returns warnings, as sentences: for unknown settings, with the nearest known name, and for settings
/// without an effect.
///
/// # Errors
/// Every setting with an invalid value, or one that Milena rejects.
pub fn check_broker(given: &Configs) -> Result<Vec<String>, Vec<InvalidSetting>> {
    let mut warnings = Vec::new();
    let mut errors = Vec::new();
    // By the reason, which several settings often share.
    let mut without_effect: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in given {
        // Settings of one listener are those of all listeners with its name before them.
        let bare = name.strip_prefix("listener.name.").and_then(|rest| rest.split_once('.'));
        let setting = find(Scope::Broker, bare.map_or(name.as_str(), |(_, bare)| bare));
        let Some(setting) = setting else {
            if name.starts_with("zookeeper.") {
                without_effect.entry(NO_ZOOKEEPER).or_default().push(name);
            } else {
                warnings.push(unknown_given(name));
            }
            continue;
        };
        match check_one(setting, value) {
            Ok(Some(objection)) => without_effect.entry(objection.reason).or_default().push(name),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    warnings.extend(without_effect.iter().map(|(reason, names)| kept(names, reason)));
    if errors.is_empty() {
        check_together(given, &mut errors);
    }
    if errors.is_empty() { Ok(warnings) } else { Err(errors) }
}

/// The reason why settings for ZooKeeper have no effect.
const NO_ZOOKEEPER: &str = "neither Kafka 4 nor Milena uses ZooKeeper";

fn kept(names: &[&str], reason: &str) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => {
            format!("{} and {last} are kept but have no effect: {reason}.", others.join(", "))
        }
        names => format!("{} is kept but has no effect: {reason}.", names.join("")),
    }
}

fn unknown_given(name: &str) -> String {
    match nearest(Scope::Broker, name) {
        Some(near) => {
            format!("{name} is not a setting of Kafka or Milena and has no effect. Did you mean {near}?")
        }
        None => format!("{name} is not a setting of Kafka or Milena and has no effect."),
    }
}

/// Checks that settings agree with each other.
fn check_together(given: &Configs, errors: &mut Vec<InvalidSetting>) {
    errors.extend(check_times(given).err());
    let mut fail = |name: &str, message: String| errors.push(InvalidSetting::because(name, message));
    if let (Some(node), Some(broker)) = (given.get("node.id"), given.get("broker.id"))
        && node.trim() != broker.trim()
    {
        fail("broker.id", format!("broker.id={broker} and node.id={node} differ: remove broker.id."));
    }
    let id = node_id(given);
    if id < 0 {
        fail("node.id", format!("Invalid value {id} for configuration node.id: expected at least 0."));
    }
    if let Some(voters) = given.get("controller.quorum.voters")
        && !is_only_voter(voters, id)
    {
        let message = format!(
            "controller.quorum.voters={voters} has other nodes, with which Milena cannot form a quorum yet: \
             remove it, or name this node ({id}) alone."
        );
        fail("controller.quorum.voters", message);
    }
    match BrokerConfig::start(given) {
        Err(error) => errors.push(error),
        Ok(config) if config.group_min_session_timeout_ms > config.group_max_session_timeout_ms => {
            let message = "group.min.session.timeout.ms is more than group.max.session.timeout.ms: lower the \
                           first or raise the second.";
            errors.push(InvalidSetting::because("group.min.session.timeout.ms", message.to_owned()));
        }
        Ok(_) => {}
    }
}
