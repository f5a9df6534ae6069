"""Produce: batches of every wrong kind."""

import gzip
import struct
import time
import zlib

from apis import (
    DELETE_RECORDS_1, FETCH_4, INIT_PRODUCER_ID_1, LIST_OFFSETS_7, PRODUCE_3, PRODUCE_7, PRODUCE_9, PRODUCE_13,
)
from batch import NOW, batch, old_message, record, sized, varint
from cluster import ZERO, case

COORDINATOR_LOAD_IN_PROGRESS = 14
DAY = 86_400_000


@case
def produce_good(cluster):
    topic = cluster.topic()
    yield "one record", cluster.produce(topic, batch())
    yield "three records", cluster.produce(topic, batch([record(0), record(1), record(2)]))
    yield "acks of all", cluster.produce(topic, batch(), acks=-1)
    yield "by version 3", cluster.produce(topic, batch(), api=PRODUCE_3)
    yield "by version 9", cluster.produce(topic, batch(), api=PRODUCE_9)
    yield "a base offset of the client's own", cluster.produce(topic, batch(base_offset=77))
    yield "a leader epoch of the client's own", cluster.produce(topic, batch(leader_epoch=5))
    yield "no key and no value", cluster.produce(topic, batch([record(0, None, None)]))
    header = varint(1) + sized(b"h") + sized(None)
    yield "a header without a value", cluster.produce(topic, batch([record(0, headers=header)]))


@case
def produce_header(cluster):
    topic = cluster.topic()
    for name, fields in {
        "wrong crc": {"crc_flip": 1},
        "magic 0": {"magic": 0},
        "magic 1": {"magic": 1},
        "magic 3": {"magic": 3},
        "magic -1": {"magic": -1},
        "control bit": {"attributes": 32},
        "transactional without a producer": {"attributes": 16},
        "append time by the client": {"attributes": 8},
        "delete horizon by the client": {"attributes": 64},
        "unknown attribute": {"attributes": 128},
        "count too large": {"count": 2},
        "count too large with its delta": {"count": 2, "last_delta": 1},
        "count of zero": {"count": 0},
        "negative count": {"count": -1},
        "huge count": {"count": 0x7FFFFFFF, "last_delta": 0x7FFFFFFE},
        "last delta too large": {"last_delta": 5},
        "negative last delta": {"last_delta": -1},
        "base timestamp of none": {"base_timestamp": -1, "max_timestamp": -1},
        "negative base timestamp": {"base_timestamp": -5, "max_timestamp": -5},
        "max timestamp that is not so": {"max_timestamp": NOW + 5},
        "base timestamp far in the future": {"base_timestamp": NOW + 2 * DAY, "max_timestamp": NOW + 2 * DAY},
        "sequence without a producer": {"sequence": 3},
        "producer without a sequence": {"producer": 1000, "epoch": 0},
        "producer without an epoch": {"producer": 1000, "sequence": 0},
        "negative producer": {"producer": -7, "epoch": 0, "sequence": 0},
    }.items():
        yield name, cluster.verdict(topic, batch(**fields))
    yield "the next good one", cluster.verdict(topic, batch())


@case
def produce_lengths(cluster):
    topic = cluster.topic()
    good = batch()
    for name, data in {
        "null": None,
        "empty": b"",
        "one byte": b"x",
        "sixty bytes": good[:60],
        "sixty-one bytes": good[:61],
        "all but the last byte": good[:-1],
        "a byte behind it": good + b"\0",
        "zeros": bytes(100),
        "two batches": good + good,
        "length too large": batch(length=1000),
        "length too small": batch(length=50),
        "length of zero": batch(length=0),
        "negative length": batch(length=-5),
        "huge length": batch(length=0x7FFFFFFF),
        "length less by one": batch(length=len(good) - 13),
        "a message of magic 0": old_message(0),
        "a message of magic 1": old_message(1),
    }.items():
        yield name, cluster.verdict(topic, data)
    yield "the next good one", cluster.verdict(topic, batch())


