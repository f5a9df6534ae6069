//! The commands beside `start`, as a user or a script runs them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::broker::{Broker, wait};
use crate::harness::{unique, wait_until};

/// `milena` with these words, at this broker, with nothing taken from the environment of the tests.
fn command(bootstrap: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.args(words).args(["--bootstrap-server", bootstrap]).env_remove("MILENA_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command that reads `input`.
fn feed(bootstrap: &str, words: &[&str], input: &str) -> Output {
    let mut child =
        command(bootstrap, words).stdin(Stdio::piped()).spawn().expect("the product's binary runs");
    let mut stdin = child.stdin.take().expect("piped");
    // A command that fails early does not read all of it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a command that succeeds.
#[track_caller]
fn says(bootstrap: &str, words: &[&str]) -> String {
    fed_says(bootstrap, words, "")
}

#[track_caller]
fn fed_says(bootstrap: &str, words: &[&str], input: &str) -> String {
    let output = feed(bootstrap, words, input);
    assert!(output.status.success(), "{words:?}: {}, {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// The error output of a command that fails with `code`; standard output is empty then.
#[track_caller]
fn fails(bootstrap: &str, words: &[&str], code: i32) -> String {
    let output = feed(bootstrap, words, "");
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "", "{words:?}");
    text(&output.stderr)
}

#[track_caller]
fn json_of(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap_or_else(|error| panic!("{error} in {printed:?}"))
}

#[test]
fn a_topic_from_its_creation_to_its_end() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let topic = unique("command");
    let created =
        says(at, &["topic", "create", &topic, "-p", "3", "--set", "retention.ms=1000000", "--json"]);
    let created = json_of(&created);
    assert_eq!((&created["topic"], &created["partitions"]), (&json!(topic), &json!(3)));
    let again = says(at, &["topic", "create", &topic, "--if-not-exists", "--json"]);
    assert_eq!(json_of(&again)["created"], json!(false));

    says(
        at,
        &["topic", "alter", &topic, "-p", "4", "--set", "segment.bytes=2000000", "--unset", "retention.ms"],
    );
    fed_says(at, &["produce", &topic, "-p", "2"], "a\nb\n");
    let described = json_of(&says(at, &["topic", "describe", &topic, "--json"]));
    assert_eq!(described[0]["id"], created["id"]);
    assert_eq!(described[0]["settings"], json!({ "segment.bytes": "2000000" }));
    let ends: Vec<_> =
        described[0]["partitions"].as_array().expect("a list").iter().map(|p| &p["endOffset"]).collect();
    assert_eq!(ends, [0, 0, 2, 0]);

    let listed = json_of(&says(at, &["topic", "list", &topic, "--json"]));
    assert_eq!(listed.as_array().expect("a list").len(), 1);
    let table = says(at, &["topic", "list", &topic]);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["TOPIC", "PARTITIONS", "REPLICAS"], vec![&topic, "4", "1"]]);

    says(at, &["topic", "delete", &topic]);
    let gone = fails(at, &["topic", "delete", &topic], 1);
    assert!(gone.contains(&format!("there is no topic '{topic}'")), "{gone}");
    says(at, &["topic", "delete", &topic, "--if-exists"]);
}

#[test]
fn failures_say_what_to_do() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let topic = unique("failing");
    says(at, &["topic", "create", &topic]);
    let mistyped = format!("{topic}x");
    for (words, code, expect) in [
        (vec!["topic", "create", &topic], 1, "--if-not-exists"),
        (vec!["topic", "create", "no good"], 1, "a-z A-Z 0-9"),
        (vec!["topic", "create", "x", "--set", "retention.mss=1"], 1, "retention.ms?"),
        (vec!["topic", "create", "x", "--set", "retention.ms"], 2, "name=value"),
        (vec!["topic", "describe", &mistyped], 1, &*format!("Did you mean '{topic}'?")),
        (vec!["consume", &mistyped], 1, &*format!("Did you mean '{topic}'?")),
        (vec!["produce", &mistyped], 1, &*format!("Did you mean '{topic}'?")),
        (vec!["topic", "alter", &topic, "-p", "1"], 1, "not removed"),
        (vec!["topic", "alter", &topic], 2, "--partitions"),
        (vec!["consume", &topic, "-p", "7"], 1, "no partition 7"),
        (vec!["consume", &topic, "--from-offset", "5", "--idle", "5"], 1, "does not have the offset 5"),
        (vec!["consume", &topic, "--from-time", "soon"], 2, "'soon' is not a time"),
        (vec!["group", "describe", "nobody"], 1, "there is no group 'nobody'"),
        (vec!["group", "reset-offsets", "nobody", "--all-topics", "--to-latest"], 1, "no committed offsets"),
    ] {
        let said = fails(at, &words, code);
        assert!(said.contains(expect), "{words:?}: {said}");
        assert!(!said.contains("os error") && !said.contains("panicked"), "{said}");
    }
    let refused = fails("127.0.0.1:1", &["topic", "list"], 1);
    assert!(refused.contains("127.0.0.1:1") && refused.contains("milena start"), "{refused}");
    let as_json = fails("127.0.0.1:1", &["topic", "list", "--json"], 1);
    assert!(json_of(&as_json)["error"].as_str().is_some_and(|what| what.contains("refused")), "{as_json}");
}

