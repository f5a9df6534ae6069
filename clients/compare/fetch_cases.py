"""Fetch sessions over many requests, and what asks for the same twice."""

import time

from apis import (
    CREATE_TOPICS_7, DELETE_RECORDS_1, DELETE_TOPICS_6, FETCH_4, FETCH_11, FETCH_13, LEADER_EPOCH_3, LIST_OFFSETS_5,
    METADATA_4, PRODUCE_7,
)
from batch import batch, record
from cluster import ZERO, case
from read_cases import fetch_4, fetch_11, part_11
from wire import CLOSED, SILENCE


def told(answer):
    """The error, and of each partition number, error, high watermark, log start and how many bytes."""
    if answer in (CLOSED, SILENCE):
        return answer
    return [answer["error"], [
        [part["index"], part["error"], part["high_watermark"], part["log_start"], len(part["records"] or b"")]
        for it in answer["topics"] for part in it["partitions"]
    ]]


class Session:
    """One fetch session; its epoch goes up by itself."""

    def __init__(self, connection, topic):
        self.connection, self.topic, self.id, self.epoch = connection, topic, 0, 0

    def ask(self, *parts, forgotten=(), **more):
        topics = [{"name": self.topic, "partitions": list(parts)}] if parts else []
        gone = [{"name": self.topic, "partitions": list(forgotten)}] if forgotten else []
        answer = fetch_11(self.connection, self.id, self.epoch, topics, gone, **more)
        self.id = self.id or answer["session"]
        self.epoch += 1
        return told(answer)


@case
def a_long_session(cluster):
    topic = cluster.topic(partitions=4)
    cluster.fill(topic, 2, 0)
    cut = [{"name": topic, "partitions": [{"index": 0, "offset": 1}]}]
    with cluster.connect() as connection:
        session = Session(connection, topic)
        yield "new", session.ask(part_11(0), part_11(1))
        yield "the same again", session.ask()
        yield "one more partition", session.ask(part_11(2))
        yield "moved on", session.ask(part_11(0, 2))
        yield "nothing", session.ask()
        cluster.fill(topic, 1, 2)
        yield "records", session.ask()
        yield "the same records", session.ask()
        yield "read", session.ask(part_11(2, 1))
        yield "an unknown one forgotten", session.ask(forgotten=[77])
        yield "one forgotten and named", session.ask(part_11(2), forgotten=[2])
        yield "all forgotten", session.ask(forgotten=[0, 1])
        cluster.call(DELETE_RECORDS_1, topics=cut, timeout_ms=5000)
    with cluster.connect() as connection:
        session = Session(connection, topic)
        yield "new again", session.ask(part_11(0, 0), part_11(1))
        yield "below the start", session.ask()
        yield "mended", session.ask(part_11(0, 2))
        cut[0]["partitions"][0]["offset"] = 2
        cluster.call(DELETE_RECORDS_1, topics=cut, timeout_ms=5000)
        yield "another start", session.ask()
        yield "and no more of it", session.ask()
        yield "partitions that are not there", session.ask(part_11(9), part_11(-1))
        yield "still not", session.ask()
        yield "given up", session.ask(forgotten=[9, -1])
        yield "after that", session.ask()
        for partition in (0, 1, 3):
            cluster.fill(topic, 2, partition)
        yield "a byte for each of three", session.ask(part_11(3), max_bytes=1)
        for number in range(4):
            yield f"its turn {number}", session.ask(max_bytes=1)
        yield "one named twice", session.ask(part_11(0, 2), part_11(0, 3))
        old = session.epoch
        session.epoch = 0
        yield "begun anew by its name", session.ask(part_11(0, 4))
        session.epoch = old
        yield "the old one", session.ask()


@case
def sessions_by_id(cluster):
    topic = cluster.topic()
    uuid = cluster.id_of(topic)
    values = {"replica": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1000, "isolation": 0, "forgotten": [], "rack": ""}
    part = {"index": 0, "leader_epoch": -1, "offset": 0, "fetched_epoch": -1, "log_start": -1, "max_bytes": 1000}
    with cluster.connect() as connection:
        topics = [{"id": uuid, "partitions": [part]}, {"id": b"\x11" * 16, "partitions": [part]}]
        first = connection.call(FETCH_13, session=0, epoch=0, topics=topics, **values)
        yield "new", sorted(told(first)[1])
        session = first["session"]
        yield "by name", told(fetch_11(connection, session, 1, [{"name": topic, "partitions": [part_11()]}]))
        yield "by id", told(connection.call(FETCH_13, session=session, epoch=1, topics=[], **values))
        yield "by id again", told(connection.call(FETCH_13, session=session, epoch=2, topics=[], **values))


@case
def a_broker_that_has_no_replica(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 2)
    with cluster.connect() as connection:
        for epoch in (-1, 0, 1):
            topics = [{"name": topic, "partitions": [part_11(0, 0, epoch)]}]
            yield f"leader epoch {epoch}", told(fetch_11(connection, 0, -1, topics, replica=77))
        topics = [{"name": topic, "partitions": [part_11(9)]}, {"name": "unknown-topic", "partitions": [part_11()]}]
        yield "unknown partitions", told(fetch_11(connection, 0, -1, topics, replica=77))


