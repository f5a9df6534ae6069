//! The enum of API keys, and a table of their properties.

use crate::code::Code;
use crate::model::{Kind, Message, Versions};
use crate::modules::short_name;

/// Emits `ApiKey` from the requests among `messages`.
pub(crate) fn define(messages: &[Message]) -> String {
    let mut requests: Vec<&Message> =
        messages.iter().filter(|message| message.kind == Kind::Request).collect();
    requests.sort_by_key(|request| request.key);
    for (place, request) in requests.iter().enumerate() {
        assert!(request.key == i16::try_from(place).ok(), "{}: keys have no gap", request.name);
    }
    let mut code = Code::default();
    code.line("/// The APIs of Kafka's protocol. A variant's number is its key on the wire.");
    code.line("#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]");
    code.line("#[repr(i16)]");
    code.line("pub enum ApiKey {");
    for (key, request) in requests.iter().enumerate() {
        code.line(&format!("/// {}", describe_variant(request)));
        code.line(&format!("{} = {key},", short_name(&request.name)));
    }
    code.line("}");
    code.line("pub(crate) const APIS: &[Api] = &[");
    for request in &requests {
        code.line(&describe(request));
    }
    code.line("];");
    code.finish()
}

fn describe_variant(request: &Message) -> String {
    match request.versions {
        Some(Versions { low, high }) if low == high => format!("Version {low}."),
        Some(Versions { low, high }) => format!("Versions {low}-{high}."),
        None => "Removed in Kafka 4.0.".to_owned(),
    }
}

fn describe(request: &Message) -> String {
    let short = short_name(&request.name);
    // An empty range for the APIs that Kafka has removed.
    let Versions { low, high } = request.versions.unwrap_or(Versions { low: 0, high: -1 });
    let flexible = request.flexible.map_or(i16::MAX, |versions| versions.low);
    let unstable = request.last_unstable;
    format!(
        "Api {{ key: ApiKey::{short}, name: \"{short}\", low: {low}, high: {high}, \
         flexible: {flexible}, unstable: {unstable} }},"
    )
}
