"""ListOffsets and OffsetForLeaderEpoch by raw requests."""

import pytest

from harness import wire
from harness.errors import *  # noqa: F403
from harness.records import batch

EARLIEST, LATEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LAST_TIERED = -2, -1, -3, -4, -5


def ask(connection, topic, timestamp, version=5, partitions=(0,), count=1, replica_id=-1, isolation_level=0):
    parts = []
    for p in partitions:
        part = {"partition_index": p, "timestamp": timestamp}
        if version >= 4:
            part["current_leader_epoch"] = -1
        if version == 0:
            part["max_num_offsets"] = count
        parts.append(part)
    values = {"replica_id": replica_id, "topics": [{"name": topic, "partitions": parts}]}
    if version >= 2:
        values["isolation_level"] = isolation_level
    return connection.request("LIST_OFFSETS", version, values)["topics"][0]["partitions"]


def offset(connection, topic, timestamp, version=5):
    part = ask(connection, topic, timestamp, version)[0]
    assert part["error_code"] == 0, part
    return part["offset"], part["timestamp"]


@pytest.fixture
def filled(connection, topic):
    for base in (1000, 3000, 2000):  # a batch each; times go back once
        assert wire.produce(connection, topic, batch([(b"k", b"v"), (b"k", b"w")], base_timestamp=base))["error_code"] == 0
    return topic


@pytest.mark.parametrize("version", range(1, 10))
def test_earliest_latest_and_times(connection, filled, version):
    assert offset(connection, filled, EARLIEST, version) == (0, -1)
    assert offset(connection, filled, LATEST, version) == (6, -1)
    assert offset(connection, filled, 0, version) == (0, 1000)
    assert offset(connection, filled, 1000, version) == (0, 1000)
    assert offset(connection, filled, 1001, version) == (2, 3000)
    assert offset(connection, filled, 3001, version) == (-1, -1)
    if version >= 4:
        assert ask(connection, filled, LATEST, version)[0]["leader_epoch"] == 0


@pytest.mark.parametrize("version", [7, 8, 9])
def test_the_largest_timestamp(connection, filled, topic, version):
    assert offset(connection, filled, MAX_TIMESTAMP, version) == (2, 3000)


@pytest.mark.parametrize("version", [8, 9])
def test_tiers_that_are_not_there(connection, filled, version):
    assert offset(connection, filled, EARLIEST_LOCAL, version)[0] == 0
    if version == 9:
        assert offset(connection, filled, LAST_TIERED, version)[0] == -1


@pytest.mark.parametrize("version,timestamp", [(5, -3), (6, -3), (7, -4), (8, -5)])
def test_special_times_a_version_does_not_have(connection, filled, kind, version, timestamp):
    part = ask(connection, filled, timestamp, version)[0]
    if kind == "kafka-2.7.1":
        assert (part["error_code"], part["offset"]) == (0, 0)
    else:
        assert part["error_code"] == UNSUPPORTED_VERSION


def test_version_0_lists_segments(broker, connection):
    topic = broker.create_topic("segments", configs={"segment.bytes": "1000"})
    for _ in range(5):
        wire.produce(connection, topic, batch([(b"k", b"x" * 600)]))
    def listed(timestamp, count):
        return ask(connection, topic, timestamp, 0, count=count)[0]["old_style_offsets"]
    assert listed(LATEST, 100) == [5, 4, 3, 2, 1, 0]
    assert listed(LATEST, 2) == [5, 4]
    assert listed(EARLIEST, 100) == [0]
    assert listed(1, 100) == []


def test_an_empty_log(connection, topic):
    assert offset(connection, topic, EARLIEST) == (0, -1)
    assert offset(connection, topic, LATEST) == (0, -1)
    assert offset(connection, topic, 5) == (-1, -1)
    assert offset(connection, topic, MAX_TIMESTAMP, 7) == (-1, -1)


def test_errors(connection, filled):
    assert ask(connection, "no-such-topic", LATEST)[0]["error_code"] == UNKNOWN_TOPIC_OR_PARTITION
    assert ask(connection, filled, LATEST, partitions=[9])[0]["error_code"] == UNKNOWN_TOPIC_OR_PARTITION
    assert {p["error_code"] for p in ask(connection, filled, LATEST, partitions=[0, 0])} == {INVALID_REQUEST}


def epochs(connection, topic, epoch, current=-1, version=3):
    part = {"partition": 0, "leader_epoch": epoch}
    if version >= 2:
        part["current_leader_epoch"] = current
    values = {"topics": [{"topic": topic, "partitions": [part]}]}
    if version >= 3:
        values["replica_id"] = -2
    answer = connection.request("OFFSET_FOR_LEADER_EPOCH", version, values)["topics"][0]["partitions"][0]
    return answer["error_code"], answer.get("leader_epoch"), answer["end_offset"]


@pytest.mark.parametrize("version", range(0, 5))
def test_the_end_of_an_epoch(connection, filled, version):
    known = 0 if version >= 1 else None
    assert epochs(connection, filled, 0, version=version) == (0, known, 6)
    assert epochs(connection, filled, 5, version=version) == (0, None if version == 0 else -1, -1)


def test_the_end_of_an_epoch_is_fenced(connection, filled):
    assert epochs(connection, filled, 0, current=0) == (0, 0, 6)
    assert epochs(connection, filled, 0, current=1)[0] == UNKNOWN_LEADER_EPOCH
    assert epochs(connection, "no-such-topic", 0)[0] == UNKNOWN_TOPIC_OR_PARTITION
