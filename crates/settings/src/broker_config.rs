//! A broker's settings with every layer resolved.

use crate::{Configs, InvalidSetting, Layers, Listener, Scope, TopicConfig, Value, elements, listeners};

const MOVES_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const SNAPSHOT_BYTES: &str = "metadata.log.max.record.bytes.between.snapshots";

/// The settings of a broker. The fields are named after the settings; the table documents them.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "each field is documented by the table, under its own name")]
pub struct BrokerConfig {
    pub node_id: i32,
    pub broker_rack: Option<String>,
    /// `host:port`.
    pub console_listener: Option<String>,
    /// Without those of `controller.listener.names`. At least one.
    pub listeners: Vec<Listener>,
    /// As many as `listeners`, in their order. A host may be empty if only a wildcard was given: it stands
    /// for the machine's own name.
    pub advertised_listeners: Vec<Listener>,
    /// Those of `controller.listener.names`.
    pub controller_listeners: Vec<Listener>,
    /// As many as `controller_listeners`, in their order.
    pub advertised_controller_listeners: Vec<Listener>,
    /// At least one, each once.
    pub log_dirs: Vec<String>,
    /// The first of `log_dirs` if it is not set.
    pub metadata_log_dir: String,
    pub auto_create_topics_enable: bool,
    pub broker_heartbeat_interval_ms: i32,
    pub connections_max_idle_ms: i64,
    pub default_replication_factor: i16,
    pub delete_topic_enable: bool,
    pub fetch_max_bytes: i32,
    pub group_initial_rebalance_delay_ms: i32,
    pub group_max_session_timeout_ms: i32,
    pub group_max_size: i32,
    pub group_min_session_timeout_ms: i32,
    pub log_cleaner_backoff_ms: i64,
    pub log_cleaner_dedupe_buffer_size: i64,
    pub log_cleaner_enable: bool,
    pub log_cleaner_io_buffer_load_factor: f64,
    pub log_cleaner_io_max_bytes_per_second: f64,
    pub log_cleaner_threads: i32,
    pub log_dir_reserved_bytes: i64,
    pub log_flush_offset_checkpoint_interval_ms: i64,
    pub log_flush_scheduler_interval_ms: i64,
    pub log_retention_check_interval_ms: i64,
    pub log_scrub_interval_ms: i64,
    /// 0: off.
    pub log_scrub_io_max_bytes_per_second: i64,
    pub max_connections: i32,
    pub max_connections_per_ip: i32,
    pub max_decompressed_batch_bytes: i32,
    pub max_incremental_fetch_session_cache_slots: i32,
    pub max_request_partition_size_limit: i32,
    pub metadata_log_max_record_bytes_between_snapshots: i64,
    pub metadata_log_segment_bytes: i32,
    pub num_partitions: i32,
    /// As many as there are log directories if it is not set.
    pub num_replica_alter_log_dirs_threads: Option<i32>,
    pub offset_metadata_max_bytes: i32,
    pub offsets_retention_check_interval_ms: i64,
    pub offsets_retention_minutes: i32,
    pub offsets_topic_num_partitions: i32,
    pub offsets_topic_replication_factor: i16,
    pub offsets_topic_segment_bytes: i32,
    pub producer_id_expiration_check_interval_ms: i32,
    pub producer_id_expiration_ms: i32,
    /// -1: a quarter of the memory.
    pub queued_max_request_bytes: i64,
    pub unstable_api_versions_enable: bool,
    pub replica_alter_log_dirs_io_max_bytes_per_second: i64,
    pub socket_request_max_bytes: i32,
    /// The settings of a topic without its own.
    pub topic_defaults: TopicConfig,
}

impl BrokerConfig {
    /// Resolves the settings that a broker was started with.
    ///
    /// # Errors
    /// [`InvalidSetting`] if listeners or directories cannot be parsed; the caller has checked the rest by
    /// [`crate::check_broker`].
    pub fn start(given: &Configs) -> Result<Self, InvalidSetting> {
        let none = Configs::new();
        Self::resolve(&Layers { topic: None, broker: &none, brokers: &none, given })
    }

