"""Record batches, right and wrong."""

import struct
import time
import zlib

NOW = int(time.time() * 1000)
TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = _n >> 1 ^ 0x82F63B78 if _n & 1 else _n >> 1
    TABLE.append(_n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def varint(value):
    value = (value << 1 ^ value >> 63) & 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def sized(data):
    return varint(-1) if data is None else varint(len(data)) + data


def record(delta, key=b"k", value=b"v", timestamp=0, headers=b"\0", attributes=0, length=None):
    body = bytes([attributes]) + varint(timestamp) + varint(delta) + sized(key) + sized(value) + headers
    return varint(len(body) if length is None else length) + body


def batch(records=None, *, payload=None, **fields):
    """A batch of records; every field of its header can be given, also wrongly."""
    if records is None:
        records = [record(0)]
    payload = b"".join(records) if payload is None else payload
    it = {
        "base_offset": 0, "leader_epoch": -1, "magic": 2, "attributes": 0, "last_delta": len(records) - 1,
        "base_timestamp": NOW, "max_timestamp": NOW, "producer": -1, "epoch": -1, "sequence": -1,
        "count": len(records), "crc_flip": 0, "length": None, **fields,
    }
    body = struct.pack(
        ">hiqqqhii", it["attributes"], it["last_delta"], it["base_timestamp"], it["max_timestamp"], it["producer"],
        it["epoch"], it["sequence"], it["count"],
    ) + payload
    crc = crc32c(body) ^ it["crc_flip"]
    length = 9 + len(body) if it["length"] is None else it["length"]
    return struct.pack(">qiibI", it["base_offset"], length, it["leader_epoch"], it["magic"], crc) + body


def old_message(magic):
    """A message of magic 0 or 1, as they were before Kafka 0.11."""
    body = struct.pack(">bb", magic, 0) + (struct.pack(">q", NOW) if magic else b"")
    body += struct.pack(">i", 1) + b"k" + struct.pack(">i", 1) + b"v"
    return struct.pack(">qiI", 0, len(body) + 4, zlib.crc32(body)) + body

