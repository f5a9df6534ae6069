"""Frames, headers and APIs that are not."""

import struct

from apis import API_VERSIONS_0, API_VERSIONS_3, METADATA_1
from cluster import case
from wire import CLOSED, SILENCE, encode


def kind(answer):
    """Whether there was an answer at all."""
    return answer if answer in (CLOSED, SILENCE) else "answered"


@case
def frames(cluster):
    good = struct.pack(">hhi", 3, 1, 1) + b"\0\x02me" + b"\0\0\0\0"
    for name, data in {
        "a negative size": struct.pack(">i", -1),
        "a size of zero": struct.pack(">i", 0),
        "a size above the limit": struct.pack(">i", 0x7FFFFFFF),
        "a size just above the limit": struct.pack(">i", 104857601),
        "one byte": struct.pack(">i", 1) + b"\0",
        "a header that is cut": struct.pack(">i", 6) + good[:6],
        "no client id": struct.pack(">i", 8) + good[:8],
        "a null client id": struct.pack(">i", 14) + good[:8] + b"\xff\xff" + b"\0\0\0\0",
        "a client id beyond the frame": struct.pack(">i", 14) + good[:8] + b"\x7f\xff" + b"\0\0\0\0",
        "a body that is cut": struct.pack(">i", len(good) - 2) + good[:-2],
        "a body with bytes behind it": struct.pack(">i", len(good) + 3) + good + b"abc",
        "a web browser": b"GET / HTTP/1.1\r\nHost: example\r\n\r\n",
        "good": struct.pack(">i", len(good)) + good,
    }.items():
        with cluster.connect() as connection:
            yield name, kind(connection.bytes(data))


@case
def bodies(cluster):
    def topics(count):
        return struct.pack(">i", count)

    for name, body in {
        "a count beyond the frame": topics(1000),
        "a huge count": topics(0x7FFFFFFF),
        "a count of minus two": topics(-2),
        "a null where none may be": topics(1) + b"\xff\xff",
        "a string beyond the frame": topics(1) + b"\x00\x10abc",
        "a string of negative length": topics(1) + b"\xff\xfeabc",
        "a string that is not text": topics(1) + b"\x00\x02\xff\xfe",
    }.items():
        with cluster.connect() as connection:
            yield name, kind(connection.raw(3, 1, body))
    for name, body in {
        "compact, a count beyond the frame": b"\xff\x7f",
        "compact, a huge count": b"\xff\xff\xff\xff\x0f",
        "compact, a varint without an end": b"\xff" * 12,
        "compact, tags without an end": b"\x01\x01\0\0\xff\xff\xff\xff\x0f",
        "compact, a tag that is not known": b"\x01\x01\0\0\x01\x63\x03abc",
    }.items():
        with cluster.connect() as connection:
            yield name, kind(connection.raw(3, 9, body, flexible=True))


@case
def unknown_apis(cluster):
    for name, key, version in (
        ("an unknown API", 99, 0), ("a negative API", -1, 0), ("LeaderAndIsr", 4, 0), ("Vote", 52, 0),
        ("Fetch 3", 1, 3), ("Fetch 19", 1, 19), ("Metadata 14", 3, 14), ("Metadata -1", 3, -1), ("Produce 2", 0, 2),
        ("ListOffsets 0", 2, 0), ("JoinGroup 10", 11, 10), ("CreateTopics 1", 19, 1), ("OffsetFetch 0", 9, 0),
    ):
        with cluster.connect() as connection:
            yield name, kind(connection.raw(key, version, b"\0" * 20))


@case
def api_versions(cluster):
    answer = cluster.call(API_VERSIONS_0)
    keys = [key["key"] for key in answer["keys"]]
    yield "version 0", [answer["error"], keys == sorted(keys)]
    ranges = {key["key"]: [key["min"], key["max"]] for key in answer["keys"]}
    for key in (0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 21, 23, 32, 37, 42, 44, 60, 75):
        yield f"the range of {key}", ranges.get(key)
    for version in (5, 99, -1):
        with cluster.connect() as connection:
            frame = connection.raw(18, version, b"junk", flexible=True)
            if frame in (CLOSED, SILENCE):
                yield f"version {version}", frame
                continue
            answer = API_VERSIONS_0.decode(frame)
            ours = [[key["min"], key["max"]] for key in answer["keys"] if key["key"] == 18]
            yield f"version {version}", [answer["error"], len(answer["keys"]), ours]
            after = connection.call(METADATA_1, topics=[])
            yield f"the connection after version {version}", kind(after if isinstance(after, str) else "")
    for name, software in {"a name": "librdkafka", "a bad name": "a b", "no name": "", "a dash": "-a"}.items():
        with cluster.connect() as connection:
            body = encode(API_VERSIONS_3.request, {"name": software, "version": "1.0"}, True)
            frame = connection.raw(18, 3, body, flexible=True)
            yield name, frame if frame in (CLOSED, SILENCE) else struct.unpack(">h", frame[4:6])[0]


@case
def correlation(cluster):
    """Answers come in the order of the requests."""
    with cluster.connect() as connection:
        frames = b""
        for number in range(5):
            body = struct.pack(">hhi", 18 if number % 2 else 3, 0, 100 + number) + b"\xff\xff"
            body += b"" if number % 2 else struct.pack(">i", 0)
            frames += struct.pack(">i", len(body)) + body
        answers = [connection.bytes(frames)]
        answers += [connection.bytes(b"") for _ in range(4)]
        yield "in order", [struct.unpack(">i", answer[:4])[0] for answer in answers]
