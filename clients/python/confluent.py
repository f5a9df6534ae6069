"""confluent-kafka (librdkafka): ADDRESS suite | write TOPIC CODEC | read TOPIC COUNT."""

import functools
import multiprocessing
import sys
import threading
import time

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

import checks
from checks import equal, eventually, fails, fresh

ADDRESS = sys.argv[1]
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def producer(**settings):
    return Producer({"bootstrap.servers": ADDRESS, **dotted(settings)})


def consumer(**settings):
    return Consumer(
        {
            "bootstrap.servers": ADDRESS,
            "group.id": fresh("group"),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            **dotted(settings),
        }
    )


@functools.cache
def admin():
    """The admin client, kept: one that is dropped forgets what it was asked."""
    return AdminClient({"bootstrap.servers": ADDRESS})


def dotted(settings):
    return {key.replace("_", "."): value for key, value in settings.items()}


def result(futures):
    """The only result of a request about one thing."""
    (future,) = futures.values()
    return future.result(20)


def new_topic(prefix, partitions=1, **configs):
    name = fresh(prefix)
    result(admin().create_topics([NewTopic(name, partitions, 1, config=dotted(configs))]))
    return name


def write(topic, values, **settings):
    """Writes values to partition 0 and gives their offsets."""
    offsets = []

    def delivered(error, message):
        offsets.append(error if error else message.offset())

    writer = producer(**settings)
    for value in values:
        writer.produce(topic, value, b"k", 0, on_delivery=delivered)
        writer.poll(0)
    writer.flush(30)
    return offsets


def take(reader, count):
    """So many records, and no more."""
    messages = []
    deadline = time.monotonic() + 20
    while len(messages) < count and time.monotonic() < deadline:
        for message in reader.consume(500, 0.2):
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
    equal(count, len(messages), "records read")
    return messages


def read(topic, count, **settings):
    reader = consumer(**settings)
    reader.assign([TopicPartition(topic, 0, 0)])
    messages = take(reader, count)
    reader.close()
    return messages


def test_codecs():
    """records by every codec"""
    for codec in CODECS:
        topic = new_topic("codec")
        values = [f"value {i} ".encode() * (1 + i % 30) for i in range(300)]
        equal(list(range(300)), write(topic, values, compression_type=codec, linger_ms=20), f"offsets by {codec}")
        equal(values, [message.value() for message in read(topic, 300)], f"values by {codec}")


def test_acks():
    """acks of 0, 1 and all"""
    for acks in (0, 1, "all"):
        topic = new_topic("acks")
        write(topic, [b"v%d" % i for i in range(30)], acks=acks)
        equal(b"v29", read(topic, 30)[29].value(), f"the last value by {acks}")


def test_idempotent():
    """an idempotent producer with five requests in flight"""
    topic = new_topic("idempotent")
    values = [b"v%d" % i for i in range(5000)]
    offsets = write(topic, values, enable_idempotence=True, batch_num_messages=20, linger_ms=0)
    equal(list(range(5000)), offsets, "offsets")
    equal(values, [message.value() for message in read(topic, 5000)], "values")


def test_headers():
    """headers, timestamps and what is null"""
    topic = new_topic("headers")
    writer = producer()
    writer.produce(topic, None, b"k", headers=[("a", b"1"), ("a", None)], timestamp=int(time.time()) * 1000)
    writer.produce(topic, b"", None)
    writer.flush(20)
    first, second = read(topic, 2)
    equal([("a", b"1"), ("a", None)], first.headers(), "headers")
    equal((None, 0), (first.value(), first.timestamp()[1] % 1000), "value and timestamp")
    equal((None, b""), (second.key(), second.value()), "key and value")


def test_too_large():
    """a record that is too large is refused"""
    topic = new_topic("too-large", max_message_bytes="2000")
    (offset,) = write(topic, [b"x" * 5000])
    equal(KafkaError.MSG_SIZE_TOO_LARGE, offset.code(), "error")


