//! Starting: what is printed, what is refused and how that reads.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::broker::{Broker, Refusal, free_port, start_command, wait};
use crate::harness::clients::{Producer, create_topic, ids, read_all};
use crate::harness::directory::Directory;
use crate::harness::wire::assert_serves;

/// Starts with `settings` on a fresh directory and gives the refusal.
fn refused(settings: &[(&str, &str)]) -> Refusal {
    let directory = Directory::new();
    match Broker::on(&directory.path().join("data"), settings) {
        Ok(_) => panic!("started with {settings:?}"),
        Err(refusal) => refusal,
    }
}

/// A refusal is a sentence for a person: it names what is wrong, and no source file.
fn assert_plain(refusal: &Refusal, names: &[&str]) {
    assert!(!refusal.status.success());
    for name in names {
        assert!(refusal.output.contains(name), "{name:?} is missing from {:?}", refusal.output);
    }
    for noise in ["panicked", "unwrap", ".rs:", "RUST_BACKTRACE"] {
        assert!(!refusal.output.contains(noise), "{:?}", refusal.output);
    }
}

fn skipped() -> bool {
    let other = std::env::var_os("MILENA_TEST_BOOTSTRAP").is_some();
    if other {
        eprintln!("skipped: is about the product's own command");
    }
    other
}

#[test]
fn one_line_says_that_it_runs() {
    if skipped() {
        return;
    }
    let directory = Directory::new();
    let port = free_port();
    let listeners = vec![("listeners".to_owned(), format!("PLAINTEXT://127.0.0.1:{port}"))];
    let mut child = start_command(&directory.path().join("data"), &listeners)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the product's binary runs");
    crate::harness::wait_until("it listens", Duration::from_secs(20), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert_serves(&format!("127.0.0.1:{port}"));
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a process of ours");
    let status = wait(&mut child, Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}");
    let output = child.wait_with_output().expect("its output");
    let stdout = String::from_utf8(output.stdout).expect("text");
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert!(stdout.contains(&format!("127.0.0.1:{port}")), "{stdout:?}");
    assert!(stdout.lines().count() <= 2, "quiet at the default level: {stdout:?}");
    assert!(stderr.lines().count() <= 2, "quiet at the default level: {stderr:?}");
}

#[test]
fn a_second_start_on_the_same_directory_is_refused() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let Err(refusal) = Broker::on(broker.data(), &[]) else { panic!("two brokers on one directory") };
    assert_plain(&refusal, &[&broker.data().display().to_string()]);
    assert_serves(broker.bootstrap());
    broker.assert_healthy();
    // The lock goes with the process, however that ended.
    broker.kill();
    broker.restart();
}

#[test]
fn a_second_start_on_the_same_port_is_refused() {
    let Some(broker) = Broker::own(&[]) else { return };
    let refusal = refused(&[("listeners", &format!("PLAINTEXT://{}", broker.bootstrap()))]);
    assert_plain(&refusal, &[broker.bootstrap()]);
    assert_serves(broker.bootstrap());
}

#[test]
fn wrong_values_are_refused_by_name() {
    if skipped() {
        return;
    }
    for (name, value) in [
        ("log.retention.ms", "soon"),
        ("num.partitions", "0"),
        ("num.partitions", "many"),
        ("message.max.bytes", "-1"),
        ("log.segment.bytes", "1"),
        ("auto.create.topics.enable", "perhaps"),
        ("compression.type", "rar"),
        ("log.cleanup.policy", "shred"),
        ("listeners", "nonsense"),
        ("listeners", "PLAINTEXT://127.0.0.1:99999"),
        ("node.id", "-7"),
        ("offsets.topic.num.partitions", "0"),
    ] {
        let refusal = refused(&[(name, value)]);
        assert_plain(&refusal, &[name]);
    }
}

