"""__consumer_offsets written by Apache Kafka and served by the broker under test, and the other way round: groups, their
members and every kind of committed offset change hands with the directory."""

import pytest

from harness.errors import *  # noqa: F403
from harness.group import Member, Transaction, commit, describe, fetch_offsets, ready, stable_group
from harness.process import until
from test_disk_exchange import Directory

NAMES = ["g", "static", "plain", "expiring", "emptied", "deleted", "in-doubt", "done", "undone"]


@pytest.fixture
def members():
    made = []
    yield made
    for one in made:
        one.close()


class Story:
    """What is written by the one, and must be known to the other."""

    def __init__(self, members):
        self.members = members

    def write(self, broker, transactions):
        broker.create_topic("t", 3)
        with broker.connect() as connection:
            for name in NAMES:
                ready(connection, name)
            self.group = stable_group(broker, "g", 3, session=120000)
            self.static = stable_group(broker, "static", 2, instances=["one", "two"], session=120000)
            self.members += self.group + self.static
            assert self.group[0].commit("t", {0: 10, 1: 11, 2: 12}, metadata="what I was doing") == {0: 0, 1: 0, 2: 0}
            assert self.group[0].commit("t", {1: 21}, leader_epoch=0) == {1: 0}
            assert commit(connection, "plain", "t", {0: 1 << 40}, metadata="ünï") == {0: 0}
            assert commit(connection, "expiring", "t", {0: 5}, 2, retention=86400_000) == {0: 0}
            emptied = stable_group(broker, "emptied")[0]
            emptied.commit("t", {0: 3})
            emptied.leave()
            emptied.close()
            commit(connection, "deleted", "t", {0: 5})
            assert connection.request("DELETE_GROUPS", 1, {"groups_names": ["deleted"]})["results"][0]["error_code"] == 0
            assert commit(connection, "old", "t", {0: 77, 2: 78}, 0) == {0: 0, 2: 0}
            self.transactions = transactions
            if transactions:
                for name in ("in-doubt", "done", "undone"):
                    commit(connection, name, "t", {0: 1})
                for name, end in (("in-doubt", None), ("done", True), ("undone", False)):
                    transaction = Transaction(connection, name)
                    assert transaction.commit("t", {0: 2}) == {0: 0}
                    if end is not None:
                        transaction.end(end)
                        until(lambda: fetch_offsets(connection, name, {"t": [0]}, stable=True)[("t", 0)][2] == 0)

    def read(self, broker):
        with broker.connect() as connection:
            for name in NAMES:
                ready(connection, name)
            groups = {name: describe(connection, name) for name in NAMES}
            for found in groups.values():
                found["members"].sort(key=lambda m: m["member_id"])
            offsets = {name: fetch_offsets(connection, name, None, 5) for name in NAMES}
            offsets["old"] = fetch_offsets(connection, "old", {"t": [0, 1, 2]}, 0)
            return groups, offsets

    def check(self, broker):
        groups, offsets = self.read(broker)
        assert {name: found["group_state"] for name, found in groups.items() if name not in ("in-doubt", "done", "undone")} == {
            "g": "Stable", "static": "Stable", "plain": "Empty", "expiring": "Empty", "emptied": "Empty", "deleted": "Dead"}
        assert {m["member_id"]: m["member_assignment"] for m in groups["g"]["members"]} == {m.id: b"%d" % i for i, m in enumerate(self.group)}
        assert {m["group_instance_id"] for m in groups["static"]["members"]} == {"one", "two"}
        assert groups["emptied"]["protocol_type"] == "consumer"
        assert offsets["g"] == {("t", 0): (10, "what I was doing", 0), ("t", 1): (21, "", 0), ("t", 2): (12, "what I was doing", 0)}
        assert offsets["plain"] == {("t", 0): (1 << 40, "ünï", 0)}
        assert offsets["expiring"] == {("t", 0): (5, "", 0)}
        assert offsets["emptied"] == {("t", 0): (3, "", 0)}
        assert offsets["deleted"] == {}
        assert offsets["old"] == {("t", 0): (77, "", 0), ("t", 1): (-1, "", UNKNOWN_TOPIC_OR_PARTITION), ("t", 2): (78, "", 0)}
        if self.transactions:
            assert (offsets["in-doubt"][("t", 0)][0], offsets["done"][("t", 0)][0], offsets["undone"][("t", 0)][0]) == (1, 2, 1)
            with broker.connect() as connection:
                assert fetch_offsets(connection, "in-doubt", {"t": [0]}, stable=True) == {("t", 0): (-1, "", UNSTABLE_OFFSET_COMMIT)}

    def go_on(self, broker):
        """The members of before are members still; then they leave."""
        for i, old in enumerate(self.group):
            again = Member(broker, "g")
            self.members.append(again)
            again.id, again.generation = old.id, old.generation
            assert again.heartbeat() == 0
            assert again.sync()["assignment"] == b"%d" % i
        assert again.commit("t", {0: 30}) == {0: 0}
        back = Member(broker, "static", "two")
        self.members.append(back)
        assert back.join()["generation_id"] == self.static[1].generation
        assert back.sync()["assignment"] == b"1"
        with broker.connect() as connection:
            assert fetch_offsets(connection, "g", {"t": [0]}) == {("t", 0): (30, "", 0)}


@pytest.mark.parametrize("transactions", [False, True], ids=["plain", "transactions"])
@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("order", ["kafka-first", "kafka-second"])
def test_groups_change_hands(cluster, kind, members, order, how, transactions):
    directory = Directory(cluster)
    directory.settings["auto.leader.rebalance.enable"] = "false"
    first, second = ("kafka-2.7.1", kind) if order == "kafka-first" else (kind, "kafka-2.7.1")
    story = Story(members)
    story.write(directory.open(first), transactions)
    before = story.read(directory.broker)
    directory.close(how)
    broker = directory.open(second)
    assert story.read(broker) == before
    story.check(broker)
    story.go_on(broker)
    directory.close()
    # And back again.
    broker = directory.open(first)
    with broker.connect() as connection:
        ready(connection, "g")
        assert fetch_offsets(connection, "g", {"t": [0]}) == {("t", 0): (30, "", 0)}
        assert describe(connection, "static")["group_state"] in ("Stable", "PreparingRebalance", "Empty")
        assert len(describe(connection, "g")["members"]) == 3
