"""Metadata, topics and configs."""

import time

from apis import (
    ALTER_CONFIGS_0, CREATE_PARTITIONS_1, CREATE_TOPICS_4, DELETE_TOPICS_1, DELETE_TOPICS_6, DESCRIBE_CLUSTER_1,
    DESCRIBE_CONFIGS_1, METADATA_1, METADATA_4, METADATA_12, TOPIC_PARTITIONS_0,
)
from cluster import ZERO, case
from wire import CLOSED, SILENCE

NAMES = {
    "empty": "", "one dot": ".", "two dots": "..", "a space": "a b", "a slash": "a/b", "not of ASCII": "größe",
    "250 letters": "x" * 250, "internal": "__consumer_offsets",
}


def topic(name, partitions=1, replication=1, assignments=(), configs=()):
    return {
        "name": name, "partitions": partitions, "replication": replication,
        "assignments": [{"index": index, "brokers": brokers} for index, brokers in assignments],
        "configs": [{"name": key, "value": value} for key, value in configs],
    }


@case
def create_topics(cluster):
    def ask(*topics, validate=False):
        answer = cluster.call(CREATE_TOPICS_4, topics=list(topics), timeout_ms=10000, validate=validate)
        return answer if isinstance(answer, str) else [it["error"] for it in answer["topics"]]

    for name, text in NAMES.items():
        if name != "internal":
            yield f"a name, {name}", ask(topic(text))
    yield "249 letters", ask(topic("y" * 249))
    yield "good", ask(topic("made"))
    yield "again", ask(topic("made"))
    yield "again, only validated", ask(topic("made"), validate=True)
    yield "dots and underscores collide", [*ask(topic("di.sh")), *ask(topic("di_sh"))]
    yield "one name twice", ask(topic("twice"), topic("twice"))
    yield "good and bad together", ask(topic("together"), topic("a b"))
    yield "no partition", ask(topic("p", 0))
    yield "minus two partitions", ask(topic("p", -2))
    yield "partitions by default", ask(topic("p-default", -1, -1))
    yield "no replica", ask(topic("p", 1, 0))
    yield "two replicas", ask(topic("p", 1, 2))
    yield "minus two replicas", ask(topic("p", 1, -2))
    yield "an assignment", ask(topic("assigned", -1, -1, [(0, [1]), (1, [1])]))
    yield "an assignment and a count", ask(topic("p", 1, 1, [(0, [1])]))
    yield "an assignment to an unknown broker", ask(topic("p", -1, -1, [(0, [7])]))
    yield "an assignment with a gap", ask(topic("p", -1, -1, [(1, [1])]))
    yield "an assignment of one broker twice", ask(topic("p", -1, -1, [(0, [1, 1])]))
    yield "an assignment to nobody", ask(topic("p", -1, -1, [(0, [])]))
    yield "an unknown config", ask(topic("p", configs=[("no.such", "1")]))
    yield "a wrong config", ask(topic("p", configs=[("retention.ms", "soon")]))
    yield "a config out of its range", ask(topic("p", configs=[("min.cleanable.dirty.ratio", "2")]))
    yield "a null config", ask(topic("p", configs=[("retention.ms", None)]))
    yield "a wrong cleanup policy", ask(topic("p", configs=[("cleanup.policy", "burn")]))
    yield "nothing", ask()
    answer = cluster.call(METADATA_4, topics=None, create=False)
    yield "what is there", sorted({it["name"] for it in answer["topics"]} & {"p", "made", "together", "twice", "di_sh"})


@case
def delete_topics(cluster):
    made = cluster.topic()
    for name, text in NAMES.items():
        if name != "internal":
            answer = cluster.call(DELETE_TOPICS_1, names=[text], timeout_ms=5000)
            yield f"a name, {name}", answer if isinstance(answer, str) else answer["topics"][0]["error"]
    answer = cluster.call(DELETE_TOPICS_1, names=[made, made, "unknown-topic"], timeout_ms=5000)
    yield "one twice", sorted([it["name"] != made, it["error"]] for it in answer["topics"])
    yield "unknown", cluster.call(DELETE_TOPICS_1, names=["unknown-topic"], timeout_ms=5000)["topics"][0]["error"]
    other = cluster.topic()
    uuid = cluster.id_of(other)
    for name, it in {
        "an unknown id": {"name": None, "id": b"\x11" * 16},
        "no id and no name": {"name": None, "id": ZERO},
        "an id and a name": {"name": other, "id": uuid},
        "an id": {"name": None, "id": uuid},
    }.items():
        answer = cluster.call(DELETE_TOPICS_6, topics=[it], timeout_ms=5000)
        yield name, answer if isinstance(answer, str) else [it["error"] for it in answer["topics"]]