#[test]
fn an_unknown_setting_is_a_warning_that_names_the_nearest() {
    let Some(broker) = Broker::own(&[("log.retension.ms", "1000")]) else { return };
    assert_serves(broker.bootstrap());
    let log = broker.log();
    assert!(log.contains("log.retension.ms") && log.contains("log.retention.ms"), "{log}");
}

#[test]
fn a_directory_that_cannot_be_is_refused() {
    if skipped() {
        return;
    }
    let directory = Directory::new();
    let file = directory.path().join("file");
    fs::write(&file, "not a directory").expect("written");
    let Err(refusal) = Broker::on(&file.join("data"), &[]) else { panic!("started in a file") };
    assert_plain(&refusal, &[&file.display().to_string()]);
    let Err(refusal) = Broker::on(&file, &[]) else { panic!("started in a file") };
    assert_plain(&refusal, &[&file.display().to_string()]);
}

#[test]
fn a_properties_file_sets_and_is_checked() {
    if skipped() {
        return;
    }
    let run = |text: &str| {
        let directory = Directory::new();
        let path = directory.path().join("server.properties");
        fs::write(&path, text).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_milena"))
            .args(["start", &path.display().to_string(), "--set"])
            .arg(format!("log.dirs={}", directory.path().join("data").display()))
            .output()
            .expect("the product's binary runs");
        let text = [output.stdout, output.stderr].concat();
        Refusal { status: output.status, output: String::from_utf8_lossy(&text).into_owned() }
    };
    let port = free_port();
    let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{port}");
    assert_plain(&run(&format!("# a comment\n{listeners}\nnum.partitions=zero\n")), &["num.partitions"]);
    let missing = Command::new(env!("CARGO_BIN_EXE_milena"))
        .args(["start", "/no/such/server.properties"])
        .output()
        .expect("the product's binary runs");
    let text = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert_plain(&Refusal { status: missing.status, output: text }, &["/no/such/server.properties"]);
}

