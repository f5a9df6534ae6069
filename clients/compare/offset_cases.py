"""Committed offsets: commits, fetches and deletions in every form, and groups as administrators see them."""

import time

from apis import (
    CREATE_TOPICS_4, DELETE_GROUPS_1, DELETE_TOPICS_1, DESCRIBE_GROUPS_5, FIND_COORDINATOR_0, FIND_COORDINATOR_1,
    FIND_COORDINATOR_4, FIND_COORDINATOR_6, LIST_GROUPS_0, LIST_GROUPS_4, LIST_GROUPS_5, OFFSET_COMMIT_2, OFFSET_COMMIT_5,
    OFFSET_COMMIT_9, OFFSET_COMMIT_10, OFFSET_DELETE_0, OFFSET_FETCH_1, OFFSET_FETCH_5, OFFSET_FETCH_7, OFFSET_FETCH_9,
    OFFSET_FETCH_10,
)
from cluster import ZERO, case
from member_cases import Group
from wire import SILENCE

NOBODY = {"generation": -1, "member": "", "instance": None}


def part(index=0, offset=3, leader_epoch=-1, metadata="m"):
    return {"index": index, "offset": offset, "leader_epoch": leader_epoch, "metadata": metadata}


def commit(cluster, group, topic, *parts, **more):
    topics = [{"name": topic, "partitions": list(parts) or [part()]}]
    return shown(cluster.call(OFFSET_COMMIT_9, **{"group": group, **NOBODY, "topics": topics, **more}), {topic: "t"})


def fetched(cluster, group, topic, *indexes):
    answer = cluster.call(OFFSET_FETCH_5, group=group, topics=[{"name": topic, "partitions": list(indexes or [0])}])
    return shown(answer, {topic: "t"})


def shown(value, names):
    """An answer without what differs from run to run: the names and ids of topics."""
    if isinstance(value, dict):
        return {key: shown(it, names) for key, it in value.items() if key not in ("throttle", "host", "port")}
    if isinstance(value, list):
        return sorted((shown(it, names) for it in value), key=str)
    if isinstance(value, (str, bytes)):
        return names.get(value, value if isinstance(value, str) else "an id")
    return value


@case
def offsets_in_every_version(cluster):
    topic = cluster.topic(partitions=3)
    names = {topic: "t", cluster.id_of(topic): "the id of t", ZERO: "no id"}
    for api, more in (
        (OFFSET_COMMIT_2, {"retention_ms": -1}), (OFFSET_COMMIT_2, {"retention_ms": 3600000}), (OFFSET_COMMIT_5, {}),
        (OFFSET_COMMIT_9, {}), (OFFSET_COMMIT_10, {}),
    ):
        group = f"by {api.version} {more.get('retention_ms', '')}".strip()

        def ask(*topics, **values):
            answer = cluster.call(api, **{"group": group, **NOBODY, **more, "topics": list(topics), **values})
            return shown(answer, names)

        def wanted(*parts, name=topic):
            known = cluster.id_of(name) if name == topic else name.encode().ljust(16)
            return {"name": name, "id": known, "partitions": list(parts)}

        yield f"{group}, two partitions", ask(wanted(part(0, 5), part(1, 6, leader_epoch=4)))
        yield f"{group}, one that is not there", ask(wanted(part(0, 7), part(3, 8)))
        yield f"{group}, a topic that is not there", ask(wanted(part(0, 9), name="unknown"), wanted(part(2, 9)))
        yield f"{group}, only what is not there", ask(wanted(part(9, 9)), wanted(part(1, 9), name="unknown"))
        yield f"{group}, nothing", ask()
        yield f"{group}, no partition", ask(wanted())
        yield f"{group}, twice", ask(wanted(part(0, 10), part(0, 11)))
        yield f"{group}, in two places", ask(wanted(part(0, 12)), wanted(part(1, 13)))
        yield f"{group}, a member of none", ask(wanted(part(0, 14)), group="unknown-group", generation=1, member="m")
        yield f"{group}, a negative partition", ask(wanted(part(-1, 14)))
        for offset in (-1, -2, 2**63 - 1, -(2**63)):
            yield f"{group}, offset {offset}", ask(wanted(part(2, offset)))
            yield f"{group}, offset {offset}, fetched", fetched(cluster, group, topic, 2)
        yield f"{group}, fetched", fetched(cluster, group, topic, 0, 1, 2, 3)
    everything = [{"name": topic, "partitions": [0, 1, 2, 3]}, {"name": "unknown", "partitions": [0]}]
    yield "fetched by 1", shown(cluster.call(OFFSET_FETCH_1, group="by 9", topics=everything), names)
    for api in (OFFSET_FETCH_5, OFFSET_FETCH_7):
        yield f"fetched by {api.version}", shown(cluster.call(api, group="by 9", topics=everything, stable=True), names)
        yield f"all by {api.version}", shown(cluster.call(api, group="by 9", topics=None, stable=True), names)
    yield "fetched twice", fetched(cluster, "by 9", topic, 0, 0)


