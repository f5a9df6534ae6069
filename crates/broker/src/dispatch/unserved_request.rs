//! A request that this broker does not serve, described for the person who runs the client.

use std::fmt;

use protocol::ApiKey;

use super::{APIS, Listeners, find};

/// The most characters of a client id in a log line.
const CLIENT_ID_CHARS: usize = 64;
/// The position of the client id in a request: after the API key, its version and the correlation id.
const CLIENT_ID_AT: usize = 8;

/// A request for an API, or a version of one, that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnservedRequest {
    pub(crate) key: i16,
    pub(crate) version: i16,
    /// Whether the listener that received it serves other versions of the API.
    pub(crate) is_here: bool,
    /// The client's name for itself, safe for a log.
    pub(crate) client_id: Option<String>,
}

impl UnservedRequest {
    /// Describes the request in `frame`, which has that API key and version.
    pub(super) fn of(frame: &[u8], key: i16, version: i16, is_here: bool) -> Self {
        Self { key, version, is_here, client_id: client_id(frame) }
    }
}

impl fmt::Display for UnservedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.client_id {
            Some(id) => write!(f, "client \"{id}\" asked for ")?,
            None => f.write_str("a client without an id asked for ")?,
        }
        let Self { key, version, .. } = self;
        let Some(name) = ApiKey::from_i16(*key).map(ApiKey::name) else {
            return write!(f, "an API with the key {key}, which does not exist");
        };
        let Some(api) = find(*key).map(|place| &APIS[place]) else {
            return write!(f, "{name}, which this broker does not serve");
        };
        if !self.is_here {
            return match api.listeners {
                Listeners::Brokers | Listeners::All => {
                    write!(f, "{name} at a listener for controllers: clients connect to the others")
                }
                Listeners::Controllers => {
                    write!(f, "{name} at a listener for clients: it is for controller.listener.names")
                }
                Listeners::Unstable => write!(
                    f,
                    "{name}: other brokers can join for tests only, with unstable.api.versions.enable=true, at \
                     a listener for controllers"
                ),
            };
        }
        let (oldest, newest) = (*api.versions.start(), *api.versions.end());
        write!(f, "version {version} of {name}; versions {oldest} to {newest} are served. ")?;
        f.write_str(if *version < oldest {
            "The client is too old: Kafka's Java clients work from 1.1 on, and librdkafka with \
             api.version.request=true"
        } else {
            "The client has not asked for the served versions, or ignores the answer"
        })
    }
}

/// The client id of the request in `frame`, without characters that could forge a log line, and not too long.
fn client_id(frame: &[u8]) -> Option<String> {
    let (length, rest) = frame.get(CLIENT_ID_AT..)?.split_first_chunk::<2>()?;
    let length = usize::try_from(i16::from_be_bytes(*length)).ok().filter(|length| *length > 0)?;
    // A character has at most four bytes.
    let bytes = rest.get(..length)?;
    let shown = String::from_utf8_lossy(&bytes[..length.min(4 * CLIENT_ID_CHARS)]);
    let mut id: String = shown.chars().take(CLIENT_ID_CHARS).flat_map(char::escape_debug).collect();
    if String::from_utf8_lossy(bytes).chars().nth(CLIENT_ID_CHARS).is_some() {
        id.push('…');
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(key: i16, version: i16, client_id: Option<&[u8]>) -> String {
        let mut frame = [key.to_be_bytes(), version.to_be_bytes(), [0; 2], [0; 2]].concat();
        let length = client_id.map_or(-1, |id| i16::try_from(id.len()).unwrap());
        frame.extend(length.to_be_bytes());
        frame.extend(client_id.unwrap_or_default());
        UnservedRequest::of(&frame, key, version, true).to_string()
    }

    #[test]
    fn it_says_which_listener_to_ask() {
        let told = |key: ApiKey, version, is_here| {
            let text = UnservedRequest { key: key.as_i16(), version, is_here, client_id: None }.to_string();
            text.strip_prefix("a client without an id asked for ").expect("it begins so").to_owned()
        };
        let produce = told(ApiKey::Produce, 9, false);
        assert_eq!(produce, "Produce at a listener for controllers: clients connect to the others");
        let snapshot = told(ApiKey::FetchSnapshot, 0, false);
        assert_eq!(snapshot, "FetchSnapshot at a listener for clients: it is for controller.listener.names");
        let join = told(ApiKey::BrokerRegistration, 4, false);
        assert!(join.contains("unstable.api.versions.enable=true"), "{join}");
        let version = told(ApiKey::BrokerRegistration, 9, true);
        assert!(version.starts_with("version 9 of BrokerRegistration; versions 0 to 4 are"), "{version}");
    }

    #[test]
    fn it_says_who_asked_for_what_and_what_to_do() {
        let old = told(1, 2, Some(b"rdkafka"));
        assert!(old.starts_with("client \"rdkafka\" asked for version 2 of Fetch; versions 4 to"), "{old}");
        assert!(old.contains("too old") && old.contains("1.1"), "{old}");
        let new = told(3, 99, None);
        assert!(new.starts_with("a client without an id asked for version 99 of Metadata"), "{new}");
        assert!(new.ends_with("ignores the answer"), "{new}");
        assert_eq!(
            told(24, 3, Some(b"t")),
            "client \"t\" asked for AddPartitionsToTxn, which this broker does not serve"
        );
        assert_eq!(
            told(999, 0, Some(b"")),
            "a client without an id asked for an API with the key 999, which does not exist"
        );
    }

    #[test]
    fn a_client_id_cannot_forge_or_flood_a_log() {
        let id = |bytes: &[u8]| {
            let mut frame = vec![0; CLIENT_ID_AT];
            frame.extend(i16::try_from(bytes.len()).unwrap().to_be_bytes());
            frame.extend(bytes);
            client_id(&frame)
        };
        let shown = id(b"a\nERROR \x1b[31mforged\r\0\"\xff").unwrap();
        assert_eq!(shown, "a\\nERROR \\u{1b}[31mforged\\r\\0\\\"\u{fffd}");
        let long = id("é".repeat(10_000).as_bytes()).unwrap();
        assert_eq!(long, format!("{}…", "é".repeat(CLIENT_ID_CHARS)));
        assert_eq!(id("x".repeat(CLIENT_ID_CHARS).as_bytes()).unwrap(), "x".repeat(CLIENT_ID_CHARS));
        // A length that is too large, and frames that end before it.
        assert_eq!(client_id(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 5, b'a']), None);
        assert_eq!(client_id(&[0; 9]), None);
    }
}