#[test]
fn records_keep_all_that_they_have() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let (from, to) = (unique("from"), unique("to"));
    says(at, &["topic", "create", &from, &to, "-p", "2"]);
    let keyed = ["produce", &from, "-K", "\\t", "--null", "NIL", "-H", "origin=test", "-p", "1"];
    fed_says(at, &keyed, "k1\tv1\nk2\tNIL\n\tv3\r\n");
    fed_says(
        at,
        &["produce", &from, "--input", "json", "-z", "zstd"],
        "{\"keyBase64\":\"/w==\",\"partition\":0,\"timestamp\":5}\n{\"partition\":0,\"timestamp\":-1000}\n",
    );

    // What one command prints as JSON, the other takes.
    let printed = says(at, &["consume", &from, "--from-beginning", "--until-end", "--json"]);
    assert_eq!(printed.lines().count(), 5, "{printed}");
    let sent = json_of(&fed_says(at, &["produce", &to, "--input", "json", "--json"], &printed));
    assert_eq!((&sent["delivered"], &sent["failed"]), (&json!(5), &json!(0)));
    let record = |line: &str| {
        let mut value = json_of(line);
        value.as_object_mut().expect("an object").remove("topic");
        value.to_string()
    };
    let sorted = |printed: &str| {
        let mut records: Vec<String> = printed.lines().map(record).collect();
        records.sort();
        records
    };
    let copied = says(at, &["consume", &to, "--from-beginning", "--until-end", "--json"]);
    assert_eq!(sorted(&copied), sorted(&printed));

    let shown =
        ["consume", &to, "-p", "1", "--from-beginning", "-e", "--null", "NIL", "--format", "%o %k=%s %h\\n"];
    let expect = "0 k1=v1 origin=test\n1 k2=NIL origin=test\n2 =v3 origin=test\n";
    assert_eq!(says(at, &shown), expect);
    let shown = [
        "consume",
        &to,
        "-p",
        "0",
        "--from-beginning",
        "-e",
        "--show",
        "partition,offset,timestamp-ms,timestamp",
    ];
    let expect = "0\t0\t5\t1970-01-01T00:00:00.005Z\n0\t1\t-1000\t1969-12-31T23:59:59.000Z\n";
    assert_eq!(says(at, &shown), expect);
}

#[test]
fn reading_starts_and_stops_where_it_is_told() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let topic = unique("range");
    says(at, &["topic", "create", &topic]);
    let lines =
        (0..10).map(|n| format!("{{\"value\":\"{n}\",\"timestamp\":{}}}\n", 1000 * n)).collect::<String>();
    fed_says(at, &["produce", &topic, "-i", "json"], &lines);
    let read = |words: &[&str]| says(at, &[&["consume", topic.as_str()], words].concat()).replace('\n', "");
    assert_eq!(read(&["--from-beginning", "-e"]), "0123456789");
    assert_eq!(read(&["--from-offset", "4", "-n", "3"]), "456");
    assert_eq!(read(&["--last", "3", "-e"]), "789");
    assert_eq!(read(&["--last", "0", "-e"]), "");
    assert_eq!(read(&["--from-time", "6500", "-e"]), "789");
    assert_eq!(read(&["--from-beginning", "--idle", "1"]), "0123456789");
    assert_eq!(read(&["-e"]), "", "without a start it is what comes from now on");
}