@case
def offsets_by_topic_id(cluster):
    topic = cluster.topic(partitions=2)
    topic_id, unknown = cluster.id_of(topic), b"u" * 16
    names = {topic_id: "the id of t", ZERO: "no id", unknown: "an unknown id"}
    part_of = [part(0, 5), part(1, 6)]
    for name, ids in (("known", [topic_id]), ("unknown", [unknown]), ("none", [ZERO]), ("some", [unknown, topic_id, ZERO])):
        topics = [{"id": it, "partitions": part_of} for it in ids]
        yield f"committed, {name}", shown(cluster.call(OFFSET_COMMIT_10, group="by id", **NOBODY, topics=topics), names)
        wanted = [{"id": it, "partitions": [0, 2]} for it in ids]
        groups = [{"group": it, "member": None, "epoch": -1, "topics": wanted} for it in ("by id", "unknown-group")]
        yield f"fetched, {name}", shown(cluster.call(OFFSET_FETCH_10, groups=groups, stable=False), names)
    groups = [{"group": it, "member": None, "epoch": -1, "topics": None} for it in ("by id", "unknown-group")]
    yield "all", shown(cluster.call(OFFSET_FETCH_10, groups=groups, stable=True), names)
    yield "no group", shown(cluster.call(OFFSET_FETCH_10, groups=[], stable=True), names)
    group = [{"group": "by id", "member": "m", "epoch": 7, "topics": [{"id": topic_id, "partitions": []}]}]
    yield "no partition", shown(cluster.call(OFFSET_FETCH_10, groups=group * 2, stable=True), names)


@case
def offsets_of_groups_by_9(cluster):
    topic = cluster.topic()
    names = {topic: "t"}
    commit(cluster, "nine", topic)
    wanted = [{"name": topic, "partitions": [0]}]
    for member, epoch in ((None, -1), ("", -1), ("m", -1), ("m", 0), (None, 3), ("m", -2)):
        groups = [{"group": it, "member": member, "epoch": epoch, "topics": wanted} for it in ("nine", "unknown-group")]
        yield f"as {member} of {epoch}", shown(cluster.call(OFFSET_FETCH_9, groups=groups, stable=False), names)
    groups = [{"group": "nine", "member": None, "epoch": -1, "topics": it} for it in (wanted, None, [])]
    yield "the same group three times", shown(cluster.call(OFFSET_FETCH_9, groups=groups, stable=True), names)


