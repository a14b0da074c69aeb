"""Produce by raw requests: what is admitted, what is refused and with which code, and what is stored."""

import struct
import time

import pytest

from harness import records, wire
from harness.errors import *  # noqa: F403
from harness.process import until
from harness.records import batch, message

TWO = [(b"k", b"v1"), (b"k", b"v2")]
NOW = int(time.time() * 1000)


def code(connection, topic, data, version=8, **more):
    return wire.produce(connection, topic, data, version, **more)["error_code"]


def init_producer(connection):
    def ask():  # 3.9.1 fetches its first block of ids while the client asks again
        answer = connection.request("INIT_PRODUCER_ID", 1, {"transactional_id": None, "transaction_timeout_ms": 60000})
        return None if answer["error_code"] == COORDINATOR_LOAD_IN_PROGRESS else answer

    answer = until(ask)
    assert answer["error_code"] == 0
    return {"producer_id": answer["producer_id"], "producer_epoch": answer["producer_epoch"]}


# What is admitted


@pytest.mark.parametrize("version", range(0, 12))
def test_every_version_appends(connection, topic, version):
    data = batch(TWO, base_timestamp=NOW) if version >= 3 else message(0, b"k", b"v1", 1 if version == 2 else 0) + message(
        1, b"k", b"v2", 1 if version == 2 else 0)
    for turn in range(2):
        part = wire.produce(connection, topic, data, version)
        assert (part["error_code"], part["base_offset"]) == (0, 2 * turn), part
        if version >= 2:
            assert part["log_append_time_ms"] == -1
        if version >= 5:
            assert part["log_start_offset"] == 0
        if version >= 8:
            assert (part["record_errors"], part["error_message"]) == ([], None)
    assert [(r[0], r[2], r[3]) for r in wire.read_all(connection, topic)] == [(i, b"k", b"v%d" % (i % 2 + 1)) for i in range(4)]


@pytest.mark.parametrize("version", [3, 7, 8, 9, 11])
@pytest.mark.parametrize("codec", records.CODECS)
def test_every_codec_is_stored_as_it_came(connection, topic, version, codec):
    data = batch(TWO, codec, base_timestamp=NOW)
    if codec == "zstd" and version < 7:
        assert code(connection, topic, data, version) == UNSUPPORTED_COMPRESSION_TYPE
        return
    assert code(connection, topic, data, version) == 0
    stored = records.batches(wire.fetch(connection, topic, 0)["records"])[0]
    assert stored.data[21:] == data[21:], "only offset and leader epoch may change"
    assert (stored.base_offset, stored.leader_epoch, stored.crc_good) == (0, 0, True)


def test_snappy_without_a_frame_is_admitted(connection, topic):
    import snappy
    raw = snappy.compress(records.record(0, b"k", b"v"))
    assert code(connection, topic, batch([(b"k", b"v")], "snappy", raw=raw)) == 0
    assert wire.read_all(connection, topic)[0][3] == b"v"


def test_several_partitions_answer_each_for_itself(broker, connection):
    topic = broker.create_topic("several-partitions", 3)
    answer = connection.request("PRODUCE", 8, {"acks": -1, "timeout_ms": 5000, "topic_data": [
        {"name": topic, "partition_data": [{"index": 2, "records": batch(TWO)}, {"index": 9, "records": batch(TWO)},
                                           {"index": 0, "records": batch(TWO, crc=1)}, {"index": 1, "records": batch(TWO)}]},
        {"name": "no-such-topic", "partition_data": [{"index": 0, "records": batch(TWO)}]}]})
    found = {(t["name"], p["index"]): p["error_code"] for t in answer["responses"] for p in t["partition_responses"]}
    assert found == {(topic, 2): 0, (topic, 9): UNKNOWN_TOPIC_OR_PARTITION, (topic, 0): CORRUPT_MESSAGE, (topic, 1): 0,
                     ("no-such-topic", 0): UNKNOWN_TOPIC_OR_PARTITION}


