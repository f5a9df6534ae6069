"""kafka-python, both as of 2020 and as of now: ADDRESS suite | write TOPIC CODEC | read TOPIC COUNT."""

import logging
import multiprocessing
import os
import sys
import threading
import time

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata
from kafka import errors

import checks
from checks import equal, eventually, fails, fresh

logging.disable(logging.CRITICAL)
ADDRESS = sys.argv[1]
NEW = not kafka.__version__.startswith("2.0.")
CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
# Not shorter: kafka-python 3.0.12 rejoins when the metadata of its topic arrives, about 100 ms after
# it subscribed. Where the poll ends before that rejoin does, its assignment is never looked at.
POLL_MS = 1000


def producer(**settings):
    return KafkaProducer(bootstrap_servers=ADDRESS, **settings)


def consumer(*topics, **settings):
    settings = {
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "consumer_timeout_ms": 20000,
        **settings,
    }
    return KafkaConsumer(*topics, bootstrap_servers=ADDRESS, **settings)


def admin():
    return KafkaAdminClient(bootstrap_servers=ADDRESS)


def new_topic(prefix, partitions=1, **configs):
    name = fresh(prefix)
    configs = {key.replace("_", "."): value for key, value in configs.items()}
    admin().create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
    return name


def committed(offset, metadata=""):
    """What is committed: newer versions ask for a leader epoch, too."""
    return OffsetAndMetadata(offset, metadata, -1) if NEW else OffsetAndMetadata(offset, metadata)


def take(reader, count):
    """So many records, and no more."""
    records = []
    deadline = time.monotonic() + 20
    while len(records) < count and time.monotonic() < deadline:
        for batch in reader.poll(timeout_ms=200).values():
            records.extend(batch)
    equal(count, len(records), "records read")
    return records


def write(topic, values, **settings):
    writer = producer(**settings)
    futures = [writer.send(topic, value, key=b"k", partition=0) for value in values]
    writer.flush()
    written = [future.get(20) for future in futures]
    writer.close()
    return written


def read(topic, count, **settings):
    reader = consumer(topic, **settings)
    records = take(reader, count)
    reader.close()
    return records


def test_codecs():
    """records by every codec"""
    for codec in CODECS:
        topic = new_topic("codec")
        values = [f"value {i} ".encode() * (1 + i % 30) for i in range(300)]
        written = write(topic, values, compression_type=codec, linger_ms=20)
        equal(list(range(300)), [metadata.offset for metadata in written], f"offsets by {codec}")
        equal(values, [record.value for record in read(topic, 300)], f"values by {codec}")


def test_acks():
    """acks of 0, 1 and all"""
    for acks in (0, 1, "all"):
        topic = new_topic("acks")
        settings = {"enable_idempotence": False} if NEW else {}
        write(topic, [b"v%d" % i for i in range(30)], acks=acks, **settings)
        equal(b"v29", read(topic, 30)[29].value, f"the last value by {acks}")


def test_headers():
    """headers, timestamps and what is null"""
    topic = new_topic("headers")
    writer = producer()
    writer.send(topic, None, key=b"k", headers=[("a", b"1"), ("a", b"2")], timestamp_ms=int(time.time()) * 1000)
    writer.send(topic, b"v", headers=[("b", b"")])
    writer.flush()
    first, second = read(topic, 2)
    equal([("a", b"1"), ("a", b"2")], list(first.headers), "headers")
    equal((None, 0), (first.value, first.timestamp % 1000), "value and timestamp")
    equal((None, [("b", b"")]), (second.key, list(second.headers)), "key and headers")


def test_idempotent():
    """an idempotent producer"""
    topic = new_topic("idempotent")
    values = [b"v%d" % i for i in range(3000)]
    write(topic, values, enable_idempotence=True, batch_size=300)
    equal(values, [record.value for record in read(topic, 3000)], "values")


def test_too_large():
    """a record that is too large is refused"""
    topic = new_topic("too-large", max_message_bytes="2000")
    equal(0, write(topic, [b"x" * 1000])[0].offset, "offset")
    fails(errors.MessageSizeTooLargeError, lambda: write(topic, [b"x" * 5000]))


def test_positions():
    """seeking, ends and offsets for times"""
    topic = new_topic("positions")
    partition = TopicPartition(topic, 0)
    write(topic, [b"v%d" % i for i in range(50)])
    reader = consumer()
    reader.assign([partition])
    reader.seek(partition, 33)
    equal(b"v33", next(reader).value, "value")
    equal({partition: 0}, reader.beginning_offsets([partition]), "beginning")
    equal({partition: 50}, reader.end_offsets([partition]), "end")
    equal(0, reader.offsets_for_times({partition: 1000})[partition].offset, "offset for a time")
    equal(None, reader.offsets_for_times({partition: int(time.time() * 1000) + 100000})[partition], "no offset")
    reader.seek_to_end(partition)
    equal(50, reader.position(partition), "position")
    reader.seek(partition, 1000)
    equal(b"v0", next(reader).value, "value after a reset")
    reader.close()


def test_group_commits():
    """a group commits and resumes"""
    topic, group = new_topic("resumed"), fresh("group")
    partition = TopicPartition(topic, 0)
    write(topic, [b"v%d" % i for i in range(10)])
    first = consumer(topic, group_id=group, max_poll_records=4)
    take(first, 4)
    first.commit()
    equal(4, first.committed(partition), "committed")
    first.commit({partition: committed(5, "a note")})
    first.close()
    second = consumer(topic, group_id=group)
    equal(b"v5", take(second, 5)[0].value, "the first value after the commit")
    second.close()