@case
def what_a_commit_carries(cluster):
    topic = cluster.topic()
    for epoch in (-1, 0, 5, -7, 2**31 - 1):
        yield f"leader epoch {epoch}", [commit(cluster, "e", topic, part(leader_epoch=epoch)), fetched(cluster, "e", topic)]
    for name, text in (("none", None), ("empty", ""), ("of two bytes each", "ä" * 4096), ("one more", "ä" * 4097),
                       ("of four bytes each", "😀" * 2048), ("one more of four", "😀" * 2049)):
        answer = commit(cluster, "m", topic, part(metadata=text))
        stored = fetched(cluster, "m", topic)["topics"][0]["partitions"][0]["metadata"]
        yield f"metadata, {name}", [answer, stored == text]
    both = cluster.topic(partitions=2)
    yield "metadata too long for one of two", commit(cluster, "m", both, part(0, metadata="x" * 5000), part(1))
    yield "the other", fetched(cluster, "m", both, 0, 1)
    for name, group in (("spaces", " "), ("a slash", "a/b"), ("not of ASCII", "größe"), ("long", "x" * 5000), ("a line", "a\nb")):
        yield f"a group named by {name}", [commit(cluster, group, topic), len(fetched(cluster, group, topic)["topics"])]


@case
def offsets_of_a_topic_that_is_deleted(cluster):
    topic = cluster.topic()
    commit(cluster, "left", topic, part(0, 8))
    cluster.call(DELETE_TOPICS_1, names=[topic], timeout_ms=10000)

    def awaited(expected, ask):
        for _ in range(100):
            answer = ask()
            if answer == expected:
                break
            time.sleep(0.05)
        return answer

    every = lambda: shown(cluster.call(OFFSET_FETCH_5, group="left", topics=None), {topic: "t"})
    yield "all", awaited({"topics": [], "error": 0}, every)
    yield "asked for", fetched(cluster, "left", topic)
    yield "committed", commit(cluster, "left", topic)
    yield "the group", shown(cluster.call(DESCRIBE_GROUPS_5, groups=["left"], operations=False), {})
    again = {"name": topic, "partitions": 1, "replication": 1, "assignments": [], "configs": []}
    cluster.call(CREATE_TOPICS_4, topics=[again], timeout_ms=10000, validate=False)
    yield "of its successor", fetched(cluster, "left", topic)
    yield "committed to its successor", awaited(0, lambda: commit(cluster, "left", topic)["topics"][0]["partitions"][0]["error"])
    yield "then", fetched(cluster, "left", topic)


@case
def offsets_that_are_deleted(cluster):
    topic, other = cluster.topic(partitions=3), cluster.topic()
    names = {topic: "t", other: "u"}

    def forget(group, **topics):
        wanted = [{"name": {"t": topic, "u": other}.get(name, name), "partitions": [{"index": index} for index in indexes]}
                  for name, indexes in topics.items()]
        answer = cluster.call(OFFSET_DELETE_0, group=group, topics=wanted)
        return answer if answer == SILENCE else shown(answer, names)

    yield "of an unknown group", forget("unknown-group", t=[0])
    yield "of no group", forget("", t=[0])
    yield "of an unknown group, nothing", forget("unknown-group")
    yield "of an unknown group, unknown", forget("unknown-group", unknown=[0])
    commit(cluster, "forgets", topic, part(0), part(1), part(2))
    commit(cluster, "forgets", other)
    yield "one", forget("forgets", t=[0])
    yield "fetched", fetched(cluster, "forgets", topic, 0, 1, 2)
    yield "one that was never", forget("forgets", t=[0])
    yield "some that are not there", forget("forgets", t=[1, 7, -1], unknown=[0, 1], u=[])
    yield "nothing", forget("forgets")
    yield "fetched again", fetched(cluster, "forgets", topic, 0, 1, 2)
    yield "the rest", forget("forgets", t=[2, 2], u=[0])
    yield "the group", shown(cluster.call(DESCRIBE_GROUPS_5, groups=["forgets"], operations=False), {})
    with Group(cluster, "forgets and lives") as group:
        group.topic = topic
        subscription = f"\0\0\0\0\0\1\0{chr(len(topic))}{topic}\xff\xff\xff\xff"
        one = group.member("one", protocols=f"range:{subscription}")
        one.enter()
        one.joined()
        yield "before it is stable", forget(group.group, t=[0], u=[0])
        one.sync(one="A")
        one.commit()
        yield "subscribed to and not", forget(group.group, t=[0], u=[0])
        yield "still there", fetched(cluster, group.group, topic)
        one.leave()
        yield "when it has left", forget(group.group, t=[0], u=[0])
    for type_of, metadata in (("connect", "m"), ("consumer", "m")):
        with Group(cluster, f"forgets as {type_of}") as group:
            one = group.member("one", type=type_of)
            one.enter(protocols=f"range:{metadata}")
            one.joined()
            yield f"of a group of {type_of}", forget(group.group, t=[0])


