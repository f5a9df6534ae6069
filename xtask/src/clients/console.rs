//! Kafka's console tools, run as users run them.

use super::{Stage, contains, same};
use crate::kafka::KafkaVersion;
use crate::{Attempt, java};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONSOLE_PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const CONSUMER_GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const GROUPS: &str = "org.apache.kafka.tools.GroupsCommand";
const GET_OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const DELETE_RECORDS: &str = "org.apache.kafka.tools.DeleteRecordsCommand";
const LOG_DIRS: &str = "org.apache.kafka.tools.LogDirsCommand";
const REASSIGN: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
const LEADER_ELECTION: &str = "org.apache.kafka.tools.LeaderElectionCommand";
const METADATA_QUORUM: &str = "org.apache.kafka.tools.MetadataQuorumCommand";
const CLIENT_METRICS: &str = "org.apache.kafka.tools.ClientMetricsCommand";
const TRANSACTIONS: &str = "org.apache.kafka.tools.TransactionsCommand";
const ACLS: &str = "org.apache.kafka.tools.AclCommand";
const API_VERSIONS: &str = "org.apache.kafka.tools.BrokerApiVersionsCommand";
const CLUSTER: &str = "org.apache.kafka.tools.ClusterTool";
const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";
const CONSUMER_PERFORMANCE: &str = "org.apache.kafka.tools.ConsumerPerformance";
const VERIFIABLE_PRODUCER: &str = "org.apache.kafka.tools.VerifiableProducer";
const VERIFIABLE_CONSUMER: &str = "org.apache.kafka.tools.VerifiableConsumer";

pub(super) fn suite(stage: &mut Stage) -> Attempt<()> {
    stage.class_path()?;
    stage.test("kafka-topics creates, lists, describes, alters and deletes", topics);
    stage.test("kafka-topics refuses what is wrong", refused_topics);
    stage.test("kafka-console-producer and -consumer", records);
    stage.test("kafka-console-consumer reads by group, partition and offset", positions);
    stage.test("kafka-consumer-groups lists and describes", groups);
    stage.test("kafka-consumer-groups resets offsets", resets);
    stage.test("kafka-consumer-groups deletes offsets", deleted_offsets);
    stage.test("kafka-consumer-groups deletes", deleted_groups);
    stage.test("kafka-configs of topics", topic_configs);
    stage.test("kafka-configs of brokers", broker_configs);
    stage.test("kafka-get-offsets and kafka-delete-records", offsets);
    stage.test("kafka-log-dirs", log_dirs);
    stage.test("kafka-reassign-partitions moves between directories", reassignments);
    stage.test("kafka-leader-election", elections);
    stage.test("kafka-metadata-quorum", quorum);
    stage.test("kafka-configs of groups and kafka-client-metrics", group_configs);
    stage.test("kafka-transactions describes producers", producers);
    stage.test("kafka-acls are told that there is no authorizer", acls);
    stage.test("kafka-broker-api-versions and kafka-cluster", versions);
    stage.test("kafka-producer-perf-test and kafka-consumer-perf-test", performance);
    stage.test("kafka-verifiable-producer and -consumer", verifiable);
    Ok(())
}

/// The class of kafka-configs, which has been among the other tools since 4.4.
fn configs(version: KafkaVersion) -> &'static str {
    if version == KafkaVersion::V4_4 {
        "org.apache.kafka.tools.ConfigCommand"
    } else {
        "kafka.admin.ConfigCommand"
    }
}

/// Runs a tool with the broker's address and further arguments, separated by spaces.
fn tool(stage: &mut Stage, class: &str, arguments: &str) -> Attempt<String> {
    tool_with_input(stage, class, arguments, "")
}

fn tool_with_input(stage: &mut Stage, class: &str, arguments: &str, input: &str) -> Attempt<String> {
    let address = stage.address();
    let mut all = vec!["--bootstrap-server", &address];
    all.extend(arguments.split_whitespace());
    java::tool(&stage.class_path()?, class, &all, input)?.success()
}

