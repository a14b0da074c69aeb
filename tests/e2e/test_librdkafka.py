"""kcat and librdkafka through confluent-kafka."""

import pytest

from harness import wire
from harness.clients import ConfluentPython, Kcat, Record
from harness.data import records_for
from harness.process import run

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def on_disk(connection, topic):
    """What the broker holds, as our own decoder reads it."""
    return [Record(t, k, v, h) for _, t, k, v, h in wire.read_all(connection, topic)]


@pytest.mark.parametrize("codec", CODECS)
def test_kcat_reads_back_what_it_wrote(broker, connection, topic, codec):
    client = Kcat()
    sent = records_for(client)
    client.produce(broker, topic, sent, codec)
    read = client.consume(broker, {topic: len(sent)})[topic]
    assert read == on_disk(connection, topic)
    assert [r._replace(timestamp=0) for r in read] == [r._replace(timestamp=0) for r in sent]


def test_kcat_lists_brokers_and_topics(broker, topic):
    listed = run(["kcat", "-L", "-b", broker.address]).stdout.decode()
    assert f"broker 0 at 127.0.0.1:{broker.port} (controller)" in listed
    assert f'topic "{topic}" with 1 partitions:\n    partition 0, leader 0, replicas: 0, isrs: 0' in listed


def test_kcat_queries_offsets_by_time(broker, topic):
    ConfluentPython().produce(broker, topic, [Record(1000, None, b"a", []), Record(2000, None, b"b", []), Record(3000, None, b"c", [])])
    assert b"offset 1" in run(["kcat", "-Q", "-b", broker.address, "-t", f"{topic}:0:1500"]).stdout
    assert b"offset 3" in run(["kcat", "-Q", "-b", broker.address, "-t", f"{topic}:0:-1"]).stdout
    assert b"offset 0" in run(["kcat", "-Q", "-b", broker.address, "-t", f"{topic}:0:-2"]).stdout


def test_kcat_makes_a_topic_by_writing_to_it(broker):
    run(["kcat", "-P", "-b", broker.address, "-t", "made-by-kcat"], input=b"one\ntwo\n")
    assert run(["kcat", "-C", "-q", "-e", "-b", broker.address, "-t", "made-by-kcat"]).stdout == b"one\ntwo\n"


@pytest.mark.parametrize("acks", ["0", "1", "all"])
@pytest.mark.parametrize("codec", CODECS)
def test_librdkafka_reads_back_what_it_wrote(broker, connection, topic, codec, acks):
    client = ConfluentPython()
    sent = records_for(client)
    client.produce(broker, topic, sent, codec, acks)
    read = client.consume(broker, {topic: len(sent)})[topic]
    assert read == sent
    assert on_disk(connection, topic) == sent


@pytest.mark.parametrize("codec", CODECS)
def test_librdkafka_writes_idempotently(broker, topic, codec):
    client = ConfluentPython()
    sent = [Record(1_700_000_000_000 + i, b"k", b"%d" % i, []) for i in range(20_000)]
    offsets = client.produce(broker, topic, sent, codec, **{"enable.idempotence": True, "batch.num.messages": 100})
    assert offsets == list(range(len(sent)))
    assert client.consume(broker, {topic: len(sent)})[topic] == sent


def test_librdkafka_reads_from_a_time_and_from_the_end(broker, topic):
    from confluent_kafka import Consumer, TopicPartition

    ConfluentPython().produce(broker, topic, [Record(1000 * i, None, b"%d" % i, []) for i in range(1, 11)])
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "unused", "enable.auto.commit": False})
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (0, 10)
    assert consumer.offsets_for_times([TopicPartition(topic, 0, 4500)], timeout=10)[0].offset == 4
    consumer.assign([TopicPartition(topic, 0, 4)])
    assert consumer.consume(1, 10)[0].value() == b"5"
    consumer.close()
