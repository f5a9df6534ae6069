"""Groups: members that are not, generations that are past, names that are wrong."""

from apis import (
    DELETE_GROUPS_1, DESCRIBE_GROUPS_5, DESCRIBE_GROUPS_6, FIND_COORDINATOR_1, FIND_COORDINATOR_4, HEARTBEAT_3,
    JOIN_GROUP_2, JOIN_GROUP_5, LEAVE_GROUP_1, LEAVE_GROUP_3, LIST_GROUPS_5, OFFSET_COMMIT_7, OFFSET_FETCH_5,
    OFFSET_FETCH_9, SYNC_GROUP_3, SYNC_GROUP_5,
)
from cluster import case

RANGE = [{"name": "range", "metadata": b"m"}]


def join(connection, group, member="", api=JOIN_GROUP_5, **more):
    values = {
        "group": group, "session_ms": 10000, "rebalance_ms": 10000, "member": member, "instance": None,
        "type": "consumer", "protocols": RANGE, **more,
    }
    return connection.call(api, **values)


def error(answer):
    return answer if isinstance(answer, str) else answer["error"]


def alone(connection, group, **more):
    """Makes a stable group of one member and gives the member's id."""
    member = join(connection, group, **more)["member"]
    if more.get("instance") is None:
        assert error(join(connection, group, member)) == 0
    assignment = [{"member": member, "assignment": b"a"}]
    it = {"generation": 1, "member": member, "instance": more.get("instance"), "assignments": assignment}
    answer = connection.call(SYNC_GROUP_3, group=group, **it)
    assert answer["error"] == 0, answer
    return member


@case
def find_coordinator(cluster):
    for key, kind in (("g", 0), ("", 0), ("g", 9), ("g", -1)):
        answer = cluster.call(FIND_COORDINATOR_1, key=key, type=kind)
        yield f"{key or 'no key'} of type {kind}", answer if isinstance(answer, str) else [answer["error"], answer["node"]]
    for keys, kind in ((["a", "b"], 0), (["", "b"], 0), ([], 0), (["a"], 9)):
        answer = cluster.call(FIND_COORDINATOR_4, type=kind, keys=keys)
        yield f"{keys} of type {kind}", answer if isinstance(answer, str) else [
            [it["key"], it["error"], it["node"]] for it in answer["coordinators"]
        ]


@case
def join_group(cluster):
    with cluster.connect() as connection:
        for name, more in {
            "an empty name": {"group": ""},
            "a session too short": {"session_ms": 1},
            "a session too long": {"session_ms": 99999999},
            "a negative session": {"session_ms": -1},
            "no protocol": {"protocols": []},
            "no protocol type": {"type": ""},
            "an unknown member": {"member": "nobody"},
            "an empty instance": {"instance": ""},
            "an instance not allowed": {"instance": "a b"},
            "an instance too long": {"instance": "x" * 250},
            "an unknown member with an instance": {"member": "nobody", "instance": "i"},
        }.items():
            yield name, error(join(connection, **{"group": f"wrong, {name}", **more}))
        first = join(connection, "joining")
        yield "without a member id", [first["error"], len(first["member"]) > 30, first["generation"]]
        second = join(connection, "joining", first["member"])
        yield "with it", [second["error"], second["generation"], second["protocol"], len(second["members"])]
        yield "leader", second["leader"] == first["member"]
        yield "another type", error(join(connection, "joining", type="connect"))
        yield "another protocol", error(join(connection, "joining", protocols=[{"name": "other", "metadata": b""}]))
        old = join(connection, "joined-by-2", api=JOIN_GROUP_2)
        yield "by version 2", [old["error"], old["generation"], len(old["members"])]


