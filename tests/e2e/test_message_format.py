"""Topics that keep the formats before Kafka 0.11 (message.format.version), while inter.broker.protocol.version is below 3.0:
what is appended is stored as magic 0 or 1, what these cannot hold is refused, and every client reads it."""

import struct
import time

import pytest

from harness import records, wire
from harness.errors import *  # noqa: F403
from harness.records import batch, message

NOW = int(time.time() * 1000)
TWO = [(b"k", b"v1"), (None, b"v2")]
FORMATS = {0: "0.9.0", 1: "0.10.2"}
CODECS = ["none", "gzip", "snappy", "lz4"]


@pytest.fixture(scope="module")
def broker(module_cluster):
    return module_cluster.broker(inter_broker_protocol_version="2.7", log_message_format_version="2.7").start()


@pytest.fixture(params=FORMATS, ids=lambda magic: f"magic{magic}")
def magic(request):
    return request.param


@pytest.fixture
def make(broker, request):
    """make(magic, **configs): a topic that keeps this format."""
    made = []

    def one(magic, **configs):
        name = "".join(c if c.isalnum() or c in "._-" else "-" for c in request.node.name)[:200] + f"-{len(made)}"
        made.append(name)
        return broker.create_topic(name, 1, {"message.format.version": FORMATS[magic]} | {k.replace("_", "."): v for k, v in configs.items()})

    return one


def in_magic(magic, values, codec="none", timestamp=NOW):
    """What a producer of that age sends."""
    if magic == 2:
        return batch(values, codec, base_timestamp=timestamp)
    if codec == "none":
        return b"".join(message(i, k, v, magic, 0, timestamp) for i, (k, v) in enumerate(values))
    inner = in_magic(magic, values, timestamp=timestamp)
    packed = records.compress(codec, inner)
    if codec == "lz4" and magic == 0:
        packed = with_old_lz4_checksum(packed)
    return message(len(values) - 1, None, packed, magic, records.CODECS[codec], timestamp)


def with_old_lz4_checksum(frame):
    """Clients before 0.10 took the checksum of the descriptor over the magic number too."""
    import xxhash
    end = 6 + (8 if frame[4] & 8 else 0)
    return frame[:end] + bytes([xxhash.xxh32(frame[:end]).intdigest() >> 8 & 0xFF]) + frame[end + 1:]


def stored(connection, topic, start=0):
    """[(magic, attributes, offset, timestamp, records inside)] of the entries as they lie in the log."""
    data = wire.fetch(connection, topic, start)["records"] or b""
    found = []
    for offset, magic, attributes, timestamp, key, value in records.messages(data):
        inside = [(offset, timestamp, key, value)]
        if attributes & 7:
            assert key is None
            value = records.decompress(attributes & 7, value if magic == 1 or attributes & 7 != 3 else with_new_lz4_checksum(value))
            inner = records.messages(value)
            base = offset - inner[-1][0] if magic == 1 else 0
            inside = [(base + o, t, k, v) for o, _, _, t, k, v in inner]
        found.append((magic, attributes, offset, timestamp, inside))
    return found


def with_new_lz4_checksum(frame):
    import xxhash
    end = 6 + (8 if frame[4] & 8 else 0)
    assert frame[end] == xxhash.xxh32(frame[:end]).intdigest() >> 8 & 0xFF, "magic 0 keeps the old checksum"
    return frame[:end] + bytes([xxhash.xxh32(frame[4:end]).intdigest() >> 8 & 0xFF]) + frame[end + 1:]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("sent", [0, 1, 2])
def test_whatever_is_sent_is_stored_in_the_format_of_the_topic(connection, make, magic, sent, codec):
    topic = make(magic)
    version = {0: 1, 1: 2, 2: 8}[sent]
    for turn in range(2):
        part = wire.produce(connection, topic, in_magic(sent, TWO, codec), version)
        assert (part["error_code"], part["base_offset"]) == (0, 2 * turn), part
    time_of = None if magic == 0 else -1 if sent == 0 else NOW
    entries = stored(connection, topic)
    if codec == "none":
        assert entries == [(magic, 0, o, time_of, [(o, time_of, *TWO[o % 2])]) for o in range(4)]
    else:
        assert entries == [(magic, records.CODECS[codec], o + 1, time_of, [(o + i, time_of, *TWO[i]) for i in (0, 1)])
                           for o in (0, 2)]