#[test]
fn a_group_shares_commits_and_is_reset() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let (topic, group) = (unique("shared"), unique("group"));
    says(at, &["topic", "create", &topic, "-p", "2"]);
    let lines: String = (0..20).map(|n| format!("{{\"value\":\"{n}\",\"partition\":{}}}\n", n % 2)).collect();
    fed_says(at, &["produce", &topic, "-i", "json"], &lines);

    // What is beyond the count is neither printed nor committed.
    let read = ["consume", &topic, "--group", &group, "--from-beginning", "--count", "7"];
    assert_eq!(says(at, &read).lines().count(), 7);
    let lag = || {
        let described = json_of(&says(at, &["group", "describe", &group, "--json"]));
        let partitions = described["partitions"].as_array().expect("a list").clone();
        partitions.iter().map(|partition| partition["lag"].as_i64().expect("a number")).sum::<i64>()
    };
    assert_eq!(lag(), 13);
    let mut rest =
        command(at, &["consume", &topic, "--group", &group]).spawn().expect("the product's binary runs");
    let mut printed = BufReader::new(rest.stdout.take().expect("piped")).lines();
    for _ in 0..13 {
        printed.next().expect("there is a record").expect("it is text");
    }
    let busy = fails(at, &["group", "reset-offsets", &group, "--all-topics", "--to-earliest"], 1);
    assert!(busy.contains("has 1 members"), "{busy}");
    let id = rustix::process::Pid::from_child(&rest);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("a process of ours");
    let status = wait(&mut rest, Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}");
    assert_eq!(lag(), 0, "the end commits what was printed");

    let reset = |words: &[&str]| says(at, &[&["group", "reset-offsets", group.as_str()], words].concat());
    reset(&["--all-topics", "--shift-by=-2"]);
    assert_eq!(lag(), 0, "nothing is done without --execute");
    reset(&["--all-topics", "--shift-by", "-2", "--execute"]);
    assert_eq!(lag(), 4);
    reset(&["--topic", &format!("{topic}:1"), "--to-earliest", "--execute"]);
    assert_eq!(lag(), 12);
    reset(&["--topic", &topic, "--to-offset", "5", "-x"]);
    assert_eq!(lag(), 10);
    reset(&["--topic", &topic, "--to-datetime=-1h", "-x"]);
    assert_eq!(lag(), 20);
    says(at, &["group", "delete", &group]);
    fails(at, &["group", "describe", &group], 1);
}

#[test]
fn two_members_divide_the_partitions() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let (topic, group) = (unique("divided"), unique("pair"));
    says(at, &["topic", "create", &topic, "-p", "4"]);
    let member =
        || command(at, &["consume", &topic, "-g", &group]).spawn().expect("the product's binary runs");
    let assigned = || {
        let described = json_of(&text(&feed(at, &["group", "describe", &group, "--json"], "").stdout));
        let members = described["members"].as_array().cloned().unwrap_or_default();
        members.iter().map(|member| member["partitions"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>()
    };
    let mut first = member();
    wait_until("one member has all", Duration::from_secs(30), || {
        !text(&feed(at, &["group", "describe", &group], "").stdout).is_empty() && assigned() == [4]
    });
    let mut second = member();
    wait_until("each has its half", Duration::from_secs(30), || assigned() == [2, 2]);
    for member in [&mut first, &mut second] {
        let id = rustix::process::Pid::from_child(member);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("a process of ours");
        assert!(wait(member, Duration::from_secs(20)).expect("it ends").success());
    }
    assert!(assigned().is_empty(), "both have left");
}

#[test]
fn a_reader_that_has_enough_ends_the_command_quietly() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let topic = unique("closed");
    says(at, &["topic", "create", &topic]);
    fed_says(at, &["produce", &topic], "a\nb\n");
    let mut child =
        command(at, &["consume", &topic, "--from-beginning"]).spawn().expect("the product's binary runs");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("there is a record");
    assert_eq!(first, "a\n");
    // The pipe is closed now, and nothing more is sent that would have to be written.
    let status = wait(&mut child, Duration::from_secs(20)).expect("it ends");
    assert!(status.success(), "{status}");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("piped"), &mut said).expect("text");
    assert_eq!(said, "");
}