/// The output of a tool that must fail.
fn refusal(stage: &mut Stage, class: &str, arguments: &str) -> Attempt<String> {
    let address = stage.address();
    let mut all = vec!["--bootstrap-server", &address];
    all.extend(arguments.split_whitespace());
    let ended = java::tool(&stage.class_path()?, class, &all, "")?;
    if ended.status.success() {
        return Err(format!("{arguments} succeeded: {}", ended.stdout));
    }
    Ok(format!("{}\n{}", ended.stdout, ended.stderr))
}

fn topics(stage: &mut Stage) -> Attempt<()> {
    let created = tool(stage, TOPICS, "--create --topic t --partitions 2 --config retention.ms=100000")?;
    contains(&created, &["Created topic t."])?;
    tool(stage, TOPICS, "--create --if-not-exists --topic t")?;
    tool(stage, TOPICS, "--alter --topic t --partitions 3")?;
    let described = tool(stage, TOPICS, "--describe --topic t")?;
    contains(
        &described,
        &["PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=100000", "Partition: 2"],
    )?;
    same("under-replicated", "", tool(stage, TOPICS, "--describe --under-replicated-partitions")?.trim())?;
    same("unavailable", "", tool(stage, TOPICS, "--describe --unavailable-partitions")?.trim())?;
    contains(&tool(stage, TOPICS, "--list")?, &["t\n"])?;
    tool(stage, TOPICS, "--delete --topic t")?;
    same("topics", "", tool(stage, TOPICS, "--list --exclude-internal")?.trim())
}

fn refused_topics(stage: &mut Stage) -> Attempt<()> {
    tool(stage, TOPICS, "--create --topic refusing")?;
    contains(&refusal(stage, TOPICS, "--create --topic refusing")?, &["already exists"])?;
    contains(&refusal(stage, TOPICS, "--create --topic a$b")?, &["InvalidTopicException"])?;
    contains(
        &refusal(stage, TOPICS, "--create --topic x --replication-factor 2")?,
        &["InvalidReplicationFactor"],
    )?;
    contains(
        &refusal(stage, TOPICS, "--alter --topic refusing --partitions 1")?,
        &["InvalidPartitionsException"],
    )?;
    contains(&refusal(stage, TOPICS, "--describe --topic unknown")?, &["does not exist"])?;
    Ok(())
}

fn records(stage: &mut Stage) -> Attempt<()> {
    let lines = "a:1,b:2\tk1\tv1\nc:3\tNULL\tv2\nc:4\tk3\tNULL\n";
    let reading = "--reader-property parse.key=true --reader-property parse.headers=true \
                   --reader-property null.marker=NULL";
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let producing = format!("--topic console-{codec} --compression-codec {codec} {reading}");
        tool_with_input(stage, CONSOLE_PRODUCER, &producing, lines)?;
        let consuming = format!(
            "--topic console-{codec} --from-beginning --max-messages 3 --timeout-ms 20000 \
             --formatter-property print.key=true --formatter-property print.headers=true \
             --formatter-property null.literal=NULL"
        );
        same(codec, lines, &tool(stage, CONSOLE_CONSUMER, &consuming)?)?;
    }
    Ok(())
}

fn positions(stage: &mut Stage) -> Attempt<()> {
    tool(stage, TOPICS, "--create --topic positions --partitions 1")?;
    let values: String = (0..10).map(|i| format!("v{i}\n")).collect();
    tool_with_input(stage, CONSOLE_PRODUCER, "--topic positions", &values)?;
    let from_five = "--topic positions --partition 0 --offset 5 --max-messages 5 --timeout-ms 20000";
    same("from an offset", "v5\nv6\nv7\nv8\nv9\n", &tool(stage, CONSOLE_CONSUMER, from_five)?)?;
    let grouped = "--topic positions --group positions --from-beginning --max-messages 4 --timeout-ms 20000";
    same("by a group", "v0\nv1\nv2\nv3\n", &tool(stage, CONSOLE_CONSUMER, grouped)?)?;
    same("resumed", "v4\nv5\nv6\nv7\n", &tool(stage, CONSOLE_CONSUMER, grouped)?)?;
    let committed = "--topic positions --from-beginning --isolation-level read_committed --max-messages 10 \
                     --timeout-ms 20000";
    same("committed", &values, &tool(stage, CONSOLE_CONSUMER, committed)?)
}