@pytest.mark.parametrize("codec", CODECS)
def test_the_codec_of_the_topic_counts(connection, make, magic, codec):
    topic = make(magic, compression_type="uncompressed" if codec == "none" else codec)
    for sent in ("gzip", "none"):
        assert wire.produce(connection, topic, in_magic(2, TWO, sent))["error_code"] == 0
    assert [e[1] for e in stored(connection, topic)] == ([0] * 4 if codec == "none" else [records.CODECS[codec]] * 2)
    assert [r[0] for e in stored(connection, topic) for r in e[4]] == [0, 1, 2, 3]


@pytest.mark.parametrize("sent", [0, 1, 2])
@pytest.mark.parametrize("codec", ["none", "gzip"])
def test_append_time(connection, make, magic, sent, codec):
    topic = make(magic, message_timestamp_type="LogAppendTime")
    part = wire.produce(connection, topic, in_magic(sent, TWO, codec, 5), {0: 1, 1: 2, 2: 8}[sent])
    assert part["error_code"] == 0
    if sent > 0:
        assert abs(part["log_append_time_ms"] - time.time() * 1000) < 60000
    for _, attributes, _, timestamp, _ in stored(connection, topic):
        if magic == 0:
            assert attributes & 8 == 0
        else:
            assert attributes & 8 and abs(timestamp - time.time() * 1000) < 60000
            assert sent == 0 or timestamp == part["log_append_time_ms"]


def test_what_the_format_cannot_hold_is_refused(connection, make, magic):
    topic = make(magic)

    def code(data, version=8):
        return wire.produce(connection, topic, data, version)["error_code"]

    assert code(batch(TWO, producer_id=1, producer_epoch=0, base_sequence=0)) == UNSUPPORTED_FOR_MESSAGE_FORMAT
    assert code(batch([(b"k", b"v", [("h", b"1")])])) == UNKNOWN_SERVER_ERROR
    assert code(batch([(b"k", b"v", [("h", b"1")])], "gzip")) == UNKNOWN_SERVER_ERROR
    assert code(batch(TWO, "zstd")) == UNKNOWN_SERVER_ERROR
    assert code(batch(TWO, crc=1)) == CORRUPT_MESSAGE
    assert code(batch(TWO, base_offset=7)) == INVALID_RECORD
    assert stored(connection, topic) == []


def test_null_keys_and_old_timestamps_are_refused_as_ever(connection, make, magic):
    compacted = make(magic, cleanup_policy="compact")
    for sent in (0, 1, 2):
        part = wire.produce(connection, compacted, in_magic(sent, TWO), {0: 1, 1: 2, 2: 8}[sent])
        assert part["error_code"] == INVALID_RECORD
        if sent == 2:
            assert [e["batch_index"] for e in part["record_errors"]] == [1]
    limited = make(magic, message_timestamp_difference_max_ms="1000")
    assert wire.produce(connection, limited, in_magic(2, TWO, timestamp=5))["error_code"] == INVALID_TIMESTAMP
    assert wire.produce(connection, limited, in_magic(2, TWO, timestamp=NOW + 3600000))["error_code"] == INVALID_TIMESTAMP


def test_the_size_of_what_is_stored_is_limited(connection, make, magic):
    topic = make(magic, max_message_bytes="200")
    assert wire.produce(connection, topic, in_magic(2, [(b"k", b"v" * 100)]))["error_code"] == 0
    # Three messages of 120 bytes each are three entries, each small enough; the batch they came in was not.
    assert wire.produce(connection, topic, in_magic(2, [(b"k", b"v" * 100)] * 3))["error_code"] == MESSAGE_TOO_LARGE
    # Compressed they fit, taken apart they fit one by one.
    apart = make(magic, max_message_bytes="200", compression_type="uncompressed")
    assert wire.produce(connection, apart, in_magic(2, [(b"k", b"v" * 100)] * 3, "gzip"))["error_code"] == 0
    assert wire.produce(connection, apart, in_magic(2, [(b"k", b"v" * 300)] * 3, "gzip"))["error_code"] == MESSAGE_TOO_LARGE


