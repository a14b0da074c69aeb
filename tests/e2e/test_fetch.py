"""Fetch by raw requests: sizes, waiting, ranges, epochs, down-conversion and sessions."""

import time
import uuid

import pytest

from harness import records, wire
from harness.errors import *  # noqa: F403
from harness.records import batch

NOW = int(time.time() * 1000)


def fill(connection, topic, batches=5, size=100, codec="none", partition=0):
    """Batches of two records each; returns the bytes of one."""
    data = batch([(b"k", b"x" * size), (b"k", b"y" * size)], codec, base_timestamp=NOW)
    for _ in range(batches):
        assert wire.produce(connection, topic, data, partition=partition)["error_code"] == 0
    return len(data)


def topic_id(connection, topic):
    return connection.request("METADATA", 10, {"topics": [{"name": topic}]})["topics"][0]["topic_id"]


@pytest.mark.parametrize("version", range(0, 18))
def test_every_version(connection, topic, version):
    fill(connection, topic, 3)
    more = {"topic_id": topic_id(connection, topic)} if version >= 13 else {}
    answer = connection.request("FETCH", version, wire.fetch_values(topic, 2, version, **more))
    if version >= 7:
        assert (answer["error_code"], answer["session_id"]) == (0, 0)
    served = answer["responses"][0]
    assert served.get("topic", topic) == topic
    part = served["partitions"][0]
    assert (part["error_code"], part["high_watermark"]) == (0, 6)
    if version >= 4:
        assert part["last_stable_offset"] == 6 and not part["aborted_transactions"]
    if version >= 5:
        assert part["log_start_offset"] == 0
    if version >= 11:
        assert part["preferred_read_replica"] == -1
    if version >= 4:
        assert [b.base_offset for b in records.batches(part["records"])] == [2, 4]
    else:
        found = records.messages(part["records"])
        assert [(m[0], m[1], m[5][:1]) for m in found] == [(i, 1 if version >= 2 else 0, b"xy"[i % 2:i % 2 + 1]) for i in range(2, 6)]
        assert {m[3] for m in found} == ({NOW} if version >= 2 else {None})


def test_the_middle_of_a_batch_gives_the_whole_batch(connection, topic):
    fill(connection, topic)
    assert [b.base_offset for b in records.batches(wire.fetch(connection, topic, 3)["records"])] == [2, 4, 6, 8]


# Ranges


def test_offsets_outside_the_log(connection, topic):
    fill(connection, topic)
    for offset in (-1, 11, 1 << 60):
        part = wire.fetch(connection, topic, offset)
        assert (part["error_code"], part["high_watermark"], part["last_stable_offset"], part["log_start_offset"]) == (OFFSET_OUT_OF_RANGE, -1, -1, -1)
        assert part["records"] == b""
    part = wire.fetch(connection, topic, 10, max_wait_ms=0)
    assert (part["error_code"], part["records"], part["high_watermark"]) == (0, b"", 10)


def test_unknown_topic_partition_and_topic_id(connection, topic, kind):
    assert wire.fetch(connection, "no-such-topic", 0)["error_code"] == UNKNOWN_TOPIC_OR_PARTITION
    assert wire.fetch(connection, topic, 0, partition=5)["error_code"] == UNKNOWN_TOPIC_OR_PARTITION
    part = wire.fetch(connection, "", 0, 13, topic_id=uuid.uuid4())
    assert (part["error_code"], part["high_watermark"]) == (UNKNOWN_TOPIC_ID, -1)


def test_leader_epochs(connection, topic):
    fill(connection, topic)
    current = records.batches(wire.fetch(connection, topic, 0)["records"])[0].leader_epoch
    assert wire.fetch(connection, topic, 0, current_leader_epoch=current)["error_code"] == 0
    assert wire.fetch(connection, topic, 0, current_leader_epoch=current + 1)["error_code"] == UNKNOWN_LEADER_EPOCH
    if current > 0:
        assert wire.fetch(connection, topic, 0, current_leader_epoch=current - 1)["error_code"] == FENCED_LEADER_EPOCH


def test_a_consumer_that_diverged_is_told_where(connection, topic):
    fill(connection, topic)
    part = wire.fetch(connection, topic, 2, 12, last_fetched_epoch=0)
    assert part["error_code"] == 0 and part.get("diverging_epoch") is None
    assert wire.fetch(connection, topic, 2, 12, last_fetched_epoch=7)["error_code"] == OFFSET_OUT_OF_RANGE


def test_an_isolation_level_that_is_none(connection, topic):
    fill(connection, topic)
    answer = connection.request("FETCH", 11, wire.fetch_values(topic, 0, isolation_level=5))
    assert answer["error_code"] == UNKNOWN_SERVER_ERROR


def test_read_committed_reads_all_when_nothing_is_open(connection, topic):
    fill(connection, topic)
    part = wire.fetch(connection, topic, 0, isolation_level=1)
    assert len(records.batches(part["records"])) == 5 and part["aborted_transactions"] == []


