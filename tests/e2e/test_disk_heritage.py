"""A data directory with everything that Apache Kafka can leave in one: transactions that committed, aborted and are open, compaction
with tombstones, deleted records, the formats of 0.9 and 0.10. Weir opens it, serves the same to the same readers, and goes on;
then Kafka opens it again."""

import gzip
import time

import pytest

from harness import wire
from harness.clients import console
from harness.log_check import findings
from harness.process import until
from harness.records import CODECS, batch, message
from test_disk_exchange import OTHERS, Directory

SMALL = {"segment.bytes": "20000", "segment.index.bytes": "1000", "index.interval.bytes": "500"}
TOPICS = {"txn": SMALL, "deleted": SMALL,
          "compacted": {**SMALL, "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "100"},
          "v0": {**SMALL, "message.format.version": "0.9.0"}, "v1": {**SMALL, "message.format.version": "0.10.2"}}
NOW = int(time.time() * 1000)


def transactions(broker):
    from confluent_kafka import Producer

    def producer(name):
        made = Producer({"bootstrap.servers": broker.address, "transactional.id": name, "linger.ms": 5})
        made.init_transactions(30)
        return made

    one, two, left_open = (producer(n) for n in ("one", "two", "left-open"))
    for round in range(12):
        for each, name in ((one, b"one"), (two, b"two")):
            each.begin_transaction()
            for i in range(30):
                each.produce("txn", key=b"%s-%d" % (name, i), value=b"%s round %d %d " % (name, round, i) + b"x" * 40, partition=0)
        one.flush(30), two.flush(30)
        (one.abort_transaction if round % 3 == 0 else one.commit_transaction)(30)
        (two.abort_transaction if round % 2 == 0 else two.commit_transaction)(30)
    left_open.begin_transaction()
    left_open.produce("txn", value=b"never ended", partition=0)
    left_open.flush(30)
    return left_open  # alive until the broker is down: to end it would end its transaction


def fill(directory):
    broker = directory.broker
    for topic, configs in TOPICS.items():
        broker.create_topic(topic, 1, configs)
    kept = transactions(broker)
    with broker.connect() as connection:
        for i in range(150):
            codec = list(CODECS)[i % 5]
            data = batch([(b"k%d" % (i % 20), b"%d " % i + b"x" * 300, [("h", b"%d" % i)]), (b"n%d" % (i % 7), None if i % 3 else b"v")], codec, base_timestamp=NOW - 200 + i)
            for topic in ("compacted", "deleted"):
                assert wire.produce(connection, topic, data)["error_code"] == 0
            for topic, magic in (("v0", 0), ("v1", 1)):
                inner = b"".join(message(n, b"k%d" % n, b"%d " % i + b"y" * 100, magic=magic, timestamp=NOW - 200 + i) for n in range(4))
                data = inner if i % 2 else message(3, None, gzip.compress(inner), magic=magic, attributes=1, timestamp=NOW - 200 + i)
                assert wire.produce(connection, topic, data, version=2)["error_code"] == 0
        answer = connection.request("DELETE_RECORDS", 1, {"timeout_ms": 10000, "topics": [{"name": "deleted", "partitions": [
            {"partition_index": 0, "offset": 123}]}]})
        assert answer["topics"][0]["partitions"][0]["error_code"] == 0
    until(lambda: listed(directory, "cleaner-offset-checkpoint", "compacted 0 "), 60, "compaction")
    # Apache Kafka forgets a log start that it was killed before writing down.
    until(lambda: listed(directory, "log-start-offset-checkpoint", "deleted 0 123"), 60, "the log start")
    return kept


def listed(directory, checkpoint, entry):
    file = directory.path / checkpoint
    return file.exists() and any(line.startswith(entry) for line in file.read_text().splitlines())


def raw(broker):
    """Topic -> its log start and all bytes a fetch gives, aborted transactions too."""
    found = {}
    with broker.connect() as connection:
        for topic in TOPICS:
            answer = connection.request("LIST_OFFSETS", 1, {"replica_id": -1, "topics": [
                {"name": topic, "partitions": [{"partition_index": 0, "timestamp": ts}]} for ts in (-2,)]})
            start = answer["topics"][0]["partitions"][0]["offset"]
            part = wire.fetch(connection, topic, start, max_wait_ms=0, max_bytes=8 << 20, isolation_level=1)
            aborted = sorted((a["producer_id"], a["first_offset"]) for a in part["aborted_transactions"] or [])
            found[topic] = (start, part["high_watermark"], part["last_stable_offset"], aborted, part["records"])
    return found


def shown(broker, topic, isolation):
    """What Kafka's own consumer makes of it. It ends when nothing comes for a while; nothing at all means that the machine is slow."""
    arguments = ["--bootstrap-server", broker.address, "--topic", topic, "--partition", "0", "--offset", "earliest", "--isolation-level", isolation,
                 *(p for k in ("key", "timestamp", "offset", "headers") for p in ("--property", f"print.{k}=true"))]
    for patience in (2500, 10000, 40000):
        if text := console("3.9.1", "consumer", [*arguments, "--timeout-ms", str(patience)]).stdout:
            return text
    raise AssertionError(f"{topic} shows nothing")


def read(broker):
    return {(topic, isolation): shown(broker, topic, isolation)
            for topic, isolation in [(t, "read_uncommitted") for t in TOPICS] + [("txn", "read_committed")]}


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("other", OTHERS)
def test_everything_apache_kafka_leaves_is_served_and_handed_back(cluster, kind, other, how):
    directory = Directory(cluster)
    directory.settings = {"log.cleaner.backoff.ms": "200", "log.flush.start.offset.checkpoint.interval.ms": "500",
                          "transaction.state.log.num.partitions": "2"}
    directory.open(other)
    kept = fill(directory)
    held, seen = raw(directory.broker), read(directory.broker)
    assert held["txn"][3] and held["deleted"][0] == 123 and seen["txn", "read_committed"] != seen["txn", "read_uncommitted"]
    directory.close(how)
    del kept
    assert findings(directory.path) == []

    directory.settings["log.cleaner.enable"] = "false"  # or it may go on compacting while we compare
    directory.open(kind)
    assert raw(directory.broker) == held
    assert read(directory.broker) == seen
    with directory.broker.connect() as connection:
        for topic in TOPICS:
            for i in range(60):
                data = batch([(b"new", b"by the broker under test %d " % i + b"z" * 300)], base_timestamp=NOW)
                assert wire.produce(connection, topic, data)["error_code"] == 0
    more = raw(directory.broker)
    directory.close(how)
    assert findings(directory.path) == []

    directory.open(other)
    assert raw(directory.broker) == more
    # Its coordinator may meanwhile have ended the transaction that was left open: readers then see what follows it.
    assert read(directory.broker)["txn", "read_committed"].startswith(seen["txn", "read_committed"])