@case
def produce_records(cluster):
    topic = cluster.topic()
    for name, data in {
        "offset deltas with a gap": batch([record(0), record(2)], last_delta=2),
        "offset deltas with a gap and a count": batch([record(0), record(2)]),
        "offset deltas that repeat": batch([record(0), record(0)]),
        "offset deltas backwards": batch([record(1), record(0)]),
        "negative offset delta": batch([record(-1)]),
        "record length too large": batch([record(0, length=100)]),
        "record length too small": batch([record(0, length=3)]),
        "record length of zero": batch([record(0, length=0)]),
        "negative record length": batch([record(0, length=-1)]),
        "huge record length": batch([record(0, length=0x7FFFFFFF)]),
        "key beyond the record": batch(payload=varint(8) + b"\0" + varint(0) * 2 + varint(100) + b"abcd"),
        "negative key length": batch(payload=varint(7) + b"\0" + varint(0) * 2 + varint(-2) + b"\x01\x01\0"),
        "negative header count": batch([record(0, headers=varint(-1))]),
        "huge header count": batch([record(0, headers=varint(0x7FFFFFFF))]),
        "header without a key": batch([record(0, headers=varint(1) + varint(-1) + sized(b"v"))]),
        "header key that is not text": batch([record(0, headers=varint(1) + sized(b"\xff\xfe") + sized(b"v"))]),
        "varint without an end": batch(payload=b"\xff" * 20),
        "varint with superfluous bytes": batch(payload=b"\x90\x80\0" + record(0)[1:]),
        "bytes behind the records": batch(payload=record(0) + b"junk"),
        "a record attribute": batch([record(0, attributes=1)]),
        "timestamp delta to the future": batch([record(0, timestamp=2 * DAY)], max_timestamp=NOW + 2 * DAY),
        "no payload": batch(payload=b""),
    }.items():
        yield name, cluster.verdict(topic, data)
    yield "the next good one", cluster.verdict(topic, batch())


@case
def produce_compressed(cluster):
    topic = cluster.topic()
    good = gzip.compress(record(0) + record(1))
    two = {"attributes": 1, "count": 2, "last_delta": 1}
    for name, data in {
        "gzip": batch(payload=good, **two),
        "gzip that is cut": batch(payload=good[:-9], **two),
        "gzip with bytes behind it": batch(payload=good + b"junk", **two),
        "gzip with fewer records": batch(payload=good, attributes=1, count=3, last_delta=2),
        "gzip with more records": batch(payload=good, attributes=1, count=1, last_delta=0),
        "gzip of a record that is cut": batch(payload=gzip.compress(record(0)[:-1]), attributes=1),
        "gzip of a gap": batch(payload=gzip.compress(record(0) + record(2)), attributes=1, count=2, last_delta=1),
        "gzip of nothing": batch(payload=gzip.compress(b""), attributes=1),
        "zlib instead of gzip": batch(payload=zlib.compress(record(0)), attributes=1),
        "garbage as gzip": batch(payload=b"garbage" * 9, attributes=1),
        "garbage as snappy": batch(payload=b"garbage" * 9, attributes=2),
        "garbage as lz4": batch(payload=b"garbage" * 9, attributes=3),
        "garbage as zstd": batch(payload=b"garbage" * 9, attributes=4),
        "nothing as gzip": batch(payload=b"", attributes=1),
        "nothing as snappy": batch(payload=b"", attributes=2),
        "nothing as lz4": batch(payload=b"", attributes=3),
        "nothing as zstd": batch(payload=b"", attributes=4),
        "codec 5": batch(attributes=5),
        "codec 6": batch(attributes=6),
        "codec 7": batch(attributes=7),
    }.items():
        yield name, cluster.verdict(topic, data)
    yield "zstd by version 3", cluster.verdict(topic, batch(payload=b"garbage" * 9, attributes=4), api=PRODUCE_3)
    yield "the next good one", cluster.verdict(topic, batch())


@case
def produce_topic_rules(cluster):
    limited = cluster.topic(max_message_bytes="200")
    yield "large enough", cluster.produce(limited, batch([record(0, value=b"x" * 100)]))
    yield "too large", cluster.produce(limited, batch([record(0, value=b"x" * 200)]))
    exact = len(batch([record(0, value=b"x" * 120)]))
    limit = cluster.topic(max_message_bytes=str(exact))
    yield "as large as allowed", cluster.produce(limit, batch([record(0, value=b"x" * 120)]))
    yield "a byte too large", cluster.produce(limit, batch([record(0, value=b"x" * 121)]))
    compacted = cluster.topic(cleanup_policy="compact")
    yield "compacted, with a key", cluster.produce(compacted, batch())
    yield "compacted, without a key", cluster.produce(compacted, batch([record(0, None)]))
    packed = batch(payload=gzip.compress(record(0) + record(1, None)), attributes=1, count=2, last_delta=1)
    yield "compacted, without a key, compressed", cluster.produce(compacted, packed)
    bounded = cluster.topic(message_timestamp_before_max_ms="1000000", message_timestamp_after_max_ms="1000000")
    for name, stamp in {"now": NOW, "too old": NOW - DAY, "too new": NOW + DAY, "none": -1}.items():
        data = batch(base_timestamp=stamp, max_timestamp=stamp)
        yield f"bounded timestamps, {name}", cluster.produce(bounded, data)
    appended = cluster.topic(message_timestamp_type="LogAppendTime")
    yield "append time", cluster.produce(appended, batch(base_timestamp=5, max_timestamp=5))


