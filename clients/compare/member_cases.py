"""Groups of several members: what each of them is answered while the others come, wait, are replaced and go."""

import re
import time

from apis import (
    DELETE_GROUPS_1, DESCRIBE_GROUPS_0, DESCRIBE_GROUPS_5, HEARTBEAT_0, HEARTBEAT_3, JOIN_GROUP_0, JOIN_GROUP_2,
    JOIN_GROUP_4, JOIN_GROUP_5, JOIN_GROUP_7, JOIN_GROUP_9, LEAVE_GROUP_0, LEAVE_GROUP_3, LEAVE_GROUP_5, LIST_GROUPS_5,
    OFFSET_COMMIT_7, SYNC_GROUP_0, SYNC_GROUP_3, SYNC_GROUP_5,
)
from cluster import case

MEMBER_ID_REQUIRED = 79
NO_ANSWER_YET = "waits"


class Group:
    """Members of one group by name, each on a connection of its own."""

    def __init__(self, cluster, group):
        self.cluster, self.group = cluster, group
        self.members = {}
        self.topic = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members.values():
            member.connection.socket.close()

    def member(self, name, **more):
        self.members[name] = Member(self, **more)
        return self.members[name]

    def shown(self, value):
        """An answer without what differs from run to run: members have their names here in place of their ids."""
        if isinstance(value, dict):
            return {key: self.shown(it) for key, it in value.items() if key != "throttle"}
        if isinstance(value, list):
            shown = [self.shown(it) for it in value]
            return sorted(shown, key=str)
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if isinstance(value, str):
            for name, member in self.members.items():
                if value and value in member.ids:
                    return name if value == member.id else f"{name}, formerly"
            return re.sub("-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", "-uuid", value)
        return value

    def described(self):
        groups = self.cluster.call(DESCRIBE_GROUPS_5, groups=[self.group], operations=False)["groups"]
        return self.shown([{key: it[key] for key in ("error", "state", "type", "protocol", "members")} for it in groups])

    def await_rebalance(self):
        """Waits until what was sent on one connection is known before something is sent on another."""
        for _ in range(200):
            if self.cluster.call(DESCRIBE_GROUPS_5, groups=[self.group], operations=False)["groups"][0]["state"] == "PreparingRebalance":
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.group} does not rebalance")

    def listed(self, *states):
        groups = self.cluster.call(LIST_GROUPS_5, states=list(states), types=[])["groups"]
        return self.shown([it for it in groups if it["group"] == self.group])


class Member:
    def __init__(self, group, instance=None, api=JOIN_GROUP_5, protocols="range:m", **more):
        self.group, self.instance, self.api, self.more = group, instance, api, more
        self.connection = group.cluster.connect()
        self.id, self.generation, self.ids, self.protocols = "", -1, set(), protocols

    def send_join(self, member=None, protocols=None, api=None, **more):
        protocols = (protocols or self.protocols).split()
        self.sent = api or self.api
        values = {
            "group": self.group.group, "session_ms": 10000, "rebalance_ms": 10000, "member": self.id if member is None else member,
            "instance": self.instance, "type": "consumer", "reason": None,
            "protocols": [{"name": it.split(":")[0], "metadata": it.split(":")[1].encode("latin-1")} for it in protocols],
            **self.more, **more,
        }
        self.connection.send(self.sent, **values)

    def joined(self):
        answer = self.connection.receive(self.sent)
        if isinstance(answer, str):
            return answer
        if answer["member"] and answer["error"] in (0, MEMBER_ID_REQUIRED):
            self.id = answer["member"]
            self.ids.add(self.id)
            self.generation = answer["generation"]
        return self.group.shown(answer)

    def join(self, **more):
        self.send_join(**more)
        return self.joined()

    def enter(self, **more):
        """Asks for an id, and is then in the group as soon as the others are there."""
        assert self.join(**more)["error"] == MEMBER_ID_REQUIRED
        self.send_join(**more)

    def intrude(self):
        """Comes to a group that rests, which rebalances."""
        if self.instance is None:
            assert self.join()["error"] == MEMBER_ID_REQUIRED
        self.send_join()
        self.group.await_rebalance()

    def waits(self):
        """That no answer is there. Whoever answers at once has answered by now."""
        self.connection.socket.settimeout(0.3)
        answer = self.connection.receive(self.sent)
        self.connection.socket.settimeout(4)
        return NO_ANSWER_YET if answer == "silent" else self.group.shown(answer)

    def send_sync(self, api=SYNC_GROUP_3, generation=None, member=None, **assignments):
        ids = {name: it.id for name, it in self.group.members.items()}
        values = {
            "group": self.group.group, "generation": self.generation if generation is None else generation,
            "member": self.id if member is None else member, "instance": self.instance, "type": "consumer", "protocol": "range",
            "assignments": [{"member": ids.get(name, name), "assignment": it.encode()} for name, it in assignments.items()],
        }
        self.sent = api
        self.connection.send(api, **values)

    def synced(self):
        return self.group.shown(self.connection.receive(self.sent))

    def sync(self, **more):
        self.send_sync(**more)
        return self.synced()

    def heartbeat(self, **more):
        values = {"group": self.group.group, "generation": self.generation, "member": self.id, "instance": self.instance}
        return self.group.cluster.call(HEARTBEAT_3, **{**values, **more})["error"]

    def leave(self, *members, api=LEAVE_GROUP_3):
        members = members or [{"id": self.id, "instance": self.instance, "reason": None}]
        return self.group.shown(self.group.cluster.call(api, group=self.group.group, members=list(members)))

    def commit(self, **more):
        part = {"index": 0, "offset": 3, "leader_epoch": -1, "metadata": ""}
        values = {"group": self.group.group, "generation": self.generation, "member": self.id, "instance": self.instance}
        topics = [{"name": self.group.topic, "partitions": [part]}]
        return self.group.cluster.call(OFFSET_COMMIT_7, **{**values, "topics": topics, **more})["topics"][0]["partitions"][0]["error"]