fn groups(stage: &mut Stage) -> Attempt<()> {
    let listed = tool(stage, CONSUMER_GROUPS, "--list")?;
    contains(&listed, &["positions"])?;
    contains(&tool(stage, CONSUMER_GROUPS, "--list --state")?, &["positions", "Empty"])?;
    contains(&tool(stage, GROUPS, "--list")?, &["positions", "Classic", "consumer"])?;
    let described = tool(stage, CONSUMER_GROUPS, "--describe --group positions")?;
    let row: Vec<&str> = described.lines().last().unwrap_or_default().split_whitespace().collect();
    same("row", "positions positions 0 8 10 2 - - -", &row.join(" "))?;
    let state = tool(stage, CONSUMER_GROUPS, "--describe --group positions --state")?;
    contains(&state, &["(1)", "Empty"])?;
    tool(stage, CONSUMER_GROUPS, "--describe --group positions --members")?;
    contains(&tool(stage, CONSUMER_GROUPS, "--describe --all-groups")?, &["positions"])?;
    contains(&refusal_or_word(stage, "--describe --group no-such")?, &["no-such"])
}

fn refusal_or_word(stage: &mut Stage, arguments: &str) -> Attempt<String> {
    let address = stage.address();
    let mut all = vec!["--bootstrap-server", &address];
    all.extend(arguments.split_whitespace());
    let ended = java::tool(&stage.class_path()?, CONSUMER_GROUPS, &all, "")?;
    Ok(format!("{}\n{}", ended.stdout, ended.stderr))
}

fn resets(stage: &mut Stage) -> Attempt<()> {
    let reset = "--reset-offsets --group positions --topic positions";
    for (how, expected) in [
        ("--to-earliest", "0"),
        ("--to-latest", "10"),
        ("--to-offset 7", "7"),
        ("--shift-by -3", "4"),
        ("--to-offset 99", "10"),
        ("--to-datetime 2020-01-01T00:00:00.000", "0"),
        ("--by-duration PT1H", "0"),
    ] {
        let done = tool(stage, CONSUMER_GROUPS, &format!("{reset} {how} --execute"))?;
        let row: Vec<&str> = done.lines().last().unwrap_or_default().split_whitespace().collect();
        same(how, &format!("positions positions 0 {expected}"), &row.join(" "))?;
        let described = tool(stage, CONSUMER_GROUPS, "--describe --group positions")?;
        let row: Vec<&str> = described.lines().last().unwrap_or_default().split_whitespace().collect();
        same(how, expected, row.get(3).copied().unwrap_or_default())?;
    }
    tool(stage, CONSUMER_GROUPS, &format!("{reset} --to-latest --dry-run"))?;
    let described = tool(stage, CONSUMER_GROUPS, "--describe --group positions")?;
    let row: Vec<&str> = described.lines().last().unwrap_or_default().split_whitespace().collect();
    same("after a dry run", "0", row.get(3).copied().unwrap_or_default())
}

fn deleted_offsets(stage: &mut Stage) -> Attempt<()> {
    let delete = "--delete-offsets --group positions --topic";
    let deleted = tool(stage, CONSUMER_GROUPS, &format!("{delete} positions"))?;
    contains(&deleted, &["Request succeeded", "Successful"])?;
    let described = tool(stage, CONSUMER_GROUPS, "--describe --group positions")?;
    if described.lines().any(|line| line.split_whitespace().nth(1) == Some("positions")) {
        return Err(format!("the offset is still there: {described}"));
    }
    contains(&refusal_or_word(stage, &format!("{delete} no-such"))?, &["no-such"])
}

