//! The cluster that a command talks to, and the explanation of its errors.

use std::io;
use std::time::Duration;

use ::settings::{self as known, Scope};
use clap::Args;
use client::{Cluster, ClusterError, ClusterOptions, ConnectError, RequestError};
use protocol::ErrorCode;

use crate::failure::Failure;
use crate::nearest::nearest;

/// The arguments of every command that talks to a cluster.
#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Brokers to connect to first, as host:port, separated by commas
    #[arg(
        short,
        long,
        value_name = "HOST:PORT",
        default_value = "localhost:9092",
        env = "MILENA_BOOTSTRAP_SERVER",
        hide_env_values = true,
        help_heading = "Connection"
    )]
    pub(crate) bootstrap_server: String,

    /// Print results as JSON, one value a line, and failures as JSON to standard error
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,

    /// Seconds to keep trying before giving up [default: 30; 300 to change topics]
    #[arg(long, value_name = "SECONDS", help_heading = "Connection")]
    timeout: Option<u64>,
}

/// The time to keep trying, in seconds.
const TIMEOUT_DEFAULT: u64 = 30;

/// The time that a change of topics may take, in seconds: thousands of partitions are thousands of files.
const CHANGE_TIMEOUT_DEFAULT: u64 = 300;

impl ConnectArgs {
    /// The cluster named by the arguments.
    pub(crate) async fn cluster(&self) -> Result<Cluster, Failure> {
        let mut options = ClusterOptions::new(&self.bootstrap_server);
        let timeout = self.timeout.unwrap_or(TIMEOUT_DEFAULT);
        options.retry_for = Duration::from_secs(timeout);
        options.change_timeout = Duration::from_secs(self.timeout.unwrap_or(CHANGE_TIMEOUT_DEFAULT).max(1));
        options.connection.request_timeout = Duration::from_secs(timeout.max(1));
        options.connection.connect_timeout =
            options.connection.connect_timeout.min(options.connection.request_timeout);
        Cluster::connect(options).await.map_err(|error| explain(&error))
    }
}

/// A failure in words, with what can be done about it.
pub(crate) fn explain(error: &ClusterError) -> Failure {
    match error {
        ClusterError::NoBroker => Failure::usage("no broker is given").mend(
            "Name one with --bootstrap-server HOST:PORT, for example --bootstrap-server localhost:9092.",
        ),
        ClusterError::Connect(error) => explain_connect(error),
        ClusterError::Request(RequestError::NoCommonVersion { api, broker: None, .. }) => {
            Failure::new(format!("the broker does not support this: it does not serve {api}"))
        }
        ClusterError::Request(RequestError::Unencodable { error, .. }) => {
            Failure::usage(format!("the request cannot be sent: {error}"))
        }
        ClusterError::Request(RequestError::TimedOut { .. }) => Failure::new(error.to_string()).mend(
            "The broker may be overloaded or unreachable; see its log. --timeout SECONDS waits longer.",
        ),
        ClusterError::UnknownTopic { .. } => {
            Failure::new(error.to_string()).mend("'milena topic list' shows the existing topics.")
        }
        ClusterError::NoLeader { .. } => Failure::new(error.to_string())
            .mend("The brokers with its replicas may be down: see 'milena topic describe'."),
        ClusterError::Refused { code, message } => {
            let failure = Failure::new(error.to_string());
            let collides = message.as_deref().is_some_and(|message| message.contains("collides"));
            if *code == ErrorCode::INVALID_TOPIC_EXCEPTION && collides {
                return failure
                    .mend("Names that differ only by '.' and '_' collide in metric names: choose another.");
            }
            match advice(*code) {
                Some(mend) => failure.mend(mend),
                None => failure,
            }
        }
        _ => Failure::new(error.to_string()),
    }
}

fn explain_connect(error: &ConnectError) -> Failure {
    match error {
        ConnectError::Unreachable { address, error } if error.kind() == io::ErrorKind::ConnectionRefused => {
            Failure::new(format!("cannot connect to {address}: the connection is refused")).mend(
                "Is a broker running there? 'milena start' starts one on localhost:9092; \
                 --bootstrap-server HOST:PORT names another.",
            )
        }
        ConnectError::Unreachable { address, error } => {
            Failure::new(format!("cannot connect to {address}: {}", system_words(error)))
                .mend("Is the address right? --bootstrap-server HOST:PORT names a broker.")
        }
        ConnectError::TimedOut { .. } => Failure::new(error.to_string())
            .mend("Is the address right, and does no firewall block it? --bootstrap-server HOST:PORT names a broker."),
        ConnectError::NotKafka { .. } => Failure::new(error.to_string()).mend(
            "Is it another service, or a listener with TLS or SASL? This client speaks plain \
             text. --bootstrap-server HOST:PORT names a broker.",
        ),
    }
}

