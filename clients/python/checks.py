"""The tests of a suite: each prints one line, `ok NAME` or `FAIL NAME: reason`."""

import sys
import time
import traceback

RUN = format(int(time.time() * 1000), "x")
NULL = "NULL"


def fresh(prefix, counter=[0]):
    """A name that nothing else has."""
    counter[0] += 1
    return f"{prefix}-{RUN}-{counter[0]}"


def run(tests):
    for test in tests:
        name = test.__doc__.strip()
        started = time.monotonic()
        try:
            test()
            outcome = f"ok {name}"
        except BaseException as failure:  # an interrupt is a failure, too
            frames = traceback.extract_tb(failure.__traceback__)
            ours = [frame for frame in frames if "site-packages" not in frame.filename]
            where = f"{ours[-1].filename.rsplit('/', 1)[-1]}:{ours[-1].lineno}"
            reason = f"{type(failure).__name__}: {failure}".replace("\n", " ")
            outcome = f"FAIL {name}: {reason} at {where}"
        print(f"{outcome} ({int((time.monotonic() - started) * 1000)} ms)", flush=True)
    print("done", flush=True)


def equal(expected, actual, what):
    if expected != actual:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}"[:500])


def eventually(what, condition, limit_s=20):
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.05)


def fails(kind, call):
    try:
        result = call()
    except kind as failure:
        return failure
    raise AssertionError(f"expected {kind.__name__}, got {result!r}")


def lines_in():
    """The records to write: headers, key and value of each."""
    for line in sys.stdin.read().splitlines():
        headers, key, value = line.split("\t")
        pairs = [tuple(header.split(":", 1)) for header in headers.split(",")]
        yield (
            [(name, text.encode()) for name, text in pairs],
            None if key == NULL else key.encode(),
            None if value == NULL else value.encode(),
        )


def line_out(headers, key, value):
    """A record as a line."""
    shown = ",".join(f"{name}:{text.decode()}" for name, text in headers)
    columns = [NULL if part is None else part.decode() for part in (key, value)]
    print("\t".join([shown, *columns]))