@case
def create_partitions(cluster):
    made = cluster.topic(partitions=2)

    def ask(name, count, assignments=None, validate=False):
        brokers = None if assignments is None else [{"brokers": it} for it in assignments]
        topics = [{"name": name, "count": count, "assignments": brokers}]
        answer = cluster.call(CREATE_PARTITIONS_1, topics=topics, timeout_ms=5000, validate=validate)
        return answer["results"][0]["error"]

    yield "unknown", ask("unknown-topic", 3)
    yield "a name that is not allowed", ask("a b", 3)
    yield "as many", ask(made, 2)
    yield "fewer", ask(made, 1)
    yield "none", ask(made, 0)
    yield "negative", ask(made, -1)
    yield "assigned to too few", ask(made, 4, [[1]])
    yield "assigned to an unknown broker", ask(made, 3, [[9]])
    yield "assigned to two", ask(made, 3, [[1, 1]])
    yield "only validated", ask(made, 3, validate=True)
    yield "good", ask(made, 3)
    topics = [{"name": made, "count": count, "assignments": None} for count in (4, 5)]
    answer = cluster.call(CREATE_PARTITIONS_1, topics=topics, timeout_ms=5000, validate=False)
    yield "one twice", [it["error"] for it in answer["results"]]


@case
def metadata(cluster):
    made = cluster.topic(partitions=2)
    for name, text in NAMES.items():
        if name == "internal":
            continue
        answer = cluster.call(METADATA_4, topics=[text], create=True)
        yield f"a name, {name}", answer if isinstance(answer, str) else answer["topics"][0]["error"]
    yield "unknown", cluster.call(METADATA_4, topics=["unknown-topic"], create=False)["topics"][0]["error"]
    for _ in range(50):  # Kafka makes it later than it answers
        first = cluster.call(METADATA_4, topics=["automatic"], create=True)["topics"][0]
        if first["error"] == 0:
            break
        time.sleep(0.1)
    yield "made on request", first["error"]
    known = cluster.call(METADATA_1, topics=[made])
    yield "known", [it["error"] for it in known["topics"]]
    yield "its partitions", [[p["error"], p["index"], p["replicas"], p["isr"]] for p in known["topics"][0]["partitions"]]
    yield "no topic", cluster.call(METADATA_1, topics=[])["topics"]
    yield "one twice", [it["error"] for it in cluster.call(METADATA_1, topics=[made, made])["topics"]]
    uuid = cluster.id_of(made)
    for name, it in {
        "an id": {"id": uuid, "name": None},
        "an unknown id": {"id": b"\x11" * 16, "name": None},
        "neither": {"id": ZERO, "name": None},
        "an id and a name": {"id": uuid, "name": made},
    }.items():
        answer = cluster.call(METADATA_12, topics=[it], create=False, topic_operations=False)
        yield name, answer if isinstance(answer, str) else [[it["error"], it["name"] == made] for it in answer["topics"]]
    for asked in (False, True):
        answer = cluster.call(METADATA_12, topics=[{"id": ZERO, "name": made}], create=False, topic_operations=asked)
        yield f"operations, asked for: {asked}", answer["topics"][0]["operations"]


@case
def describe_topic_partitions(cluster):
    made = cluster.topic(partitions=3)
    for name, names in {"known": [made], "unknown": ["unknown-topic"], "not allowed": ["a b"], "both": [made, "unknown-topic"]}.items():
        answer = cluster.call(TOPIC_PARTITIONS_0, topics=[{"name": it} for it in names], limit=100, cursor=-1)
        if answer in (CLOSED, SILENCE):
            yield name, answer
        else:
            yield name, sorted([it["error"], len(it["partitions"])] for it in answer["topics"])


