"""One data directory that goes round: Apache Kafka 2.7.1, the broker under test, 3.9.1, the broker under test, 2.7.1 again ... Each
writes on, the Kafkas transactions too, each compacts, and each finds byte for byte what the one before it left."""

import gzip

from harness import wire
from harness.log_check import findings
from harness.process import until
from harness.records import CODECS, batch, message
from test_disk_exchange import Directory
from test_disk_heritage import NOW, TOPICS, raw, shown

KEYS = 25


def transactions(broker, turn):
    from confluent_kafka import Producer
    for number, name in enumerate(("one", "two")):
        producer = Producer({"bootstrap.servers": broker.address, "transactional.id": name, "linger.ms": 5})
        producer.init_transactions(30)
        for round in range(6):
            producer.begin_transaction()
            for i in range(20):
                producer.produce("txn", key=b"%d" % i, value=b"turn %d of %s, round %d " % (turn, name.encode(), round) + b"x" * 40, partition=0)
            producer.flush(30)
            (producer.commit_transaction if (round + number) % 3 else producer.abort_transaction)(30)


def write(directory, turn, model):
    broker = directory.broker
    for topic, configs in TOPICS.items():
        if topic not in broker.topics:
            broker.create_topic(topic, 1, configs)
    if broker.kind != "weir":
        transactions(broker, turn)
    with broker.connect() as connection:
        for i in range(200):  # more than a segment, however well it compresses
            at = NOW - 2000 + 200 * turn + i
            key, value = b"k%d" % ((i * 7 + turn) % KEYS), None if i % 9 == turn else b"turn %d, %d " % (turn, i) + b"x" * 200
            model[key] = value
            keyed = batch([(key, value, [("turn", b"%d" % turn)])], list(CODECS)[i % 5], base_timestamp=at)
            for topic in ("compacted", "deleted", "txn"):
                assert wire.produce(connection, topic, keyed)["error_code"] == 0
            for topic, magic in (("v0", 0), ("v1", 1)):
                inner = b"".join(message(n, b"k%d" % n, b"turn %d, %d " % (turn, i) + b"y" * 80, magic=magic, timestamp=at) for n in range(3))
                data = inner if i % 2 else message(2, None, gzip.compress(inner), magic=magic, attributes=1, timestamp=at)
                assert wire.produce(connection, topic, data, version=2)["error_code"] == 0
        answer = connection.request("DELETE_RECORDS", 1, {"timeout_ms": 10000, "topics": [{"name": "deleted", "partitions": [
            {"partition_index": 0, "offset": 50 * turn + 13}]}]})
        assert answer["topics"][0]["partitions"][0]["error_code"] == 0


def cleaned_to(directory):
    file = directory.path / "cleaner-offset-checkpoint"
    rows = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return max([int(row[2]) for row in rows if row[:2] == ["compacted", "0"]], default=-1)


def latest_by_key(broker):
    """What a reader of the whole compacted topic ends with."""
    values = {}
    with broker.connect() as connection:
        for record in wire.read_all(connection, "compacted"):
            values[record[2]] = record[3]
    return {key: value for key, value in values.items() if value is not None}


def test_a_directory_that_goes_round_is_whole_in_every_hand(cluster, kind):
    directory = Directory(cluster)
    common = {"log.cleaner.backoff.ms": "100", "transaction.state.log.num.partitions": "2"}
    before, seen, model = None, None, {}
    for turn, who in enumerate(["kafka-2.7.1", kind, "kafka-3.9.1", kind, "kafka-2.7.1", kind]):
        directory.settings = {**common, "log.cleaner.enable": "false"}  # compacting would change what is compared
        directory.open(who)
        if before:
            assert raw(directory.broker) == before
            assert shown(directory.broker, "txn", "read_committed") == seen
        write(directory, turn, model)
        before = raw(directory.broker)
        assert before["deleted"][0] == 50 * turn + 13 and (turn == 0 or before["txn"][3])
        directory.close()
        assert findings(directory.path) == []

        directory.settings = {**common, "log.cleaner.enable": "true"}
        was = cleaned_to(directory)
        directory.open(who)
        assert {t: v for t, v in raw(directory.broker).items() if t != "compacted"} == {t: v for t, v in before.items() if t != "compacted"}
        until(lambda: cleaned_to(directory) > was, 60, "compaction")
        directory.close()
        assert findings(directory.path) == []

        directory.settings = {**common, "log.cleaner.enable": "false"}
        directory.open("kafka-3.9.1" if who == kind else kind)  # whoever did not write it reads it
        before, seen = raw(directory.broker), shown(directory.broker, "txn", "read_committed")
        assert latest_by_key(directory.broker) == {key: value for key, value in model.items() if value is not None}
        directory.close()
