"""Fetch, ListOffsets, DeleteRecords and OffsetForLeaderEpoch."""

import time

from apis import (
    DELETE_RECORDS_1, FETCH_4, FETCH_11, FETCH_13, LEADER_EPOCH_3, LIST_OFFSETS_1, LIST_OFFSETS_5, LIST_OFFSETS_7,
)
from batch import NOW, batch, record
from cluster import ZERO, case
from wire import CLOSED, SILENCE


def fetched(answer):
    """The error, the high watermark and the bytes of records of the first partition."""
    it = answer["topics"][0]["partitions"][0]
    return [it["error"], it["high_watermark"], it["stable"], len(it["records"] or b"")]


def fetch_4(cluster, topic, index=0, offset=0, **more):
    part = {"index": index, "offset": offset, "max_bytes": more.pop("part_bytes", 1 << 20)}
    values = {"replica": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "isolation": 0, **more}
    return fetched(cluster.call(FETCH_4, topics=[{"name": topic, "partitions": [part]}], **values))


@case
def fetch_ranges(cluster):
    topic = cluster.topic(partitions=2)
    cluster.fill(topic, 5)
    for name, values in {
        "from the start": {},
        "from the midst": {"offset": 3},
        "from the end": {"offset": 5},
        "beyond the end": {"offset": 6},
        "a negative offset": {"offset": -1},
        "an empty partition": {"index": 1},
        "an unknown partition": {"index": 2},
        "a negative partition": {"index": -1},
        "one byte": {"max_bytes": 1},
        "one byte of the partition": {"part_bytes": 1},
        "no byte of the partition": {"part_bytes": 0},
        "negative bytes of the partition": {"part_bytes": -1},
        "no byte at all": {"max_bytes": 0},
        "two batches' bytes": {"part_bytes": 140},
        "committed only": {"isolation": 1},
        "an unknown isolation": {"isolation": 7},
    }.items():
        yield name, fetch_4(cluster, topic, **values)
    yield "an unknown topic", fetch_4(cluster, "unknown-topic")
    yield "a name that is not allowed", fetch_4(cluster, "a b")
    yield "as an unknown replica", fetch_4(cluster, topic, replica=77)[0]


@case
def fetch_waits(cluster):
    topic = cluster.topic()
    for name, wait, least in (("for no byte", 500, 0), ("for a byte", 500, 1)):
        started = time.monotonic()
        answer = fetch_4(cluster, topic, max_wait_ms=wait, min_bytes=least)
        yield f"{name}, answer", answer
        yield f"{name}, waited", time.monotonic() - started > 0.4
    started = time.monotonic()
    yield "an error is told at once", fetch_4(cluster, topic, offset=9, max_wait_ms=3000, min_bytes=1)
    yield "without waiting", time.monotonic() - started < 2


@case
def fetch_all_partitions_share_the_bytes(cluster):
    topic = cluster.topic(partitions=3)
    for index in range(3):
        assert cluster.produce(topic, batch([record(0, value=b"x" * 1000)]), index)[0] == 0
    parts = [{"index": index, "offset": 0, "max_bytes": 10} for index in range(3)]
    for limit in (1, 1500, 5000):
        answer = cluster.call(
            FETCH_4, replica=-1, max_wait_ms=0, min_bytes=0, max_bytes=limit, isolation=0,
            topics=[{"name": topic, "partitions": parts}],
        )
        yield f"at most {limit} bytes", [
            len(part["records"] or b"") for it in answer["topics"] for part in it["partitions"]
        ]


def fetch_11(connection, session, epoch, topics=(), forgotten=(), **more):
    values = {"replica": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "isolation": 0, "rack": "", **more}
    return connection.call(
        FETCH_11, session=session, epoch=epoch, topics=list(topics), forgotten=list(forgotten), **values
    )


