//! The sources of the broker's settings: flags before the environment before the file. A setting that none of
//! them gives has its default.

use std::collections::BTreeMap;
use std::fmt;

use crate::properties::Property;

#[cfg(test)]
mod tests;

/// A setting's value and its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourcedValue {
    pub(crate) value: String,
    pub(crate) source: Source,
}

/// The source of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `--set name=value`.
    Flag,
    /// An environment variable, by its name.
    Environment(String),
    /// A line of the properties file, from 1.
    File { path: String, line: usize },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag => write!(f, "--set"),
            Source::Environment(variable) => write!(f, "the environment variable {variable}"),
            Source::File { path, line } => write!(f, "{path}, line {line}"),
        }
    }
}

/// The settings by name.
pub(crate) type Settings = BTreeMap<String, SourcedValue>;

/// Variables that begin as settings do and are something else: ours, and those that Kafka's scripts and
/// container images take.
const NOT_SETTINGS: [&str; 22] = [
    "KAFKA_BROKER_RACK_ID",
    "KAFKA_CLUSTER_ID",
    "KAFKA_DEBUG",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_GROUP",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_LOG4J_CMD_OPTS",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_MODE",
    "KAFKA_OPTS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_USER",
    "KAFKA_VERSION",
    "MILENA_BOOTSTRAP_SERVER",
    "MILENA_LOG",
];

/// Merges the sources. Of two values from the same source the later one wins, as in Java's properties;
/// `MILENA_` variables win over `KAFKA_` ones.
pub(crate) fn gather(
    file: Option<(&str, Vec<Property>)>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(String, String)],
) -> Settings {
    let mut settings = Settings::new();
    if let Some((path, properties)) = file {
        for Property { name, value, line } in properties {
            let source = Source::File { path: path.to_owned(), line };
            settings.insert(name, SourcedValue { value, source });
        }
    }
    let (ours, kafkas): (Vec<_>, Vec<_>) =
        environment.into_iter().partition(|(variable, _)| variable.starts_with("MILENA_"));
    for (variable, value) in kafkas.into_iter().chain(ours) {
        if let Some(name) = setting_of_variable(&variable) {
            settings.insert(name, SourcedValue { value, source: Source::Environment(variable) });
        }
    }
    for (name, value) in flags {
        settings.insert(name.clone(), SourcedValue { value: value.clone(), source: Source::Flag });
    }
    settings
}

/// The setting that an environment variable gives, spelled as in Kafka's container image: `_` is a dot, `__`
/// an underscore, `___` a dash, so that `KAFKA_LOG_DIRS` is `log.dirs`.
fn setting_of_variable(variable: &str) -> Option<String> {
    let spelled = variable.strip_prefix("MILENA_").or_else(|| variable.strip_prefix("KAFKA_"))?;
    if spelled.is_empty() || NOT_SETTINGS.contains(&variable) {
        return None;
    }
    let mut name = String::with_capacity(spelled.len());
    let mut rest = spelled;
    while let Some(at) = rest.find('_') {
        name.push_str(&rest[..at].to_ascii_lowercase());
        let run = &rest[at..rest.len() - rest[at..].trim_start_matches('_').len()];
        match run.len() {
            1 => name.push('.'),
            2 => name.push('_'),
            3 => name.push('-'),
            _ => name.push_str(run),
        }
        rest = &rest[at + run.len()..];
    }
    name.push_str(&rest.to_ascii_lowercase());
    Some(name)
}
