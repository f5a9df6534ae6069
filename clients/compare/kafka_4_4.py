"""Where Kafka 4.4.0 answers otherwise than 4.3.1, whose answers are the measure."""

from wire import CLOSED

SETTINGS_ADDED = {
    "errors.deadletterqueue.group.enable": "false",
    "max.decompressed.message.bytes": "2147483639",
    "remote.copy.lag.bytes": "-1",
    "remote.copy.lag.ms": "0",
}

LATER = {
    # Version 5 tells the broker which cluster and node the client means (KIP-1242). The body here is not one of version 5.
    ("api_versions", "the range of 18"): [0, 5],
    ("api_versions", "version 5"): CLOSED,
    ("api_versions", "the connection after version 5"): None,
    ("api_versions", "version 99"): [35, 1, [[0, 5]]],
    ("api_versions", "version -1"): [35, 1, [[0, 5]]],
    # Version 3 has a message beside each error.
    ("api_versions", "the range of 42"): [0, 3],
    **{("describe_configs", f"{name} is"): value for name, value in SETTINGS_ADDED.items()},
}


def answer(case, name, reference):
    """What Kafka 4.4.0 answers where 4.3.1 gave this answer, or none."""
    if (case, name) == ("describe_configs", "all of a topic's"):
        return sorted([*reference, *SETTINGS_ADDED])
    return LATER.get((case, name), reference)