@case
def groups_that_are_listed(cluster):
    topic = cluster.topic()
    commit(cluster, "listed-simple", topic)
    with Group(cluster, "listed-live") as group:
        one = group.member("one", type="connect")
        one.enter()
        one.joined()
        one.sync(one="A")

        def found(answer):
            mine = [it for it in answer["groups"] if it["group"].startswith("listed-")]
            return [answer["error"], shown(mine, {})]

        yield "by version 0", found(cluster.call(LIST_GROUPS_0))
        yield "by version 4", found(cluster.call(LIST_GROUPS_4, states=[]))
        for states in (["Stable"], ["Empty", "Stable"], [" stable "], ["STABLE", "Stable"], [""], ["Dead"], ["Stable,Empty"]):
            yield f"in {states}", found(cluster.call(LIST_GROUPS_4, states=states))
        for types in (["classic"], ["Consumer"], ["consumer", "CLASSIC"], [" classic "], [""], ["share", "streams"], ["unknown"]):
            yield f"of {types}", found(cluster.call(LIST_GROUPS_5, states=[], types=types))
        yield "of both", found(cluster.call(LIST_GROUPS_5, states=["empty"], types=["classic"]))
        yield "described twice", shown(
            cluster.call(DESCRIBE_GROUPS_5, groups=["listed-simple", "listed-simple"], operations=True)["groups"], {}
        )
        names = ["listed-simple", "listed-live", "unknown-group", "listed-simple", ""]
        yield "deleted", shown(cluster.call(DELETE_GROUPS_1, groups=names)["results"], {})
        yield "none deleted", cluster.call(DELETE_GROUPS_1, groups=[])["results"]
        yield "none described", cluster.call(DESCRIBE_GROUPS_5, groups=[], operations=False)["groups"]
        yield "listed then", found(cluster.call(LIST_GROUPS_5, states=[], types=[]))
        yield "its offsets", fetched(cluster, "listed-simple", topic)


@case
def coordinators_that_are_found(cluster):
    def found(answer):
        """Each says in its own words what is wrong."""
        if isinstance(answer, dict) and answer.get("error"):
            answer = {**answer, "message": None}
        if isinstance(answer, dict) and "coordinators" in answer:
            answer = {"coordinators": [found(it) for it in answer["coordinators"]]}
        return shown(answer, {"x" * 3000: "long"})

    yield "by version 0", found(cluster.call(FIND_COORDINATOR_0, key="g"))
    for kind in (0, 2, 3, 127, -128):
        yield f"by version 1, of type {kind}", found(cluster.call(FIND_COORDINATOR_1, key="g", type=kind))
    for api in (FIND_COORDINATOR_4, FIND_COORDINATOR_6):
        for name, keys in (("the same twice", ["a", "a"]), ("odd ones", ["größe", "x" * 3000]), ("none", [])):
            yield f"by version {api.version}, {name}", found(cluster.call(api, type=0, keys=keys))
    yield "by version 4, of type 3", found(cluster.call(FIND_COORDINATOR_4, type=3, keys=["a"]))
    yield "by version 6, a wrong key of type 2", found(cluster.call(FIND_COORDINATOR_6, type=2, keys=["a"]))