fn deleted_groups(stage: &mut Stage) -> Attempt<()> {
    let deleted = tool(stage, CONSUMER_GROUPS, "--delete --group positions")?;
    contains(&deleted, &["was successful"])?;
    let listed = tool(stage, CONSUMER_GROUPS, "--list")?;
    if listed.lines().any(|line| line == "positions") {
        return Err("the deleted group is still listed".to_owned());
    }
    contains(&refusal_or_word(stage, "--delete --group positions")?, &["GroupIdNotFoundException"])
}

fn topic_configs(stage: &mut Stage) -> Attempt<()> {
    let configs = configs(stage.java);
    tool(stage, TOPICS, "--create --topic configured")?;
    let entity = "--entity-type topics --entity-name configured";
    let lists = "--add-config retention.ms=5000,cleanup.policy=[compact,delete]";
    contains(&tool(stage, configs, &format!("--alter {entity} {lists}"))?, &["Completed updating config"])?;
    let described = tool(stage, configs, &format!("--describe {entity}"))?;
    contains(&described, &["retention.ms=5000 ", "cleanup.policy=compact,delete", "DYNAMIC_TOPIC_CONFIG"])?;
    tool(stage, configs, &format!("--alter {entity} --delete-config retention.ms,cleanup.policy"))?;
    let described = tool(stage, configs, &format!("--describe {entity}"))?;
    if described.contains("retention.ms") {
        return Err(format!("still configured: {described}"));
    }
    let all = tool(stage, configs, &format!("--describe --all {entity}"))?;
    contains(&all, &["retention.ms=604800000", "DEFAULT_CONFIG:log.cleanup.policy=delete"])?;
    let wrong = refusal(stage, configs, &format!("--alter {entity} --add-config retention.ms=soon"))?;
    contains(&wrong, &["InvalidConfigurationException"])
}

fn broker_configs(stage: &mut Stage) -> Attempt<()> {
    let configs = configs(stage.java);
    let entity = "--entity-type brokers --entity-name 1";
    let all = tool(stage, configs, &format!("--describe --all {entity}"))?;
    contains(&all, &["node.id=1", "log.retention.hours=168", "num.partitions=1"])?;
    tool(stage, configs, &format!("--alter {entity} --add-config log.retention.ms=5000000"))?;
    let described = tool(stage, configs, &format!("--describe {entity}"))?;
    contains(&described, &["log.retention.ms=5000000", "DYNAMIC_BROKER_CONFIG"])?;
    tool(stage, configs, &format!("--alter {entity} --delete-config log.retention.ms"))?;
    let fixed = refusal(stage, configs, &format!("--alter {entity} --add-config node.id=7"))?;
    contains(&fixed, &["Exception"])
}

fn offsets(stage: &mut Stage) -> Attempt<()> {
    tool(stage, TOPICS, "--create --topic offsets --partitions 2")?;
    let values: String = (0..10).map(|i| format!("v{i}\n")).collect();
    tool_with_input(stage, CONSOLE_PRODUCER, "--topic offsets", &values)?;
    let ends = tool(stage, GET_OFFSETS, "--topic offsets")?;
    let sum: u32 = ends.lines().filter_map(|line| line.rsplit(':').next()?.parse::<u32>().ok()).sum();
    same("sum of the ends", "10", &sum.to_string())?;
    let filled = ends.lines().find(|line| !line.ends_with(":0")).unwrap_or_default();
    let partition = filled.split(':').nth(1).unwrap_or_default().to_owned();
    let file = stage.folder.join("delete-records.json");
    let wanted = format!(
        "{{\"partitions\":[{{\"topic\":\"offsets\",\"partition\":{partition},\"offset\":1}}],\"version\":1}}"
    );
    std::fs::write(&file, wanted).map_err(|error| format!("{}: {error}", file.display()))?;
    let deleted = tool(stage, DELETE_RECORDS, &format!("--offset-json-file {}", file.display()))?;
    contains(&deleted, &["low_watermark: 1"])?;
    let starts = tool(stage, GET_OFFSETS, "--topic offsets --time earliest")?;
    contains(&starts, &[&format!("offsets:{partition}:1")])?;
    let newest = tool(stage, GET_OFFSETS, "--topic offsets --time max-timestamp")?;
    contains(&newest, &[&format!("offsets:{partition}:")])
}