@case
def produce_before_1970(cluster):
    """Times below 0, alone and beside others, and what the log then has of them."""
    topic = cluster.topic()
    later = [record(0), record(1, timestamp=1_000_000), record(2, timestamp=-4_000)]
    for name, data in {
        "one": batch(base_timestamp=-5_000, max_timestamp=-5_000),
        "one, with a wrong maximum": batch(base_timestamp=-5_000, max_timestamp=7),
        "the least": batch(base_timestamp=-(1 << 63), max_timestamp=-1),
        "the year 1": batch(base_timestamp=-62_135_596_800_000, max_timestamp=-62_135_596_800_000),
        "beside a later one": batch(later, base_timestamp=-5_000, max_timestamp=995_000),
        "gzip": batch(payload=gzip.compress(record(0)), attributes=1, base_timestamp=-5_000, max_timestamp=-5_000),
    }.items():
        answer = cluster.whole_answer(topic, data)
        part = {"index": 0, "offset": answer[1], "max_bytes": 1 << 20}
        values = {"replica": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "isolation": 0}
        stored = cluster.call(FETCH_4, topics=[{"name": topic, "partitions": [part]}], **values)
        stored = stored["topics"][0]["partitions"][0]["records"] or b""
        times = list(struct.unpack(">qq", stored[27:43])) if answer[0] == 0 else None
        yield name, [answer, times]

    def ask(timestamp, name):
        part = {"index": 0, "leader_epoch": -1, "timestamp": timestamp}
        topics = [{"name": name, "partitions": [part]}]
        it = cluster.call(LIST_OFFSETS_7, replica=-1, isolation=0, topics=topics)["topics"][0]["partitions"][0]
        return [it["error"], it["offset"], it["timestamp"]]

    for timestamp in (-62_135_596_800_000, -5_000, -1_000, -7, 0, 995_000, 995_001, -3):
        yield f"the offset at {timestamp}", ask(timestamp, topic)
    only = cluster.topic()
    yield "alone in its log", cluster.produce(only, batch(base_timestamp=-5_000, max_timestamp=-5_000))
    yield "the greatest of none", ask(-3, only)
    compacted = cluster.topic(cleanup_policy="compact")
    yield "compacted", cluster.produce(compacted, batch(base_timestamp=-5_000, max_timestamp=-5_000))
    bounded = cluster.topic(message_timestamp_before_max_ms="1000000")
    yield "bounded", cluster.whole_answer(bounded, batch(later, base_timestamp=NOW - 500_000))
    yield "bounded, before 1970", cluster.whole_answer(bounded, batch(base_timestamp=-5_000, max_timestamp=-5_000))
    appended = cluster.topic(message_timestamp_type="LogAppendTime")
    yield "append time", cluster.whole_answer(appended, batch(base_timestamp=-5_000, max_timestamp=-5_000))
    recompressed = cluster.topic(compression_type="gzip")
    yield "recompressed", cluster.whole_answer(recompressed, batch(base_timestamp=-5_000, max_timestamp=-5_000))