/// The system's message without its error number.
pub(crate) fn system_words(error: &io::Error) -> String {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    words.strip_prefix("failed to lookup address information: ").unwrap_or(words).to_lowercase()
}

/// Advice for one of Kafka's errors.
fn advice(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::TOPIC_ALREADY_EXISTS => {
            "Choose another name, or use --if-not-exists to keep the existing topic."
        }
        ErrorCode::REQUEST_TIMED_OUT => {
            "The broker may still be working on it: 'milena topic list' shows the existing topics. --timeout SECONDS waits longer."
        }
        ErrorCode::INVALID_TOPIC_EXCEPTION => {
            "A topic's name has at most 249 of the characters a-z A-Z 0-9 . _ - and is neither '.' nor '..'."
        }
        ErrorCode::INVALID_REPLICATION_FACTOR => {
            "A cluster cannot have more replicas than brokers; omit --replication-factor for the default."
        }
        ErrorCode::INVALID_PARTITIONS => {
            "A topic has at least one partition, and partitions can be added but not removed."
        }
        ErrorCode::TOPIC_DELETION_DISABLED => "The brokers are started with delete.topic.enable=false.",
        ErrorCode::NON_EMPTY_GROUP | ErrorCode::UNKNOWN_MEMBER_ID => {
            "Stop the consumers of the group first; 'milena group describe' shows them."
        }
        ErrorCode::GROUP_ID_NOT_FOUND => "'milena group list' shows the existing groups.",
        ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            "Fewer replicas are in sync than min.insync.replicas requires: see 'milena topic describe'."
        }
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => {
            "The topic's max.message.bytes is the limit; 'milena topic alter' can raise it."
        }
        ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::GROUP_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED => {
            "An administrator of the cluster can allow it with an ACL."
        }
        _ => return None,
    })
}

/// Explains an error as [`explain`] does, and suggests a topic with a similar name if the name is unknown.
pub(crate) async fn explain_topic(cluster: &Cluster, error: &ClusterError) -> Failure {
    let ClusterError::UnknownTopic { topic } = error else { return explain(error) };
    let Ok(topics) = cluster.all_topics().await else { return explain(error) };
    match nearest(topic, topics.iter().map(|topic| topic.name.as_str())) {
        Some(near) if near == topic => {
            Failure::new(error.to_string()).mend("It has just appeared: try again.")
        }
        Some(near) => Failure::new(error.to_string()).mend(format!("Did you mean '{near}'?")),
        None if topics.is_empty() => Failure::new(error.to_string())
            .mend(format!("The cluster has no topics yet. milena topic create {topic} creates this one.")),
        None => explain(error),
    }
}

/// Explains an error as [`explain_topic`] does, and suggests a setting with a similar name if one of
/// `settings` is unknown.
pub(crate) async fn explain_settings<'a>(
    cluster: &Cluster,
    error: &ClusterError,
    settings: impl IntoIterator<Item = &'a String>,
) -> Failure {
    let failure = explain_topic(cluster, error).await;
    if error.code() != Some(ErrorCode::INVALID_CONFIG) || failure.what().contains("Did you mean") {
        return failure;
    }
    let unknown = settings.into_iter().find(|name| known::find(Scope::Topic, name).is_none());
    match unknown.and_then(|name| known::nearest(Scope::Topic, name)) {
        Some(near) => failure.mend(format!("Did you mean {near}?")),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use client::{ClusterError, ConnectError};

    use super::{explain, system_words};

    #[test]
    fn a_refused_connection_says_how_to_start_a_broker() {
        let refused = ConnectError::Unreachable {
            address: "localhost:9092".to_owned(),
            error: io::Error::from(io::ErrorKind::ConnectionRefused),
        };
        let failure = explain(&ClusterError::Connect(refused)).to_string();
        assert!(
            failure.starts_with("cannot connect to localhost:9092: the connection is refused"),
            "{failure}"
        );
        assert!(failure.contains("milena start"), "{failure}");
    }

    #[test]
    fn system_errors_lose_their_numbers() {
        assert_eq!(system_words(&io::Error::from_raw_os_error(101)), "network is unreachable");
    }
}