# Sizes


def test_limits_cut_but_the_first_batch_comes_whole(connection, topic):
    one = fill(connection, topic)
    assert len(wire.fetch(connection, topic, 0, max_bytes=1)["records"]) == one
    assert len(wire.fetch(connection, topic, 0, request_max_bytes=1)["records"]) == one
    assert len(wire.fetch(connection, topic, 0, max_bytes=2 * one)["records"]) == 2 * one
    some = wire.fetch(connection, topic, 0, max_bytes=2 * one + 10)["records"]
    assert 2 * one <= len(some) <= 2 * one + 10


def test_only_the_first_partition_with_data_exceeds_the_limits(broker, connection):
    topic = broker.create_topic("sizes-of-three", 3)
    one = [fill(connection, topic, 2, 500, partition=p) for p in (1, 2)][0]
    values = wire.fetch_values(topic, 0, request_max_bytes=10)
    values["topics"][0]["partitions"] = [{"partition": p, "current_leader_epoch": -1, "fetch_offset": 0, "log_start_offset": -1,
                                         "partition_max_bytes": 10} for p in (0, 1, 2)]
    parts = connection.request("FETCH", 11, values)["responses"][0]["partitions"]
    sizes = {p["partition_index"]: len(p["records"]) for p in parts}
    assert (sizes[0], sizes[1]) == (0, one) and sizes[2] == 0
    values["max_bytes"] = 10 * one
    parts = connection.request("FETCH", 11, values)["responses"][0]["partitions"]
    sizes = {p["partition_index"]: len(p["records"]) for p in parts}
    assert sizes[1] == one and sizes[2] <= 10


def test_old_versions_keep_to_their_limits(connection, topic):
    fill(connection, topic)
    assert len(wire.fetch(connection, topic, 0, 2, max_bytes=50)["records"]) <= 50


# Waiting


def test_an_empty_fetch_waits_and_no_longer(connection, topic):
    start = time.monotonic()
    part = wire.fetch(connection, topic, 0, max_wait_ms=700)
    assert (part["error_code"], part["records"]) == (0, b"")
    assert 0.6 <= time.monotonic() - start < 5


def test_an_append_ends_the_wait(broker, connection, topic):
    start = time.monotonic()
    connection.send("FETCH", 11, wire.fetch_values(topic, 0, max_wait_ms=15000))
    with broker.connect() as other:
        fill(other, topic, 1)
    _, answer = connection.receive("FETCH", 11)
    assert len(records.batches(answer["responses"][0]["partitions"][0]["records"])) == 1
    assert time.monotonic() - start < 10


def test_it_waits_for_min_bytes(broker, connection, topic):
    one = fill(connection, topic, 1)
    connection.send("FETCH", 11, wire.fetch_values(topic, 0, max_wait_ms=15000, min_bytes=3 * one))
    with broker.connect() as other:
        fill(other, topic, 2)
    _, answer = connection.receive("FETCH", 11)
    assert len(records.batches(answer["responses"][0]["partitions"][0]["records"])) == 3


def test_an_error_is_answered_at_once(broker, connection, topic):
    start = time.monotonic()
    wire.fetch(connection, topic, 99, max_wait_ms=15000)
    assert time.monotonic() - start < 5


# Down-conversion


@pytest.mark.parametrize("version,magic", [(0, 0), (1, 0), (2, 1), (3, 1)])
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_old_versions_get_old_formats(connection, topic, version, magic, codec):
    fill(connection, topic, 2, codec=codec)
    part = wire.fetch(connection, topic, 0, version)
    if codec == "zstd":
        assert part["error_code"] == UNSUPPORTED_COMPRESSION_TYPE
        return
    found = records.messages(part["records"])
    assert {m[1] for m in found} == {magic}
    assert {m[2] & 7 for m in found} == {records.CODECS[codec]}
    assert found[-1][0] == 3, "a wrapper has the offset of its last message"


def test_down_conversion_can_be_forbidden(broker, connection):
    topic = broker.create_topic("no-down-conversion", configs={"message.downconversion.enable": "false"})
    fill(connection, topic)
    assert wire.fetch(connection, topic, 0, 3)["error_code"] == UNSUPPORTED_VERSION
    assert wire.fetch(connection, topic, 0, 4)["error_code"] == 0


def test_zstd_topics_want_a_new_enough_fetch(broker, connection):
    topic = broker.create_topic("zstd-topic", configs={"compression.type": "zstd"})
    fill(connection, topic)
    assert wire.fetch(connection, topic, 0, 9)["error_code"] == UNSUPPORTED_COMPRESSION_TYPE
    assert wire.fetch(connection, topic, 0, 10)["error_code"] == 0


# Sessions