@pytest.mark.parametrize("version", range(0, 12))
def test_every_fetch_version_reads_it(connection, make, magic, version):
    topic = make(magic)
    assert wire.produce(connection, topic, in_magic(2, TWO))["error_code"] == 0
    assert wire.produce(connection, topic, in_magic(2, TWO, "gzip"))["error_code"] == 0
    data = wire.fetch(connection, topic, 0, version)["records"]
    assert {m[1] for m in records.messages(data)} == {min(magic, 0 if version < 2 else 1)}
    assert [m[0] for m in records.messages(data)] == [0, 1, 3]
    again = records.messages(wire.fetch(connection, topic, 2, version)["records"])
    assert [m[0] for m in again] == [3]


def test_list_offsets(connection, make, magic):
    topic = make(magic)
    for at in (NOW, NOW + 10):
        assert wire.produce(connection, topic, in_magic(2, TWO, timestamp=at))["error_code"] == 0

    def ask(at, version=5):
        partition = {"partition_index": 0, "timestamp": at}
        if version >= 4:
            partition["current_leader_epoch"] = -1
        answer = connection.request("LIST_OFFSETS", version, {"replica_id": -1, "isolation_level": 0, "topics": [
            {"name": topic, "partitions": [partition]}]})["topics"][0]["partitions"][0]
        return answer["error_code"], answer["offset"], answer["timestamp"], answer["leader_epoch"]

    assert ask(-1)[:3] == (0, 4, -1)
    assert ask(-2) == (0, 0, -1, -1)
    if magic == 0:
        assert ask(NOW) == (UNSUPPORTED_FOR_MESSAGE_FORMAT, -1, -1, -1)
    else:
        assert ask(NOW) == (0, 0, NOW, -1)
        assert ask(NOW + 5) == (0, 2, NOW + 10, -1)
        assert ask(NOW + 11) == (0, -1, -1, -1)


def test_no_leader_epochs_are_kept(connection, make, magic):
    topic = make(magic)
    assert wire.produce(connection, topic, in_magic(2, TWO))["error_code"] == 0
    answer = connection.request("OFFSET_FOR_LEADER_EPOCH", 3, {"replica_id": -1, "topics": [{"topic": topic, "partitions": [
        {"partition": 0, "current_leader_epoch": 0, "leader_epoch": 0}]}]})["topics"][0]["partitions"][0]
    assert (answer["error_code"], answer["leader_epoch"], answer["end_offset"]) == (0, -1, -1)


def test_segments_roll_and_survive_a_restart(cluster):
    broker = cluster.broker(inter_broker_protocol_version="2.7", log_message_format_version="0.10.2", log_segment_bytes="1000",
                            log_index_interval_bytes="100")
    broker.start()
    topic = broker.create_topic("old")
    with broker.connect() as connection:
        for i in range(40):
            assert wire.produce(connection, topic, in_magic(2, [(b"k", b"%d" % i)], "gzip" if i % 2 else "none"))["error_code"] == 0
    broker.kill()
    broker.start()
    with broker.connect() as connection:
        assert wire.produce(connection, topic, in_magic(2, [(b"k", b"40")]))["base_offset"] == 40
        seen, at = [], 0
        while at < 41:
            for entry in stored(connection, topic, at):
                seen += [r[3] for r in entry[4]]
                at = entry[2] + 1
        assert seen == [b"%d" % i for i in range(41)]
    assert len(list((broker.data / "old-0").glob("*.log"))) > 2


def test_another_topic_of_the_same_broker_keeps_batches(connection, broker):
    newest = broker.create_topic("newest", 1, {"message.format.version": "2.7"})
    data = batch(TWO, producer_id=1, producer_epoch=0, base_sequence=0)
    assert wire.produce(connection, newest, data)["error_code"] == 0
    assert records.batches(wire.fetch(connection, newest, 0)["records"])[0].data[21:] == data[21:]


def test_from_protocol_3_on_the_setting_is_ignored(cluster, kind):
    if kind == "kafka-2.7.1":
        pytest.skip("it knows no such protocol")
    broker = cluster.broker().start()
    topic = broker.create_topic("ignored", 1, {"message.format.version": "0.10.2"})
    with broker.connect() as connection:
        assert wire.produce(connection, topic, batch(TWO))["error_code"] == 0
        assert records.batches(wire.fetch(connection, topic, 0)["records"])[0].magic == 2