@case
def produce_whole_answers(cluster):
    topic = cluster.topic()
    cluster.fill(topic, 3)
    parts = [{"index": 0, "offset": 2}]
    cluster.call(DELETE_RECORDS_1, topics=[{"name": topic, "partitions": parts}], timeout_ms=10000)
    late = [record(0), record(1, timestamp=2 * DAY), record(2), record(3, timestamp=3 * DAY)]
    producer = {"producer": 900, "epoch": 1}
    for name, data in {
        "good": batch(),
        "empty": b"",
        "two batches": batch() + batch(),
        "magic 1": batch(magic=1),
        "magic 3": batch(magic=3),
        "wrong crc": batch(crc_flip=1),
        "control bit": batch(attributes=32),
        "a base offset that is not 0": batch(base_offset=77),
        "count of zero": batch(count=0),
        "negative header count": batch([record(0, headers=varint(-1))]),
        "bytes behind the records": batch(payload=record(0) + b"junk"),
        "gzip with fewer records": batch(payload=gzip.compress(record(0)), attributes=1, count=2, last_delta=1),
        "garbage as zstd": batch(payload=b"garbage" * 9, attributes=4),
        "two records too new": batch(late, max_timestamp=NOW + 3 * DAY),
        "a producer": batch(sequence=0, **producer),
        "the same again": batch(sequence=0, **producer),
        "a gap": batch(sequence=7, **producer),
        "an older epoch": batch(producer=900, epoch=0, sequence=1),
        "too large": batch([record(0, value=b"x" * 1_048_588)]),
    }.items():
        yield name, cluster.whole_answer(topic, data)
    compacted = cluster.topic(cleanup_policy="compact")
    keyless = [record(0, None), record(1), record(2, None)]
    yield "two records without a key", cluster.whole_answer(compacted, batch(keyless))
    mixed = [record(0, None), record(1, timestamp=2 * DAY), record(2, None, timestamp=2 * DAY)]
    yield "no keys and too new", cluster.whole_answer(compacted, batch(mixed))
    packed = batch(payload=gzip.compress(b"".join(mixed)), attributes=1, count=3, last_delta=2)
    yield "no keys and too new, compressed", cluster.whole_answer(compacted, packed)
    appended = cluster.topic(message_timestamp_type="LogAppendTime")
    yield "append time", cluster.whole_answer(appended, batch(base_timestamp=5, max_timestamp=5))
    yield "append time, acks of all", cluster.whole_answer(appended, batch(), acks=-1)
    yield "append time by the client", cluster.whole_answer(appended, batch([record(0), record(1)], attributes=8))
    yield "a producer at append time", cluster.whole_answer(appended, batch(sequence=0, **producer))
    yield "the same again at append time", cluster.whole_answer(appended, batch(sequence=0, **producer))
    segment = cluster.topic(segment_bytes=str(1 << 20), max_message_bytes=str(4 << 20))
    yield "larger than a segment", cluster.whole_answer(segment, batch([record(0, value=b"x" * (1 << 20))]))


@case
def produce_in_sync(cluster):
    """More replicas in sync are asked for than the topic has."""
    topic = cluster.topic(min_insync_replicas="2")
    for acks in (1, -1):
        yield f"acks of {acks}", cluster.produce(topic, batch(), acks=acks)
    yield "wrong crc", cluster.produce(topic, batch(crc_flip=1), acks=-1)