    /// Resolves the settings of a broker, including those set while it runs.
    ///
    /// # Errors
    /// See [`Self::start`].
    pub fn resolve(layers: &Layers<'_>) -> Result<Self, InvalidSetting> {
        let value = |name| layers.value(Scope::Broker, name);
        let boolean = |name| value(name).boolean();
        let long = |name| value(name).whole();
        let int = |name| i32::try_from(long(name)).expect("an INT setting fits 32 bits");
        let short = |name| i16::try_from(long(name)).unwrap_or(i16::MAX);
        let [brokers, controllers] = addresses(layers)?;
        let (listeners, advertised_listeners) = brokers.into_iter().unzip();
        let (controller_listeners, advertised_controller_listeners) = controllers.into_iter().unzip();
        let log_dirs = log_dirs(layers)?;
        Ok(Self {
            node_id: int("node.id"),
            broker_rack: text(layers, "broker.rack"),
            console_listener: console_listener(layers)?,
            listeners,
            advertised_listeners,
            controller_listeners,
            advertised_controller_listeners,
            metadata_log_dir: text(layers, "metadata.log.dir").unwrap_or_else(|| log_dirs[0].clone()),
            log_dirs,
            auto_create_topics_enable: boolean("auto.create.topics.enable"),
            broker_heartbeat_interval_ms: int("broker.heartbeat.interval.ms"),
            connections_max_idle_ms: long("connections.max.idle.ms"),
            default_replication_factor: short("default.replication.factor"),
            delete_topic_enable: boolean("delete.topic.enable"),
            fetch_max_bytes: int("fetch.max.bytes"),
            group_initial_rebalance_delay_ms: int("group.initial.rebalance.delay.ms"),
            group_max_session_timeout_ms: int("group.max.session.timeout.ms"),
            group_max_size: int("group.max.size"),
            group_min_session_timeout_ms: int("group.min.session.timeout.ms"),
            log_cleaner_backoff_ms: long("log.cleaner.backoff.ms"),
            log_cleaner_dedupe_buffer_size: long("log.cleaner.dedupe.buffer.size"),
            log_cleaner_enable: boolean("log.cleaner.enable"),
            log_cleaner_io_buffer_load_factor: value("log.cleaner.io.buffer.load.factor").fraction(),
            log_cleaner_io_max_bytes_per_second: value("log.cleaner.io.max.bytes.per.second").fraction(),
            log_cleaner_threads: int("log.cleaner.threads"),
            log_dir_reserved_bytes: long("log.dir.reserved.bytes"),
            log_flush_offset_checkpoint_interval_ms: long("log.flush.offset.checkpoint.interval.ms"),
            log_flush_scheduler_interval_ms: long("log.flush.scheduler.interval.ms"),
            log_retention_check_interval_ms: long("log.retention.check.interval.ms"),
            log_scrub_interval_ms: long("log.scrub.interval.ms"),
            log_scrub_io_max_bytes_per_second: long("log.scrub.io.max.bytes.per.second"),
            max_connections: int("max.connections"),
            max_connections_per_ip: int("max.connections.per.ip"),
            max_decompressed_batch_bytes: int("max.decompressed.batch.bytes"),
            max_incremental_fetch_session_cache_slots: int("max.incremental.fetch.session.cache.slots"),
            max_request_partition_size_limit: int("max.request.partition.size.limit"),
            metadata_log_max_record_bytes_between_snapshots: long(SNAPSHOT_BYTES),
            metadata_log_segment_bytes: int("metadata.log.segment.bytes"),
            num_partitions: int("num.partitions"),
            num_replica_alter_log_dirs_threads: layers
                .optional(Scope::Broker, "num.replica.alter.log.dirs.threads")
                .and_then(|value| i32::try_from(value.whole()).ok()),
            offset_metadata_max_bytes: int("offset.metadata.max.bytes"),
            offsets_retention_check_interval_ms: long("offsets.retention.check.interval.ms"),
            offsets_retention_minutes: int("offsets.retention.minutes"),
            offsets_topic_num_partitions: int("offsets.topic.num.partitions"),
            offsets_topic_replication_factor: short("offsets.topic.replication.factor"),
            offsets_topic_segment_bytes: int("offsets.topic.segment.bytes"),
            producer_id_expiration_check_interval_ms: int("producer.id.expiration.check.interval.ms"),
            producer_id_expiration_ms: int("producer.id.expiration.ms"),
            queued_max_request_bytes: long("queued.max.request.bytes"),
            unstable_api_versions_enable: boolean("unstable.api.versions.enable"),
            replica_alter_log_dirs_io_max_bytes_per_second: long(MOVES_RATE),
            socket_request_max_bytes: int("socket.request.max.bytes"),
            topic_defaults: TopicConfig::resolve(&Layers { topic: None, ..*layers }),
        })
    }
}

fn text(layers: &Layers<'_>, name: &'static str) -> Option<String> {
    let value = layers.optional(Scope::Broker, name)?;
    Some(value.text().to_owned()).filter(|text| !text.is_empty())
}

fn console_listener(layers: &Layers<'_>) -> Result<Option<String>, InvalidSetting> {
    let Some(address) = text(layers, "console.listener") else { return Ok(None) };
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() || address.contains("://") {
        let message = format!("console.listener is {address}: give host:port, for instance 127.0.0.1:9093.");
        return Err(InvalidSetting::because("console.listener", message));
    }
    Ok(Some(address))
}

fn list(layers: &Layers<'_>, name: &'static str) -> Vec<String> {
    layers.optional(Scope::Broker, name).as_ref().map(Value::list).unwrap_or_default().to_vec()
}