class Session:
    def __init__(self, connection, topic, partitions):
        self.connection, self.topic, self.id = connection, topic, 0
        self.answer = self.fetch(0, {p: 0 for p in partitions})
        self.id = self.answer["session_id"]

    def fetch(self, epoch, offsets=None, forgotten=(), session_id=None):
        values = wire.fetch_values(self.topic, 0, max_wait_ms=0, session_id=self.id if session_id is None else session_id, session_epoch=epoch)
        values["topics"] = [{"topic": self.topic, "partitions": [
            {"partition": p, "current_leader_epoch": -1, "fetch_offset": o, "log_start_offset": -1, "partition_max_bytes": 1 << 20}
            for p, o in offsets.items()]}] if offsets else []
        values["forgotten_topics_data"] = [{"topic": self.topic, "partitions": list(forgotten)}] if forgotten else []
        return self.connection.request("FETCH", 11, values)

    @staticmethod
    def told(answer):
        return {p["partition_index"]: len(p["records"] or b"") > 0 for t in answer["responses"] for p in t["partitions"]}


@pytest.fixture
def three(broker, request):
    return broker.create_topic("".join(c if c.isalnum() else "-" for c in request.node.name), 3)


def test_a_session_tells_only_what_changed(connection, three):
    fill(connection, three, 1, partition=0)
    session = Session(connection, three, [0, 1, 2])
    assert session.id > 0 and session.told(session.answer) == {0: True, 1: False, 2: False}
    answer = session.fetch(1, {0: 2})
    assert answer["session_id"] == session.id and session.told(answer) == {}
    fill(connection, three, 1, partition=2)
    assert session.told(session.fetch(2)) == {2: True}
    assert session.told(session.fetch(3)) == {2: True}, "the same offset gives the same records"
    assert session.told(session.fetch(4, {2: 2})) == {}


def test_a_forgotten_partition_is_not_told_of(connection, three):
    session = Session(connection, three, [0, 1, 2])
    fill(connection, three, 1, partition=0)
    fill(connection, three, 1, partition=1)
    assert session.told(session.fetch(1, forgotten=[0])) == {1: True}
    assert session.fetch(2, forgotten=[1, 2])["session_id"] == 0, "an empty session is closed"
    assert session.fetch(3)["error_code"] == FETCH_SESSION_ID_NOT_FOUND


def test_session_errors(connection, three):
    session = Session(connection, three, [0])
    assert session.fetch(1, session_id=session.id + 12345)["error_code"] == FETCH_SESSION_ID_NOT_FOUND
    answer = session.fetch(5)
    assert (answer["error_code"], answer["session_id"], answer["responses"]) == (INVALID_FETCH_SESSION_EPOCH, 0, [])
    assert session.fetch(1)["error_code"] == 0
    assert session.fetch(-1, {0: 0})["session_id"] == 0
    assert session.fetch(2)["error_code"] == FETCH_SESSION_ID_NOT_FOUND


def test_epoch_0_replaces_the_session(connection, three):
    session = Session(connection, three, [0])
    answer = session.fetch(0, {0: 0, 1: 0})
    assert answer["session_id"] not in (0, session.id) and set(session.told(answer)) == {0, 1}
    assert session.fetch(1)["error_code"] == FETCH_SESSION_ID_NOT_FOUND


def test_an_error_is_repeated_until_it_is_over(connection, three):
    session = Session(connection, three, [0])
    for epoch in (1, 2):
        answer = session.fetch(epoch, {0: 50} if epoch == 1 else None)
        assert [p["error_code"] for p in answer["responses"][0]["partitions"]] == [OFFSET_OUT_OF_RANGE]
    assert set(session.told(session.fetch(3, {0: 0}))) == {0}
    assert session.told(session.fetch(4)) == {}


def test_a_session_does_not_change_from_names_to_ids(connection, three):
    session = Session(connection, three, [0])
    values = wire.fetch_values(three, 0, 13, session_id=session.id, session_epoch=1, topic_id=topic_id(connection, three))
    assert connection.request("FETCH", 13, values)["error_code"] == FETCH_SESSION_TOPIC_ID_ERROR


def test_a_session_with_topic_ids(connection, three):
    ident = topic_id(connection, three)
    fill(connection, three, 1)
    first = connection.request("FETCH", 16, wire.fetch_values(three, 0, 16, session_epoch=0, topic_id=ident))
    assert first["session_id"] > 0 and first["responses"][0]["topic_id"] == ident
    values = wire.fetch_values(three, 2, 16, session_id=first["session_id"], session_epoch=1, topic_id=ident, max_wait_ms=0)
    assert connection.request("FETCH", 16, values)["responses"] == []


def test_wait_of_a_session_ends_with_an_append(broker, connection, three):
    session = Session(connection, three, [0, 1, 2])
    values = wire.fetch_values(three, 0, session_id=session.id, session_epoch=1, max_wait_ms=15000)
    values["topics"] = []
    connection.send("FETCH", 11, values)
    with broker.connect() as other:
        fill(other, three, 1, partition=1)
    assert session.told(connection.receive("FETCH", 11)[1]) == {1: True}
