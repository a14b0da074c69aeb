"""Every pair of producer and consumer library: what one wrote, each other reads, byte for byte."""

import pytest

from harness import wire
from harness.clients import JAVA, KAFKA_PYTHON_OLD, SARAMA, ConfluentPython, KafkaJs, KafkaPython, Kcat, Record
from harness.data import records_for

CLIENTS = [Kcat(), ConfluentPython(), KafkaPython(), *KAFKA_PYTHON_OLD, KafkaJs(), *JAVA, *SARAMA]
# Below this, the broker has no zstd to offer: the consumer's fetch version cannot carry it.
NO_ZSTD = {c.name for c in KAFKA_PYTHON_OLD} | {"kafka-python", "kafkajs", "sarama-1.0.0"}


@pytest.fixture(scope="module")
def written(broker):
    """Topic -> its codec and what the broker holds, for each producer and codec."""
    topics = {}
    with broker.connect() as connection:
        for client in CLIENTS:
            for codec in client.codecs:
                sent = records_for(client)
                topic = broker.create_topic(f"from-{client}-{codec}")
                client.produce(broker, topic, sent, codec)
                held = [Record(*r[1:]) for r in wire.read_all(connection, topic)]
                assert [r[1:] for r in held] == [r[1:] for r in sent], topic
                if client.timestamps:
                    assert [r.timestamp for r in held] == [r.timestamp for r in sent], topic
                topics[topic] = (codec, held)
    return topics


@pytest.mark.parametrize("reader", CLIENTS, ids=str)
def test_it_reads_what_every_other_wrote(broker, written, reader):
    wanted = {topic: held for topic, (codec, held) in written.items()
              if codec in reader.codecs and not (codec == "zstd" and reader.name in NO_ZSTD)}
    got = reader.consume(broker, {topic: len(held) for topic, held in wanted.items()})
    for topic, held in wanted.items():
        expected = held
        if not reader.headers:
            expected = [r._replace(headers=[]) for r in expected]
        if not reader.reads_timestamps:
            expected = [r._replace(timestamp=None) for r in expected]
            got[topic] = [r._replace(timestamp=None) for r in got[topic]]
        assert got[topic] == expected, f"{reader} reading {topic}"