@case
def join_in_every_version(cluster):
    for api in (JOIN_GROUP_0, JOIN_GROUP_2, JOIN_GROUP_4, JOIN_GROUP_5, JOIN_GROUP_7, JOIN_GROUP_9):
        with Group(cluster, f"join by {api.version}") as group:
            one = group.member("one", api=api)
            yield f"{api.version}, without an id", one.join()
            if api.version >= 4:
                yield f"{api.version}, with it", one.join()
            yield f"{api.version}, refused", one.join(type="other")
            yield f"{api.version}, unknown", one.join(member="nobody")
            yield f"{api.version}, of no group", one.join(group="")
            yield f"{api.version}, a session too short", one.join(session_ms=5999)
            yield f"{api.version}, described", group.described()
            if api.version < 5:
                values = {"group": group.group, "generation": 1, "member": one.id}
                yield f"{api.version}, sync", group.shown(cluster.call(SYNC_GROUP_0, **values, assignments=[]))
                yield f"{api.version}, heartbeat", cluster.call(HEARTBEAT_0, **values)
                answer = cluster.call(DESCRIBE_GROUPS_0, groups=[group.group, "unknown-group"])
                yield f"{api.version}, described by version 0", group.shown(answer)
                yield f"{api.version}, leave", cluster.call(LEAVE_GROUP_0, group=group.group, member=one.id)
                yield f"{api.version}, leave again", cluster.call(LEAVE_GROUP_0, group=group.group, member=one.id)
                yield f"{api.version}, leave unknown", cluster.call(LEAVE_GROUP_0, group="unknown-group", member="m")


@case
def timeouts_that_members_ask_for(cluster):
    for session_ms in (5999, 6000, 1800000, 1800001, -1, 0, 2147483647):
        with Group(cluster, f"session of {session_ms}") as group:
            yield f"a session of {session_ms}", group.member("one").join(session_ms=session_ms)["error"]
    for rebalance_ms in (0, -1, -2147483648, 2147483647):
        with Group(cluster, f"rebalance of {rebalance_ms}") as group:
            one = group.member("one", rebalance_ms=rebalance_ms)
            one.join()
            answer = one.join()
            yield f"a rebalance of {rebalance_ms}", answer["error"]


