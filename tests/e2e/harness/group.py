"""Members of consumer groups by raw requests, in any version."""

from harness.errors import *  # noqa: F403
from harness.internal_topics import subscription
from harness.process import until
from harness.wire import Connection


def find_coordinator(connection: Connection, group: str):
    """Until there is one: asking makes the topic."""
    until(lambda: connection.request("FIND_COORDINATOR", 1, {"key": group, "key_type": 0})["error_code"] == 0, 60,
          f"a coordinator for {group}")


def ready(connection: Connection, group: str):
    """Until the group's coordinator has loaded its partition."""
    find_coordinator(connection, group)
    until(lambda: connection.request("OFFSET_FETCH", 5, {"group_id": group, "topics": []})["error_code"] == 0, 60,
          f"the coordinator of {group}")
    return group


def join_values(group, version, member_id="", instance=None, protocols=None, session=10000, rebalance=5000,
                protocol_type="consumer", reason=None) -> dict:
    if protocols is None:
        protocols = {"range": subscription(["t"])}
    values = {"group_id": group, "session_timeout_ms": session, "member_id": member_id, "protocol_type": protocol_type,
              "protocols": [{"name": n, "metadata": m} for n, m in protocols.items()]}
    if version >= 1:
        values["rebalance_timeout_ms"] = rebalance
    if version >= 5:
        values["group_instance_id"] = instance
    if version >= 8:
        values["reason"] = reason
    return values


def sync_values(group, version, member_id, generation, assignments=None, instance=None, protocol_type="consumer",
                protocol="range") -> dict:
    values = {"group_id": group, "generation_id": generation, "member_id": member_id,
              "assignments": [{"member_id": m, "assignment": a} for m, a in (assignments or {}).items()]}
    if version >= 3:
        values["group_instance_id"] = instance
    if version >= 5:
        values.update(protocol_type=protocol_type, protocol_name=protocol)
    return values


class Member:
    """On a connection of its own, since joins and syncs wait."""

    def __init__(self, broker, group: str, instance=None, **more):
        self.connection = broker.connect()
        self.group, self.instance, self.more = group, instance, more
        self.id, self.generation, self.joined = "", -1, None

    def close(self):
        self.connection.close()

    def send_join(self, version=7, **more):
        """A new member is told its id first, from version 4 on; then it joins with it."""
        values = {**self.more, **more}
        member_id = values.pop("member_id", self.id)
        if version >= 4 and not member_id and not self.instance:
            answer = self.connection.request("JOIN_GROUP", version, join_values(self.group, version, "", **values))
            assert answer["error_code"] == MEMBER_ID_REQUIRED, answer
            self.id = member_id = answer["member_id"]
        self.version = version
        self.connection.send("JOIN_GROUP", version, join_values(self.group, version, member_id, self.instance, **values))

    def receive_join(self) -> dict:
        answer = self.connection.receive("JOIN_GROUP", self.version)[1]
        if answer["error_code"] == 0:
            self.id, self.generation, self.joined = answer["member_id"], answer["generation_id"], answer
        return answer

    def join(self, version=7, **more) -> dict:
        self.send_join(version, **more)
        return self.receive_join()

    def leads(self) -> bool:
        return self.joined["leader"] == self.id

    def send_sync(self, version=3, assignments=None, **more):
        self.sync_version = version
        self.connection.send("SYNC_GROUP", version, sync_values(
            self.group, version, more.pop("member_id", self.id), more.pop("generation", self.generation), assignments,
            more.pop("instance", self.instance), **more))

    def receive_sync(self) -> dict:
        return self.connection.receive("SYNC_GROUP", self.sync_version)[1]

    def sync(self, version=3, assignments=None, **more) -> dict:
        self.send_sync(version, assignments, **more)
        return self.receive_sync()

    def heartbeat(self, version=3, **more) -> int:
        values = {"group_id": self.group, "generation_id": more.pop("generation", self.generation), "member_id": more.pop("member_id", self.id)}
        if version >= 3:
            values["group_instance_id"] = more.pop("instance", self.instance)
        return self.connection.request("HEARTBEAT", version, values)["error_code"]

    def leave(self, version=3) -> int:
        if version < 3:
            return self.connection.request("LEAVE_GROUP", version, {"group_id": self.group, "member_id": self.id})["error_code"]
        answer = self.connection.request("LEAVE_GROUP", version, {
            "group_id": self.group, "members": [{"member_id": self.id, "group_instance_id": self.instance}]})
        return answer["error_code"] or answer["members"][0]["error_code"]

    def commit(self, topic, offsets: dict, version=7, **more) -> dict:
        """partition -> error"""
        return commit(self.connection, self.group, topic, offsets, version, more.pop("generation", self.generation),
                      more.pop("member_id", self.id), instance=more.pop("instance", self.instance), **more)


