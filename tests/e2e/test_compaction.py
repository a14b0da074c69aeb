"""Compacted topics: what is left is the newest value of every key, at its old offset, whatever happens to the broker meanwhile."""

import random
import threading
import time

import pytest

from harness import wire
from harness.clients import KafkaPython, Record
from harness.process import until
from harness.records import batch
from test_disk_exchange import Directory, OTHERS

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
COMPACTED = {"cleanup.policy": "compact", "segment.bytes": "100000", "min.cleanable.dirty.ratio": "0.01"}
EAGER = {"log_cleaner_backoff_ms": "50"}


def newest(records) -> dict:
    """Key -> value of its last record; keys whose last record is a tombstone are not there."""
    found = {key: value for _, _, key, value, _ in records}
    return {key: value for key, value in found.items() if value is not None}


def value(codec: str, i: int) -> bytes:
    """Nothing that a codec could make small."""
    return b"%s %d " % (codec.encode(), i) + random.Random(i).randbytes(300)


class Writer:
    """Writes records of a few keys from a thread of its own until told to end; remembers every one that was acknowledged."""

    def __init__(self, broker, topic):
        self.broker, self.topic = broker, topic
        self.written = {}  # offset -> (key, value)
        self.random = random.Random(1)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.failure = None

    def some(self):
        return [(b"key-%d" % self.random.randrange(200), None if self.random.randrange(10) == 0 else self.random.randbytes(200))
                for _ in range(20)]

    def run(self):
        try:
            with self.broker.connect() as connection:
                while not self.ending.is_set():
                    records = self.some()
                    data = batch(records, self.random.choice(CODECS), base_timestamp=int(time.time() * 1000))
                    answer = wire.produce(connection, self.topic, data)
                    assert answer["error_code"] == 0, answer
                    self.written.update((answer["base_offset"] + i, r) for i, r in enumerate(records))
        except (OSError, EOFError):
            pass  # killed
        except BaseException as failure:
            self.failure = failure

    def start(self):
        self.thread.start()
        return self

    def end(self):
        self.ending.set()
        self.thread.join()
        if self.failure:
            raise self.failure


def check(connection, topic, written: dict):
    """Offsets and values are as they were acknowledged; the newest acknowledged value of every key, or a newer one, is there."""
    records = wire.read_all(connection, topic)
    offsets = [r[0] for r in records]
    assert offsets == sorted(set(offsets))
    for offset, _, key, value, _ in records:
        assert written.get(offset, (key, value)) == (key, value), offset
    held = {r[2]: r for r in records}
    last = {}
    for offset, (key, value) in sorted(written.items()):
        last[key] = (offset, value)
    for key, (offset, value) in last.items():
        found = held.get(key)
        assert (found is None and value is None) or (found and found[0] >= offset), (key, offset, found)
    return records


def dirty_offset(broker, topic) -> int:
    path = broker.data / "cleaner-offset-checkpoint"
    lines = path.read_text().splitlines()[2:] if path.exists() else []
    return next((int(line.split()[2]) for line in lines if line.split()[0] == topic), 0)


def test_a_client_reads_the_newest_value_of_every_key(cluster):
    broker = cluster.broker(**EAGER).start()
    topic = broker.create_topic("compacted", 1, COMPACTED)
    client = KafkaPython()
    for codec in CODECS:
        sent = [Record(1_700_000_000_000 + i, b"key-%d" % (i % 50), value(codec, i), []) for i in range(1000)]
        client.produce(broker, topic, sent, codec)
    with broker.connect() as connection:
        until(lambda: len(wire.read_all(connection, topic)) < 1000, 60, "compaction")
        records = wire.read_all(connection, topic)
        assert newest(records) == {b"key-%d" % k: value("zstd", 950 + k) for k in range(50)}
        assert records[-1][0] == 4999
    read = client.consume(broker, {topic: len(records)})[topic]
    assert [(r.key, r.value) for r in read] == [(r[2], r[3]) for r in records]


def test_records_without_a_key_are_refused(cluster):
    broker = cluster.broker(**EAGER).start()
    topic = broker.create_topic("compacted", 1, COMPACTED)
    with broker.connect() as connection:
        answer = wire.produce(connection, topic, batch([(b"k", b"v"), (None, b"v")]))
        assert answer["error_code"] == 87
        assert wire.produce(connection, topic, batch([(b"", b"v")]))["error_code"] == 0


