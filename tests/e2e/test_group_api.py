"""Consumer groups and their offsets by raw requests: each call in each version, and each of its errors."""

import pytest

from harness.errors import *  # noqa: F403
from harness.group import Member, Transaction, commit, describe, fetch_offsets, find_coordinator, join_values, ready, stable_group, sync_values
from harness.internal_topics import subscription
from harness.paths import BROKER
from harness.process import until

OLD = BROKER == "kafka-2.7.1"


@pytest.fixture
def group(connection, request):
    return ready(connection, "g-" + request.node.name)


@pytest.fixture
def members():
    """Members opened by a test are closed with it."""
    made = []
    yield made
    for one in made:
        one.close()


def stable(broker, members, *args, **more):
    members += stable_group(broker, *args, **more)
    return members


# Versions


@pytest.mark.parametrize("version", range(0, 10))
def test_a_member_lives_in_every_version(broker, connection, group, members, version):
    me = Member(broker, group)
    members.append(me)
    joined = me.join(version)
    assert joined["error_code"] == 0
    assert joined["generation_id"] == 1 and joined["leader"] == joined["member_id"] == me.id
    assert me.id.startswith("e2e-") and len(me.id) == 40
    assert joined["protocol_name"] == "range" and joined.get("protocol_type", "consumer") == "consumer"
    assert [(m["member_id"], m["metadata"]) for m in joined["members"]] == [(me.id, subscription(["t"]))]
    synced = me.sync(min(version, 5), {me.id: b"mine"})
    assert (synced["error_code"], synced["assignment"]) == (0, b"mine")
    if version >= 5:
        assert (synced["protocol_type"], synced["protocol_name"]) == ("consumer", "range")
    assert me.heartbeat(min(version, 4)) == 0
    assert me.leave(min(version, 5)) == 0
    assert me.heartbeat() == UNKNOWN_MEMBER_ID
    assert describe(connection, group)["group_state"] == "Empty"


@pytest.mark.parametrize("version", range(1, 10))
def test_offsets_in_every_version(connection, topic, group, version):
    assert fetch_offsets(connection, group, {topic: [0, 5]}, version) == {(topic, 0): (-1, "", 0), (topic, 5): (-1, "", 0)}
    assert commit(connection, group, topic, {0: 17}, version, metadata="m") == {0: 0}
    assert commit(connection, group, topic, {0: 18, 7: 1}, version, metadata=None) == {0: 0, 7: UNKNOWN_TOPIC_OR_PARTITION}
    assert fetch_offsets(connection, group, {topic: [0]}, version) == {(topic, 0): (18, "", 0)}
    if version >= 2:
        assert fetch_offsets(connection, group, None, version) == {(topic, 0): (18, "", 0)}
    if version >= 8:
        answer = connection.request("OFFSET_FETCH", version, {"groups": [{"group_id": g, "topics": None} for g in (group, "nobody")]})
        assert [(g["group_id"], len(g["topics"]), g["error_code"]) for g in answer["groups"]] == [(group, 1, 0), ("nobody", 0, 0)]


def test_offsets_keep_the_leader_epoch(connection, topic, group):
    assert commit(connection, group, topic, {0: 3}, 6, leader_epoch=7) == {0: 0}
    answer = connection.request("OFFSET_FETCH", 5, {"group_id": group, "topics": None})["topics"][0]["partitions"][0]
    assert (answer["committed_offset"], answer["committed_leader_epoch"]) == (3, 7)


def test_version_0_keeps_offsets_in_the_metadata(connection, topic, group):
    def fetched():
        return fetch_offsets(connection, group, {topic: [0, 9]}, 0)

    assert fetched() == {(topic, 0): (-1, "", UNKNOWN_TOPIC_OR_PARTITION), (topic, 9): (-1, "", UNKNOWN_TOPIC_OR_PARTITION)}
    assert commit(connection, group, topic, {0: 5, 9: 5}, 0) == {0: 0, 9: UNKNOWN_TOPIC_OR_PARTITION}
    assert commit(connection, group, topic, {0: 6}, 0) == {0: 0}
    assert fetched()[(topic, 0)] == (6, "", 0)
    assert fetch_offsets(connection, group, {topic: [0]}, 1) == {(topic, 0): (-1, "", 0)}
    assert commit(connection, group, topic, {0: 6}, 0, metadata="x" * 5000) == {0: OFFSET_METADATA_TOO_LARGE}


