//! A real Kafka broker in a cluster whose controller is ours: it registers, is heard, follows and leads.

use super::{Stage, contains, same};
use crate::broker::{BrokerOptions, Kind};
use crate::java::ClassPath;
use crate::kafka::Kafka;
use crate::milena::Milena;
use crate::process::free_port;
use crate::{Attempt, java};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// The time until the cluster has come to what is awaited: a session of 9 seconds ends, a JVM starts.
const LIMIT: Duration = Duration::from_secs(90);
const RECORDS: usize = 2_000;
/// A topic of one partition that ours leads and Kafka follows.
const TOPIC: &str = "followed";

/// The two brokers.
struct Pair {
    milena: Milena,
    kafka: Kafka,
    controller: String,
    class_path: ClassPath,
}

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    if stage.kind == Kind::Kafka {
        println!("  neighbour: Kafka's controllers have Kafka's brokers in Kafka's own tests");
        return Ok(());
    }
    let mut pair = Pair::start(stage)?;
    stage.test("Kafka follows a leader of ours byte for byte", |_| {
        pair.topic(&["--create", "--topic", TOPIC, "--replica-assignment", "1:2"])?;
        pair.produce(TOPIC)?;
        pair.await_isr("Isr: 1,2")?;
        pair.await_same_logs()
    });
    stage.test("acks=all waits for a follower that was killed, until it is fenced", |_| {
        pair.kafka.process().kill()?;
        let killed = Instant::now();
        pair.produce(TOPIC)?;
        if killed.elapsed() < Duration::from_secs(4) {
            return Err(format!("acknowledged {:?} after the kill of a replica in sync", killed.elapsed()));
        }
        pair.await_isr("Isr: 1\t")
    });
    stage.test("a follower comes back into sync", |_| {
        pair.kafka.start_again()?;
        pair.await_isr("Isr: 1,2")?;
        pair.await_same_logs()
    });
    stage.test("clients find what Kafka leads, and its groups", |_| {
        pair.topic(&["--create", "--topic", "led", "--replica-assignment", "2,1,2"])?;
        pair.produce("led")?;
        let limit = RECORDS.to_string();
        let consumed = pair.tool(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            &["--topic", "led", "--from-beginning", "--max-messages", &limit, "--timeout-ms", "60000"],
            "",
        )?;
        let mut values: Vec<&str> = consumed.lines().collect();
        values.sort_unstable();
        let mut sent: Vec<String> = (0..RECORDS).map(|number| format!("value-{number}")).collect();
        sent.sort_unstable();
        same("the records", &sent.join("\n"), &values.join("\n"))
    });
    stage.test("Kafka's tool describes the quorum at the listener for controllers", |_| {
        let arguments = ["--bootstrap-controller", &pair.controller, "describe", "--status"];
        let tool = "org.apache.kafka.tools.MetadataQuorumCommand";
        let status = java::tool(&pair.class_path, tool, &arguments, "")?.success()?;
        contains(&status, &["LeaderId:               1", &format!("CONTROLLER://{}", pair.controller)])
    });
    Ok(())
}

impl Pair {
    fn start(stage: &Stage) -> Attempt<Pair> {
        let controller = format!("127.0.0.1:{}", free_port()?);
        let options = BrokerOptions::new(&stage.folder.join("milena"))?;
        let listeners = format!("PLAINTEXT://{},CONTROLLER://{controller}", options.address());
        let milena = Milena::start(
            options
                .set("listeners", &listeners)
                .set("controller.listener.names", "CONTROLLER")
                .set("unstable.api.versions.enable", "true"),
        )?;
        let properties = milena.options().data_dir().join("meta.properties");
        let text = std::fs::read_to_string(&properties).map_err(|error| format!("{error}"))?;
        let id = text.lines().find_map(|line| line.strip_prefix("cluster.id="));
        let id = id.ok_or("there is no cluster.id")?;
        let kafka = Kafka::join(BrokerOptions::new(&stage.folder.join("kafka"))?, id, &controller)?;
        Ok(Pair { milena, kafka, controller, class_path: stage.class_path()? })
    }

    /// Runs a tool of Kafka's against our broker.
    fn tool(&self, class: &str, arguments: &[&str], input: &str) -> Attempt<String> {
        let address = self.milena.address();
        let arguments = [&["--bootstrap-server", &address], arguments].concat();
        java::tool(&self.class_path, class, &arguments, input)?.success()
    }

    fn topic(&self, arguments: &[&str]) -> Attempt<String> {
        self.tool("org.apache.kafka.tools.TopicCommand", arguments, "")
    }

    fn produce(&self, topic: &str) -> Attempt<()> {
        let mut lines = String::new();
        for number in 0..RECORDS {
            let _ = writeln!(lines, "value-{number}");
        }
        let arguments = ["--topic", topic, "--command-property", "acks=all"];
        self.tool("org.apache.kafka.tools.ConsoleProducer", &arguments, &lines).map(drop)
    }

    /// Waits until the topic's partition has that ISR.
    fn await_isr(&self, isr: &str) -> Attempt<()> {
        await_that(|| contains(&self.topic(&["--describe", "--topic", TOPIC])?, &[isr]))
    }

    /// Waits until both brokers have the same log.
    fn await_same_logs(&self) -> Attempt<()> {
        let read = |options: &BrokerOptions| {
            let path = options.data_dir().join(format!("{TOPIC}-0/00000000000000000000.log"));
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        await_that(|| {
            let (ours, theirs) = (read(self.milena.options())?, read(self.kafka.options())?);
            let differ = || format!("the logs differ: {} and {} bytes", ours.len(), theirs.len());
            if ours == theirs && !ours.is_empty() { Ok(()) } else { Err(differ()) }
        })
    }
}

fn await_that(holds: impl Fn() -> Attempt<()>) -> Attempt<()> {
    let started = Instant::now();
    loop {
        match holds() {
            Err(_) if started.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(200)),
            outcome => return outcome,
        }
    }
}