def stored(cluster, topic):
    """The codec, the records and the max timestamp, counted from now, of each batch that a topic has."""
    part = {"index": 0, "offset": 0, "max_bytes": 1 << 20}
    values = {"replica": -1, "max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 20, "isolation": 0}
    answer = cluster.call(FETCH_4, topics=[{"name": topic, "partitions": [part]}], **values)
    data = answer["topics"][0]["partitions"][0]["records"]
    batches = []
    while data:
        length, = struct.unpack_from(">i", data, 8)
        attributes, = struct.unpack_from(">h", data, 21)
        stamp, = struct.unpack_from(">q", data, 35)
        count, = struct.unpack_from(">i", data, 57)
        batches.append([attributes & 7, count, stamp - NOW])
        data = data[12 + length:]
    return batches


@case
def produce_recompressed(cluster):
    two = [record(0, timestamp=3), record(1, timestamp=5)]
    packed = batch(payload=gzip.compress(b"".join(two)), attributes=1, count=2, last_delta=1, max_timestamp=NOW + 5)
    plain = batch(two, max_timestamp=NOW + 5)
    for kind in ("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"):
        topic = cluster.topic(compression_type=kind)
        for name, data in {"plain": plain, "gzip": packed, "from a producer": batch(producer=77, epoch=0, sequence=0)}.items():
            yield f"{name} for {kind}", cluster.produce(topic, data)
        yield f"what came once more for {kind}", cluster.produce(topic, batch(producer=77, epoch=0, sequence=0))
        yield f"stored for {kind}", stored(cluster, topic)
    value = b"x" * 1000
    small = batch(payload=gzip.compress(record(0, value=value)), attributes=1)
    unpacked = len(batch([record(0, value=value)]))
    for name, limit in {"as large as allowed": unpacked, "a byte too large": unpacked - 1}.items():
        topic = cluster.topic(compression_type="uncompressed", max_message_bytes=str(limit))
        yield f"unpacked it is {name}", cluster.produce(topic, small)
    for name, level in {"gzip": "9", "zstd": "-7", "lz4": "17"}.items():
        topic = cluster.topic(compression_type=name, **{f"compression_{name}_level": level})
        yield f"a level of {name}", [cluster.produce(topic, batch()), stored(cluster, topic)]


@case
def produce_where(cluster):
    topic = cluster.topic()
    yield "unknown topic", cluster.produce("unknown-topic", batch())
    yield "unknown partition", cluster.produce(topic, batch(), partition=1)
    yield "negative partition", cluster.produce(topic, batch(), partition=-1)
    yield "a name that is not allowed", cluster.produce("a b", batch())
    yield "an empty name", cluster.produce("", batch())
    for acks in (2, -2, 32767):
        yield f"acks of {acks}", cluster.produce(topic, batch(), acks=acks)
    for name, uuid in {"an unknown id": b"\x11" * 16, "no id": ZERO, "an id": cluster.id_of(topic)}.items():
        topics = [{"id": uuid, "partitions": [{"index": 0, "records": batch()}]}]
        answer = cluster.call(PRODUCE_13, transactional_id=None, acks=1, timeout_ms=1000, topics=topics)
        yield name, answer if isinstance(answer, str) else answer["topics"][0]["partitions"][0]["error"]
    parts = [{"index": 0, "records": batch()}, {"index": 9, "records": batch()}]
    topics = [{"name": topic, "partitions": parts}, {"name": "unknown-topic", "partitions": parts[:1]}]
    answer = cluster.call(PRODUCE_7, transactional_id=None, acks=1, timeout_ms=1000, topics=topics)
    errors = {(it["name"], part["index"]): part["error"] for it in answer["topics"] for part in it["partitions"]}
    yield "good and bad together", [errors[topic, 0], errors[topic, 9], errors["unknown-topic", 0]]
    transactional = {"index": 0, "records": batch(attributes=16, producer=1000, epoch=0, sequence=0)}
    for name, acks, data in (("bad acks", 5, parts[0]), ("a transactional batch without an id", 1, transactional)):
        topics = [{"name": topic, "partitions": [data, parts[1]]}, {"name": "unknown-topic", "partitions": parts[:1]}]
        answer = cluster.call(PRODUCE_7, transactional_id=None, acks=acks, timeout_ms=1000, topics=topics)
        errors = {(it["name"], part["index"]): part["error"] for it in answer["topics"] for part in it["partitions"]}
        yield f"{name} for all", [errors[topic, 0], errors[topic, 9], errors["unknown-topic", 0]]
    yield "the end after it", cluster.produce(topic, batch())
    answer = cluster.call(PRODUCE_7, transactional_id=None, acks=1, timeout_ms=1000, topics=[])
    yield "nothing", answer["topics"]


@case
def produce_acks_0(cluster):
    """Without acknowledgements an error closes the connection, and nothing else answers."""
    topic = cluster.topic()
    with cluster.connect() as connection:
        connection.socket.settimeout(1)
        for name, target, data in (("good", topic, batch()), ("bad", topic, batch(crc_flip=1))):
            yield name, cluster.produce(target, data, acks=0, connection=connection)
    with cluster.connect() as connection:
        data = batch(attributes=16, producer=1000, epoch=0, sequence=0)
        yield "transactional", cluster.produce(topic, data, acks=0, connection=connection)


@case
def produce_idempotent(cluster):
    topic = cluster.topic()
    new = cluster.call(INIT_PRODUCER_ID_1, transactional_id=None, timeout_ms=0)
    while new["error"] == COORDINATOR_LOAD_IN_PROGRESS:
        time.sleep(0.1)
        new = cluster.call(INIT_PRODUCER_ID_1, transactional_id=None, timeout_ms=0)
    yield "a producer id", [new["error"], new["epoch"]]

    def send(sequence, epoch=0, producer=new["id"], count=1):
        records = [record(i) for i in range(count)]
        return cluster.produce(topic, batch(records, producer=producer, epoch=epoch, sequence=sequence))

    yield "first", send(0)
    yield "again", send(0)
    yield "second", send(1, count=3)
    yield "second again", send(1, count=3)
    yield "second with another count", send(1, count=2)
    yield "a gap", send(9)
    yield "third", send(4)
    for sequence in range(5, 10):
        send(sequence)
    yield "the oldest of the five", send(5)
    yield "one that is forgotten", send(4)
    yield "a new epoch in the midst", send(10, epoch=1)
    yield "a new epoch", send(0, epoch=1)
    yield "the old epoch", send(10)
    yield "an epoch later", send(1, epoch=1)
    yield "a negative sequence", send(-1, epoch=1)
    yield "an unknown producer in the midst", send(5, producer=new["id"] + 5000)
    yield "that producer's next", send(6, producer=new["id"] + 5000)
    yield "another unknown producer", send(0, producer=new["id"] + 5001)
    top = 0x7FFFFFFF
    yield "just before the wrap", send(top - 1, producer=new["id"] + 5002, count=2)
    yield "after the wrap", send(0, producer=new["id"] + 5002)
    yield "across the wrap", send(top, producer=new["id"] + 5003, count=2)
    yield "after having crossed", send(1, producer=new["id"] + 5003)