def test_positions():
    """seeking, watermarks and offsets for times"""
    topic = new_topic("positions")
    write(topic, [b"v%d" % i for i in range(50)])
    reader = consumer()
    reader.assign([TopicPartition(topic, 0, 33)])
    equal(b"v33", take_first(reader).value(), "value")
    equal((0, 50), reader.get_watermark_offsets(TopicPartition(topic, 0)), "watermarks")
    equal(0, reader.offsets_for_times([TopicPartition(topic, 0, 1000)])[0].offset, "offset for a time")
    later = int(time.time() * 1000) + 100000
    equal(-1, reader.offsets_for_times([TopicPartition(topic, 0, later)])[0].offset, "no offset")
    reader.seek(TopicPartition(topic, 0, 1000))
    equal(b"v0", take_first(reader).value(), "value after a reset")
    reader.close()


def take_first(reader):
    message = reader.poll(20)
    if message is None or message.error():
        raise AssertionError(f"no record: {message and message.error()}")
    return message


def test_resumes():
    """a group commits and resumes"""
    topic, group = new_topic("resumed"), fresh("group")
    write(topic, [b"v%d" % i for i in range(10)])
    first = consumer(group_id=group)
    first.subscribe([topic])
    for _ in range(4):
        message = take_first(first)
    first.commit(message, asynchronous=False)
    note = TopicPartition(topic, 0, 5, "a note")
    first.commit(offsets=[note], asynchronous=False)
    (back,) = first.committed([TopicPartition(topic, 0)], 20)
    equal((5, "a note"), (back.offset, back.metadata), "committed")
    first.close()
    second = consumer(group_id=group)
    second.subscribe([topic])
    equal(b"v5", take(second, 5)[0].value(), "the first value after the commit")
    second.close()


class Member(threading.Thread):
    """A member of a group that polls in a thread of its own."""

    def __init__(self, group, topic, **settings):
        super().__init__(daemon=True)
        settings = {"session_timeout_ms": 6000, "heartbeat_interval_ms": 300, **settings}
        self.reader = consumer(group_id=group, **settings)
        self.reader.subscribe([topic])
        self.assigned, self.ending = frozenset(), False
        self.start()

    def run(self):
        while not self.ending:
            self.reader.poll(0.1)
            self.assigned = frozenset((part.topic, part.partition) for part in self.reader.assignment())
        self.reader.close()

    def end(self):
        self.ending = True
        self.join()


def be_member(group, topic):
    reader = consumer(group_id=group, session_timeout_ms=6000, heartbeat_interval_ms=300)
    reader.subscribe([topic])
    while True:
        reader.poll(0.1)


def members(**settings):
    topic, group = new_topic("shared", 4), fresh("group")
    first = Member(group, topic, **settings)
    eventually("the first has all", lambda: len(first.assigned) == 4)
    second = Member(group, topic, **settings)
    eventually("both have two", lambda: len(first.assigned) == 2 and len(second.assigned) == 2)
    equal(4, len(first.assigned | second.assigned), "partitions")
    second.end()
    eventually("the first has all again", lambda: len(first.assigned) == 4)
    return group, topic, first


def test_eager_members():
    """members join, leave and are killed, assigned by range"""
    group, topic, first = members()
    process = multiprocessing.get_context("spawn").Process(target=be_member, args=(group, topic), daemon=True)
    process.start()
    eventually("the process has two", lambda: len(first.assigned) == 2)
    process.kill()
    process.join()
    eventually("the first has all at last", lambda: len(first.assigned) == 4)
    first.end()


def test_cooperative_members():
    """members join and leave, assigned cooperatively"""
    _, _, first = members(partition_assignment_strategy="cooperative-sticky")
    first.end()


def test_static_member():
    """a static member returns without a rebalance"""
    topic, group = new_topic("static", 2), fresh("group")
    settings = {"session_timeout_ms": 20000}
    first = Member(group, topic, group_instance_id="one", **settings)
    second = Member(group, topic, group_instance_id="two", **settings)
    eventually("one each", lambda: len(first.assigned) == 1 and len(second.assigned) == 1)
    before = second.assigned
    second.end()
    again = Member(group, topic, group_instance_id="two", **settings)
    eventually("the same one", lambda: again.assigned == before)
    equal(1, len(first.assigned), "partitions of the other")
    again.end()
    first.end()


