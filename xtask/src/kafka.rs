//! Apache Kafka: one process that is broker and controller.

use crate::broker::{BrokerOptions, START_LIMIT};
use crate::java::ClassPath;
use crate::process::{BackgroundProcess, await_broker, free_port};
use crate::{Attempt, java};
use std::fmt;
use std::path::Path;

/// A valid cluster id; any would do.
const CLUSTER_ID: &str = "AAAAAAAAQACAAAAAAAAAAQ";

/// A version of Apache Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KafkaVersion(&'static str);

impl KafkaVersion {
    /// The version whose behaviour is the measure unless a suite asks for another.
    pub const REFERENCE: KafkaVersion = KafkaVersion("4.3.1");
    /// The first version that starts at the metadata levels of Kafka 3 without ZooKeeper.
    pub const V4_0: KafkaVersion = KafkaVersion("4.0.0");
    /// The version after the reference.
    pub const V4_4: KafkaVersion = KafkaVersion("4.4.0");

    /// The versions that the suites run against.
    pub const TESTED: [KafkaVersion; 2] = [KafkaVersion::REFERENCE, KafkaVersion::V4_4];

    /// Returns the version of this number, which may lack its last part: `4.4` or `4.4.0`.
    pub fn numbered(number: &str) -> Attempt<KafkaVersion> {
        let versions = [KafkaVersion::REFERENCE, KafkaVersion::V4_0, KafkaVersion::V4_4];
        let known = versions.into_iter().find(|version| version.0 == number || version.minor() == number);
        known.ok_or_else(|| format!("Kafka {number} is not one of {versions:?}"))
    }

    /// Its number, as in `4.3.1`.
    pub fn number(self) -> &'static str {
        self.0
    }

    /// Its number without the last part, as in `4.3`.
    pub fn minor(self) -> &'static str {
        self.0.rsplit_once('.').map_or(self.0, |(minor, _)| minor)
    }

    /// The class path of its server, its clients and its tools, which are fetched if they are missing.
    pub fn class_path(self) -> Attempt<ClassPath> {
        java::class_path_of(self)
    }
}

impl fmt::Display for KafkaVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// Kafka, running on a loopback port; it is killed when this value is dropped.
#[derive(Debug)]
pub struct Kafka {
    options: BrokerOptions,
    class_path: ClassPath,
    process: BackgroundProcess,
}

impl Kafka {
    /// Fetches Kafka if it is missing, formats the data directory if it is not, starts the broker and waits
    /// until it serves.
    pub fn start(options: BrokerOptions) -> Attempt<Kafka> {
        let class_path = options.kafka.class_path()?;
        let properties = write_properties(&options)?;
        if !options.data_dir().join("meta.properties").exists() {
            format_storage(&class_path, &properties, CLUSTER_ID, &[])?;
        }
        let process = spawn(&class_path, &options)?;
        Ok(Kafka { options, class_path, process })
    }

    /// Starts a broker that is no controller, in the cluster of that id whose controllers listen there.
    pub(crate) fn join(options: BrokerOptions, cluster_id: &str, controllers: &str) -> Attempt<Kafka> {
        let class_path = options.kafka.class_path()?;
        let properties = options.write_properties(&[
            ("process.roles", "broker".to_owned()),
            ("node.id", "2".to_owned()),
            ("listeners", format!("PLAINTEXT://{}", options.address())),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("controller.quorum.bootstrap.servers", controllers.to_owned()),
            ("log.dirs", options.data_dir().display().to_string()),
        ])?;
        format_storage(&class_path, &properties, cluster_id, &[])?;
        let process = spawn(&class_path, &options)?;
        Ok(Kafka { options, class_path, process })
    }

    /// The address for clients: `host:port`.
    pub fn address(&self) -> String {
        self.options.address().to_string()
    }

    /// The process id, to measure its use of resources.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn start_again(&mut self) -> Attempt<()> {
        self.process = spawn(&self.class_path, &self.options)?;
        Ok(())
    }

    pub(crate) fn options(&self) -> &BrokerOptions {
        &self.options
    }

    pub(crate) fn process(&mut self) -> &mut BackgroundProcess {
        &mut self.process
    }
}

fn write_properties(options: &BrokerOptions) -> Attempt<std::path::PathBuf> {
    let controller = free_port()?;
    options.write_properties(&[
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", "1".to_owned()),
        ("listeners", format!("PLAINTEXT://{},CONTROLLER://127.0.0.1:{controller}", options.address())),
        ("advertised.listeners", format!("PLAINTEXT://{}", options.address())),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
        ("log.dirs", options.data_dir().display().to_string()),
        ("offsets.topic.replication.factor", "1".to_owned()),
        ("transaction.state.log.replication.factor", "1".to_owned()),
        ("transaction.state.log.min.isr", "1".to_owned()),
        ("share.coordinator.state.topic.replication.factor", "1".to_owned()),
        ("share.coordinator.state.topic.min.isr", "1".to_owned()),
    ])
}

/// Formats the data directory with more options than [`Kafka::start`] does.
pub(crate) fn format(options: &BrokerOptions, more: &[&str]) -> Attempt<()> {
    format_storage(&options.kafka.class_path()?, &write_properties(options)?, CLUSTER_ID, more)
}

fn format_storage(class_path: &ClassPath, properties: &Path, cluster_id: &str, more: &[&str]) -> Attempt<()> {
    let file = properties.display().to_string();
    let arguments = [&["format", "--cluster-id", cluster_id, "--config", &file], more].concat();
    java::tool(class_path, "kafka.tools.StorageTool", &arguments, "")?.success()?;
    Ok(())
}

fn spawn(class_path: &ClassPath, options: &BrokerOptions) -> Attempt<BackgroundProcess> {
    let mut command = std::process::Command::new("java");
    command
        .args([&format!("-Xms{0}m", options.heap_mib), &format!("-Xmx{0}m", options.heap_mib)])
        .args(["-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"])
        .args([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            &class_path.to_string(),
            "kafka.Kafka",
        ])
        .arg(options.dir.join("server.properties"));
    let output = options.dir.join("output.txt");
    let mut process = BackgroundProcess::start(&mut command, &output)?;
    await_broker(&mut process, options.address(), START_LIMIT)
        .map_err(|error| format!("{error}; its output is in {}", output.display()))?;
    Ok(process)
}