@case
def describe_cluster(cluster):
    for endpoint in (1, 2, 3):
        answer = cluster.call(DESCRIBE_CLUSTER_1, operations=False, endpoint=endpoint)
        yield f"endpoint {endpoint}", answer if isinstance(answer, str) else [answer["error"], len(answer["brokers"])]


@case
def describe_configs(cluster):
    made = cluster.topic(retention_ms="5")

    def ask(kind, name, keys=None):
        resource = {"type": kind, "name": name, "keys": keys}
        answer = cluster.call(DESCRIBE_CONFIGS_1, resources=[resource], synonyms=False)
        if isinstance(answer, str):
            return answer
        it = answer["results"][0]
        return [it["error"], sorted([config["name"], config["source"]] for config in it["configs"]) if keys else None]

    yield "a topic", ask(2, made, ["retention.ms", "segment.ms"])
    yield "a topic, one that is not", ask(2, made, ["no.such"])
    yield "an unknown topic", ask(2, "unknown-topic", ["retention.ms"])
    yield "a topic not allowed", ask(2, "a b", ["retention.ms"])
    yield "an empty topic", ask(2, "", ["retention.ms"])
    yield "the broker", ask(4, "1", ["node.id"])
    yield "another broker", ask(4, "2", ["node.id"])
    yield "no number", ask(4, "one", ["node.id"])
    yield "every broker", ask(4, "")[0]
    yield "an unknown type", ask(77, "x")
    yield "type zero", ask(0, "x")
    answer = cluster.call(DESCRIBE_CONFIGS_1, resources=[{"type": 2, "name": made, "keys": None}], synonyms=False)
    yield "all of a topic's", sorted(config["name"] for config in answer["results"][0]["configs"])
    values = {config["name"]: config["value"] for config in answer["results"][0]["configs"]}
    for name in sorted(values):
        yield f"{name} is", values[name]


@case
def alter_configs(cluster):
    made = cluster.topic()

    def ask(kind, name, *configs, validate=False):
        entries = [{"name": key, "operation": operation, "value": value} for key, operation, value in configs]
        answer = cluster.call(
            ALTER_CONFIGS_0, resources=[{"type": kind, "name": name, "configs": entries}], validate=validate
        )
        return answer if isinstance(answer, str) else answer["results"][0]["error"]

    for name, configs in {
        "good": [("retention.ms", 0, "5")],
        "deleted": [("retention.ms", 1, None)],
        "deleted again": [("retention.ms", 1, None)],
        "unknown operation": [("retention.ms", 9, "5")],
        "set to null": [("retention.ms", 0, None)],
        "one twice": [("retention.ms", 0, "5"), ("retention.ms", 0, "6")],
        "unknown": [("no.such", 0, "5")],
        "unknown, deleted": [("no.such", 1, None)],
        "wrong": [("retention.ms", 0, "soon")],
        "out of range": [("segment.bytes", 0, "1")],
        "appended to a number": [("retention.ms", 2, "5")],
        "appended": [("cleanup.policy", 2, "compact")],
        "appended again": [("cleanup.policy", 2, "compact")],
        "subtracted": [("cleanup.policy", 3, "compact")],
        "subtracted again": [("cleanup.policy", 3, "compact")],
        "subtracted to nothing": [("cleanup.policy", 3, "delete")],
        "nothing": [],
    }.items():
        yield f"a topic's, {name}", ask(2, made, *configs)
    yield "an unknown topic", ask(2, "unknown-topic", ("retention.ms", 0, "5"))
    yield "a topic not allowed", ask(2, "a b", ("retention.ms", 0, "5"))
    yield "an unknown type", ask(77, "x", ("a", 0, "b"))
    yield "another broker", ask(4, "2", ("log.retention.ms", 0, "5"))
    yield "the broker, read-only", ask(4, "1", ("node.id", 0, "5"))
    yield "the broker, wrong", ask(4, "1", ("log.retention.ms", 0, "soon"))
    yield "the broker, unknown", ask(4, "1", ("no.such", 0, "5"))
    yield "the broker, good", ask(4, "1", ("log.retention.ms", 0, "500000000"))
    yield "the broker, undone", ask(4, "1", ("log.retention.ms", 1, None))