def test_topics():
    """topics are created, described, grown and deleted"""
    name = new_topic("made", 3)
    client = admin()
    eventually("it is listed", lambda: name in client.list_topics(timeout=10).topics)
    equal(3, len(client.list_topics(name, timeout=10).topics[name].partitions), "partitions")
    result(client.create_partitions([NewPartitions(name, 5)]))
    eventually("it has grown", lambda: len(client.list_topics(name, timeout=10).topics[name].partitions) == 5)
    again = fails(KafkaException, lambda: result(client.create_topics([NewTopic(name, 1, 1)])))
    equal(KafkaError.TOPIC_ALREADY_EXISTS, again.args[0].code(), "error")
    result(client.delete_topics([name]))
    eventually("it is gone", lambda: name not in client.list_topics(timeout=10).topics)
    equal(1, len(client.describe_cluster().result(20).nodes), "brokers")


def test_configs():
    """configs are altered and described"""
    name = new_topic("configured", retention_ms="123456")
    client = admin()
    resource = ConfigResource("topic", name)
    equal("123456", result(client.describe_configs([resource]))["retention.ms"].value, "retention.ms")
    entry = ConfigEntry("retention.ms", "654321", incremental_operation=AlterConfigOpType.SET)
    altered = ConfigResource("topic", name, incremental_configs=[entry])
    result(client.incremental_alter_configs([altered]))
    eventually(
        "the new value", lambda: result(client.describe_configs([resource]))["retention.ms"].value == "654321"
    )


def test_offsets():
    """offsets are listed and records deleted"""
    topic = new_topic("offsets")
    write(topic, [b"v%d" % i for i in range(10)])
    client, partition = admin(), TopicPartition(topic, 0)
    for spec, expected in ((OffsetSpec.latest(), 10), (OffsetSpec.earliest(), 0), (OffsetSpec.max_timestamp(), None)):
        offset = result(client.list_offsets({partition: spec})).offset
        if expected is not None:
            equal(expected, offset, "offset")
    deleted = result(client.delete_records([TopicPartition(topic, 0, 4)]))
    equal(4, deleted.low_watermark, "low watermark")
    equal(b"v4", read(topic, 6)[0].value(), "the first value")


def test_groups():
    """groups are listed, described, altered and deleted"""
    topic, group = new_topic("described"), fresh("group")
    write(topic, [b"v"])
    member = Member(group, topic)
    eventually("an assignment", lambda: len(member.assigned) == 1)
    client = admin()
    listed = client.list_consumer_groups().result(20).valid
    equal(["STABLE"], [it.state.name for it in listed if it.group_id == group], "listed")
    described = result(client.describe_consumer_groups([group]))
    equal(("range", 1), (described.partition_assignor, len(described.members)), "described")
    member.end()
    offsets = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 1)])
    result(client.alter_consumer_group_offsets([offsets]))
    (offset,) = result(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])).topic_partitions
    equal(1, offset.offset, "committed")
    result(client.delete_consumer_groups([group]))
    listed = client.list_consumer_groups().result(20).valid
    equal([], [it for it in listed if it.group_id == group], "listed after the deletion")


def write_lines(topic, codec):
    failures = []
    writer = producer(compression_type=codec, linger_ms=50)
    for headers, key, value in checks.lines_in():
        report = lambda error, _: failures.append(error) if error else None  # noqa: E731
        writer.produce(topic, value, key, 0, headers=headers, on_delivery=report)
    writer.flush(30)
    if failures:
        sys.exit(str(failures[0]))


def read_lines(topic, count):
    for message in read(topic, count):
        checks.line_out(message.headers(), message.key(), message.value())


if __name__ == "__main__":
    if sys.argv[2] == "write":
        write_lines(sys.argv[3], sys.argv[4])
    elif sys.argv[2] == "read":
        read_lines(sys.argv[3], int(sys.argv[4]))
    else:
        checks.run([test for name, test in list(globals().items()) if name.startswith("test_")])