@case
def two_members(cluster):
    with Group(cluster, "two") as group:
        group.topic = cluster.topic()
        one, two = group.member("one"), group.member("two", protocols="range:n")
        one.enter()
        yield "the first", one.joined()
        yield "described while the leader assigns", group.described()
        yield "listed", group.listed("CompletingRebalance")
        yield "listed in small letters", group.listed("completingrebalance")
        yield "a commit before its assignment", one.commit()
        yield "a heartbeat before its assignment", one.heartbeat()
        yield "deleted", cluster.call(DELETE_GROUPS_1, groups=["two"])["results"]
        yield "the leader joins again, the same", one.join()
        yield "its assignment", one.sync(one="A", nobody="N")
        yield "described when stable", group.described()
        yield "the second is given an id", two.join()
        yield "the first does not notice", one.heartbeat()
        two.send_join()
        yield "the second waits", two.waits()
        yield "described while members join", group.described()
        yield "listed while members join", group.listed("PreparingRebalance", "Empty")
        yield "the first is told", one.heartbeat()
        yield "its sync", one.sync()
        yield "its commit", one.commit()
        yield "a commit of another generation", one.commit(generation=2)
        yield "a commit of nobody", one.commit(member="", generation=-1)
        yield "a commit of the one who waits", two.commit(generation=1)
        yield "a heartbeat of the one who waits", two.heartbeat(generation=1)
        yield "deleted while members join", cluster.call(DELETE_GROUPS_1, groups=["two"])["results"]
        one.send_join()
        yield "the first has joined", one.joined()
        yield "the second has joined", two.joined()
        two.send_sync()
        yield "the second has no assignment yet", two.waits()
        yield "the first gives them", one.sync(one="A", two="B")
        yield "the second has it", two.synced()
        yield "again", two.sync()
        yield "the leader again, with others", one.sync(one="X", two="Y")
        yield "described with two", group.described()
        yield "a follower joins again, the same", two.join()
        yield "its heartbeat", two.heartbeat()
        two.send_join(protocols="range:o")
        yield "a follower joins again, with others", two.waits()
        yield "the leader is told", one.heartbeat()
        yield "a third, of other protocols", group.member("three", protocols="other:m").join()
        yield "a third, of another type", group.member("four", type="connect").join()
        yield "the leader leaves", one.leave()
        yield "the follower leads", two.joined()
        yield "and is alone", two.sync(two="C")
        yield "the former leader", [one.heartbeat(), one.commit(), one.leave()]
        yield "leaves", two.leave()
        yield "described when empty", group.described()
        yield "a commit to the empty group", [one.commit(), one.commit(member="", generation=-1), one.commit(generation=-1)]
        yield "another type when empty", group.member("five", type="connect", protocols="v1:m").join()
        yield "described with one expected", group.described()


@case
def rebalance_while_members_wait_for_assignments(cluster):
    with Group(cluster, "interrupted") as group:
        group.topic = cluster.topic()
        one, two = group.member("one"), group.member("two")
        one.enter()
        one.joined()
        two.intrude()
        one.send_join()
        yield "both", [one.joined(), two.joined()]
        two.send_sync()
        yield "the second waits", two.waits()
        one.send_join(protocols="range:changed")
        yield "the second has to join again", two.synced()
        yield "described", group.described()
        yield "a sync of the former generation", two.sync()
        two.send_join()
        yield "both again", [one.joined(), two.joined()]
        yield "the follower joins again, the same", two.join()
        yield "the leader joins again, the same", one.join(protocols="range:changed")
        two.send_sync()
        yield "the second waits again", two.waits()
        yield "it is removed", one.leave({"id": two.id, "instance": None})
        yield "the group goes on", [one.heartbeat(), one.sync(one="A")]


@case
def sync_with_what_is_wrong(cluster):
    with Group(cluster, "syncing") as group:
        one, two = group.member("one"), group.member("two")
        one.enter()
        one.joined()
        two.intrude()
        one.send_join()
        one.joined(), two.joined()
        for name, more in {
            "another generation": {"generation": 1}, "no generation": {"generation": -1}, "nobody": {"member": "nobody"},
            "no member": {"member": ""},
        }.items():
            yield name, one.sync(**more, one="A")
        one.instance = "unknown"
        yield "an unknown instance", one.sync(one="A")
        one.instance = None
        yield "for others only", one.sync(two="B", nobody="N")
        yield "the other", two.sync()
        yield "by version 5", two.sync(api=SYNC_GROUP_5)
        yield "described", group.described()