def part_11(index=0, offset=0, leader_epoch=-1):
    return {"index": index, "leader_epoch": leader_epoch, "offset": offset, "log_start": -1, "max_bytes": 1 << 20}


def shown(answer):
    if answer in (CLOSED, SILENCE):
        return answer
    parts = [[part["index"], part["error"], len(part["records"] or b"")]
             for it in answer["topics"] for part in it["partitions"]]
    return [answer["error"], parts]


@case
def fetch_sessions(cluster):
    topic = cluster.topic(partitions=3)
    cluster.fill(topic, 2, 0)
    cluster.fill(topic, 2, 1)
    every = [{"name": topic, "partitions": [part_11(0), part_11(1), part_11(2)]}]
    with cluster.connect() as connection:
        yield "none", shown(fetch_11(connection, 0, -1, every))
        first = fetch_11(connection, 0, 0, every)
        session = first["session"]
        yield "a new one", [shown(first), session > 0]
        yield "the same again", shown(fetch_11(connection, session, 1))
        moved = [{"name": topic, "partitions": [part_11(0, 2), part_11(1, 2)]}]
        yield "moved on", shown(fetch_11(connection, session, 2, moved))
        yield "nothing new", shown(fetch_11(connection, session, 3))
        cluster.fill(topic, 1, 1)
        yield "one new record", shown(fetch_11(connection, session, 4))
        gone = [{"name": topic, "partitions": [1]}]
        yield "one forgotten", shown(fetch_11(connection, session, 5, forgotten=gone))
        yield "a wrong epoch", shown(fetch_11(connection, session, 9))
        yield "an unknown session", shown(fetch_11(connection, session + 1, 1))
        beyond = [{"name": topic, "partitions": [part_11(0, 99)]}]
        yield "an error in it", shown(fetch_11(connection, session, 6, beyond))
        yield "the error again", shown(fetch_11(connection, session, 7))
        unknown = [{"name": "unknown-topic", "partitions": [part_11(0)]}]
        yield "an unknown topic in it", shown(fetch_11(connection, session, 8, unknown))
        yield "closed", fetch_11(connection, session, -1)["session"]
        yield "after that", shown(fetch_11(connection, session, 9))


@case
def fetch_epochs_and_ids(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 1)
    with cluster.connect() as connection:
        for epoch in (0, 1, -1):
            wanted = [{"name": topic, "partitions": [part_11(0, 0, epoch)]}]
            yield f"leader epoch {epoch}", shown(fetch_11(connection, 0, -1, wanted))
    for name, uuid in {"an id": cluster.id_of(topic), "an unknown id": b"\x11" * 16, "no id": ZERO}.items():
        part = {"index": 0, "leader_epoch": -1, "offset": 0, "fetched_epoch": -1, "log_start": -1, "max_bytes": 1000}
        answer = cluster.call(
            FETCH_13, replica=-1, max_wait_ms=0, min_bytes=0, max_bytes=1000, isolation=0, session=0, epoch=-1,
            topics=[{"id": uuid, "partitions": [part]}], forgotten=[], rack="",
        )
        yield name, shown(answer)