fn log_dirs(stage: &mut Stage) -> Attempt<()> {
    tool(stage, TOPICS, "--create --topic in-dirs --partitions 2")?;
    tool_with_input(stage, CONSOLE_PRODUCER, "--topic in-dirs", "1\n2\n3\n")?;
    let described = tool(stage, LOG_DIRS, "--describe --topic-list in-dirs")?;
    let json = described.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    let found = |text: &str| json.matches(text).count();
    same("directories", "2", &found("\"logDir\"").to_string())?;
    same("partitions", "2", &found("\"partition\":\"in-dirs-").to_string())?;
    same("that are behind", "0", &(found("\"offsetLag\"") - found("\"offsetLag\":0")).to_string())?;
    same("that are moved", "0", &found("\"isFuture\":true").to_string())
}

fn reassignments(stage: &mut Stage) -> Attempt<()> {
    tool(stage, TOPICS, "--create --topic reassigned --partitions 1")?;
    tool_with_input(stage, CONSOLE_PRODUCER, "--topic reassigned", "1\n2\n3\n")?;
    contains(&tool(stage, REASSIGN, "--list")?, &["No partition reassignments found."])?;
    let data = stage.broker().data_dir();
    let second = data.with_file_name("data-2");
    // To one directory and then the other: one of the two is a move.
    for dir in [&data, &second] {
        let plan = stage.folder.join("plan.json");
        let json = format!(
            "{{\"version\":1,\"partitions\":[{{\"topic\":\"reassigned\",\"partition\":0,\
             \"replicas\":[1],\"log_dirs\":[\"{}\"]}}]}}",
            dir.display()
        );
        std::fs::write(&plan, json).map_err(|error| format!("cannot write {}: {error}", plan.display()))?;
        let file = format!("--reassignment-json-file {}", plan.display());
        let executed = tool(stage, REASSIGN, &format!("--execute {file}"))?;
        contains(&executed, &["Successfully started partition reassignment for reassigned-0"])?;
        let started = std::time::Instant::now();
        loop {
            let verified = tool(stage, REASSIGN, &format!("--verify {file}"))?;
            contains(&verified, &["Reassignment of partition reassigned-0 is completed."])?;
            if verified.contains("completed successfully") {
                break;
            }
            if started.elapsed() > std::time::Duration::from_secs(30) {
                return Err(format!("it does not get there: {verified}"));
            }
        }
        if !dir.join("reassigned-0").exists() {
            return Err(format!("it is not in {}", dir.display()));
        }
    }
    Ok(())
}

fn elections(stage: &mut Stage) -> Attempt<()> {
    tool(stage, TOPICS, "--create --topic elected")?;
    for election in ["preferred", "unclean"] {
        let one = format!("--election-type {election} --topic elected --partition 0");
        contains(
            &tool(stage, LEADER_ELECTION, &one)?,
            &["Valid replica already elected for partitions elected-0"],
        )?;
    }
    let all = tool(stage, LEADER_ELECTION, "--election-type preferred --all-topic-partitions")?;
    same("all partitions", "", all.trim())?;
    let unknown = "--election-type preferred --topic elected --partition 9";
    contains(&refusal(stage, LEADER_ELECTION, unknown)?, &["UnknownTopicOrPartition"])
}

