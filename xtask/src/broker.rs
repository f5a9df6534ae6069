//! A broker under test: Kafka's or ours, started with the same settings.

use crate::Attempt;
use crate::kafka::{Kafka, KafkaVersion};
use crate::milena::Milena;
use crate::process::{BackgroundProcess, free_port};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time that a broker may take until it answers.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);

/// The options of a broker.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// The folder for its data, its settings file and its output.
    pub dir: PathBuf,
    /// The port of the loopback address on which clients reach it.
    pub port: u16,
    /// The heap of a broker that runs in a Java machine, in MiB.
    pub heap_mib: u32,
    /// The version, if the broker is Apache Kafka.
    pub kafka: KafkaVersion,
    /// More settings, by Kafka's names; they come after those that every broker here gets.
    pub settings: Vec<(String, String)>,
}

impl BrokerOptions {
    /// Options for a broker in `dir` on a free port, with enough heap for the suites.
    pub fn new(dir: &Path) -> Attempt<BrokerOptions> {
        Ok(BrokerOptions {
            dir: dir.to_path_buf(),
            port: free_port()?,
            heap_mib: 768,
            kafka: KafkaVersion::REFERENCE,
            settings: Vec::new(),
        })
    }

    /// Adds a setting.
    pub fn set(mut self, name: &str, value: &str) -> BrokerOptions {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the version, if the broker is Apache Kafka.
    pub fn kafka(mut self, version: KafkaVersion) -> BrokerOptions {
        self.kafka = version;
        self
    }

    /// Gives it two data directories; [`BrokerOptions::data_dir`] is the first.
    pub(crate) fn two_dirs(self) -> BrokerOptions {
        let dirs = format!("{},{}", self.data_dir().display(), self.dir.join("data-2").display());
        self.set("log.dirs", &dirs)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Writes the settings file: `first`, then the caller's settings, which override those.
    pub(crate) fn write_properties(&self, first: &[(&str, String)]) -> Attempt<PathBuf> {
        let mut text = String::new();
        let is_given = |name: &str| self.settings.iter().any(|(given, _)| given == name);
        for (name, value) in first.iter().filter(|(name, _)| !is_given(name)) {
            text.push_str(&format!("{name}={value}\n"));
        }
        for (name, value) in &self.settings {
            text.push_str(&format!("{name}={value}\n"));
        }
        let path = self.dir.join("server.properties");
        std::fs::create_dir_all(&self.dir)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }
}

/// The broker to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache Kafka, the reference.
    Kafka,
    /// Ours.
    Milena,
}

/// A running broker; it is killed when this is dropped.
#[derive(Debug)]
pub enum Broker {
    /// Apache Kafka.
    Kafka(Kafka),
    /// Ours.
    Milena(Milena),
}

impl Broker {
    /// Starts a broker and waits until it answers.
    pub fn start(kind: Kind, options: BrokerOptions) -> Attempt<Broker> {
        Ok(match kind {
            Kind::Kafka => Broker::Kafka(Kafka::start(options)?),
            Kind::Milena => Broker::Milena(Milena::start(options)?),
        })
    }

    /// The address that clients are given: `host:port`.
    pub fn address(&self) -> String {
        self.options().address().to_string()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.options().data_dir()
    }

    /// Stops it as an operator does and waits until it has ended.
    pub fn stop(&mut self) -> Attempt<()> {
        let status = self.process().terminate(Duration::from_secs(30))?;
        // A JVM that ends by SIGTERM exits with 128 + 15.
        if status.success() || status.code() == Some(143) {
            return Ok(());
        }
        Err(format!("the broker ended with {status} after SIGTERM"))
    }

    /// Kills it without warning.
    pub fn kill(&mut self) -> Attempt<()> {
        self.process().kill()
    }

    /// Restarts it on the same port and data directory after [`Broker::stop`] or [`Broker::kill`].
    pub fn start_again(&mut self) -> Attempt<()> {
        match self {
            Broker::Kafka(kafka) => kafka.start_again(),
            Broker::Milena(milena) => milena.start_again(),
        }
    }

    fn options(&self) -> &BrokerOptions {
        match self {
            Broker::Kafka(kafka) => kafka.options(),
            Broker::Milena(milena) => milena.options(),
        }
    }

    fn process(&mut self) -> &mut BackgroundProcess {
        match self {
            Broker::Kafka(kafka) => kafka.process(),
            Broker::Milena(milena) => milena.process(),
        }
    }
}