fn log_dirs(layers: &Layers<'_>) -> Result<Vec<String>, InvalidSetting> {
    let dirs = list(layers, "log.dirs");
    if dirs.is_empty() {
        let message = "log.dirs names no directory: name at least one, or remove the setting.";
        return Err(InvalidSetting::because("log.dirs", message.to_owned()));
    }
    if let Some(twice) = (1..dirs.len()).find(|at| dirs[..*at].contains(&dirs[*at])) {
        let message = format!("log.dirs names {} more than once: name each directory once.", dirs[twice]);
        return Err(InvalidSetting::because("log.dirs", message));
    }
    Ok(dirs)
}

/// The listeners for brokers and those for controllers, each with the address that is advertised for it.
fn addresses(layers: &Layers<'_>) -> Result<[Vec<(Listener, Listener)>; 2], InvalidSetting> {
    let names = list(layers, "controller.listener.names");
    let is_controllers =
        |listener: &Listener| names.iter().any(|controller| controller.eq_ignore_ascii_case(&listener.name));
    let bound = listeners::parse("listeners", &list(layers, "listeners"))?;
    if bound.iter().all(is_controllers) {
        let message =
            "listeners has no address for clients: add one, for instance PLAINTEXT://127.0.0.1:9092.";
        return Err(InvalidSetting::because("listeners", message.to_owned()));
    }
    if !names.is_empty() && !bound.iter().any(is_controllers) {
        let message = format!(
            "controller.listener.names is {}, but listeners has no listener of that name: add \
             {}://127.0.0.1:9093 there, or remove controller.listener.names.",
            names.join(","),
            names[0]
        );
        return Err(InvalidSetting::because("controller.listener.names", message));
    }
    // In Kafka this setting is a text, written as a list.
    let map = text(layers, "listener.security.protocol.map");
    let protocols = elements(map.as_deref().unwrap_or_default());
    // As in Kafka, a listener for controllers needs no protocol if no map is given.
    let has_map = layers.given.contains_key("listener.security.protocol.map");
    for listener in bound.iter().filter(|listener| has_map || !is_controllers(listener)) {
        check_protocol(listener, &protocols)?;
    }
    let told = listeners::parse("advertised.listeners", &list(layers, "advertised.listeners"))?;
    if let Some(stray) = told.iter().find(|told| !bound.iter().any(|bound| bound.name == told.name)) {
        let message = format!(
            "advertised.listeners has {}, but listeners does not: add it there, or remove it here.",
            stray.name
        );
        return Err(InvalidSetting::because("advertised.listeners", message));
    }
    let [mut brokers, mut controllers] = [Vec::new(), Vec::new()];
    for listener in bound {
        let advertised = advertise(&listener, &told)?;
        let side = if is_controllers(&listener) { &mut controllers } else { &mut brokers };
        side.push((listener, advertised));
    }
    Ok([brokers, controllers])
}

fn advertise(listener: &Listener, told: &[Listener]) -> Result<Listener, InvalidSetting> {
    let Some(told) = told.iter().find(|told| told.name == listener.name) else {
        let host = if listener.is_wildcard() { String::new() } else { listener.host.clone() };
        return Ok(Listener { host, ..listener.clone() });
    };
    if matches!(told.host.as_str(), "0.0.0.0" | "::") {
        let message = format!(
            "advertised.listeners gives clients {told}, to which they cannot connect: give the name or \
             address by which they reach this machine."
        );
        return Err(InvalidSetting::because("advertised.listeners", message));
    }
    Ok(told.clone())
}

fn check_protocol(listener: &Listener, map: &[String]) -> Result<(), InvalidSetting> {
    let protocol = map
        .iter()
        .filter_map(|pair| pair.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case(&listener.name))
        .map(|(_, protocol)| protocol.to_ascii_uppercase());
    let message = match protocol.as_deref() {
        Some("PLAINTEXT") => return Ok(()),
        Some(other @ ("SSL" | "SASL_SSL" | "SASL_PLAINTEXT")) => format!(
            "The listener {listener} asks for {other}, which Milena does not support yet: use PLAINTEXT on \
             a network that you trust."
        ),
        Some(other) => {
            format!("{other} is not a security protocol: the listener {listener} needs PLAINTEXT.")
        }
        None => format!(
            "The listener {listener} has no security protocol: add {}:PLAINTEXT to \
             listener.security.protocol.map.",
            listener.name
        ),
    };
    Err(InvalidSetting::because("listeners", message))
}

/// The id of this node, from settings of which the rest may be invalid.
pub(crate) fn node_id(given: &Configs) -> i64 {
    let none = Configs::new();
    let layers = Layers { topic: None, broker: &none, brokers: &none, given };
    layers.value(Scope::Broker, "node.id").whole()
}

/// Whether `voters` (`id@host:port`, separated by commas) is this node alone.
pub(crate) fn is_only_voter(voters: &str, node_id: i64) -> bool {
    let voters = elements(voters);
    let id = voters.first().and_then(|voter| voter.split_once('@')).map(|(id, _)| id.trim());
    voters.len() <= 1 && (voters.is_empty() || id == Some(node_id.to_string().as_str()))
}