fn quorum(stage: &mut Stage) -> Attempt<()> {
    let status = tool(stage, METADATA_QUORUM, "describe --status")?;
    contains(
        &status,
        &["LeaderId:               1", "MaxFollowerLag:         0", "CurrentVoters:          [{\"id\": 1"],
    )?;
    let replication = tool(stage, METADATA_QUORUM, "describe --replication")?;
    contains(&replication, &["Leader"])
}

fn group_configs(stage: &mut Stage) -> Attempt<()> {
    let configs = configs(stage.java);
    tool_with_input(stage, CONSOLE_PRODUCER, "--topic group-configs", "1\n")?;
    let read =
        "--topic group-configs --group configured --from-beginning --max-messages 1 --timeout-ms 20000";
    tool(stage, CONSOLE_CONSUMER, read)?;
    let described = tool(stage, configs, "--entity-type groups --describe")?;
    contains(&described, &["Dynamic configs for group configured are:"])?;
    let all = tool(stage, configs, "--entity-type groups --entity-name configured --describe --all")?;
    contains(&all, &["consumer.session.timeout.ms=45000"])?;
    same("subscriptions", "", tool(stage, CLIENT_METRICS, "--list")?.trim())
}

fn producers(stage: &mut Stage) -> Attempt<()> {
    tool(stage, TOPICS, "--create --topic producers --partitions 1")?;
    tool_with_input(stage, CONSOLE_PRODUCER, "--topic producers", "1\n2\n3\n")?;
    let described = tool(stage, TRANSACTIONS, "describe-producers --topic producers --partition 0")?;
    let row = described.lines().nth(1).unwrap_or_default();
    let columns: Vec<&str> = row.split_whitespace().collect();
    same("epoch, coordinator and sequence", "0 -1 2", &columns.get(1..4).unwrap_or_default().join(" "))?;
    same(
        "hanging",
        "1",
        &tool(stage, TRANSACTIONS, "find-hanging --broker-id 1")?.lines().count().to_string(),
    )
}

fn acls(stage: &mut Stage) -> Attempt<()> {
    contains(&refusal(stage, ACLS, "--list")?, &["SecurityDisabledException: No Authorizer is configured"])
}

fn versions(stage: &mut Stage) -> Attempt<()> {
    let versions = tool(stage, API_VERSIONS, "")?;
    // librdkafka compresses only for brokers that say they take Produce 0.
    contains(&versions, &["Produce(0): 0 to 13", "Fetch(1): 4 to 18", "Metadata(3): 0 to 13"])?;
    let address = stage.address();
    let arguments = ["cluster-id", "--bootstrap-server", &address];
    let cluster = java::tool(&stage.class_path()?, CLUSTER, &arguments, "")?.success()?;
    contains(&cluster, &["Cluster ID: "])
}

fn performance(stage: &mut Stage) -> Attempt<()> {
    for acks in ["0", "1", "all"] {
        let sent = tool(
            stage,
            PRODUCER_PERFORMANCE,
            &format!(
                "--topic performance --num-records 20000 --record-size 100 --throughput -1 \
                 --command-property acks={acks} enable.idempotence=false compression.type=lz4"
            ),
        )?;
        contains(&sent, &["20000 records sent"])?;
    }
    let read = tool(stage, CONSUMER_PERFORMANCE, "--topic performance --num-records 60000 --timeout 20000")?;
    contains(&read, &[", 60000, "])
}

fn verifiable(stage: &mut Stage) -> Attempt<()> {
    let sent = tool(stage, VERIFIABLE_PRODUCER, "--topic verifiable --max-messages 200 --acks -1")?;
    contains(&sent, &["\"sent\":200,\"acked\":200"])?;
    let read =
        tool(stage, VERIFIABLE_CONSUMER, "--topic verifiable --group-id verifiable --max-messages 200")?;
    contains(&read, &["\"name\":\"offsets_committed\"", "\"offset\":200", "shutdown_complete"])
}