class Member(threading.Thread):
    """A member of a group that polls in a thread of its own."""

    def __init__(self, group, topic):
        super().__init__(daemon=True)
        self.reader = consumer(topic, group_id=group, session_timeout_ms=6000, heartbeat_interval_ms=300)
        self.assigned, self.ending = frozenset(), False
        self.start()

    def run(self):
        while not self.ending:
            self.reader.poll(timeout_ms=POLL_MS)
            self.assigned = frozenset(self.reader.assignment())
        self.reader.close()

    def end(self):
        self.ending = True
        self.join()


def be_member(group, topic):
    reader = consumer(topic, group_id=group, session_timeout_ms=6000, heartbeat_interval_ms=300)
    while True:
        reader.poll(timeout_ms=POLL_MS)


def test_group_members():
    """members join, leave and are killed"""
    topic, group = new_topic("shared", 4), fresh("group")
    first = Member(group, topic)
    eventually("the first has all", lambda: len(first.assigned) == 4)
    second = Member(group, topic)
    eventually("both have two", lambda: len(first.assigned) == 2 and len(second.assigned) == 2)
    equal(4, len(first.assigned | second.assigned), "partitions")
    second.end()
    eventually("the first has all again", lambda: len(first.assigned) == 4)
    process = multiprocessing.get_context("fork").Process(target=be_member, args=(group, topic), daemon=True)
    process.start()
    eventually("the process has two", lambda: len(first.assigned) == 2)
    process.kill()
    process.join()
    eventually("the first has all at last", lambda: len(first.assigned) == 4)
    first.end()


def test_topics():
    """topics are created, listed, described and deleted"""
    name = new_topic("made", 3)
    client = admin()
    eventually("it is listed", lambda: name in client.list_topics())
    equal(3, len(client.describe_topics([name])[0]["partitions"]), "partitions")
    partitions = {name: NewPartitions(5)}
    client.create_partitions(partitions)
    eventually("it has grown", lambda: len(client.describe_topics([name])[0]["partitions"]) == 5)
    fails(errors.TopicAlreadyExistsError, lambda: client.create_topics([NewTopic(name, 1, 1)]))
    client.delete_topics([name])
    eventually("it is gone", lambda: name not in client.list_topics())
    if not NEW:
        fails(errors.UnknownTopicOrPartitionError, lambda: client.delete_topics([name]))


def test_configs():
    """configs are described"""
    name = new_topic("configured", retention_ms="123456")
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    described = str(admin().describe_configs([resource]))
    if "123456" not in described:
        raise AssertionError(described[:300])


def test_groups():
    """groups are listed and described, and their offsets"""
    topic, group = new_topic("described"), fresh("group")
    write(topic, [b"v"])
    member = Member(group, topic)
    eventually("an assignment", lambda: len(member.assigned) == 1)
    client = admin()
    listed = client.list_groups() if NEW else client.list_consumer_groups()
    if group not in str(listed):
        raise AssertionError(f"not listed: {listed}"[:300])
    described = str(client.describe_groups([group]) if NEW else client.describe_consumer_groups([group]))
    for part in ("Stable", "range", topic):
        if part not in described:
            raise AssertionError(f"{part} is not in {described}"[:500])
    member.end()
    reader = consumer(group_id=group)
    partition = TopicPartition(topic, 0)
    reader.assign([partition])
    reader.commit({partition: committed(1)})
    reader.close()
    offsets = client.list_group_offsets(group) if NEW else client.list_consumer_group_offsets(group)
    if topic not in str(offsets) or "offset=1" not in str(offsets):
        raise AssertionError(f"offsets: {offsets}"[:300])
    deleted = str(client.delete_groups([group]) if NEW else client.delete_consumer_groups([group]))
    listed = client.list_groups() if NEW else client.list_consumer_groups()
    if group in str(listed):
        raise AssertionError(f"still listed after {deleted}"[:300])


def test_pattern():
    """a topic by pattern"""
    topic = new_topic("pattern")
    write(topic, [b"v"])
    reader = consumer(group_id=fresh("group"))
    reader.subscribe(pattern=f"^{topic}$")
    equal(topic, take(reader, 1)[0].topic, "topic")
    reader.close()


def write_lines(topic, codec):
    writer = producer(compression_type=None if codec == "none" else codec, linger_ms=50)
    futures = [
        writer.send(topic, value, key=key, headers=headers, partition=0) for headers, key, value in checks.lines_in()
    ]
    writer.flush()
    for future in futures:
        future.get(20)


def read_lines(topic, count):
    reader = consumer()
    reader.assign([TopicPartition(topic, 0)])
    for record in take(reader, count):
        checks.line_out(record.headers, record.key, record.value)
    reader.close()


if __name__ == "__main__":
    if sys.argv[2] == "write":
        write_lines(sys.argv[3], sys.argv[4])
    elif sys.argv[2] == "read":
        read_lines(sys.argv[3], int(sys.argv[4]))
    else:
        tests = [test for name, test in list(globals().items()) if name.startswith("test_")]
        if not NEW:
            tests.remove(test_idempotent)  # it came later
        checks.run(tests)
        sys.stdout.flush()
        os._exit(0)