/// The active segment of a partition: the last by name.
fn segment(broker: &Broker, topic: &str) -> std::path::PathBuf {
    let mut logs: Vec<_> = fs::read_dir(broker.data().join(format!("{topic}-0")))
        .expect("the partition's directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    logs.pop().expect("a segment")
}

fn fill(broker: &Broker, topic: &str) {
    let producer = Producer::new(broker.bootstrap(), &[("batch.num.messages", "10")]);
    (0..1_000).for_each(|id| producer.send(topic, 0, id, 200));
    producer.acknowledged();
}

/// Damage to one partition: its own clients see whole batches or an error, the other partitions nothing of it.
#[test]
fn a_corrupt_segment_harms_nobody_else() {
    for (damage, crash) in [("flip", false), ("flip", true), ("cut", true), ("noise", true), ("zeros", true)]
    {
        let Some(mut broker) = Broker::own(&[]) else { return };
        let damaged = create_topic(broker.bootstrap(), "damaged", 1, &[]);
        let whole = create_topic(broker.bootstrap(), "whole", 1, &[]);
        fill(&broker, &damaged);
        fill(&broker, &whole);
        broker.end(crash);
        if crash {
            forget_recovery_points(&broker);
        }
        harm(&segment(&broker, &damaged), damage);
        broker.restart();
        assert_eq!(ids(&read_all(broker.bootstrap(), &whole, 0)), (0..1_000).collect::<Vec<_>>());
        let expected_all: Vec<_> = (0..1_000).collect();
        let read = if crash { ids(&read_all(broker.bootstrap(), &damaged, 0)) } else { continue };
        assert!(expected_all.starts_with(&read), "{damage}: whole batches from the start, then the end");
        match damage {
            "flip" => assert!((300..600).contains(&read.len()), "cut at the flipped bit: {}", read.len()),
            "cut" => {
                assert!((990..1_000).contains(&read.len()), "only the torn batch is gone: {}", read.len());
            }
            _ => assert_eq!(read.len(), 1_000, "{damage} behind the last batch is gone"),
        }
        // The partition goes on where it was cut.
        let producer = Producer::new(broker.bootstrap(), &[]);
        producer.send(&damaged, 0, read.len(), 10);
        let offset = producer.acknowledged()[0].offset;
        assert_eq!(offset, i64::try_from(read.len()).expect("small"));
    }
}

/// Has the next start check logs from their beginning: the first records of a log are checkpointed a second after they came,
/// which a busy machine needs to write the rest.
fn forget_recovery_points(broker: &Broker) {
    let path = broker.data().join("recovery-point-offset-checkpoint");
    if path.exists() {
        fs::write(path, "0\n0\n").expect("written");
    }
}

fn harm(path: &std::path::Path, damage: &str) {
    let mut bytes = fs::read(path).expect("a segment");
    let middle = bytes.len() / 2;
    let mut noise = fastrand::Rng::with_seed(5);
    match damage {
        "flip" => bytes[middle] ^= 0x10,
        "cut" => bytes.truncate(bytes.len() - 7),
        "noise" => bytes.extend((0..5_000).map(|_| noise.u8(..))),
        "zeros" => bytes.extend([0; 5_000]),
        other => panic!("{other}"),
    }
    fs::write(path, bytes).expect("written");
}

/// Indexes are made from the log, so they can be made again.
#[test]
fn lost_and_damaged_indexes_are_made_again() {
    for (damage, crash) in [("lost", false), ("lost", true), ("noise", true)] {
        let Some(mut broker) = Broker::own(&[]) else { return };
        let settings = [("index.interval.bytes", "1000")];
        let topic = create_topic(broker.bootstrap(), "index", 1, &settings);
        fill(&broker, &topic);
        broker.end(crash);
        let log = segment(&broker, &topic);
        for extension in ["index", "timeindex"] {
            let path = log.with_extension(extension);
            if damage == "lost" {
                fs::remove_file(&path).expect("an index");
            } else {
                fs::write(&path, [0xa5; 240]).expect("written");
            }
        }
        broker.restart();
        assert_eq!(ids(&read_all(broker.bootstrap(), &topic, 0)), (0..1_000).collect::<Vec<_>>());
        let from = rdkafka::Offset::Offset(777);
        let reader = crate::harness::clients::reader(broker.bootstrap(), &topic, 0, from);
        assert_eq!(ids(&crate::harness::clients::take(&reader, 1)), [777]);
    }
}

/// Waits for what a broker prints: it is written down a moment later.
fn await_log(broker: &Broker, part: &str) {
    let is_there = || broker.log().contains(part);
    crate::harness::wait_until(&format!("{part:?} in the log"), Duration::from_secs(20), is_there);
}

/// A stop by force is told of at the next start, and a clean one is told of itself.
#[test]
fn a_start_after_a_kill_says_what_it_checked() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topic = create_topic(broker.bootstrap(), "killed", 1, &[]);
    fill(&broker, &topic);
    broker.kill();
    forget_recovery_points(&broker);
    assert!(!broker.log().contains("Recovered") && !broker.log().contains("stopped"), "{}", broker.log());
    broker.restart();
    await_log(&broker, "Recovered after an unclean shutdown: ");
    let log = broker.log();
    assert!(log.contains("KiB in 1 partition; nothing was truncated"), "{log}");
    broker.stop();
    await_log(&broker, "Milena has stopped cleanly");
    broker.restart();
    broker.stop();
    assert_eq!(broker.log().matches("Recovered").count(), 1, "{}", broker.log());
}

/// `timeout`, and others that stop a group of processes, signal the leader twice.
#[test]
fn signals_that_come_together_are_one() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    broker.signal(rustix::process::Signal::INT);
    broker.stop();
    await_log(&broker, "Milena has stopped cleanly");
}

