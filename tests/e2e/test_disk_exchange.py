"""One data directory and one ZooKeeper, opened in turn by Apache Kafka and by the broker under test: each serves what the
other wrote, byte for byte, and goes on from there."""

import time

import pytest

from harness import records, wire
from harness.clients import Java, Record
from harness.data import corner_records
from harness.dump_log import as_in_39, kafkas, ours, printed, printed_by_39
from harness.log_check import findings
from harness.process import free_port
from harness.records import batch

NOW = int(time.time() * 1000)
OTHERS = ["kafka-2.7.1", "kafka-3.9.1"]
TOPICS = {"plain": {}, "small-segments": {"segment.bytes": "60000", "segment.index.bytes": "1000"}, "append-time": {"message.timestamp.type": "LogAppendTime"},
          "recompressed": {"compression.type": "zstd"}}


class Directory:
    """The directory and who serves it; brokers follow each other on it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.zookeeper = cluster.zookeeper()
        self.path = cluster.directory / "shared-data"
        self.port = free_port()
        self.broker = None
        self.settings = {}  # more of them, for every broker

    def open(self, kind):
        topics = self.broker.topics if self.broker else {}
        # A release writes what it likes unless held to what the older of the two reads.
        settings = {} if kind == "weir" else {"inter_broker_protocol_version": "2.7"}
        self.broker = self.cluster.broker(kind=kind, zookeeper=self.zookeeper, **settings)
        self.broker.settings.update(self.settings)
        self.broker.settings["log.dirs"] = str(self.path)
        self.broker.port = self.port  # whoever comes to the same address after a kill is the same broker
        self.broker.settings["listeners"] = f"PLAINTEXT://{self.broker.address}"
        self.broker.topics = topics
        return self.broker.start()

    def close(self, how="stop"):
        getattr(self.broker, how)()

    def write(self, mark: bytes):
        with self.broker.connect() as connection:
            for topic, configs in TOPICS.items():
                if topic not in self.broker.topics:
                    self.broker.create_topic(topic, 1, configs)
                for i in range(60):
                    data = batch([(b"key-%d" % i, mark + b" %d " % i + b"x" * 500, [("n", b"%d" % i)]), (None, mark), (b"k", None)],
                                 list(records.CODECS)[i % 5], base_timestamp=1_700_000_000_000 + i)
                    assert wire.produce(connection, topic, data)["error_code"] == 0
                # Producers are forgotten by the time of their records: these must be of today.
                ids = {"producer_id": 9_000_000 + len(mark), "producer_epoch": 0, "base_timestamp": NOW}
                assert wire.produce(connection, topic, batch([(b"k", b"idempotent")], base_sequence=0, **ids))["error_code"] == 0
        Java("3.9.1").produce(self.broker, "plain", corner_records(), "lz4", "all", "true")

    def read(self):
        """Topic -> (the batches as bytes, the records)."""
        found = {}
        with self.broker.connect() as connection:
            for topic in TOPICS:
                start, raw = 0, []
                while got := records.batches(wire.fetch(connection, topic, start, max_wait_ms=0)["records"]):
                    raw += [b.data for b in got]
                    start = got[-1].base_offset + got[-1].last_offset_delta + 1
                found[topic] = (raw, wire.read_all(connection, topic))
        return found

    def offsets_by_time(self):
        with self.broker.connect() as connection:
            return {(topic, ts): connection.request("LIST_OFFSETS", 1, {"replica_id": -1, "topics": [
                        {"name": topic, "partitions": [{"partition_index": 0, "timestamp": ts}]}]})["topics"][0]["partitions"][0]["offset"]
                    for topic in TOPICS for ts in (-2, -1, 1_700_000_000_000, 1_700_000_000_030, 1_700_000_000_059)}


def check_with_dump_log(directory, complaints=False):
    """Kafka's own tool reads every segment and finds index and data in agreement; ours prints the same lines. Of what 2.7 wrote it
    complains: there a time entry may name an offset inside of a batch."""
    files = [f for topic in TOPICS for f in (directory.path / f"{topic}-0").iterdir()]
    for suffix in (".log", ".index", ".timeindex", ".txnindex", ".snapshot"):
        chosen = ",".join(str(f) for f in sorted(files) if f.suffix == suffix)
        if not chosen:
            continue
        arguments = ["--files", chosen] + (["--deep-iteration"] if suffix == ".log" else [])
        theirs = printed_by_39(kafkas("3.9.1", *arguments))
        assert "isvalid: false" not in theirs[1] and (complaints or not theirs[2]), theirs
        code, out, err = printed(ours(*arguments))
        # 3.9 says of an index without entries that it is empty, 2.7 says nothing.
        assert (code, as_in_39(out), err) == (theirs[0], "".join(x for x in theirs[1].splitlines(True) if not x.endswith(" is empty.\n")), theirs[2])


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("other", OTHERS)
def test_what_apache_kafka_wrote_reads_back_identically(cluster, kind, other, how):
    directory = Directory(cluster)
    directory.open(other)
    directory.write(b"by-kafka")
    held, times = directory.read(), directory.offsets_by_time()
    directory.close(how)
    assert findings(directory.path) == []
    if how == "stop":
        check_with_dump_log(directory, complaints=other == "kafka-2.7.1")
    directory.open(kind)
    assert directory.read() == held
    assert directory.offsets_by_time() == times
    with directory.broker.connect() as connection:  # the producer's state came along
        ids = {"producer_id": 9_000_008, "producer_epoch": 0, "base_timestamp": NOW}
        last = held["small-segments"][1][-1][0]
        assert wire.produce(connection, "small-segments", batch([(b"k", b"idempotent")], base_sequence=0, **ids))["base_offset"] == last
        assert wire.produce(connection, "small-segments", batch([(b"k", b"next")], base_sequence=1, **ids))["base_offset"] == last + 1


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("other", OTHERS)
def test_what_it_wrote_opens_in_apache_kafka(cluster, kind, other, how):
    directory = Directory(cluster)
    directory.open(kind)
    directory.write(b"by-weir")
    held, times = directory.read(), directory.offsets_by_time()
    directory.close(how)
    assert findings(directory.path) == []
    if how == "stop":
        check_with_dump_log(directory)
    directory.open(other)
    assert directory.read() == held
    assert directory.offsets_by_time() == times
    with directory.broker.connect() as connection:
        ids = {"producer_id": 9_000_007, "producer_epoch": 0, "base_timestamp": NOW}
        last = held["small-segments"][1][-1][0]
        assert wire.produce(connection, "small-segments", batch([(b"k", b"idempotent")], base_sequence=0, **ids))["base_offset"] == last


@pytest.mark.parametrize("other", OTHERS)
def test_they_take_turns(cluster, kind, other):
    directory = Directory(cluster)
    before = None
    for turn, who in enumerate([other, kind, other, kind]):
        directory.open(who)
        if before:
            now = directory.read()
            assert {t: now[t][0][:len(before[t][0])] for t in TOPICS} == {t: before[t][0] for t in TOPICS}
        directory.write(b"turn-%d-%s" % (turn, b"x" * turn))
        before = directory.read()
        directory.close()
        assert findings(directory.path) == []
    directory.open("kafka-3.9.1")
    assert directory.read() == before
    read = Java("3.9.1").consume(directory.broker, {"plain": len(before["plain"][1])})["plain"]
    assert read == [Record(*r[1:]) for r in before["plain"][1]]