@case
def sync_heartbeat_leave(cluster):
    with cluster.connect() as connection:
        member = alone(connection, "stable")

        def beat(**more):
            it = {"group": "stable", "generation": 1, "member": member, "instance": None, **more}
            return error(connection.call(HEARTBEAT_3, **it))

        def sync(**more):
            it = {"group": "stable", "generation": 1, "member": member, "instance": None, "assignments": [], **more}
            return error(connection.call(SYNC_GROUP_3, **it))

        for name, more in {
            "good": {},
            "a later generation": {"generation": 2},
            "an earlier generation": {"generation": 0},
            "a negative generation": {"generation": -1},
            "an unknown member": {"member": "nobody"},
            "no member": {"member": ""},
            "an unknown group": {"group": "unknown-group"},
            "no group": {"group": ""},
            "an unknown instance": {"instance": "nobody"},
        }.items():
            yield f"heartbeat, {name}", beat(**more)
            yield f"sync, {name}", sync(**more)
        for name, kind, protocol in (("good", "consumer", "range"), ("a wrong type", "connect", "range"),
                                     ("a wrong protocol", "consumer", "other"), ("neither", None, None)):
            answer = connection.call(
                SYNC_GROUP_5, group="stable", generation=1, member=member, instance=None, type=kind, protocol=protocol,
                assignments=[],
            )
            yield f"sync by version 5, {name}", [answer["error"], answer["type"], answer["protocol"]]
        yield "leave, an unknown member", error(connection.call(LEAVE_GROUP_1, group="stable", member="nobody"))
        yield "leave, an unknown group", error(connection.call(LEAVE_GROUP_1, group="unknown-group", member="nobody"))
        yield "leave, no group", error(connection.call(LEAVE_GROUP_1, group="", member="nobody"))
        for name, it in {
            "unknown": [{"id": "nobody", "instance": None}],
            "an unknown instance": [{"id": "", "instance": "nobody"}],
            "known and unknown": [{"id": "nobody", "instance": None}, {"id": member, "instance": None}],
            "none": [],
        }.items():
            answer = connection.call(LEAVE_GROUP_3, group="stable", members=it)
            yield f"leave by version 3, {name}", [answer["error"], [it["error"] for it in answer["members"]]]
        yield "heartbeat after leaving", beat()


@case
def static_members(cluster):
    with cluster.connect() as connection:
        first = alone(connection, "static", instance="one")
        again = join(connection, "static", instance="one")
        yield "returns", [again["error"], again["generation"], again["member"] != first, len(again["members"])]
        it = {"group": "static", "generation": 1, "member": first, "instance": "one"}
        yield "the former id", error(connection.call(HEARTBEAT_3, **it))
        yield "the former id joins", error(join(connection, "static", first, instance="one"))
        it["member"] = again["member"]
        yield "the new id", error(connection.call(HEARTBEAT_3, **it))
        commit = {"topics": [], **it}
        yield "a commit by the former id", error_of_commit(connection, {**commit, "member": first}, cluster.topic())
        answer = connection.call(LEAVE_GROUP_3, group="static", members=[{"id": "", "instance": "one"}])
        yield "leaves by its instance", [answer["error"], [it["error"] for it in answer["members"]]]


def error_of_commit(connection, values, topic, index=0, offset=3, metadata=""):
    part = {"index": index, "offset": offset, "leader_epoch": -1, "metadata": metadata}
    answer = connection.call(OFFSET_COMMIT_7, **{**values, "topics": [{"name": topic, "partitions": [part]}]})
    return answer if isinstance(answer, str) else answer["topics"][0]["partitions"][0]["error"]


@case
def offset_commit(cluster):
    topic = cluster.topic(partitions=2)
    simple = {"group": "simple", "generation": -1, "member": "", "instance": None}
    with cluster.connect() as connection:
        yield "without a member", error_of_commit(connection, simple, topic)
        yield "no group", error_of_commit(connection, {**simple, "group": ""}, topic)
        yield "an unknown topic", error_of_commit(connection, simple, "unknown-topic")
        yield "an unknown partition", error_of_commit(connection, simple, topic, index=2)
        yield "a negative offset", error_of_commit(connection, simple, topic, offset=-5)
        yield "no metadata", error_of_commit(connection, simple, topic, metadata=None)
        yield "metadata of 4096 bytes", error_of_commit(connection, simple, topic, metadata="m" * 4096)
        yield "metadata of 4097 bytes", error_of_commit(connection, simple, topic, metadata="m" * 4097)
        yield "a generation of an unknown group", error_of_commit(connection, {**simple, "group": "n", "generation": 3}, topic)
        yield "a member of an unknown group", error_of_commit(connection, {**simple, "group": "n", "member": "m"}, topic)
        yield "a member of an empty group", error_of_commit(connection, {**simple, "generation": 1, "member": "m"}, topic)
        member = alone(connection, "committing")
        live = {**simple, "group": "committing", "generation": 1, "member": member}
        yield "a member", error_of_commit(connection, live, topic)
        yield "another generation", error_of_commit(connection, {**live, "generation": 2}, topic)
        yield "an unknown member", error_of_commit(connection, {**live, "member": "nobody"}, topic)
        yield "no member, to a live group", error_of_commit(connection, {**simple, "group": "committing"}, topic)
        yield "an unknown instance", error_of_commit(connection, {**live, "instance": "nobody"}, topic)


