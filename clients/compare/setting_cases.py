"""Settings: which values are taken, how lists change, which resources there are."""

import time

from apis import ALTER_CONFIGS_0, CREATE_TOPICS_7, DESCRIBE_CONFIGS_1
from cluster import case

SET, DELETE, APPEND, SUBTRACT = range(4)
TOPIC, BROKER, GROUP = 2, 4, 32
THROTTLED = "leader.replication.throttled.replicas"

VALUES = {
    "retention.ms": ["soon", "", "-2", "-1", "0", " 5 ", "+5", "5.0", "0x10", "99999999999999999999"],
    "retention.bytes": ["-5", "0"],
    "segment.bytes": ["1", "1048575", "1048576", "2147483648"],
    "segment.ms": ["0", "1"],
    "segment.jitter.ms": ["-1", "0"],
    "segment.index.bytes": ["3", "4"],
    "flush.messages": ["0", "1"],
    "flush.ms": ["-1", "0"],
    "max.message.bytes": ["-1", "0"],
    "index.interval.bytes": ["-1", "0"],
    "file.delete.delay.ms": ["-1", "0"],
    "delete.retention.ms": ["-1", "0"],
    "min.compaction.lag.ms": ["-1", "0"],
    "max.compaction.lag.ms": ["0", "1"],
    "min.cleanable.dirty.ratio": ["-0.1", "0", "1", "1.1", "half", ".5", "5e-1"],
    "min.insync.replicas": ["0", "1", "7"],
    "cleanup.policy": [
        "", "burn", "compact,delete", "delete,delete", " delete ", "delete,", ",delete", "delete,,compact", "Delete", "none",
    ],
    "compression.type": ["lzma", "GZIP", "none", "", " zstd "],
    "compression.gzip.level": ["0", "-1", "9", "10"],
    "compression.lz4.level": ["0", "1", "17", "18"],
    "compression.zstd.level": ["-131073", "-131072", "22", "23"],
    "message.timestamp.type": ["createtime", "LogAppendTime"],
    "message.timestamp.before.max.ms": ["-1", "0"],
    "message.timestamp.after.max.ms": ["-1", "0"],
    "unclean.leader.election.enable": ["maybe", "TRUE", "1", " true "],
    "preallocate": ["yes", "False"],
    THROTTLED: ["x", "*", "0:1", "0:1,1:1", "0:1:1", "0:", ":1", "none", "", "*,0:1", "-1:1"],
    "local.retention.ms": ["-3", "-2"],
    "local.retention.bytes": ["-3", "-2"],
    "remote.storage.enable": ["x", "false"],
    "message.format.version": ["3.0"],
    "log.retention.ms": ["5"],
    "": ["", "x"],
}


@case
def topic_settings(cluster):
    def ask(*configs):
        entries = [{"name": name, "value": value} for name, value in configs]
        topic = {"name": "s", "partitions": 1, "replication": 1, "assignments": [], "configs": entries}
        answer = cluster.call(CREATE_TOPICS_7, topics=[topic], timeout_ms=5000, validate=True)["topics"][0]
        shown = {it["name"]: it["value"] for it in answer["configs"]}
        return [answer["error"], answer["message"] is None, shown.get(configs[0][0])]

    for name, values in VALUES.items():
        for value in values:
            yield f"{name}={value}", ask((name, value))
    yield "one twice", ask(("retention.ms", "5"), ("retention.ms", "6"))
    yield "a lag above another", ask(("min.compaction.lag.ms", "6"), ("max.compaction.lag.ms", "5"))


def alter(cluster, kind, name, *configs, validate=False):
    entries = [{"name": key, "operation": operation, "value": value} for key, operation, value in configs]
    resources = [{"type": kind, "name": name, "configs": entries}]
    return cluster.call(ALTER_CONFIGS_0, resources=resources, validate=validate)["results"][0]["error"]


def shown(cluster, kind, name, key):
    time.sleep(0.1)  # Kafka's broker learns of it a little later
    resource = {"type": kind, "name": name, "keys": [key]}
    answer = cluster.call(DESCRIBE_CONFIGS_1, resources=[resource], synonyms=False)
    return [[it["value"], it["source"]] for it in answer["results"][0]["configs"]]