@case
def odd_epochs_and_levels(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 2)
    with cluster.connect() as connection:
        for epoch in (-2, -100, 1):
            topics = [{"name": topic, "partitions": [part_11(0, 0, epoch)]}]
            yield f"fetch, leader epoch {epoch}", told(fetch_11(connection, 0, -1, topics))
        topics = [{"name": topic, "partitions": [part_11(0, 9, 1)]}]
        yield "fetch, leader epoch 1 and out of range", told(fetch_11(connection, 0, -1, topics))
        for epoch in (-2, 5):
            yield f"session epoch {epoch}", told(fetch_11(connection, 0, epoch, topics))
            yield f"session epoch {epoch} of one", told(fetch_11(connection, 77, epoch, topics))
    for epoch in (-2, 0, 1):
        part = {"index": 0, "leader_epoch": epoch, "timestamp": -1}
        answer = cluster.call(LIST_OFFSETS_5, replica=-1, isolation=0, topics=[{"name": topic, "partitions": [part]}])
        it = answer["topics"][0]["partitions"][0]
        yield f"offsets, leader epoch {epoch}", [it["error"], it["offset"]]
        part = {"index": 0, "current": epoch, "epoch": 0}
        answer = cluster.call(LEADER_EPOCH_3, replica=-2, topics=[{"name": topic, "partitions": [part]}])
        it = answer["topics"][0]["partitions"][0]
        yield f"end of an epoch, leader epoch {epoch}", [it["error"], it["end"]]
    part = {"index": 0, "leader_epoch": -1, "timestamp": -1}
    for level in (1, 2, 7, -1):
        answer = cluster.call(LIST_OFFSETS_5, replica=-1, isolation=level, topics=[{"name": topic, "partitions": [part]}])
        yield f"offsets, isolation {level}", answer["topics"][0]["partitions"][0]["error"]
    twice = [{"name": it, "partitions": [part]} for it in (topic, "unknown-topic", topic)]
    answer = cluster.call(LIST_OFFSETS_5, replica=-1, isolation=0, topics=twice)
    yield "offsets, a topic twice", sorted(part["error"] for it in answer["topics"] for part in it["partitions"])
    yield "fetch, an empty name", fetch_4(cluster, "")
    for name, level, offset in (("uncommitted", 0, 0), ("committed", 1, 0), ("uncommitted, out of range", 0, 9)):
        part = {"index": 0, "offset": offset, "max_bytes": 1000}
        values = {"replica": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1000, "isolation": level}
        answer = cluster.call(FETCH_4, topics=[{"name": topic, "partitions": [part]}], **values)
        yield f"aborted transactions, {name}", answer["topics"][0]["partitions"][0]["aborted"]


@case
def topics_at_once(cluster):
    def ask(*names, partitions=1, **more):
        topics = [
            {"name": name, "partitions": partitions, "replication": 1, "assignments": [], "configs": []} for name in names
        ]
        answer = cluster.call(CREATE_TOPICS_7, topics=topics, timeout_ms=10000, validate=more.get("validate", False))
        return [[it["error"], it["message"] is None, it["partitions"], it["id"] == ZERO] for it in answer["topics"]]

    yield "one", ask("at.once")
    yield "one that collides", ask("at_once")[0][0]
    yield "two that collide", ask("at.the.same", "at_the_same")
    yield "too many partitions together", ask("many-1", "many-2", partitions=6000, validate=True)
    yield "too many partitions", ask("many-1", partitions=2147483647, validate=True)
    for name in ("__cluster_metadata", "at-once", "at_once"):
        for _ in range(20):  # Kafka makes what it can later than it answers
            error = cluster.call(METADATA_4, topics=[name], create=True)["topics"][0]["error"]
            if error == 0:
                break
            time.sleep(0.05)
        yield f"made on request, {name}", error
    both, other = cluster.topic(), cluster.topic()
    ids = {name: cluster.id_of(name) for name in (both, other)}
    topics = [{"name": both, "id": ZERO}, {"name": None, "id": ids[both]}, {"name": None, "id": ids[other]}]
    answer = cluster.call(DELETE_TOPICS_6, topics=topics, timeout_ms=5000)
    yield "deleted by name and by id", sorted([it["name"] == both, it["error"]] for it in answer["topics"])
    time.sleep(0.2)
    yield "what is left", [
        cluster.call(METADATA_4, topics=[name], create=False)["topics"][0]["error"] for name in (both, other)
    ]


@case
def produce_with_no_time(cluster):
    topic = cluster.topic()
    for timeout_ms in (0, -1):
        topics = [{"name": topic, "partitions": [{"index": 0, "records": batch([record(0)])}]}]
        answer = cluster.call(PRODUCE_7, transactional_id=None, acks=-1, timeout_ms=timeout_ms, topics=topics)
        it = answer["topics"][0]["partitions"][0]
        yield f"{timeout_ms} ms", [it["error"], it["base_offset"]]