@case
def offset_fetch(cluster):
    topic = cluster.topic(partitions=2)
    simple = {"group": "fetching", "generation": -1, "member": "", "instance": None}
    with cluster.connect() as connection:
        assert error_of_commit(connection, simple, topic, offset=8, metadata="note") == 0

        def ask(group, topics):
            answer = connection.call(OFFSET_FETCH_5, group=group, topics=topics)
            if isinstance(answer, str):
                return answer
            parts = [[part["index"], part["offset"], part["leader_epoch"], part["metadata"], part["error"]]
                     for it in answer["topics"] for part in it["partitions"]]
            return [answer["error"], parts]

        both = [{"name": topic, "partitions": [0, 1]}]
        yield "known", ask("fetching", both)
        yield "all", ask("fetching", None)
        yield "none", ask("fetching", [])
        yield "an unknown group", ask("unknown-group", both)
        yield "all of an unknown group", ask("unknown-group", None)
        yield "no group", ask("", both)
        yield "an unknown topic", ask("fetching", [{"name": "unknown-topic", "partitions": [0]}])
        wanted = [
            {"group": group, "member": None, "epoch": -1, "topics": both} for group in ("fetching", "unknown-group", "")
        ]
        answer = connection.call(OFFSET_FETCH_9, groups=wanted, stable=True)
        yield "several groups", sorted(
            [it["group"], it["error"], [part["offset"] for topic in it["topics"] for part in topic["partitions"]]]
            for it in answer["groups"]
        )
        wanted = [{"group": "fetching", "member": "nobody", "epoch": 5, "topics": both}]
        yield "a member epoch", connection.call(OFFSET_FETCH_9, groups=wanted, stable=True)["groups"][0]["error"]


@case
def describe_list_delete(cluster):
    with cluster.connect() as connection:
        member = alone(connection, "administered")
        for name, api in (("5", DESCRIBE_GROUPS_5), ("6", DESCRIBE_GROUPS_6)):
            answer = connection.call(api, groups=["administered", "unknown-group", ""], operations=False)
            yield f"described by version {name}", sorted(
                [it["group"], it["error"], it["state"], it["type"], it["protocol"], len(it["members"])]
                for it in answer["groups"]
            )
        it = connection.call(DESCRIBE_GROUPS_5, groups=["administered"], operations=True)["groups"][0]
        one = it["members"][0]
        yield "its member", [one["id"] == member, one["client"], one["host"], one["metadata"] == b"m", one["assignment"] == b"a"]
        yield "operations", it["operations"]
        for name, states, types in (("all", [], []), ("stable", ["Stable"], []), ("by another case", ["sTaBlE"], []),
                                    ("empty", ["Empty"], []), ("unknown state", ["Happy"], []),
                                    ("classic", [], ["classic"]), ("by case", [], ["CLASSIC"]), ("unknown type", [], ["old"])):
            answer = connection.call(LIST_GROUPS_5, states=states, types=types)
            found = [[it["protocol"], it["state"], it["type"]] for it in answer["groups"] if it["group"] == "administered"]
            yield f"listed, {name}", [answer["error"], found]
        answer = connection.call(DELETE_GROUPS_1, groups=["administered", "unknown-group", ""])
        yield "deleted", sorted([it["group"], it["error"]] for it in answer["results"])
        connection.call(LEAVE_GROUP_1, group="administered", member=member)
        answer = connection.call(DELETE_GROUPS_1, groups=["administered"])
        yield "deleted when empty", [it["error"] for it in answer["results"]]
        answer = connection.call(DESCRIBE_GROUPS_6, groups=["administered"], operations=False)
        yield "described when deleted", [[it["error"], it["state"]] for it in answer["groups"]]
