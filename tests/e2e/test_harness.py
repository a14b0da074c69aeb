"""The harness itself: its codec against the golden bytes of Kafka's Java client; what it says of histories of groups that went wrong."""

import pytest

from harness import schema
from harness.groups import Group, check_commits, check_generations, check_ownership
from harness.hosts import History
from harness.paths import REPOSITORY


def test_every_golden_message_decodes_and_encodes_to_the_same_bytes():
    checked = 0
    for line in (REPOSITORY / "tests/golden/wire/messages.golden").read_text().splitlines():
        key, version, direction, variant, hexes, _ = line.split(" ", 5)
        data = bytes.fromhex("" if hexes == "-" else hexes)
        name = next(n for n, k in schema.KEYS.items() if k == int(key))
        if name in ("DESCRIBE_TOPIC_PARTITIONS", "CONSUMER_GROUP_HEARTBEAT"):  # their nullable structs are not in the field tables
            continue
        values, rest = schema.decode(name, direction, int(version), data)
        assert not rest, (name, version, direction, variant)
        assert schema.encode(name, direction, int(version), values) == data, (name, version, direction, variant)
        checked += 1
    assert checked > 1500


def group_of(*events, partitions=2):
    history = History()
    group = Group("g", None, history, "t", partitions, "range")
    for at, member, event, more in events:
        group.hosts[member] = None
        history.add({"at": at, "member": member, "event": event, **more})
    return group


OWN = {"partitions": [["t", 0]]}
A_THEN_B = [(1, "a", "assigned", {**OWN, "id": "a-1", "generation": 1}), (2, "a", "read", {"records": [["t", 0, 0, "x"], ["t", 0, 1, "y"]]}),
            (3, "a", "committed", {"offsets": [["t", 0, 2]]}), (4, "a", "revoked", OWN), (5, "b", "assigned", {**OWN, "id": "b-1", "generation": 2})]


def written(generation, **members):
    return ("group", "g", {"generation": generation, "members": [{"id": m, "instance": None, "partitions": ps} for m, ps in members.items()]})


def test_a_partition_with_two_owners_is_found():
    check_ownership(group_of(*A_THEN_B))
    with pytest.raises(AssertionError, match="Ownership"):
        check_ownership(group_of(A_THEN_B[0], (4, "b", "assigned", OWN), (5, "a", "revoked", OWN)))


def test_what_members_were_told_must_be_what_is_written():
    group = group_of(*A_THEN_B)
    check_generations(group, [written(1, **{"a-1": [("t", 0)]}), written(2, **{"b-1": [("t", 0)]})])
    for log in ([written(1, **{"a-1": [("t", 0)]}), written(2, **{"b-1": [("t", 1)]})],                      # told something else
                [written(1, **{"a-1": [("t", 0)], "c": [("t", 0)]}), written(2, **{"b-1": [("t", 0)]})],     # two owners
                [written(2, **{"b-1": [("t", 0)]}), written(1, **{"a-1": [("t", 0)]})], []):                 # back in time; nothing
        with pytest.raises(AssertionError):
            check_generations(group, log)


def test_a_lost_commit_is_found():
    log = [("offset", "g", "t", 0, 2)]
    goes_on = (6, "b", "read", {"records": [["t", 0, 2, "z"]]})
    check_commits(group_of(*A_THEN_B, goes_on), log)
    for events, held in (([*A_THEN_B, goes_on], []),                                                         # not written down
                         ([*A_THEN_B, (6, "b", "read", {"records": [["t", 0, 1, "y"]]})], log),              # began before it
                         ([*A_THEN_B, goes_on, (7, "b", "read", {"records": [["t", 0, 4, "?"]]})], log)):    # left one out
        with pytest.raises(AssertionError):
            check_commits(group_of(*events), held)
