//! `listeners` and `advertised.listeners`: `NAME://host:port`.

use std::fmt;

use crate::InvalidSetting;

/// An address to listen on, or one to advertise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The listener's name, in capitals.
    pub name: String,
    /// Host name or address, without the brackets of IPv6. Empty for every address of the machine.
    pub host: String,
    /// Port; 0 lets the system choose.
    pub port: u16,
}

impl Listener {
    /// `host:port`, as for a socket.
    pub fn address(&self) -> String {
        let host = if self.host.is_empty() { "0.0.0.0" } else { &self.host };
        if host.contains(':') { format!("[{host}]:{}", self.port) } else { format!("{host}:{}", self.port) }
    }

    /// Whether it stands for every address of the machine, which cannot be advertised.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "" | "0.0.0.0" | "::")
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{}://{open}{}{close}:{}", self.name, self.host, self.port)
    }
}

/// Parses the value of `setting`.
///
/// # Errors
/// [`InvalidSetting`] if an element is not a listener, or a name or an address comes twice.
pub(crate) fn parse(setting: &str, elements: &[String]) -> Result<Vec<Listener>, InvalidSetting> {
    let mut listeners: Vec<Listener> = Vec::new();
    for element in elements {
        let listener = parse_one(element).ok_or_else(|| {
            let message = format!(
                "Invalid value {element} for configuration {setting}: write each listener as \
                 NAME://host:port, for instance PLAINTEXT://0.0.0.0:9092."
            );
            InvalidSetting::because(setting, message)
        })?;
        if listeners.iter().any(|known| known.name == listener.name) {
            let message = format!("{setting} names {} twice: give each listener one name.", listener.name);
            return Err(InvalidSetting::because(setting, message));
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

fn parse_one(element: &str) -> Option<Listener> {
    let (name, address) = element.split_once("://")?;
    let (host, port) = address.rsplit_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if !host.chars().all(is_host) {
        return None;
    }
    Some(Listener { name: name.to_ascii_uppercase(), host: host.to_owned(), port: port.parse().ok()? })
}
