"""Kafka's frames and messages, written anew from a short notation so that nothing is shared with the broker.

A message is noted as fields `name:type`, an array as `name:[fields]` or `name:[type]`. Types: bool i8 i16 i32 i64
uuid string nstring bytes nbytes; n is for what may be null. In a flexible version strings, bytes and arrays are
compact, and every structure ends with an empty tag section.
"""

import re
import socket
import struct

INTS = {"bool": ">?", "i8": ">b", "i16": ">h", "i32": ">i", "i64": ">q"}
CLOSED = "closed"
SILENCE = "silence"


def notation(text):
    """The fields of a message."""
    tokens = re.findall(r"[\w]+:|\[|\]|\w+", text)

    def fields(at):
        found = []
        while at < len(tokens) and tokens[at] != "]":
            if not tokens[at].endswith(":"):
                return tokens[at], at + 1
            name = tokens[at][:-1]
            if tokens[at + 1] == "[":
                inner, at = fields(at + 2)
                found.append((name, [inner]))
                at += 1
            else:
                found.append((name, tokens[at + 1]))
                at += 2
        return found, at

    return fields(0)[0]


def uvarint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(kind, value, flexible):
    if isinstance(kind, list) and (not kind or isinstance(kind[0], tuple)):
        body = b"".join(encode(field, value[name], flexible) for name, field in kind)
        return body + (b"\0" if flexible else b"")
    if isinstance(kind, list):
        if value is None:
            return b"\0" if flexible else struct.pack(">i", -1)
        count = uvarint(len(value) + 1) if flexible else struct.pack(">i", len(value))
        return count + b"".join(encode(kind[0], item, flexible) for item in value)
    if kind in INTS:
        return struct.pack(INTS[kind], value)
    if kind == "uuid":
        return value
    if value is None:
        return b"\0" if flexible else (b"\xff\xff" if "string" in kind else b"\xff\xff\xff\xff")
    raw = value.encode() if isinstance(value, str) else value
    if flexible:
        return uvarint(len(raw) + 1) + raw
    return struct.pack(">h" if "string" in kind else ">i", len(raw)) + raw


class Reader:
    def __init__(self, data, flexible):
        self.data, self.at, self.flexible = data, 0, flexible

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError(f"{count} bytes wanted at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count : self.at]

    def uvarint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def length(self, short):
        if self.flexible:
            return self.uvarint() - 1
        return struct.unpack(">h" if short else ">i", self.take(2 if short else 4))[0]

    def tags(self):
        if self.flexible:
            for _ in range(self.uvarint()):
                self.uvarint()
                self.take(self.uvarint())

    def read(self, kind):
        if isinstance(kind, list) and (not kind or isinstance(kind[0], tuple)):
            value = {name: self.read(field) for name, field in kind}
            self.tags()
            return value
        if isinstance(kind, list):
            count = self.length(False)
            return None if count < 0 else [self.read(kind[0]) for _ in range(count)]
        if kind in INTS:
            return struct.unpack(INTS[kind], self.take(struct.calcsize(INTS[kind])))[0]
        if kind == "uuid":
            return self.take(16)
        length = self.length("string" in kind)
        raw = None if length < 0 else self.take(length)
        return raw.decode() if raw is not None and "string" in kind else raw


class Connection:
    def __init__(self, address):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), 4)
        self.correlation = 7

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exact(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not more:
                return None
            data += more
        return data

    def bytes(self, data):
        """Sends bytes as they are, and gives the next frame, or a word that the connection was closed or nothing came."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return CLOSED
        return self.next()

    def next(self):
        """The next frame, or a word that the connection was closed or nothing came."""
        try:
            head = self.exact(4)
        except TimeoutError:
            return SILENCE
        if head is None:
            return CLOSED
        body = self.exact(struct.unpack(">i", head)[0])
        return CLOSED if body is None else body

    def header(self, key, version, flexible):
        return struct.pack(">hhi", key, version, self.correlation) + b"\0\x02me" + (b"\0" if flexible else b"")

    def raw(self, key, version, body, flexible=False):
        """Sends a request with a body given as bytes, and gives the frame of the response."""
        frame = self.header(key, version, flexible) + body
        return self.bytes(struct.pack(">i", len(frame)) + frame)

    def call(self, api, **values):
        """Sends a request and gives the response, decoded."""
        self.send(api, **values)
        return self.receive(api)

    def send(self, api, **values):
        """Sends a request whose response may take its time."""
        frame = self.header(api.key, api.version, api.flexible) + encode(api.request, values, api.flexible)
        try:
            self.socket.sendall(struct.pack(">i", len(frame)) + frame)
        except (BrokenPipeError, ConnectionResetError):
            pass  # to be found when the response is read

    def receive(self, api):
        """The response to a request that was sent, decoded."""
        answer = self.next()
        return answer if answer in (CLOSED, SILENCE) else api.decode(answer)


class Api:
    """One version of an API. The header of a response has tags where the version is flexible, but for ApiVersions."""

    def __init__(self, key, version, flexible, request, response):
        self.key, self.version, self.flexible = key, version, flexible
        self.request, self.response = notation(request), notation(response)

    def decode(self, frame):
        reader = Reader(frame, self.flexible)
        reader.take(4)
        if self.key != 18:
            reader.tags()
        value = reader.read(self.response)
        if reader.at != len(frame):
            raise ValueError(f"{len(frame) - reader.at} bytes too many")
        return value