def test_log_append_time_is_stamped(broker, connection):
    topic = broker.create_topic("append-time", configs={"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    part = wire.produce(connection, topic, batch(TWO, base_timestamp=5))
    assert part["error_code"] == 0 and before <= part["log_append_time_ms"] <= int(time.time() * 1000)
    stored = records.batches(wire.fetch(connection, topic, 0)["records"])[0]
    assert stored.attributes & 8 and stored.max_timestamp == part["log_append_time_ms"] and stored.crc_good
    assert stored.base_timestamp == 5, "the records' deltas stay"


def test_the_largest_timestamp_is_recomputed(connection, topic):
    assert code(connection, topic, batch(TWO, base_timestamp=1000, max_timestamp=99999)) == 0
    stored = records.batches(wire.fetch(connection, topic, 0)["records"])[0]
    assert stored.max_timestamp == 1000 and stored.crc_good


@pytest.mark.parametrize("wanted", ["gzip", "snappy", "lz4", "zstd", "uncompressed"])
def test_the_topics_compression_type_wins(broker, connection, wanted):
    topic = broker.create_topic(f"recompress-{wanted}", configs={"compression.type": wanted})
    assert code(connection, topic, batch(TWO, "gzip" if wanted != "gzip" else "none")) == 0
    stored = records.batches(wire.fetch(connection, topic, 0)["records"])[0]
    assert stored.codec == records.CODECS.get(wanted, 0) and stored.crc_good
    assert [r[3] for r in stored.records()] == [b"v1", b"v2"]


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4"])
def test_old_message_sets_are_stored_as_batches(connection, topic, magic, codec):
    if codec == "lz4" and magic == 0:
        pytest.skip("its broken header checksum is what kafka-python writes: test_kafka_python")
    inner = b"".join(message(i, b"k", b"v%d" % i, magic, timestamp=1000 + i) for i in range(3))
    data = inner if codec == "none" else message(2, None, records.compress(codec, inner), magic, records.CODECS[codec], 1002)
    part = wire.produce(connection, topic, data, 2 if magic else 1)
    assert (part["error_code"], part["base_offset"]) == (0, 0)
    found = wire.read_all(connection, topic)
    assert [(r[0], r[1], r[3]) for r in found] == [(i, 1000 + i if magic else -1, b"v%d" % i) for i in range(3)]


# What is refused


@pytest.mark.parametrize("acks", [2, -2, 100])
def test_other_acks(connection, topic, acks):
    assert code(connection, topic, batch(TWO), acks=acks) == INVALID_REQUIRED_ACKS


def test_unknown_topic_and_partition(connection, topic):
    assert code(connection, "no-such-topic", batch(TWO)) == UNKNOWN_TOPIC_OR_PARTITION
    assert code(connection, topic, batch(TWO), partition=7) == UNKNOWN_TOPIC_OR_PARTITION


# (name, version, records, code)
REFUSED = [
    ("two batches", 8, batch(TWO) + batch(TWO), INVALID_RECORD),
    ("two batches in an old request", 2, batch(TWO) + batch(TWO), INVALID_RECORD),
    ("message set v1 in a new request", 3, message(0, b"k", b"v", 1), INVALID_RECORD),
    ("message set v0 in a new request", 8, message(0, b"k", b"v", 0), INVALID_RECORD),
    ("base offset", 8, batch(TWO, base_offset=5), INVALID_RECORD),
    ("crc", 8, batch(TWO, crc=12345), CORRUPT_MESSAGE),
    ("crc of message v1", 2, message(0, b"k", b"v", 1, crc=77), CORRUPT_MESSAGE),
    ("crc of message v0", 0, message(0, b"k", b"v", 0, crc=77), CORRUPT_MESSAGE),
    ("codec 5", 8, batch(TWO, attributes=5), UNKNOWN_SERVER_ERROR),
    ("codec 7", 8, batch(TWO, attributes=7), UNKNOWN_SERVER_ERROR),
    ("gzip that is none", 8, batch(TWO, "gzip", raw=b"not gzip at all"), UNKNOWN_SERVER_ERROR),
    ("lz4 that is none", 8, batch(TWO, "lz4", raw=b"not lz4 at all"), UNKNOWN_SERVER_ERROR),
    ("zstd that is none", 8, batch(TWO, "zstd", raw=b"not zstd at all"), UNKNOWN_SERVER_ERROR),
    ("count above the records", 8, batch(TWO, count=3, last_offset_delta=2), INVALID_RECORD),
    ("count below the records", 8, batch(TWO, count=1, last_offset_delta=0), INVALID_RECORD),
    ("count zero", 8, batch(TWO, count=0, last_offset_delta=-1), INVALID_RECORD),
    ("count negative", 8, batch(TWO, count=-1, last_offset_delta=-2), INVALID_RECORD),
    ("last delta apart from the count", 8, batch(TWO, last_offset_delta=5), INVALID_RECORD),
    ("a control batch", 8, batch(TWO, attributes=0x20), INVALID_RECORD),
    ("a producer id without a sequence", 8, batch(TWO, producer_id=5, producer_epoch=0), INVALID_RECORD),
    ("a record longer than the batch", 8, batch(TWO, raw=b"\xc8\x01" + records.record(0, b"k", b"v")), INVALID_RECORD),
    ("bytes after the last record", 8, batch(TWO, raw=records.record(0, b"k", b"a") + records.record(1, b"k", b"b") + b"xxxx"), INVALID_RECORD),
]


@pytest.mark.parametrize("name,version,data,expected", REFUSED, ids=[r[0].replace(" ", "-") for r in REFUSED])
def test_refused_with_nothing_appended(connection, topic, kind, name, version, data, expected):
    if (kind, name) == ("kafka-2.7.1", "a record longer than the batch"):
        expected = UNKNOWN_SERVER_ERROR
    part = wire.produce(connection, topic, data, version)
    assert (part["error_code"], part["base_offset"]) == (expected, -1), part
    assert wire.produce(connection, topic, batch(TWO))["base_offset"] == 0


GARBAGE = [
    ("empty", b"", INVALID_RECORD),
    ("garbage", b"\xde\xad\xbe\xef" * 30, CORRUPT_MESSAGE),
    ("a cut batch", batch(TWO)[:-3], INVALID_RECORD),
    ("a cut header", batch(TWO)[:20], INVALID_RECORD),
    ("length below the header", batch(TWO, length=10), CORRUPT_MESSAGE),
    ("magic 3", batch(TWO, magic=3), CORRUPT_MESSAGE),
    ("length beyond the records", batch(TWO, length=5000), INVALID_RECORD),
]


@pytest.mark.parametrize("name,data,expected", GARBAGE, ids=[g[0].replace(" ", "-") for g in GARBAGE])
def test_garbage_is_answered_and_not_stored(broker, connection, topic, kind, name, data, expected):
    """2.7.1 closes the connection; we answer as 3.9.1 does."""
    if kind == "kafka-2.7.1":
        with pytest.raises((EOFError, ConnectionError)):
            wire.produce(connection, topic, data)
        return
    assert code(connection, topic, data) == expected
    with broker.connect() as other:
        assert wire.produce(other, topic, batch(TWO))["base_offset"] == 0


def test_a_batch_above_max_message_bytes(broker, connection):
    topic = broker.create_topic("small-messages", configs={"max.message.bytes": "1000"})
    assert code(connection, topic, batch([(b"k", b"v" * 1000)])) == MESSAGE_TOO_LARGE
    assert code(connection, topic, batch([(b"k", b"v" * 5000)], "gzip")) == 0, "its size as sent counts"
    assert code(connection, topic, batch([(b"k", b"v" * 900)])) == 0


def test_a_batch_above_segment_bytes(broker, connection):
    topic = broker.create_topic("small-segments", configs={"segment.bytes": "2000"})
    assert code(connection, topic, batch([(b"k", b"v" * 3000)])) == RECORD_LIST_TOO_LARGE
    assert code(connection, topic, batch([(b"k", b"v" * 1000)])) == 0


def test_a_compacted_topic_wants_keys(broker, connection):
    topic = broker.create_topic("compacted", configs={"cleanup.policy": "compact"})
    part = wire.produce(connection, topic, batch([(b"k", b"v"), (None, b"v"), (b"k", None)]))
    assert part["error_code"] == INVALID_RECORD
    text = f"Compacted topic cannot accept message without key in topic partition {topic}-0"
    assert [(e["batch_index"], e["batch_index_error_message"].rstrip(".")) for e in part["record_errors"]] == [(1, text)]
    assert part["error_message"].startswith("One or more records have been rejected")
    assert code(connection, topic, batch([(b"k", b"v"), (b"k", None)])) == 0


def test_times_out_of_range(broker, connection, kind):
    old = {"message.timestamp.difference.max.ms": "60000"}
    topic = broker.create_topic("in-time", configs=old if kind == "kafka-2.7.1" else {
        "message.timestamp.before.max.ms": "60000", "message.timestamp.after.max.ms": "60000"})
    for ts in (NOW - 600_000, NOW + 600_000):
        part = wire.produce(connection, topic, batch(TWO, base_timestamp=ts))
        assert part["error_code"] == INVALID_TIMESTAMP
        assert [e["batch_index"] for e in part["record_errors"]] == [0, 1]
        assert part["record_errors"][0]["batch_index_error_message"].startswith(f"Timestamp {ts} of message with offset 0 is out of range.")
        assert "One or more records have been rejected due to invalid timestamp" in part["error_message"]
    assert code(connection, topic, batch(TWO, base_timestamp=int(time.time() * 1000))) == 0
    assert code(connection, topic, batch(TWO, base_timestamp=-1)) == 0, "no time always passes"


def test_too_few_in_sync_replicas(broker, connection):
    topic = broker.create_topic("two-in-sync", configs={"min.insync.replicas": "2"})
    # From 3.7 on no more replicas are asked for than the topic has.
    assert code(connection, topic, batch(TWO)) in (NOT_ENOUGH_REPLICAS, 0)
    assert code(connection, topic, batch(TWO), acks=1) == 0


# Idempotence


class Producer:
    def __init__(self, connection, topic):
        self.connection, self.topic = connection, topic
        self.id = init_producer(connection)

    def send(self, sequence, epoch=None, records=TWO):
        ids = dict(self.id) if epoch is None else {**self.id, "producer_epoch": epoch}
        part = wire.produce(self.connection, self.topic, batch(records, base_sequence=sequence, **ids))
        return part["error_code"], part["base_offset"]


@pytest.fixture
def producer(connection, topic):
    return Producer(connection, topic)


def test_sequences_that_follow_are_appended(producer):
    assert [producer.send(s) for s in (0, 2, 4)] == [(0, 0), (0, 2), (0, 4)]


def test_a_repeat_gets_its_first_answer_and_is_not_stored_twice(producer, connection, topic):
    for s in range(0, 10, 2):
        producer.send(s)
    assert [producer.send(s) for s in (8, 0, 4)] == [(0, 8), (0, 0), (0, 4)]
    assert len(wire.read_all(connection, topic)) == 10
    assert producer.send(10) == (0, 10)
    assert producer.send(0) == (OUT_OF_ORDER_SEQUENCE_NUMBER, -1), "five batches are remembered, not six"


def test_a_gap_is_refused(producer):
    producer.send(0)
    assert producer.send(4) == (OUT_OF_ORDER_SEQUENCE_NUMBER, -1)
    assert producer.send(2) == (0, 2)


def test_a_part_of_a_remembered_batch_is_out_of_order(producer):
    producer.send(0)
    assert producer.send(1) == (OUT_OF_ORDER_SEQUENCE_NUMBER, -1)
    assert producer.send(0, records=TWO[:1]) == (OUT_OF_ORDER_SEQUENCE_NUMBER, -1)


def test_an_older_epoch_is_fenced_and_a_newer_starts_at_zero(producer):
    producer.send(0, epoch=3)
    assert producer.send(2, epoch=2) == (INVALID_PRODUCER_EPOCH, -1)
    assert producer.send(2, epoch=4) == (OUT_OF_ORDER_SEQUENCE_NUMBER, -1)
    assert producer.send(0, epoch=4) == (0, 2)


def test_an_unknown_producer_may_start_anywhere(producer):
    assert producer.send(1000) == (0, 0)
    assert producer.send(1002) == (0, 2)


def test_sequences_wrap(producer):
    assert producer.send(2**31 - 2) == (0, 0)
    assert producer.send(0) == (0, 2)


def test_producer_ids_are_new_each_time(connection):
    ids = [init_producer(connection)["producer_id"] for _ in range(5)]
    assert len(set(ids)) == 5


# acks=0


def test_acks_0_is_not_answered(broker, connection, topic):
    connection.send("PRODUCE", 8, wire.produce_values(topic, batch(TWO), acks=0))
    answer = connection.request("API_VERSIONS", 0, {})  # its answer is the first to come
    assert answer["error_code"] == 0
    assert len(wire.read_all(connection, topic)) == 2


def test_acks_0_with_an_error_closes_the_connection(broker, connection, topic):
    connection.send("PRODUCE", 8, wire.produce_values(topic, batch(TWO, crc=1), acks=0))
    assert connection.closed()


# Order


def test_pipelined_requests_are_answered_in_order(connection, topic):
    sent = []
    for i in range(200):
        if i % 3 == 0:
            sent.append((connection.send("PRODUCE", 8, wire.produce_values(topic, batch([(b"k", b"%d" % i)]))), "PRODUCE", 8))
        elif i % 3 == 1:
            sent.append((connection.send("FETCH", 11, wire.fetch_values(topic, 0, max_wait_ms=0)), "FETCH", 11))
        else:
            sent.append((connection.send("METADATA", 5, {"topics": [{"name": topic}], "allow_auto_topic_creation": False}), "METADATA", 5))
    for correlation, name, version in sent:
        assert connection.receive(name, version)[0] == correlation
    assert [r[3] for r in wire.read_all(connection, topic)] == [b"%d" % i for i in range(0, 200, 3)]


def test_bytes_after_the_body_are_ignored(connection, topic):
    frame = connection.frame("PRODUCE", 8, wire.produce_values(topic, batch(TWO)))[4:] + b"left over"
    connection.send_bytes(struct.pack(">i", len(frame)) + frame)
    assert connection.receive("PRODUCE", 8)[1]["responses"][0]["partition_responses"][0]["error_code"] == 0