/// A broker that a shell starts after doing `before`, with its data in `directory`, once it serves.
fn by_shell(directory: &Directory, before: &str) -> (std::process::Child, String) {
    let address = format!("127.0.0.1:{}", free_port());
    let script = format!(
        "{before} exec {} start --set log.dirs={} --set listeners=PLAINTEXT://{address}",
        env!("CARGO_BIN_EXE_milena"),
        directory.path().join("data").display()
    );
    let child = Command::new("sh").args(["-c", &script]).stdout(Stdio::null()).spawn().expect("a shell");
    crate::harness::wait_until("it listens", Duration::from_secs(20), || {
        std::net::TcpStream::connect(&address).is_ok()
    });
    assert_serves(&address);
    (child, address)
}

fn send(signal: rustix::process::Signal, child: &std::process::Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal)
        .expect("a process of ours");
}

/// The terminal in which it was started is closed; `nohup` says that it goes on then.
#[test]
fn a_hang_up_is_a_clean_stop_and_nohup_is_heeded() {
    if skipped() {
        return;
    }
    for (before, outlives) in [("", false), ("trap '' HUP;", true)] {
        let directory = Directory::new();
        let (mut child, address) = by_shell(&directory, before);
        send(rustix::process::Signal::HUP, &child);
        if outlives {
            assert_serves(&address);
            send(rustix::process::Signal::TERM, &child);
        }
        let status = wait(&mut child, Duration::from_secs(20)).expect("it ends");
        assert!(status.success(), "{status}");
        assert!(directory.path().join("data/.kafka_cleanshutdown").exists());
    }
}

/// If a shell allows few descriptors and the system more, there are more connections than the shell allows.
#[test]
fn the_soft_limit_of_descriptors_limits_no_connections() {
    if skipped() {
        return;
    }
    let directory = Directory::new();
    let (mut child, address) = by_shell(&directory, "ulimit -S -n 64;");
    let connect = || std::net::TcpStream::connect(&address).expect("it listens");
    let connections: Vec<_> = (0..100).map(|_| connect()).collect();
    assert_serves(&address);
    drop(connections);
    send(rustix::process::Signal::TERM, &child);
    assert!(wait(&mut child, Duration::from_secs(20)).expect("it ends").success());
}

/// With a new metadata log every partition would be one that the cluster does not know, and be set aside.
#[test]
fn partitions_without_the_metadata_that_knows_them_are_refused() {
    let Some(mut broker) = Broker::own(&[]) else { return };
    let topic = create_topic(broker.bootstrap(), "lost", 1, &[]);
    broker.stop();
    let data = broker.data().to_owned();
    let metadata = data.join("__cluster_metadata-0");
    fs::rename(&metadata, data.join("../aside")).expect("it was there");
    let Err(refusal) = Broker::on(&data, &[]) else { panic!("started without metadata") };
    assert_plain(&refusal, &["__cluster_metadata-0", &data.display().to_string()]);
    assert!(data.join(format!("{topic}-0")).is_dir() && !metadata.exists(), "nothing was touched");

    let properties = fs::read_to_string(data.join("meta.properties")).expect("text");
    fs::write(data.join("meta.properties"), "version=0\nbroker.id=1\ncluster.id=x\n").expect("written");
    let Err(refusal) = Broker::on(&data, &[]) else { panic!("started on a directory of ZooKeeper's time") };
    assert_plain(&refusal, &["ZooKeeper", &data.display().to_string()]);
    fs::write(data.join("meta.properties"), properties.replace("version=1", "version=2")).expect("written");
    let Err(refusal) = Broker::on(&data, &[]) else { panic!("started on a directory of the future") };
    assert_plain(&refusal, &["version 2", "later Kafka"]);

    fs::write(data.join("meta.properties"), properties).expect("written");
    fs::rename(data.join("../aside"), &metadata).expect("it was put aside");
    broker.restart();
    assert!(read_all(broker.bootstrap(), &topic, 0).is_empty());
}