@case
def lists_change(cluster):
    made = cluster.topic()
    for name, operation, value in (
        ("appended", APPEND, "compact"),
        ("appended again", APPEND, "compact,compact"),
        ("nothing appended", APPEND, ""),
        ("something and nothing appended", APPEND, "delete,"),
        ("a wrong one appended", APPEND, "burn"),
        ("an absent one subtracted", SUBTRACT, "burn"),
        ("subtracted", SUBTRACT, "delete"),
        ("with spaces", SUBTRACT, " compact "),
        ("set to nothing", SET, ""),
        ("appended to nothing", APPEND, "compact"),
        ("set with spaces", SET, " compact , delete "),
        ("deleted", DELETE, None),
    ):
        yield f"cleanup.policy, {name}", alter(cluster, TOPIC, made, ("cleanup.policy", operation, value))
        yield f"cleanup.policy, {name}, shown", shown(cluster, TOPIC, made, "cleanup.policy")
    # Each is short enough for a record, and both together are not.
    first, second = (",".join(f"{partition}:1" for partition in range(it, it + 3000)) for it in (0, 3000))
    for name, operation, value in (
        ("long", SET, first), ("too long once appended", APPEND, second), ("deleted after it", DELETE, None),
    ):
        yield f"throttled, {name}", alter(cluster, TOPIC, made, (THROTTLED, operation, value))
    for name, operation, value in (
        ("absent", SUBTRACT, "0:1"), ("first", APPEND, "0:1"), ("with all", APPEND, "*"), ("second", APPEND, "1:1"),
    ):
        yield f"throttled, {name}", alter(cluster, TOPIC, made, (THROTTLED, operation, value))
        yield f"throttled, {name}, shown", shown(cluster, TOPIC, made, THROTTLED)


@case
def resources(cluster):
    made = cluster.topic()
    for kind, name in (
        (TOPIC, ""), (TOPIC, "a b"), (TOPIC, "unknown-topic"), (TOPIC, "__cluster_metadata"), (BROKER, "2"),
        (BROKER, "one"), (BROKER, "-1"), (BROKER, "99999999999"), (GROUP, ""), (GROUP, "g"), (8, ""), (8, "7"), (16, ""),
        (0, "x"), (1, "x"), (3, "x"), (77, "x"), (-1, "x"),
    ):
        yield f"type {kind}, '{name}', altered in nothing", alter(cluster, kind, name)
        resource = {"type": kind, "name": name, "keys": ["no.such"]}
        it = cluster.call(DESCRIBE_CONFIGS_1, resources=[resource], synonyms=False)["results"][0]
        yield f"type {kind}, '{name}', described", [it["error"], it["configs"]]
    resource = {"type": TOPIC, "name": made, "keys": ["retention.ms", "retention.ms", "no.such"]}
    it = cluster.call(DESCRIBE_CONFIGS_1, resources=[resource, resource], synonyms=False)["results"]
    yield "described twice", [[each["error"], each["message"], len(each["configs"])] for each in it]
    both = [{"type": TOPIC, "name": made, "configs": [{"name": "retention.ms", "operation": SET, "value": "5"}]}] * 2
    answer = cluster.call(ALTER_CONFIGS_0, resources=both, validate=False)
    yield "altered twice", sorted(it["error"] for it in answer["results"])
    yield "altered twice, shown", shown(cluster, TOPIC, made, "retention.ms")
    yield "only validated", alter(cluster, TOPIC, made, ("retention.ms", SET, "7"), validate=True)
    yield "only validated, shown", shown(cluster, TOPIC, made, "retention.ms")


@case
def broker_settings(cluster):
    for name, value in (
        ("log.retention.ms", "0"), ("log.retention.ms", "-1"), ("log.retention.bytes", "5"), ("log.roll.ms", "0"),
        ("log.roll.jitter.ms", "-1"), ("log.cleanup.policy", ""), ("log.cleanup.policy", "compact,"),
        ("log.cleaner.dedupe.buffer.size", "1"), ("message.max.bytes", "-1"), ("min.insync.replicas", "0"),
        ("log.message.timestamp.type", "x"), ("compression.type", "lzma"), ("num.partitions", "2"),
        ("auto.create.topics.enable", "false"), ("log.segment.bytes", "5"), ("log.index.interval.bytes", "-1"),
        ("advertised.listeners", "PLAINTEXT://x:1"), ("log.retention.hours", "5"), ("node.id", "7"),
    ):
        for which in ("", "1"):
            if name != "advertised.listeners" or not which:
                yield f"{name}={value} for '{which}'", alter(cluster, BROKER, which, (name, SET, value), validate=True)