@case
def pending_members(cluster):
    with Group(cluster, "pending") as group:
        group.topic = cluster.topic()
        one = group.member("one")
        yield "an id", one.join()
        yield "described", group.described()
        yield "a heartbeat", [one.heartbeat(), one.heartbeat(generation=0)]
        yield "a sync", one.sync(generation=0)
        yield "a commit", [one.commit(), one.commit(generation=0), one.commit(generation=1)]
        yield "with an instance", group.member("two", instance="i").join(member=one.id)["error"]
        yield "leaves", one.leave()
        yield "leaves again", one.leave()
        yield "joins", one.join()
        one = group.member("one again")
        one.join()
        yield "of another type", one.join(type="connect")
        yield "deleted", cluster.call(DELETE_GROUPS_1, groups=["pending"])["results"]
        yield "joins when deleted", one.join()
        yield "a group of its own id", group.described()


@case
def pending_member_of_a_live_group(cluster):
    with Group(cluster, "awaited") as group:
        one, two, three = group.member("one"), group.member("two"), group.member("three")
        one.enter()
        one.joined()
        one.sync(one="A")
        two.join()
        yield "no one notices", one.heartbeat()
        yield "it leaves", two.leave()
        yield "the group rebalances", one.heartbeat()
        yield "alone", one.join()
        one.sync(one="A")
        two.id = ""
        two.join()
        three.enter()
        yield "the third waits", three.waits()
        one.send_join()
        yield "the first waits", one.waits()
        yield "the expected one leaves", two.leave()
        yield "the others go on", [one.joined(), three.joined()]


@case
def protocols_that_members_prefer(cluster):
    with Group(cluster, "voting") as group:
        one = group.member("one", protocols="a:1 b:2 c:3")
        two = group.member("two", protocols="c:4 b:5 d:6")
        three = group.member("three", protocols="b:7 c:8")
        one.enter()
        yield "alone", one.joined()
        two.intrude()
        one.send_join()
        one.joined(), two.joined()
        three.intrude()
        one.send_join()
        two.send_join()
        yield "the three of them", [one.joined(), two.joined(), three.joined()]
        yield "one without them", group.member("four", protocols="a:1 d:2").join()
    with Group(cluster, "nameless") as group:
        one = group.member("one", protocols=":m", api=JOIN_GROUP_7)
        one.join()
        yield "a protocol without a name", one.join()
    with Group(cluster, "nameless by 5") as group:
        one = group.member("one", protocols=":m")
        one.join()
        yield "a protocol without a name, by version 5", one.join()
        yield "its sync", one.sync(one="A")


@case
def static_members_that_come_back(cluster):
    for api in (JOIN_GROUP_5, JOIN_GROUP_9):
        version = f"{api.version}, "
        with Group(cluster, f"static by {api.version}") as group:
            group.topic = cluster.topic()
            one, two = group.member("one", instance="i", api=api), group.member("two", instance="j", api=api)
            one.send_join()
            yield version + "the first", one.joined()
            two.intrude()
            one.send_join()
            yield version + "both", [one.joined(), two.joined()]
            two.send_sync()
            yield version + "assigned", [one.sync(one="A", two="B"), two.synced()]
            former = {"member": one.id, "instance": "i"}
            yield version + "the leader comes back", one.join(member="")
            yield version + "and syncs", one.sync()
            yield version + "its former id", [one.heartbeat(**former), one.commit(**former), one.join(member=former["member"])]
            yield version + "its former id leaves", one.leave({"id": former["member"], "instance": "i"})
            yield version + "the follower comes back", two.join(member="")
            yield version + "described", group.described()
            yield version + "an instance that is another", one.heartbeat(instance="j")
            yield version + "an id without its instance", [one.heartbeat(instance=None), one.commit(instance=None)]
            yield version + "an instance without its id", [one.heartbeat(member=""), one.commit(member=""), one.sync(member="")]
            yield version + "an instance without anything", one.commit(member="", generation=-1)
            two.send_join(member="", protocols="range:changed")
            yield version + "comes back with another subscription", two.joined()
            yield version + "and the others", [one.heartbeat(), two.heartbeat()]
            yield version + "without a protocol in common", two.join(member="", protocols="other:m")
            yield version + "leaves by its instance", two.leave({"id": "", "instance": "j"})
            yield version + "the first is told", one.heartbeat()
            one.send_join(member="")
            yield version + "the first comes back meanwhile", one.joined()
            yield version + "its sync", one.sync(one="A")
            answer = one.leave(
                {"id": "", "instance": "unknown"}, {"id": "nobody", "instance": "i"}, {"id": "", "instance": None},
                {"id": "", "instance": "i"}, {"id": "", "instance": "i"},
            )
            yield version + "several leave", answer
            yield version + "described when empty", group.described()


