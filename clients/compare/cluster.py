"""The broker that is asked, and the cases that ask it."""

import time

from apis import CREATE_TOPICS_4, FIND_COORDINATOR_1, LIST_OFFSETS_1, METADATA_12, OFFSET_FETCH_5, PRODUCE_7, PRODUCE_9
from batch import batch
from wire import CLOSED, SILENCE, Connection

CASES = {}
ZERO = bytes(16)


def case(function):
    """Registers a function that yields (name, answer) pairs, named after the function."""
    CASES[function.__name__] = function
    return function


class Cluster:
    def __init__(self, address):
        self.address = address
        self.names = 0

    def connect(self):
        return Connection(self.address)

    def call(self, api, **values):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.call(api, **values)

    def topic(self, prefix="t", partitions=1, **configs):
        """A new topic whose partitions are served, which in Kafka is a little after its creation."""
        self.names += 1
        name = f"{prefix}-{self.names}"
        entries = [{"name": key.replace("_", "."), "value": value} for key, value in configs.items()]
        topic = {"name": name, "partitions": partitions, "replication": 1, "assignments": [], "configs": entries}
        answer = self.call(CREATE_TOPICS_4, topics=[topic], timeout_ms=10000, validate=False)
        assert answer["topics"][0]["error"] == 0, answer
        for _ in range(200):
            parts = [{"index": index, "timestamp": -1} for index in range(partitions)]
            answer = self.call(LIST_OFFSETS_1, replica=-1, topics=[{"name": name, "partitions": parts}])
            if all(part["error"] == 0 for part in answer["topics"][0]["partitions"]):
                return name
            time.sleep(0.05)
        raise AssertionError(f"{name} is not known")

    def id_of(self, name):
        topics = [{"id": ZERO, "name": name}]
        return self.call(METADATA_12, topics=topics, create=False, topic_operations=False)["topics"][0]["id"]

    def await_groups(self):
        """Waits until groups are served, whichever partition they belong to."""
        for number in range(300):
            for _ in range(400):
                if self.call(FIND_COORDINATOR_1, key="g", type=0)["error"] == 0:
                    answer = self.call(OFFSET_FETCH_5, group=f"await-{number}", topics=[])
                    if answer["error"] == 0:
                        break
                time.sleep(0.05)
            else:
                raise AssertionError("groups are not served")

    def produce(self, topic, data, partition=0, acks=1, api=PRODUCE_7, connection=None):
        """The error and the offset that a produce request gives."""
        topics = [{"name": topic, "partitions": [{"index": partition, "records": data}]}]
        values = {"transactional_id": None, "acks": acks, "timeout_ms": 10000, "topics": topics}
        answer = connection.call(api, **values) if connection else self.call(api, **values)
        if answer in (CLOSED, SILENCE):
            return answer
        it = answer["topics"][0]["partitions"][0]
        return [it["error"], it["base_offset"]]

    def verdict(self, topic, data, **more):
        """The error that a produce request gives."""
        answer = self.produce(topic, data, **more)
        return answer if isinstance(answer, str) else answer[0]

    def whole_answer(self, topic, data, acks=1):
        """All that a produce request answers, but for the texts: of those, whether there is one where Kafka has one."""
        topics = [{"name": topic, "partitions": [{"index": 0, "records": data}]}]
        answer = self.call(PRODUCE_9, transactional_id=None, acks=acks, timeout_ms=10000, topics=topics)
        it = answer["topics"][0]["partitions"][0]
        append_time = "set" if it["append_time"] >= 0 else it["append_time"]
        at_fault = [record["index"] for record in it["records"] if record["message"]]
        texts = [bool(at_fault and it["message"]), len(it["records"]) - len(at_fault)]
        return [it["error"], it["base_offset"], append_time, it["log_start"], at_fault, texts]

    def fill(self, topic, batches, partition=0):
        """Appends batches of one record each."""
        for _ in range(batches):
            assert self.produce(topic, batch(), partition)[0] == 0
