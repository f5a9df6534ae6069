//! kcat, Debian's, which is librdkafka as many distributions carry it.

use super::{Stage, contains, same};
use crate::Attempt;
use crate::process::{BackgroundProcess, run};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    install()?;
    stage.test("lists the metadata", metadata);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        stage.test(&format!("writes and reads by {codec}"), |stage| records(stage, codec));
    }
    stage.test("an idempotent producer", idempotent);
    stage.test("reads from offsets, ends and times", positions);
    stage.test("queries offsets", queries);
    stage.test("two members of a group, one of which is killed", group);
    stage.test("a group resumes", resumes);
    stage.test("a record of 900 kilobytes", big);
    Ok(())
}

/// Installs kcat if it is missing.
pub(super) fn install() -> Attempt<()> {
    static INSTALLED: OnceLock<Attempt<()>> = OnceLock::new();
    INSTALLED.get_or_init(install_package).clone()
}

fn install_package() -> Attempt<()> {
    if Command::new("kcat").arg("-V").output().is_ok() {
        return Ok(());
    }
    println!("installing kcat");
    let limit = Duration::from_secs(300);
    run(Command::new("apt-get").arg("update"), "", limit)?.success()?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", "kcat"]);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"), "", limit)?.success()?;
    Ok(())
}

/// Runs kcat with the broker's address and further arguments, separated by spaces.
fn kcat(stage: &mut Stage, arguments: &str, input: &str) -> Attempt<String> {
    let address = stage.address();
    let mut command = Command::new("kcat");
    run(command.args(["-b", &address]).args(arguments.split(' ')), input, LIMIT)?.success()
}

fn metadata(stage: &mut Stage) -> Attempt<()> {
    stage.create_topic("listed", 3)?;
    let listed = kcat(stage, "-L", "")?;
    let address = stage.address();
    contains(
        &listed,
        &["1 brokers:", &address, "topic \"listed\" with 3 partitions", "partition 2, leader 1"],
    )?;
    contains(&kcat(stage, "-L -J -t listed", "")?, &["\"topic\":\"listed\""])
}

fn records(stage: &mut Stage, codec: &str) -> Attempt<()> {
    let topic = format!("kcat-{codec}");
    let lines: String = (0..200).map(|i| format!("k{i}\tvalue {i} {}\n", "x".repeat(i))).collect();
    kcat(stage, &format!("-P -t {topic} -z {codec} -K \t -H a=1 -H b=2"), &lines)?;
    let read = kcat(stage, &format!("-C -t {topic} -o beginning -e -q -K \t"), "")?;
    same("records", &lines, &read)?;
    let headers = kcat(stage, &format!("-C -t {topic} -o beginning -c 2 -q -f %o:%h\\n"), "")?;
    same("headers", "0:a=1,b=2\n1:a=1,b=2\n", &headers)
}

fn idempotent(stage: &mut Stage) -> Attempt<()> {
    let lines: String = (0..5_000).map(|i| format!("v{i}\n")).collect();
    let settings = "-X enable.idempotence=true -X batch.num.messages=50 -X linger.ms=0";
    kcat(stage, &format!("-P -t idempotent {settings}"), &lines)?;
    same("records", &lines, &kcat(stage, "-C -t idempotent -o beginning -e -q", "")?)
}

fn positions(stage: &mut Stage) -> Attempt<()> {
    let lines: String = (0..20).map(|i| format!("v{i}\n")).collect();
    kcat(stage, "-P -t positions", &lines)?;
    same("from an offset", "v18\nv19\n", &kcat(stage, "-C -t positions -o 18 -e -q", "")?)?;
    same("the last three", "v17\nv18\nv19\n", &kcat(stage, "-C -t positions -o -3 -e -q", "")?)?;
    same("from a time", &lines, &kcat(stage, "-C -t positions -o s@1000 -e -q", "")?)?;
    same("from the end", "", &kcat(stage, "-C -t positions -o end -e -q", "")?)
}

fn queries(stage: &mut Stage) -> Attempt<()> {
    contains(&kcat(stage, "-Q -t positions:0:-1", "")?, &["positions [0] offset 20"])?;
    contains(&kcat(stage, "-Q -t positions:0:-2", "")?, &["positions [0] offset 0"])?;
    contains(&kcat(stage, "-Q -t positions:0:1000", "")?, &["positions [0] offset 0"])
}

/// Starts a member of a group whose records go to a file.
fn member(stage: &mut Stage, group: &str, topic: &str, output: &str) -> Attempt<BackgroundProcess> {
    let address = stage.address();
    let mut command = Command::new("kcat");
    command.args(["-b", &address, "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=300"]).args(
        ["-X", "auto.offset.reset=earliest", "-X", "auto.commit.interval.ms=200", "-u", "-G", group, topic],
    );
    BackgroundProcess::start(&mut command, &stage.folder.join(output))
}

/// Waits until a member's output has the expected text.
fn awaited(stage: &Stage, output: &str, what: &str, holds: impl Fn(&str) -> bool) -> Attempt<()> {
    let file = stage.folder.join(output);
    let started = Instant::now();
    loop {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        if holds(&text) {
            return Ok(());
        }
        if started.elapsed() > Duration::from_secs(30) {
            return Err(format!("{what} did not happen: {}", crate::process::tail(&text, 10)));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn group(stage: &mut Stage) -> Attempt<()> {
    stage.create_topic("shared", 4)?;
    let _first = member(stage, "kcat-group", "shared", "first.txt")?;
    awaited(stage, "first.txt", "the first gets all", |text| text.contains("shared [3]"))?;
    let mut second = member(stage, "kcat-group", "shared", "second.txt")?;
    awaited(stage, "second.txt", "the second gets its share", |text| {
        text.lines().any(|line| line.contains("assigned") && line.matches("shared [").count() == 2)
    })?;
    second.kill()?;
    awaited(stage, "first.txt", "the first gets all again", |text| {
        let all = |line: &&str| line.contains("assigned") && line.matches("shared [").count() == 4;
        text.lines().filter(all).count() >= 2
    })?;
    let lines: String = (0..40).map(|i| format!("v{i}\n")).collect();
    kcat(stage, "-P -t shared -p -1", &lines)?;
    awaited(stage, "first.txt", "all is read", |text| (0..40).all(|i| text.contains(&format!("v{i}\n"))))
}

fn resumes(stage: &mut Stage) -> Attempt<()> {
    let lines: String = (0..10).map(|i| format!("v{i}\n")).collect();
    kcat(stage, "-P -t resumed", &lines)?;
    let reading = "-q -c 6 -X auto.offset.reset=earliest -G resumer resumed";
    same("the first six", "v0\nv1\nv2\nv3\nv4\nv5\n", &kcat(stage, reading, "")?)?;
    let reading = "-q -c 4 -X auto.offset.reset=earliest -G resumer resumed";
    same("the rest", "v6\nv7\nv8\nv9\n", &kcat(stage, reading, "")?)
}

fn big(stage: &mut Stage) -> Attempt<()> {
    let big = format!("{}\n", "y".repeat(900_000));
    kcat(stage, "-P -t big", &big)?;
    kcat(stage, "-P -t big", "small\n")?;
    let read = kcat(stage, "-C -t big -o beginning -e -q -X fetch.message.max.bytes=1000", "")?;
    same("records", &format!("{big}small\n"), &read)
}