@case
def static_members_that_are_replaced_while_they_wait(cluster):
    with Group(cluster, "replaced") as group:
        one, two, other = group.member("one"), group.member("two", instance="i"), group.member("other", instance="i")
        one.enter()
        one.joined()
        one.sync(one="A")
        two.send_join()
        yield "the first of the two waits", two.waits()
        other.send_join()
        yield "it is fenced", two.joined()
        yield "the other waits", other.waits()
        one.send_join()
        yield "the others join", [one.joined(), other.joined()]
        other.send_sync()
        yield "it waits for its assignment", other.waits()
        two.send_join(member="")
        yield "it is fenced, too", other.synced()
        yield "described", group.described()
        one.send_join()
        yield "all join", [one.joined(), two.joined()]
        two.send_sync()
        yield "all sync", [one.sync(one="A", two="B"), two.synced()]
        two.send_join(member="", protocols="range:m other:n")
        yield "comes back with more protocols", two.joined()


@case
def members_that_do_not_come(cluster):
    with Group(cluster, "late") as group:
        group.topic = cluster.topic()
        one, two = group.member("one", rebalance_ms=1500), group.member("two", rebalance_ms=1500)
        one.enter()
        one.joined()
        one.sync(one="A")
        two.enter()
        yield "the first does not join", two.joined()
        yield "it is gone", [one.heartbeat(), one.join(), one.commit()]
        yield "the other goes on", two.sync(two="B")
        three = group.member("three", rebalance_ms=1500)
        three.intrude()
        two.send_join()
        yield "a third", [two.joined(), three.joined()]
        yield "only the leader syncs", two.sync(two="B", three="C")
        time.sleep(1.8)
        yield "the third had its time", [three.heartbeat(), three.sync(), two.heartbeat()]
        yield "described", group.described()
        fixed = group.member("fixed", instance="f", rebalance_ms=1500)
        fixed.intrude()
        two.send_join()
        yield "a static one", [two.joined(), fixed.joined()]
        fixed.send_sync()
        yield "all sync", [two.sync(two="B", fixed="F"), fixed.synced()]
        two.send_join()
        yield "a static one may be late", two.joined()
        yield "and is a member", group.described()


@case
def members_that_die(cluster):
    with Group(cluster, "dying") as group:
        one, two = group.member("one"), group.member("two", session_ms=6000)
        pending = group.member("pending", session_ms=6000)
        one.enter()
        one.joined()
        one.sync(one="A")
        two.intrude()
        one.send_join()
        one.joined(), two.joined()
        two.send_sync()
        one.sync(one="A", two="B"), two.synced()
        pending.join()
        for _ in range(3):
            time.sleep(1.5)
            assert one.heartbeat() == 0
        time.sleep(2.5)
        yield "the other is told", one.heartbeat()
        yield "the dead", [two.heartbeat(), two.sync(), two.join(), pending.join()]
        yield "the other goes on", one.join()


@case
def leave_in_version_5(cluster):
    with Group(cluster, "leaving") as group:
        one, two = group.member("one"), group.member("two", instance="i")
        one.enter()
        one.joined()
        two.intrude()
        one.send_join()
        one.joined(), two.joined()
        identity = {"id": one.id, "instance": None, "reason": "tired"}
        yield "twice", one.leave(identity, identity, api=LEAVE_GROUP_5)
        yield "none", one.group.shown(cluster.call(LEAVE_GROUP_5, group="leaving", members=[]))
        yield "under another's instance", one.leave({**identity, "instance": "i"}, api=LEAVE_GROUP_5)
        yield "the static one by its id alone", one.leave({"id": two.id, "instance": None, "reason": None}, api=LEAVE_GROUP_5)
        yield "an unknown group", cluster.call(LEAVE_GROUP_5, group="unknown-group", members=[identity])["members"][0]["error"]
        yield "described", group.described()