def test_no_cleaner_when_it_is_switched_off(cluster):
    broker = cluster.broker(log_cleaner_enable="false", **EAGER).start()
    topic = broker.create_topic("compacted", 1, COMPACTED)
    with broker.connect() as connection:
        for i in range(400):
            assert wire.produce(connection, topic, batch([(b"k", b"%d" % i + b"x" * 1000)]))["error_code"] == 0
        assert len(wire.read_all(connection, topic)) == 400
    broker.stop()
    assert not (broker.data / "cleaner-offset-checkpoint").exists()


def test_compacted_and_deleted(cluster):
    """Old segments go as a whole, whatever keys they hold; what stays is compacted."""
    broker = cluster.broker(log_retention_check_interval_ms="200", **EAGER).start()
    topic = broker.create_topic("both", 1, {**COMPACTED, "cleanup.policy": "compact,delete", "retention.ms": "3600000", "segment.bytes": "20000"})
    now = int(time.time() * 1000)
    with broker.connect() as connection:
        for i in range(100):
            data = batch([(b"old-%d" % i, b"x" * 1000)], base_timestamp=now - 7_200_000)
            assert wire.produce(connection, topic, data)["error_code"] == 0
        for i in range(200):
            data = batch([(b"key-%d" % (i % 5), b"%d " % i + b"x" * 1000)], base_timestamp=now)
            assert wire.produce(connection, topic, data)["error_code"] == 0

        def start():
            answer = connection.request("LIST_OFFSETS", 1, {"replica_id": -1, "topics": [
                {"name": topic, "partitions": [{"partition_index": 0, "timestamp": -2}]}]})
            return answer["topics"][0]["partitions"][0]["offset"]

        until(lambda: start() > 60, 90, "retention")  # Apache Kafka begins after half a minute
        until(lambda: len(wire.read_all(connection, topic, start=start())) < 60, 60, "compaction")
        records = wire.read_all(connection, topic, start=start())
        left = newest(records)
        assert {k: v for k, v in left.items() if k.startswith(b"key")} == {b"key-%d" % k: b"%d " % (195 + k) + b"x" * 1000 for k in range(5)}
        # What expired is gone but for the segment that the first record of today fell into.
        assert sum(k.startswith(b"old") for k in left) < 40
        assert records[-1][0] == 299
        # As in Apache Kafka its records may be deleted, too, which those of a compacted topic may not.
        answer = connection.request("DELETE_RECORDS", 1, {"timeout_ms": 10000, "topics": [{"name": topic, "partitions": [
            {"partition_index": 0, "offset": 290}]}]})
        assert answer["topics"][0]["partitions"][0]["error_code"] == 0
        assert start() == 290


@pytest.mark.parametrize("other", OTHERS)
def test_killed_while_cleaning_under_load_and_then_opened_by_apache_kafka(cluster, kind, other):
    directory = Directory(cluster)
    directory.settings["log.cleaner.backoff.ms"] = "1"
    written = {}
    for round in range(4):
        directory.open(kind)
        if round == 0:
            directory.broker.create_topic("compacted", 1, {**COMPACTED, "delete.retention.ms": "200"})
        writer = Writer(directory.broker, "compacted").start()
        start = max(written, default=0)
        until(lambda: len(writer.written) > 6000 and dirty_offset(directory.broker, "compacted") > start, 60, "writing and cleaning")
        directory.close("kill")
        writer.end()
        written.update(writer.written)
    directory.open(kind)
    with directory.broker.connect() as connection:
        held = check(connection, "compacted", written)
    assert len(held) < len(written) / 2
    directory.close("stop")

    directory.open(other)
    with directory.broker.connect() as connection:
        now = check(connection, "compacted", written)
    assert newest(now) == newest(held)
    writer = Writer(directory.broker, "compacted").start()
    until(lambda: len(writer.written) > 3000, 60, "writing")
    writer.end()
    written.update(writer.written)
    directory.close("stop")

    directory.open(kind)
    with directory.broker.connect() as connection:
        check(connection, "compacted", written)
