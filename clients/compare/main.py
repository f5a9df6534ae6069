"""Asks a broker what no well-behaved client would, and compares the answers with those that Kafka gave.

main.py ADDRESS ANSWERS [--write | --kafka-4.4]
"""

import json
import sys
import traceback

import frame_cases  # noqa: F401
import group_cases  # noqa: F401
import member_cases  # noqa: F401
import offset_cases  # noqa: F401
import produce_cases  # noqa: F401
import read_cases  # noqa: F401
import topic_cases  # noqa: F401

import connection_cases  # noqa: F401
import fetch_cases  # noqa: F401
import setting_cases  # noqa: F401
import kafka_4_4
from cluster import CASES, Cluster
from departures import DEPARTURES
from wire import SILENCE

UNKNOWN_SERVER_ERROR = -1


def main(address, path, write, is_later):
    cluster = Cluster(address)
    cluster.await_groups()
    known = {} if write else json.load(open(path))
    answers = {}
    for name, function in CASES.items():
        answers[name] = collect(function, cluster)
        if write:
            continue
        wrong = [line for line in differences(name, known.get(name, {}), answers[name], is_later)]
        title = name.replace("_", " ")
        print(f"FAIL {title}: {'; '.join(wrong)}" if wrong else f"ok {title}, {len(answers[name])} answers", flush=True)
    if write:
        with open(path, "w") as file:
            file.write(written(answers))
        print(f"ok written, {sum(map(len, answers.values()))} answers")
    print("done")


def collect(function, cluster):
    answers = {}
    try:
        for name, answer in function(cluster):
            answers[name] = answer
    except Exception as failure:  # what was asked before it still counts
        where = traceback.extract_tb(failure.__traceback__)[-1]
        answers["ends"] = f"{type(failure).__name__}: {failure} at {where.lineno}".replace("\n", " ")
    return answers


def written(answers):
    """The answers as a file has them: one a line."""
    cases = []
    for name, of_case in answers.items():
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(answer)}" for key, answer in of_case.items())
        cases.append(f" {json.dumps(name)}: {{\n{lines}\n }}")
    return "{\n" + ",\n".join(cases) + "\n}\n"


def differences(case, known, answers, is_later):
    names = [*known, *(name for name in answers if name not in known)]
    for name in names:
        kafka, here = known.get(name), answers.get(name)
        if is_later:
            kafka = kafka_4_4.answer(case, name, kafka)
        if not agree(kafka, here) and DEPARTURES.get((case, name), kafka) != here:
            yield f"{name}: Kafka {json.dumps(kafka)}, here {json.dumps(here)}"


def agree(kafka, here):
    """Whether two answers say the same.

    UNKNOWN_SERVER_ERROR is what Kafka answers when an exception escapes it. Whoever refuses such a request for a
    reason, or closes the connection, does as well.
    """
    if isinstance(kafka, list) and isinstance(here, list) and kafka[:1] == [UNKNOWN_SERVER_ERROR]:
        return len(here) == len(kafka) and here[0] not in (0, None) and here[1:] == kafka[1:]
    if kafka == UNKNOWN_SERVER_ERROR:
        return here not in (0, None, SILENCE)
    return kafka == here


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--write" in sys.argv, "--kafka-4.4" in sys.argv)