@case
def list_offsets(cluster):
    topic = cluster.topic()
    for stamp in (NOW - 1000, NOW, NOW - 500):
        cluster.produce(topic, batch(base_timestamp=stamp, max_timestamp=stamp))

    def ask(api, timestamp, name=topic, index=0, leader_epoch=-1, isolation=0):
        part = {"index": index, "leader_epoch": leader_epoch, "timestamp": timestamp}
        topics = [{"name": name, "partitions": [part]}]
        answer = cluster.call(api, replica=-1, isolation=isolation, topics=topics)
        if answer in (CLOSED, SILENCE):
            return answer
        it = answer["topics"][0]["partitions"][0]
        return [it["error"], it["offset"], it["timestamp"] if it["timestamp"] < 0 else it["timestamp"] - NOW]

    for timestamp in (-1, -2):
        yield f"{timestamp} by version 1", ask(LIST_OFFSETS_1, timestamp)
        yield f"{timestamp} by version 5", ask(LIST_OFFSETS_5, timestamp)
    for timestamp in (-3, -4, -6, -100):
        yield f"{timestamp} by version 5", ask(LIST_OFFSETS_5, timestamp)
    yield "-3 by version 7", ask(LIST_OFFSETS_7, -3)
    for name, timestamp in {"zero": 0, "the second's": NOW, "the third's": NOW - 500, "later": NOW + 1}.items():
        yield name, ask(LIST_OFFSETS_5, timestamp)
    yield "committed only", ask(LIST_OFFSETS_5, -1, isolation=1)
    yield "an unknown partition", ask(LIST_OFFSETS_5, -1, index=1)
    yield "a negative partition", ask(LIST_OFFSETS_5, -1, index=-1)
    yield "an unknown topic", ask(LIST_OFFSETS_5, -1, name="unknown-topic")
    yield "leader epoch 0", ask(LIST_OFFSETS_5, -1, leader_epoch=0)
    yield "leader epoch 5", ask(LIST_OFFSETS_5, -1, leader_epoch=5)


@case
def list_offsets_of_an_empty_partition(cluster):
    topic = cluster.topic()
    for timestamp in (-1, -2, -3, 0):
        topics = [{"name": topic, "partitions": [{"index": 0, "leader_epoch": -1, "timestamp": timestamp}]}]
        it = cluster.call(LIST_OFFSETS_7, replica=-1, isolation=0, topics=topics)["topics"][0]["partitions"][0]
        yield str(timestamp), [it["error"], it["offset"], it["timestamp"], it["leader_epoch"]]


@case
def list_offsets_asks_twice(cluster):
    topic = cluster.topic()
    part = {"index": 0, "leader_epoch": -1, "timestamp": -1}
    answer = cluster.call(LIST_OFFSETS_5, replica=-1, isolation=0, topics=[{"name": topic, "partitions": [part, part]}])
    yield "errors", [it["error"] for it in answer["topics"][0]["partitions"]]


@case
def delete_records(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 10)
    compacted = cluster.topic(cleanup_policy="compact")

    def ask(offset, name=topic, index=0):
        topics = [{"name": name, "partitions": [{"index": index, "offset": offset}]}]
        it = cluster.call(DELETE_RECORDS_1, topics=topics, timeout_ms=5000)["topics"][0]["partitions"][0]
        return [it["error"], it["low_watermark"]]

    for name, values in {
        "some": {"offset": 4},
        "fewer": {"offset": 2},
        "beyond the end": {"offset": 11},
        "a negative offset": {"offset": -2},
        "an unknown partition": {"offset": 0, "index": 1},
        "an unknown topic": {"offset": 0, "name": "unknown-topic"},
        "a compacted topic": {"offset": 0, "name": compacted},
        "all": {"offset": -1},
    }.items():
        yield name, ask(**values)
    for offset in (3, 10):
        yield f"a fetch from {offset} after it", fetch_4(cluster, topic, offset=offset)


@case
def offset_for_leader_epoch(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 3)
    for name, (where, index, current, epoch) in {
        "the epoch": (topic, 0, -1, 0),
        "a later epoch": (topic, 0, -1, 1),
        "a negative epoch": (topic, 0, -1, -1),
        "the current epoch told": (topic, 0, 0, 0),
        "a wrong current epoch told": (topic, 0, 3, 0),
        "an unknown partition": (topic, 1, -1, 0),
        "an unknown topic": ("unknown-topic", 0, -1, 0),
    }.items():
        topics = [{"name": where, "partitions": [{"index": index, "current": current, "epoch": epoch}]}]
        it = cluster.call(LEADER_EPOCH_3, replica=-2, topics=topics)["topics"][0]["partitions"][0]
        yield name, [it["error"], it["epoch"], it["end"]]