def test_names_that_are_no_paths(connection, topic):
    for name in ("", "..", ".", "a//b", "x\ny"):
        assert commit(connection, name, topic, {0: 5}, 0) == {0: UNKNOWN_SERVER_ERROR}, name
        assert fetch_offsets(connection, name, {topic: [0]}, 0)[(topic, 0)][0] == -1


# JoinGroup


def test_join_refusals(broker, connection, group, members):
    me = stable(broker, members, group)[0]

    def join(version=5, **more):
        return connection.request("JOIN_GROUP", version, join_values(more.pop("group", group), version, **more))

    assert join(group="")["error_code"] == INVALID_GROUP_ID
    assert join(session=5999)["error_code"] == INVALID_SESSION_TIMEOUT
    assert join(session=1800001)["error_code"] == INVALID_SESSION_TIMEOUT
    assert join(session=-1)["error_code"] == INVALID_SESSION_TIMEOUT
    assert join(member_id="nobody")["error_code"] == UNKNOWN_MEMBER_ID
    assert join(member_id=me.id, instance="unknown")["error_code"] == UNKNOWN_MEMBER_ID
    assert join(protocol_type="connect")["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    assert join(protocols={"other": b""})["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    assert join(protocols={})["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    refused = join(7, member_id="nobody")
    assert (refused["generation_id"], refused["protocol_type"], refused["protocol_name"], refused["leader"], refused["members"]) == (
        -1, None, None, "", [])
    assert refused["member_id"] == "nobody"
    assert join(5, member_id="nobody")["protocol_name"] == ""
    fresh = ready(connection, group + "-fresh")
    assert join(group=fresh, member_id="nobody")["error_code"] == UNKNOWN_MEMBER_ID
    assert join(group=fresh, protocols={})["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    assert join(group=fresh, protocol_type="")["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    assert me.heartbeat() == 0


def test_a_new_member_is_told_its_id_first(connection, group):
    answer = connection.request("JOIN_GROUP", 4, join_values(group, 4))
    assert (answer["error_code"], answer["generation_id"]) == (MEMBER_ID_REQUIRED, -1)
    given = answer["member_id"]
    answer = connection.request("JOIN_GROUP", 4, join_values(group, 4, given))
    assert (answer["error_code"], answer["member_id"], answer["generation_id"]) == (0, given, 1)


def test_group_max_size(cluster, members):
    broker = cluster.broker(group_max_size=2).start()
    with broker.connect() as connection:
        ready(connection, "small")
        stable(broker, members, "small", 2)
        answer = connection.request("JOIN_GROUP", 3, join_values("small", 3))
        assert answer["error_code"] == GROUP_MAX_SIZE_REACHED
        assert members[1].heartbeat() == 0


def test_members_join_leave_and_are_forgotten(broker, connection, group, members):
    stable(broker, members, group, 3, session=6000)
    leader, second, third = members
    assert third.leave() == 0
    until(lambda: leader.heartbeat() == REBALANCE_IN_PROGRESS)
    leader.send_join()
    second.send_join()
    assert len(leader.receive_join()["members"]) == 2
    assert second.receive_join()["leader"] == leader.id
    leader.send_sync(assignments={leader.id: b"all"})
    second.send_sync()
    assert leader.receive_sync()["assignment"] == b"all"
    assert second.receive_sync()["assignment"] == b""
    # The second falls silent: its session ends.
    until(lambda: leader.heartbeat() == REBALANCE_IN_PROGRESS, 20)
    assert len(leader.join()["members"]) == 1
    assert second.heartbeat() == UNKNOWN_MEMBER_ID


def test_joining_again(broker, group, members):
    leader, follower = stable(broker, members, group, 2)
    generation = leader.generation
    answer = follower.join()  # nothing new: the current generation
    assert (answer["generation_id"], answer["members"], answer["leader"]) == (generation, [], leader.id)
    assert follower.sync()["assignment"] == b"1"
    leader.send_join()  # the leader may want another assignment
    until(lambda: follower.heartbeat() == REBALANCE_IN_PROGRESS)
    assert follower.join()["generation_id"] == generation + 1
    assert leader.receive_join()["generation_id"] == generation + 1
    assert follower.join()["generation_id"] == generation + 1
    assert len(leader.join()["members"]) == 2


def test_the_protocol_most_members_prefer(broker, connection, group, members):
    leader = stable(broker, members, group, 1, protocols={"a": b"1", "range": b"2"})[0]
    other = Member(broker, group, protocols={"range": b"3", "a": b"4"})
    third = Member(broker, group, protocols={"range": b"5", "a": b"6"})
    members += [other, third]
    for one in (other, third):  # pending members too are waited for
        one.send_join(3)
        until(lambda: leader.heartbeat() == REBALANCE_IN_PROGRESS)
    leader.send_join()
    assert leader.receive_join()["error_code"] == 0
    assert other.receive_join()["protocol_name"] == "range"
    assert third.receive_join()["error_code"] == 0
    assert sorted(m["metadata"] for m in leader.joined["members"]) == [b"2", b"3", b"5"]


# SyncGroup, Heartbeat, LeaveGroup


def test_sync_refusals(broker, connection, group, members):
    me = stable(broker, members, group)[0]
    assert connection.request("SYNC_GROUP", 3, sync_values("", 3, me.id, 1))["error_code"] == INVALID_GROUP_ID
    assert connection.request("SYNC_GROUP", 3, sync_values(ready(connection, "absent"), 3, me.id, 1))["error_code"] == UNKNOWN_MEMBER_ID
    assert me.sync(member_id="nobody")["error_code"] == UNKNOWN_MEMBER_ID
    assert me.sync(generation=9)["error_code"] == ILLEGAL_GENERATION
    assert me.sync(generation=-1)["error_code"] == ILLEGAL_GENERATION
    assert me.sync(5, protocol_type="connect")["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    assert me.sync(5, protocol="sticky")["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    assert me.sync(5, protocol=None)["error_code"] == INCONSISTENT_GROUP_PROTOCOL
    refused = me.sync(5, member_id="nobody")
    assert (refused["protocol_type"], refused["protocol_name"], refused["assignment"]) == (None, None, b"")
    assert me.sync()["assignment"] == b"0"


def test_heartbeat_refusals(broker, connection, group, members):
    me = stable(broker, members, group)[0]
    values = {"group_id": "", "generation_id": 1, "member_id": me.id}
    assert connection.request("HEARTBEAT", 0, values)["error_code"] == INVALID_GROUP_ID
    values["group_id"] = ready(connection, "absent")
    assert connection.request("HEARTBEAT", 0, values)["error_code"] == UNKNOWN_MEMBER_ID
    assert me.heartbeat(member_id="nobody") == UNKNOWN_MEMBER_ID
    assert me.heartbeat(generation=9) == ILLEGAL_GENERATION
    assert me.heartbeat(generation=-2) == ILLEGAL_GENERATION


def test_while_a_group_rebalances(broker, topic, group, members):
    leader, follower = stable(broker, members, group, 2)
    leader.send_join()
    until(lambda: follower.heartbeat() == REBALANCE_IN_PROGRESS)
    assert follower.sync()["error_code"] == REBALANCE_IN_PROGRESS
    assert follower.commit(topic, {0: 1}) == {0: 0}
    assert follower.join()["error_code"] == 0
    assert leader.receive_join()["error_code"] == 0
    # Joined, and not yet synced.
    assert follower.heartbeat() == 0
    assert follower.commit(topic, {0: 2}) == {0: REBALANCE_IN_PROGRESS}
    follower.send_sync()
    assert leader.sync(assignments={leader.id: b"x"})["assignment"] == b"x"
    assert follower.receive_sync()["assignment"] == b""
    assert follower.commit(topic, {0: 3}) == {0: 0}


def test_whoever_never_syncs_is_removed(broker, group, members):
    leader, follower = stable(broker, members, group, 2, rebalance=3000)
    leader.send_join()
    until(lambda: follower.heartbeat() == REBALANCE_IN_PROGRESS)
    assert follower.join()["error_code"] == 0
    assert leader.receive_join()["error_code"] == 0
    leader.sync(assignments={leader.id: b"x"})
    if OLD:  # since 3.1
        return
    until(lambda: leader.heartbeat() == REBALANCE_IN_PROGRESS, 20)
    assert follower.heartbeat() == UNKNOWN_MEMBER_ID


def test_leave_refusals(broker, connection, group, members):
    me = stable(broker, members, group)[0]

    def leave(version, group, *who):
        values = {"group_id": group}
        if version >= 3:
            values["members"] = [{"member_id": m, "group_instance_id": i} for m, i in who]
        else:
            values["member_id"] = who[0][0]
        answer = connection.request("LEAVE_GROUP", version, values)
        return answer["error_code"], [m["error_code"] for m in answer.get("members", [])]

    absent = ready(connection, "absent")
    assert leave(3, "", (me.id, None)) == (INVALID_GROUP_ID, [])
    assert leave(0, "", (me.id, None)) == (INVALID_GROUP_ID, [])
    assert leave(0, group, ("nobody", None)) == (UNKNOWN_MEMBER_ID, [])
    assert leave(0, absent, ("nobody", None)) == (UNKNOWN_MEMBER_ID, [])
    assert leave(3, absent, ("nobody", None)) == (0, [UNKNOWN_MEMBER_ID])
    assert leave(3, group, ("nobody", None), ("", "no-instance"), (me.id, None)) == (0, [UNKNOWN_MEMBER_ID, UNKNOWN_MEMBER_ID, 0])
    assert leave(3, group) == (0, [])


# Static members


def test_static_members_come_back_unnoticed(broker, connection, group, members):
    leader, follower = stable(broker, members, group, 2, instances=["a", "b"])
    assert leader.id.startswith("a-") and len(leader.id) == 38
    again = Member(broker, group, "b")
    members.append(again)
    answer = again.join()
    assert (answer["error_code"], answer["generation_id"], answer["leader"], answer["members"]) == (0, leader.generation, leader.id, [])
    assert answer["member_id"] != follower.id
    assert again.sync()["assignment"] == b"1"
    assert leader.heartbeat() == 0
    assert follower.heartbeat() == FENCED_INSTANCE_ID
    assert follower.sync()["error_code"] == FENCED_INSTANCE_ID
    assert follower.commit("static", {0: 1}) in ({0: FENCED_INSTANCE_ID}, {0: UNKNOWN_TOPIC_OR_PARTITION})
    assert follower.join()["error_code"] == FENCED_INSTANCE_ID
    assert follower.leave() == FENCED_INSTANCE_ID
    assert again.heartbeat(instance="never-heard-of") == (0 if OLD else UNKNOWN_MEMBER_ID)
    # The leader too. Older clients are told its old name, newer ones that there is nothing to assign.
    old_id = leader.id
    back = Member(broker, group, "a")
    members.append(back)
    assert back.join(7)["leader"] == old_id
    assert back.joined["members"] == []
    if not OLD:
        assert back.join(9, member_id="")["skip_assignment"] is True
        assert back.joined["leader"] == back.id and len(back.joined["members"]) == 2
    # An administrator removes one by its instance.
    answer = connection.request("LEAVE_GROUP", 3, {"group_id": group, "members": [{"member_id": "", "group_instance_id": "b"}]})
    assert answer["members"][0]["error_code"] == 0
    assert again.heartbeat() in (UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS)
    assert again.heartbeat() == UNKNOWN_MEMBER_ID


# Offsets


def test_who_may_commit(broker, connection, topic, group, members):
    assert commit(connection, group, topic, {0: 1}, generation=0, member_id="x") == {0: ILLEGAL_GENERATION}
    assert commit(connection, group, topic, {0: 1}, generation=-1, member_id="anybody") == {0: 0}
    me = stable(broker, members, group)[0]
    assert me.commit(topic, {0: 2}) == {0: 0}
    assert commit(connection, group, topic, {0: 3}) == {0: UNKNOWN_MEMBER_ID}
    assert me.commit(topic, {0: 3}, member_id="nobody") == {0: UNKNOWN_MEMBER_ID}
    assert me.commit(topic, {0: 3}, generation=9) == {0: ILLEGAL_GENERATION}
    assert me.commit(topic, {0: 3}, generation=-7) == {0: ILLEGAL_GENERATION}
    assert me.leave() == 0
    assert me.commit(topic, {0: 3}) == {0: UNKNOWN_MEMBER_ID}
    assert fetch_offsets(connection, group) == {(topic, 0): (2, "", 0)}


def test_metadata_has_a_limit(connection, topic, group):
    assert commit(connection, group, topic, {0: 1}, metadata="x" * 4096) == {0: 0}
    assert commit(connection, group, topic, {0: 2}, metadata="x" * 4097) == {0: OFFSET_METADATA_TOO_LARGE}
    assert fetch_offsets(connection, group) == {(topic, 0): (1, "x" * 4096, 0)}


def test_the_group_without_a_name_keeps_offsets(connection, topic):
    ready(connection, "")
    assert commit(connection, "", topic, {0: 4}) == {0: 0}
    assert fetch_offsets(connection, "", {topic: [0]}) == {(topic, 0): (4, "", 0)}
    assert describe(connection, "")["group_state"] == "Empty"
    assert connection.request("DELETE_GROUPS", 1, {"groups_names": [""]})["results"][0]["error_code"] == 0


def test_offsets_of_a_deleted_topic_go(broker, connection, group):
    topic = broker.create_topic("to-be-deleted")
    del broker.topics[topic]
    assert commit(connection, group, topic, {0: 4}) == {0: 0}
    assert connection.request("DELETE_TOPICS", 3, {"topic_names": [topic], "timeout_ms": 10000})["responses"][0]["error_code"] == 0
    until(lambda: fetch_offsets(connection, group) == {})
    until(lambda: describe(connection, group)["group_state"] == "Dead")


def test_offsets_expire(cluster):
    broker = cluster.broker(offsets_retention_minutes=1, offsets_retention_check_interval_ms=500).start()
    broker.create_topic("t")
    with broker.connect() as connection:
        ready(connection, "g")
        long_ago = 1_600_000_000_000
        assert commit(connection, "g", "t", {0: 1}, 2, retention=1) == {0: 0}
        until(lambda: describe(connection, "g")["group_state"] == "Dead")
        # A group that is just being removed is no group to commit to.
        until(lambda: commit(connection, "g", "t", {0: 1}, 1, timestamp=long_ago) == {0: 0})
        until(lambda: describe(connection, "g")["group_state"] == "Dead")
        assert fetch_offsets(connection, "g") == {}
        until(lambda: commit(connection, "g", "t", {0: 1}) == {0: 0})
        ready(connection, "other")
        assert commit(connection, "other", "t", {0: 1}, 2, retention=1) == {0: 0}
        until(lambda: describe(connection, "other")["group_state"] == "Dead")
        assert describe(connection, "g")["group_state"] == "Empty"


@pytest.mark.parametrize("version", range(0, 5))
@pytest.mark.parametrize("end", [True, False], ids=["commit", "abort"])
def test_offsets_of_a_transaction(connection, topic, group, version, end):
    commit(connection, group, topic, {0: 1})
    transaction = Transaction(connection, group)
    assert transaction.commit(topic, {0: 2, 7: 1}, version) == {0: 0, 7: UNKNOWN_TOPIC_OR_PARTITION}
    assert fetch_offsets(connection, group, {topic: [0]}) == {(topic, 0): (1, "", 0)}
    assert fetch_offsets(connection, group, {topic: [0]}, stable=True) == {(topic, 0): (-1, "", UNSTABLE_OFFSET_COMMIT)}
    assert fetch_offsets(connection, group, None, stable=True) == {(topic, 0): (-1, "", UNSTABLE_OFFSET_COMMIT)}
    transaction.end(end)
    until(lambda: fetch_offsets(connection, group, {topic: [0]}, stable=True)[(topic, 0)][2] == 0)
    assert fetch_offsets(connection, group) == {(topic, 0): (2, "txn", 0) if end else (1, "", 0)}


def test_who_may_commit_in_a_transaction(broker, connection, topic, group, members):
    transaction = Transaction(connection, group)
    me = stable(broker, members, group, instances=["i"])[0]
    mine = {"member_id": me.id, "instance": "i", "generation": me.generation}
    assert transaction.commit(topic, {0: 1}, 3, **mine) == {0: 0}
    assert transaction.commit(topic, {0: 1}, 3) == {0: 0}  # older clients do not say who they are
    assert transaction.commit(topic, {0: 1}, 3, **{**mine, "generation": 9}) == {0: ILLEGAL_GENERATION}
    assert transaction.commit(topic, {0: 1}, 3, **{**mine, "instance": None, "member_id": "nobody"}) == {0: UNKNOWN_MEMBER_ID}
    assert transaction.commit(topic, {0: 1}, 3, **{**mine, "member_id": "nobody"}) == {0: FENCED_INSTANCE_ID}
    assert transaction.commit(topic, {0: 1}, 3, metadata="x" * 4097) == {0: OFFSET_METADATA_TOO_LARGE}
    assert transaction.commit(topic, {0: 1}, 3, group_id="") == {0: INVALID_GROUP_ID}
    # An older epoch than the partition has seen is fenced.
    transaction.end(True)
    again = Transaction(connection, group)
    assert again.commit(topic, {0: 5}) == {0: 0}
    again.end(True)
    until(lambda: fetch_offsets(connection, group, {topic: [0]}, stable=True) == {(topic, 0): (5, "txn", 0)})
    assert transaction.commit(topic, {0: 6}) == {0: INVALID_PRODUCER_EPOCH}
    assert fetch_offsets(connection, group, {topic: [0]}, stable=True) == {(topic, 0): (5, "txn", 0)}


def delete_offsets(connection, group, offsets: dict):
    answer = connection.request("OFFSET_DELETE", 0, {
        "group_id": group, "topics": [{"name": t, "partitions": [{"partition_index": p} for p in ps]} for t, ps in offsets.items()]})
    return answer["error_code"] or {(t["name"], p["partition_index"]): p["error_code"] for t in answer["topics"] for p in t["partitions"]}


def test_offset_delete(broker, connection, topic, group, members):
    other = broker.create_topic(topic + "-other")
    assert delete_offsets(connection, "", {topic: [0]}) == INVALID_GROUP_ID
    assert delete_offsets(connection, group, {topic: [0]}) == GROUP_ID_NOT_FOUND
    commit(connection, group, topic, {0: 1})
    commit(connection, group, other, {0: 1})
    me = stable(broker, members, group, protocols={"range": subscription([topic])})[0]
    assert delete_offsets(connection, group, {topic: [0, 9], other: [0]}) == {
        (topic, 0): GROUP_SUBSCRIBED_TO_TOPIC, (topic, 9): UNKNOWN_TOPIC_OR_PARTITION, (other, 0): 0}
    assert fetch_offsets(connection, group) == {(topic, 0): (1, "", 0)}
    me.leave()
    assert delete_offsets(connection, group, {topic: [0]}) == {(topic, 0): 0}
    assert fetch_offsets(connection, group) == {}
    strange = ready(connection, group + "-connect")
    stable(broker, members, strange, protocol_type="connect")
    assert delete_offsets(connection, strange, {topic: [0]}) == NON_EMPTY_GROUP


# Administration


@pytest.mark.parametrize("version", range(0, 6))
def test_describe(broker, connection, group, members, version):
    absent = describe(connection, ready(connection, "absent"), version)
    assert (absent["error_code"], absent["group_state"], absent["protocol_type"], absent["members"]) == (0, "Dead", "", [])
    me = stable(broker, members, group, instances=["i"])[0]
    found = describe(connection, group, version)
    assert (found["group_state"], found["protocol_type"], found["protocol_data"]) == ("Stable", "consumer", "range")
    member = found["members"][0]
    assert (member["member_id"], member["client_id"], member["client_host"]) == (me.id, "e2e", "/127.0.0.1")
    assert (member["member_metadata"], member["member_assignment"]) == (subscription(["t"]), b"0")
    if version >= 3:
        assert found["authorized_operations"] == 328
    if version >= 4:
        assert member["group_instance_id"] == "i"
    me.send_join()
    assert me.receive_join()["error_code"] == 0
    found = describe(connection, group, version)
    assert (found["group_state"], found["protocol_data"]) == ("CompletingRebalance", "")
    assert (found["members"][0]["member_metadata"], found["members"][0]["member_assignment"]) == (b"", b"")


@pytest.mark.parametrize("version", range(0, 6))
def test_list(broker, connection, topic, group, members, version):
    def listed(**filters):
        if version >= 4:
            filters = {"states_filter": [], **({"types_filter": []} if version >= 5 else {}), **filters}
        answer = connection.request("LIST_GROUPS", version, filters)
        assert answer["error_code"] == 0
        return {g["group_id"]: g for g in answer["groups"] if g["group_id"].startswith(group)}

    stable(broker, members, group)
    plain = ready(connection, group + "-plain")
    commit(connection, plain, topic, {0: 1})
    found = listed()
    assert (found[group]["protocol_type"], found[plain]["protocol_type"]) == ("consumer", "")
    if version < 4:
        return
    assert (found[group]["group_state"], found[plain]["group_state"]) == ("Stable", "Empty")
    assert set(listed(states_filter=["Stable"])) == {group}
    assert set(listed(states_filter=["stable"])) == (set() if OLD else {group})
    assert set(listed(states_filter=["Empty", "Stable"])) == {group, plain}
    assert set(listed(states_filter=["Nonsense"])) == set()
    if version >= 5:
        assert found[group]["group_type"] == "classic"
        assert set(listed(types_filter=["Classic"])) == {group, plain}
        assert set(listed(types_filter=["consumer"])) == set()


@pytest.mark.parametrize("version", range(0, 3))
def test_delete_groups(broker, connection, topic, group, members, version):
    def delete(*groups):
        return [(r["group_id"], r["error_code"]) for r in connection.request("DELETE_GROUPS", version, {"groups_names": list(groups)})["results"]]

    me = stable(broker, members, group)[0]
    me.commit(topic, {0: 1})
    absent = ready(connection, "absent")
    assert sorted(delete(group, absent)) == sorted([(group, NON_EMPTY_GROUP), (absent, GROUP_ID_NOT_FOUND)])
    me.leave()
    assert delete(group) == [(group, 0)]
    assert delete(group) == [(group, GROUP_ID_NOT_FOUND)]
    assert fetch_offsets(connection, group) == {}
    assert me.heartbeat() == UNKNOWN_MEMBER_ID


# Hostile


def test_long_names(broker, connection, topic):
    name = ready(connection, "n" * 32767)
    assert commit(connection, name, topic, {0: 1}) == {0: 0}
    assert fetch_offsets(connection, name) == {(topic, 0): (1, "", 0)}
    if BROKER == "weir":  # longer than a record can hold, which only flexible versions can say
        answer = connection.request("JOIN_GROUP", 6, join_values("n" * 40000, 6))
        assert answer["error_code"] == INVALID_GROUP_ID
        answer = connection.request("JOIN_GROUP", 6, join_values(name, 6, instance="i" * 40000))
        assert answer["error_code"] == INVALID_REQUEST
    assert connection.request("DELETE_GROUPS", 1, {"groups_names": [name]})["results"][0]["error_code"] == 0


def test_subscriptions_that_are_none(broker, connection, topic, group, members):
    if BROKER != "weir":
        pytest.skip("Apache Kafka never answers some of these joins")
    for i, garbage in enumerate((b"", b"\0", b"\xff\xff\xff\xff", b"\0\1\x7f\xff\xff\xff", bytes(100_000))):
        name = ready(connection, f"{group}-{i}")
        me = stable(broker, members, name, protocols={"range": garbage})[-1]
        assert me.heartbeat() == 0
        assert describe(connection, name)["members"][0]["member_metadata"] == garbage
        # Nobody knows what it reads; but zeros are a subscription, to nothing.
        in_use = 0 if garbage == bytes(100_000) else GROUP_SUBSCRIBED_TO_TOPIC
        assert delete_offsets(connection, name, {topic: [0]}) == {(topic, 0): in_use}
        me.leave()
        members.pop().close()


def test_an_assignment_too_large_to_store(broker, connection, group, members):
    me = Member(broker, group)
    members.append(me)
    me.join()
    assert me.sync(assignments={me.id: bytes(2_000_000)})["error_code"] == UNKNOWN_SERVER_ERROR
    assert me.join()["error_code"] == 0
    assert me.sync(assignments={me.id: b"small"})["assignment"] == b"small"


def test_a_commit_too_large_to_store(cluster):
    broker = cluster.broker(offset_metadata_max_bytes=32767).start()
    broker.create_topic("wide", 40)
    with broker.connect() as connection:
        ready(connection, "g")
        assert set(commit(connection, "g", "wide", dict.fromkeys(range(40), 1), metadata="x" * 32767).values()) == {INVALID_COMMIT_OFFSET_SIZE}
        assert set(commit(connection, "g", "wide", dict.fromkeys(range(20), 1), metadata="x" * 32767).values()) == {0}


def test_many_members(broker, connection, group):
    """Hundreds join at once and their connections break; their sessions end, and the group is empty again."""
    connections = [broker.connect() for _ in range(300)]
    for each in connections:
        each.send("JOIN_GROUP", 2, join_values(group, 2, session=6000, rebalance=6000))
    until(lambda: len(describe(connection, group)["members"]) > 250, 30)
    for each in connections:
        each.close()
    until(lambda: describe(connection, group)["group_state"] in ("Empty", "Dead"), 60)


# Life of the broker


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_groups_and_offsets_outlive_the_broker(cluster, members, end):
    broker = cluster.broker().start()
    broker.create_topic("t")
    with broker.connect() as connection:
        for name in ("g", "plain", "deleted"):
            ready(connection, name)
        leader, follower = stable(broker, members, "g", 2, session=30000)
        assert leader.commit("t", {0: 41}, metadata="meta") == {0: 0}
        assert commit(connection, "plain", "t", {0: 7}) == {0: 0}
        assert commit(connection, "deleted", "t", {0: 7}) == {0: 0}
        assert connection.request("DELETE_GROUPS", 1, {"groups_names": ["deleted"]})["results"][0]["error_code"] == 0
        generation = leader.generation
    getattr(broker, end)()
    broker.start()
    with broker.connect() as connection:
        for name in ("g", "plain", "deleted"):
            ready(connection, name)
        assert fetch_offsets(connection, "g") == {("t", 0): (41, "meta", 0)}
        assert fetch_offsets(connection, "plain") == {("t", 0): (7, "", 0)}
        assert fetch_offsets(connection, "deleted") == {}
        found = describe(connection, "g")
        assert (found["group_state"], len(found["members"])) == ("Stable", 2)
        for old, assigned in ((leader, b"0"), (follower, b"1")):
            again = Member(broker, "g")
            members.append(again)
            again.id, again.generation = old.id, generation
            assert again.heartbeat() == 0
            assert again.sync()["assignment"] == assigned
        assert commit(connection, "g", "t", {0: 42}, generation=generation, member_id=leader.id) == {0: 0}


def test_requests_to_a_broker_that_is_no_coordinator_yet(cluster):
    """Before the topic exists nobody coordinates anything."""
    broker = cluster.broker().start()
    with broker.connect() as connection:
        assert connection.request("HEARTBEAT", 0, {"group_id": "g", "generation_id": 1, "member_id": "m"})["error_code"] == NOT_COORDINATOR
        assert connection.request("JOIN_GROUP", 0, join_values("g", 0))["error_code"] == NOT_COORDINATOR
        assert connection.request("SYNC_GROUP", 0, sync_values("g", 0, "m", 1))["error_code"] == NOT_COORDINATOR
        assert connection.request("LEAVE_GROUP", 0, {"group_id": "g", "member_id": "m"})["error_code"] == NOT_COORDINATOR
        assert describe(connection, "g")["error_code"] == NOT_COORDINATOR
        assert connection.request("DELETE_GROUPS", 0, {"groups_names": ["g"]})["results"][0]["error_code"] == NOT_COORDINATOR
        assert fetch_offsets(connection, "g", version=5) == NOT_COORDINATOR
        # Version 1 has no place for an error but its partitions; 3.9.1 just leaves them out.
        assert fetch_offsets(connection, "g", {"t": [0]}, version=1) == (
            {} if BROKER == "kafka-3.9.1" else {("t", 0): (-1, "", NOT_COORDINATOR)})
        broker.create_topic("t")
        assert commit(connection, "g", "t", {0: 1}) == {0: NOT_COORDINATOR}
        assert connection.request("LIST_GROUPS", 2, {}) == {"throttle_time_ms": 0, "error_code": 0, "groups": []}
        find_coordinator(connection, "g")


def test_rebalances_explain_themselves(broker, connection, group, members):
    """One line for each generation, and why members went; nothing for each request."""
    if BROKER != "weir":
        pytest.skip("Apache Kafka has its own words")
    me, other = stable(broker, members, group, 2, session=6000)
    commit(connection, group, "t", {0: 1})
    other.leave(4)
    until(lambda: me.heartbeat() == REBALANCE_IN_PROGRESS)
    me.join(8, reason="line\nbreak")
    lines = until(lambda: [x for x in broker.output().splitlines() if f"roup {group} is " in x and "generation 3" in x])
    assert f"Group {group} is in generation 3 with 1 members, 2 before, after" in lines[0]
    assert f"The rebalance began because member {other.id} is gone: it left" in lines[0]
    told = [x for x in broker.output().splitlines() if group in x]
    assert [x for x in told if f"Member {other.id} (e2e at /127.0.0.1) of group {group} is gone: it left" in x]
    assert len(told) == 4  # three generations, one member gone


# Clients


def test_kafka_python_reads_as_a_group(broker, topic):
    import kafka

    producer = kafka.KafkaProducer(bootstrap_servers=broker.address)
    for i in range(20):
        producer.send(topic, b"%d" % i)
    producer.flush()

    def read(n):
        consumer = kafka.KafkaConsumer(topic, bootstrap_servers=broker.address, group_id=topic, auto_offset_reset="earliest",
                                       enable_auto_commit=False, max_poll_records=n)
        found = []
        while len(found) < n:
            for records in consumer.poll(timeout_ms=1000, max_records=n - len(found)).values():
                found += [r.value for r in records]
        consumer.commit()
        consumer.close()
        return found

    assert read(12) == [b"%d" % i for i in range(12)]
    assert read(8) == [b"%d" % i for i in range(12, 20)]


def test_confluent_kafka_reads_as_a_group(broker, topic):
    confluent_kafka = pytest.importorskip("confluent_kafka")
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.address})
    for i in range(20):
        producer.produce(topic, b"%d" % i)
    producer.flush()

    def read(n):
        consumer = confluent_kafka.Consumer({"bootstrap.servers": broker.address, "group.id": topic, "auto.offset.reset": "earliest",
                                             "enable.auto.commit": False})
        consumer.subscribe([topic])
        found = []
        while len(found) < n:
            record = consumer.poll(1.0)
            if record is not None and record.error() is None:
                found.append(record.value())
                consumer.commit(record, asynchronous=False)
        consumer.close()
        return found

    assert read(12) == [b"%d" % i for i in range(12)]
    assert read(8) == [b"%d" % i for i in range(12, 20)]