#[test]
fn an_idle_member_waits_for_its_group() {
    // The group waits three seconds for more members before its first has partitions.
    let broker = Broker::start();
    let at = broker.bootstrap();
    let topic = unique("patient");
    says(at, &["topic", "create", &topic]);
    fed_says(at, &["produce", &topic], "a\nb\n");
    let read = says(at, &["consume", &topic, "-g", &unique("new"), "--from-beginning", "--idle", "1"]);
    assert_eq!(read, "a\nb\n");
}

#[test]
fn kafkas_own_topics_are_not_deleted_by_mistake() {
    let Some(broker) = Broker::own(&[]) else { return };
    let at = broker.bootstrap();
    let topic = unique("some");
    says(at, &["topic", "create", &topic]);
    says(at, &["group", "reset-offsets", "g", "--topic", &topic, "--to-latest", "-x"]);
    let refused = fails(at, &["topic", "delete", "__consumer_offsets"], 1);
    assert!(refused.contains("--internal"), "{refused}");
    assert!(says(at, &["group", "list"]).contains("g "));
    // Whoever has a topic with such a name may delete it.
    says(at, &["topic", "create", "__mine"]);
    says(at, &["topic", "delete", "__mine"]);
    says(at, &["topic", "delete", "__consumer_offsets", "--internal"]);
}

#[test]
fn names_may_follow_the_flags_of_kafkas_tools() {
    let broker = Broker::start();
    let at = broker.bootstrap();
    let (topic, group) = (unique("flagged"), unique("group"));
    says(at, &["topic", "create", "--topic", &topic, "--partitions", "2"]);
    fed_says(at, &["produce", "--topic", &topic, "-p", "0"], "a\nb\n");
    assert_eq!(
        says(at, &["consume", "--topic", &topic, "--from-beginning", "--max-messages", "2"]),
        "a\nb\n"
    );
    says(at, &["group", "reset-offsets", "--group", &group, "--topic", &topic, "--to-earliest", "-x"]);
    assert!(says(at, &["group", "describe", "--group", &group]).contains("lag:          2\n"));
}

#[test]
fn without_names_all_are_described() {
    let Some(broker) = Broker::own(&[]) else { return };
    let at = broker.bootstrap();
    assert_eq!(json_of(&says(at, &["topic", "describe", "--json"])), json!([]));
    says(at, &["topic", "create", "a", "b"]);
    for group in ["g", "h"] {
        says(at, &["group", "reset-offsets", group, "--topic", "a", "--to-latest", "-x"]);
    }
    let topics = json_of(&says(at, &["topic", "describe", "--json"]));
    let names: Vec<&Value> = topics.as_array().expect("a list").iter().map(|it| &it["topic"]).collect();
    assert_eq!(names, ["a", "b"], "without those that are Kafka's own");
    let groups = says(at, &["group", "describe", "--json"]);
    let names: Vec<Value> = groups.lines().map(|line| json_of(line)["group"].clone()).collect();
    assert_eq!(names, ["g", "h"]);
}

#[test]
fn the_status_of_logs_leaves_out_what_is_empty_and_kafkas_own() {
    let Some(broker) = Broker::own(&[]) else { return };
    let at = broker.bootstrap();
    says(at, &["topic", "create", "a"]);
    says(at, &["group", "reset-offsets", "g", "--topic", "a", "--to-latest", "-x"]);
    let rows = |words: &[&str]| {
        let shown = says(at, words);
        (shown.matches("__consumer_offsets-").count(), shown.matches("a-0 ").count())
    };
    assert_eq!(rows(&["log", "status"]), (1, 1), "only the partition with the group");
    assert_eq!(rows(&["log", "status", "--all"]), (50, 1));
    assert!(says(at, &["log", "status"]).contains("(49 empty partitions"));
}