def commit(connection, group, topic, offsets: dict, version=7, generation=-1, member_id="", metadata="", instance=None,
           retention=-1, timestamp=-1, leader_epoch=-1) -> dict:
    partitions = []
    for index, offset in offsets.items():
        one = {"partition_index": index, "committed_offset": offset, "committed_metadata": metadata}
        if version == 1:
            one["commit_timestamp"] = timestamp
        if version >= 6:
            one["committed_leader_epoch"] = leader_epoch
        partitions.append(one)
    values = {"group_id": group, "topics": [{"name": topic, "partitions": partitions}]}
    if version >= 1:
        values.update(generation_id_or_member_epoch=generation, member_id=member_id)
    if 2 <= version <= 4:
        values["retention_time_ms"] = retention
    if version >= 7:
        values["group_instance_id"] = instance
    answer = connection.request("OFFSET_COMMIT", version, values)
    return {p["partition_index"]: p["error_code"] for p in answer["topics"][0]["partitions"]}


def fetch_offsets(connection, group, wanted=None, version=7, stable=False) -> dict:
    """(topic, partition) -> (offset, metadata, error), or the error of the group."""
    topics = None if wanted is None else [{"name": t, "partition_indexes": ps} for t, ps in wanted.items()]
    if version >= 8:
        values = {"groups": [{"group_id": group, "topics": topics}], "require_stable": stable}
        if version >= 9:
            values["groups"][0].update(member_id=None, member_epoch=-1)
        answer = connection.request("OFFSET_FETCH", version, values)["groups"][0]
    else:
        values = {"group_id": group, "topics": topics}
        if version >= 7:
            values["require_stable"] = stable
        answer = connection.request("OFFSET_FETCH", version, values)
    if answer.get("error_code"):
        return answer["error_code"]
    return {(t["name"], p["partition_index"]): (p["committed_offset"], p["metadata"], p["error_code"])
            for t in answer["topics"] for p in t["partitions"]}


def describe(connection, group, version=4) -> dict:
    values = {"groups": [group]}
    if version >= 3:
        values["include_authorized_operations"] = True
    return connection.request("DESCRIBE_GROUPS", version, values)["groups"][0]


def stable_group(broker, group, count=1, version=7, instances=None, **more):
    """Members of a stable group, the leader first; each is assigned its own position."""
    members = [Member(broker, group, (instances or [None] * count)[i], **more) for i in range(count)]
    for i, member in enumerate(members):  # each joiner makes those before it join again
        member.send_join(version)
        for earlier in members[:i]:
            until(lambda: earlier.heartbeat() == REBALANCE_IN_PROGRESS, 20, "a rebalance")
            earlier.send_join(version)
        assert member.receive_join()["error_code"] == 0
        for earlier in members[:i]:
            assert earlier.receive_join()["error_code"] == 0
        plan = {m.id: b"%d" % n for n, m in enumerate(members[:i + 1])}
        for each in members[:i + 1]:
            each.send_sync(assignments=plan if each.leads() else None)
        for n, each in enumerate(members[:i + 1]):
            answer = each.receive_sync()
            assert (answer["error_code"], answer["assignment"]) == (0, b"%d" % n)
    return members


class Transaction:
    """Of offsets alone, by a producer of its own."""

    def __init__(self, connection, group: str):
        self.connection, self.group, self.name = connection, group, f"txn-{group}"
        until(lambda: connection.request("FIND_COORDINATOR", 1, {"key": self.name, "key_type": 1})["error_code"] == 0, 60)

        def begin():
            answer = connection.request("INIT_PRODUCER_ID", 1, {"transactional_id": self.name, "transaction_timeout_ms": 600000})
            return answer if answer["error_code"] == 0 else None

        answer = until(begin, 60, "a producer id")
        self.ids = {"transactional_id": self.name, "producer_id": answer["producer_id"], "producer_epoch": answer["producer_epoch"]}
        until(lambda: connection.request("ADD_OFFSETS_TO_TXN", 0, {**self.ids, "group_id": group})["error_code"] == 0, 30)

    def commit(self, topic, offsets: dict, version=2, metadata="txn", generation=-1, member_id="", instance=None, **ids) -> dict:
        """partition -> error"""
        values = {**self.ids, "group_id": self.group, **ids, "topics": [{"name": topic, "partitions": [
            {"partition_index": p, "committed_offset": offset, "committed_metadata": metadata,
             **({"committed_leader_epoch": -1} if version >= 2 else {})} for p, offset in offsets.items()]}]}
        if version >= 3:
            values.update(generation_id=generation, member_id=member_id, group_instance_id=instance)
        answer = self.connection.request("TXN_OFFSET_COMMIT", version, values)
        return {p["partition_index"]: p["error_code"] for p in answer["topics"][0]["partitions"]}

    def end(self, commit: bool):
        answer = self.connection.request("END_TXN", 0, {**self.ids, "committed": commit})
        assert answer["error_code"] == 0
