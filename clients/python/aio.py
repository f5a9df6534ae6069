"""aiokafka: ADDRESS suite."""

import asyncio
import contextlib
import logging
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

import checks
from checks import equal, fresh

logging.disable(logging.CRITICAL)
ADDRESS = sys.argv[1]
CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
COUNT = 100
TESTS = []


def test(body):
    """A test that may wait, as one that does not."""

    def runs():
        asyncio.run(asyncio.wait_for(body(), 60))

    runs.__doc__ = body.__doc__
    TESTS.append(runs)


async def eventually(what, condition, limit_s=20):
    deadline = asyncio.get_running_loop().time() + limit_s
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def administrator():
    admin = AIOKafkaAdminClient(bootstrap_servers=ADDRESS)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def new_topic(prefix, partitions=1, **configs):
    name = fresh(prefix)
    configs = {key.replace("_", "."): value for key, value in configs.items()}
    async with administrator() as admin:
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=configs)])
    return name


async def write(topic, values, **settings):
    async with AIOKafkaProducer(bootstrap_servers=ADDRESS, **settings) as producer:
        waiting = [await producer.send(topic, value, key=value, headers=[("a", b"b")]) for value in values]
        await asyncio.gather(*waiting)


def consumer(*topics, **settings):
    settings = {"auto_offset_reset": "earliest", "enable_auto_commit": False, **settings}
    return AIOKafkaConsumer(*topics, bootstrap_servers=ADDRESS, **settings)


async def take(reader, count):
    records = []

    async def enough():
        for some in (await reader.getmany(timeout_ms=200)).values():
            records.extend(some)
        return len(records) >= count

    await eventually(f"{count} records", enough)
    equal(count, len(records), "records")
    return records


@test
async def records():
    """records by every codec"""
    topic = await new_topic("codecs")
    values = [f"{codec}-{i}".encode() for codec in CODECS for i in range(COUNT)]
    for at, codec in enumerate(CODECS):
        await write(topic, values[at * COUNT : (at + 1) * COUNT], compression_type=codec, acks="all")
    async with consumer(topic) as reader:
        found = await take(reader, len(values))
    equal(values, [record.value for record in found], "values")
    equal((("a", b"b"),), found[-1].headers, "headers")


@test
async def acks():
    """acks of 0, 1 and all, and an idempotent producer"""
    topic = await new_topic("acks")
    for settings in ({"acks": 0}, {"acks": 1}, {"acks": "all"}, {"enable_idempotence": True}):
        await write(topic, [b"x"] * COUNT, **settings)
    async with consumer(topic, isolation_level="read_committed") as reader:
        await take(reader, 4 * COUNT)


@test
async def positions():
    """positions are sought, partitions paused"""
    topic = await new_topic("positions")
    await write(topic, [str(i).encode() for i in range(10)])
    partition = TopicPartition(topic, 0)
    async with consumer() as reader:
        reader.assign([partition])
        reader.seek(partition, 7)
        equal(7, (await reader.getone()).offset, "after a seek")
        reader.pause(partition)
        equal({}, await reader.getmany(timeout_ms=100), "while it is paused")
        reader.resume(partition)
        await reader.seek_to_end(partition)
        equal(10, await reader.position(partition), "at the end")
        equal({partition: 0}, await reader.beginning_offsets([partition]), "the first offset")
        found = await reader.offsets_for_times({partition: 0})
        equal(0, found[partition].offset, "the offset of a time")


def share(assignor):
    async def members():
        topic = await new_topic("shared", 4)
        await write(topic, [str(i).encode() for i in range(COUNT)])
        settings = {"group_id": topic, "heartbeat_interval_ms": 200, "partition_assignment_strategy": [assignor]}
        first, second = consumer(topic, **settings), consumer(topic, **settings)
        await first.start()
        await take(first, COUNT)
        await first.commit()
        await second.start()

        async def is_shared():
            await asyncio.gather(first.getmany(timeout_ms=50), second.getmany(timeout_ms=50))
            return len(first.assignment()) == len(second.assignment()) == 2

        await eventually("they share", is_shared)
        await first.stop()

        async def has_all():
            equal({}, await second.getmany(timeout_ms=50), "what was committed comes again")
            return len(second.assignment()) == 4

        await eventually("one has all", has_all)
        committed = [await second.committed(partition) for partition in second.assignment()]
        equal(COUNT, sum(offset or 0 for offset in committed), "committed")
        await second.stop()

    members.__doc__ = f"members join and leave, assigned by {assignor.name}"
    return members


for kind in (RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor):
    test(share(kind))


@test
async def static():
    """a static member comes back to what it had"""
    topic = await new_topic("static", 2)
    for _ in range(2):
        async with consumer(topic, group_id=topic, group_instance_id="one") as reader:

            async def has_all():
                await reader.getmany(timeout_ms=50)
                return len(reader.assignment()) == 2

            await eventually("it has all", has_all)


@test
async def administration():
    """topics and settings are changed, groups listed and records deleted"""
    topic = await new_topic("administered", 1, retention_ms="7200000")
    await write(topic, [b"x"] * 10)
    async with consumer(topic, group_id=topic) as reader:
        await take(reader, 10)
        await reader.commit()
    async with administrator() as admin:
        await admin.create_partitions({topic: NewPartitions(3)})

        async def has_three():
            return len((await admin.describe_topics([topic]))[0]["partitions"]) == 3

        await eventually("it has three partitions", has_three)
        resource = {"resource_type": ConfigResourceType.TOPIC, "name": topic}
        await admin.alter_configs([ConfigResource(**resource, configs={"max.message.bytes": "2000000"})])

        async def configs():
            answer = (await admin.describe_configs([ConfigResource(**resource)]))[0]
            return {entry[0]: entry[1] for entry in answer.resources[0][4]}

        async def is_set():
            return (await configs())["max.message.bytes"] == "2000000"

        await eventually("it is set", is_set)
        equal("604800000", (await configs())["retention.ms"], "what is not named is taken away")
        equal(True, (topic, "consumer") in await admin.list_consumer_groups(), "the group is listed")
        offsets = await admin.list_consumer_group_offsets(topic)
        equal(10, offsets[TopicPartition(topic, 0)].offset, "its offset")
        partition = TopicPartition(topic, 0)
        equal({partition: 4}, await admin.delete_records({partition: RecordsToDelete(before_offset=4)}), "the start")
        await admin.delete_topics([topic])


if __name__ == "__main__":
    checks.run(TESTS)
