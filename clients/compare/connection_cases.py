"""Connections: several requests at once, and how they end."""

import socket
import struct
import time

from apis import FETCH_4
from cluster import case
from wire import CLOSED, SILENCE, encode


def frame(key, version, correlation, body=b""):
    request = struct.pack(">hhi", key, version, correlation) + b"\0\x02me" + body
    return struct.pack(">i", len(request)) + request


def versions(correlation):
    return frame(18, 0, correlation)


def long_poll(topic, correlation, wait_ms=500):
    part = {"index": 0, "offset": 0, "max_bytes": 1000}
    values = {"replica": -1, "max_wait_ms": wait_ms, "min_bytes": 1, "max_bytes": 1000, "isolation": 0}
    body = encode(FETCH_4.request, {**values, "topics": [{"name": topic, "partitions": [part]}]}, False)
    return frame(1, 4, correlation, body)


def answered(connection, count):
    """The correlation ids of the answers, or the word for why there is none."""
    answers = (connection.bytes(b"") for _ in range(count))
    return [it if it in (CLOSED, SILENCE) else struct.unpack(">i", it[:4])[0] for it in answers]


@case
def requests_before_a_bad_one(cluster):
    topic = cluster.topic()
    for name, bad in {
        "a negative length": struct.pack(">i", -1),
        "a length above the limit": struct.pack(">i", 0x7FFFFFFF),
        "an unknown API": frame(99, 0, 3),
        "a version that is not there": frame(3, 77, 3),
        "a body that is cut": frame(3, 1, 3, b"\0\0\0\x09"),
        "a failed produce without acknowledgement": frame(0, 3, 3, b"\xff\xff\0\0\0\0\0\0\0\0\0\1\0\1x\0\0\0\1\0\0\0\0\0\0\0\0"),
    }.items():
        with cluster.connect() as connection:
            connection.socket.sendall(versions(1) + bad)
            yield f"{name}, at once", answered(connection, 2)
        with cluster.connect() as connection:
            connection.socket.sendall(versions(1) + long_poll(topic, 2) + bad + versions(4))
            yield f"{name}, behind one that waits", answered(connection, 3)


@case
def half_closed(cluster):
    topic = cluster.topic()
    for name, data in {
        "after a request": versions(1),
        "while one waits": long_poll(topic, 1),
        "with several under way": versions(1) + long_poll(topic, 2) + versions(3),
        "in the midst of one": versions(1) + versions(2)[:7],
    }.items():
        with cluster.connect() as connection:
            connection.socket.sendall(data)
            connection.socket.shutdown(socket.SHUT_WR)
            yield name, answered(connection, 4)


@case
def pipelines(cluster):
    topic = cluster.topic()
    with cluster.connect() as connection:
        connection.socket.sendall(b"".join(versions(number) for number in range(3000)))
        yield "three thousand, in order", answered(connection, 3000) == list(range(3000))
    with cluster.connect() as connection:
        for byte in versions(5):
            connection.socket.sendall(bytes([byte]))
        yield "byte by byte", answered(connection, 1)
    with cluster.connect() as connection:
        started = time.monotonic()
        connection.socket.sendall(long_poll(topic, 1) + versions(2))
        yield "behind one that waits", [*answered(connection, 2), time.monotonic() - started > 0.4]
