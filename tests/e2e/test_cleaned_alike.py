"""The same directory compacted by Apache Kafka 3.9.1 and by the broker under test, with the same settings: what is left is the
same, record for record and batch for batch, tombstones, markers and empty batches of producers included."""

import gzip
import random
import shutil
import time

import pytest

from harness import wire
from harness.log_check import findings
from harness.process import until
from harness.records import CODECS, batch, batches, message, messages
from test_disk_exchange import Directory

NOW = int(time.time() * 1000)
COMPACTED = {"cleanup.policy": "compact", "segment.bytes": "20000", "segment.index.bytes": "2000", "index.interval.bytes": "500",
             "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "3600000"}
AT_ONCE = {"delete.retention.ms": "0"}  # tombstones go with the second cleaning
OLD = {"v0": "0.9.0", "v1": "0.10.2"}
TOPICS = {"kept": COMPACTED, "gone": {**COMPACTED, **AT_ONCE}, "txn-kept": COMPACTED, "txn-gone": {**COMPACTED, **AT_ONCE},
          "recompressed": {**COMPACTED, "compression.type": "lz4"},
          **{name: {**COMPACTED, **AT_ONCE, "message.format.version": release} for name, release in OLD.items()}}
DELETE_HORIZON, CONTROL = 0x40, 0x20


def some_records(dice, count, keys):
    """Keys come again, some values are empty, some are tombstones."""
    def value():
        kind = dice.randrange(10)
        return None if kind < 2 else b"" if kind == 2 else dice.randbytes(dice.randrange(300))
    return [(b"key-%d" % dice.randrange(keys), value(), [("h", dice.randbytes(3))] * dice.randrange(3)) for _ in range(count)]


def old_entries(dice, magic, keys):
    plain = [message(n, b"key-%d" % dice.randrange(keys), None if dice.randrange(5) == 0 else dice.randbytes(100), magic=magic, timestamp=NOW - 5000 + n)
             for n in range(dice.randrange(1, 8))]
    if dice.randrange(2):
        return b"".join(plain)
    return message(len(plain) - 1, None, gzip.compress(b"".join(plain)), magic=magic, attributes=1, timestamp=NOW)


def write(broker, seed, keys=80):
    dice = random.Random(seed)
    sequences = {7000 + p: 0 for p in range(4)}
    with broker.connect() as connection:
        for topic in TOPICS:
            wire.wait_for_leaders(connection, topic)
        for i in range(150):
            codec, records = list(CODECS)[i % 5], some_records(dice, dice.randrange(1, 15), keys)
            more = {}
            if i % 3 == 0:  # of an idempotent producer, whose last batch leaves a trace even when nothing of it is left
                producer = dice.choice(list(sequences))
                more = {"producer_id": producer + seed * 100, "producer_epoch": 0, "base_sequence": sequences[producer]}
                sequences[producer] += len(records)
            data = batch(records, codec, base_timestamp=NOW - 10000 + i, **more)
            for topic in TOPICS:
                if topic not in OLD:
                    assert wire.produce(connection, topic, data)["error_code"] == 0
            for magic, topic in enumerate(OLD):
                assert wire.produce(connection, topic, old_entries(dice, magic, keys), version=2)["error_code"] == 0


def write_transactions(broker):
    from confluent_kafka import Producer

    producers = []
    for name in ("one", "two"):
        producers.append(Producer({"bootstrap.servers": broker.address, "transactional.id": name, "linger.ms": 5}))
        producers[-1].init_transactions(30)
    for round in range(12):
        for n, producer in enumerate(producers):
            producer.begin_transaction()
            for topic in ("txn-kept", "txn-gone"):
                for i in range(20):
                    value = None if i % 7 == 0 else b"%d %d %d " % (n, round, i) + b"x" * 50
                    producer.produce(topic, key=b"key-%d" % (i + 30 * n + round % 5), value=value, partition=0)
            producer.flush(30)
            (producer.abort_transaction if (round + n) % 3 == 0 else producer.commit_transaction)(30)


def segments(directory, topic):
    return sorted((directory.path / f"{topic}-0").glob("*.log"))


def left(directory, topic):
    data = b"".join(file.read_bytes() for file in segments(directory, topic))
    if topic in OLD:
        found = []
        for offset, magic, attributes, timestamp, key, value in messages(data):
            inner = messages(gzip.decompress(value)) if attributes & 7 else [(offset, magic, attributes, timestamp, key, value)]
            # Wrapped entries of v1 count from the end of their wrapper.
            shift = offset - inner[-1][0] if attributes & 7 and magic == 1 else 0
            found.append((magic, attributes, [(each[0] + shift, *each[3:]) for each in inner]))
        return found
    found = []
    for each in batches(data):
        assert each.crc_good
        found.append((each.base_offset, each.last_offset_delta, each.attributes, each.producer_id, each.producer_epoch, each.base_sequence,
                      each.max_timestamp, each.records()))
    return found


def clean(directory, kind):
    """One pass over everything but the active segments."""
    active = {topic: int(segments(directory, topic)[-1].stem) for topic in TOPICS}
    directory.settings["log.cleaner.enable"] = "true"
    directory.open(kind)

    def all_cleaned():
        checkpoint = directory.path / "cleaner-offset-checkpoint"
        lines = checkpoint.read_text().splitlines()[2:] if checkpoint.exists() else []
        to = {line.split()[0]: int(line.split()[2]) for line in lines}
        return all(to.get(topic) == offset for topic, offset in active.items())

    until(all_cleaned, 120, "compaction")
    directory.close("stop")
    directory.settings["log.cleaner.enable"] = "false"
    assert findings(directory.path) == []


def summary(entries):
    """Few words of what a comparison found, for a failure that can be read."""
    return [entry if len(repr(entry)) < 300 else repr(entry)[:300] for entry in entries[:5]]


def compare(ours, theirs, stage):
    for topic in TOPICS:
        mine, kafkas = left(ours, topic), left(theirs, topic)
        assert mine and len(mine) == len(set(map(repr, mine)))
        only_mine = [each for each in mine if each not in kafkas]
        only_kafkas = [each for each in kafkas if each not in mine]
        assert not only_mine and not only_kafkas, (stage, topic, summary(only_mine), summary(only_kafkas))
        assert mine == kafkas, (stage, topic)


def test_what_is_left_is_what_apache_kafka_leaves(cluster, kind):
    if kind != "weir":
        pytest.skip("compares with Apache Kafka itself")
    theirs, ours = Directory(cluster), Directory(cluster)
    ours.zookeeper, ours.path = theirs.zookeeper, theirs.path.with_name("our-data")
    for directory in (theirs, ours):
        directory.settings = {"log.cleaner.enable": "false", "log.cleaner.backoff.ms": "100", "transaction.state.log.num.partitions": "2",
                              "inter.broker.protocol.version": "2.7"}  # old formats go on being written
    theirs.open("kafka-3.9.1")
    for topic, configs in TOPICS.items():
        theirs.broker.create_topic(topic, 1, configs)
    write(theirs.broker, 1)
    write_transactions(theirs.broker)
    write(theirs.broker, 2)
    theirs.close("stop")
    before = {topic: left(theirs, topic) for topic in TOPICS}
    shutil.copytree(theirs.path, ours.path)

    clean(theirs, "kafka-3.9.1")
    clean(ours, kind)
    compare(ours, theirs, "first cleaning")
    after = {topic: left(ours, topic) for topic in TOPICS}
    assert all(len(repr(after[topic])) < len(repr(before[topic])) / 2 for topic in TOPICS)
    assert any(attributes & DELETE_HORIZON for _, _, attributes, *_ in after["kept"])
    assert any(attributes & CONTROL for _, _, attributes, *_ in after["txn-kept"])
    assert any(not records for *_, records in after["kept"])  # what is left of a producer

    for directory, broker in ((theirs, "kafka-3.9.1"), (ours, kind)):
        directory.open(broker)
        write(directory.broker, 3, keys=40)  # of the others the tombstones stay, or go
        directory.close("stop")
    compare(ours, theirs, "more records")
    clean(theirs, "kafka-3.9.1")
    clean(ours, kind)
    compare(ours, theirs, "second cleaning")
    again = {topic: left(ours, topic) for topic in TOPICS}
    tombstones = {topic: [r for *_, records in again[topic] for r in records if r[3] is None] for topic in ("kept", "gone")}
    assert len(tombstones["gone"]) < len(tombstones["kept"])
