"""Every pair of producer and consumer library: what one wrote, each other reads, byte for byte."""

import pytest

from harness import wire
from harness.clients import JAVA, KAFKA_PYTHON_OLD, SARAMA, ConfluentPython, KafkaJs, KafkaPython, Kcat, Record
from harness.data import corner_records, records_for

CLIENTS = [Kcat(), ConfluentPython(), KafkaPython(), *KAFKA_PYTHON_OLD, KafkaJs(), *JAVA, *SARAMA]
# Below this, the broker has no zstd to offer: the consumer's fetch version cannot carry it.
NO_ZSTD = {c.name for c in KAFKA_PYTHON_OLD} | {"kafka-python", "kafkajs", "sarama-1.0.0"}
# Through its line format kcat shows an empty value like a null one, and random bytes break its lines.
LINE_ORIENTED = {"kcat"}
OLD_LZ4 = {"kafka-python-0.8.2", "kafka-python-0.9"}


@pytest.fixture(scope="module")
def written(broker):
    """Topic -> what the broker holds, for each producer and codec; a plain topic besides one with every corner."""
    topics = {}
    with broker.connect() as connection:
        for client in CLIENTS:
            for codec in client.codecs:
                for plain in {getattr(client, "plain", False), True}:
                    sent = records_for(client) if plain == getattr(client, "plain", False) else corner_records(client.headers, plain=True)
                    topic = broker.create_topic(f"from-{client}-{codec}-{'plain' if plain else 'full'}")
                    client.produce(broker, topic, sent, codec)
                    held = [Record(*r[1:]) for r in wire.read_all(connection, topic)]
                    assert [r[1:] for r in held] == [r[1:] for r in sent], topic
                    if client.timestamps:
                        assert [r.timestamp for r in held] == [r.timestamp for r in sent], topic
                    topics[topic] = (codec, plain, held)
    return topics


@pytest.mark.parametrize("reader", CLIENTS, ids=str)
def test_it_reads_what_every_other_wrote(broker, written, reader):
    wanted = {topic: held for topic, (codec, plain, held) in written.items()
              if plain == (reader.name in LINE_ORIENTED) and codec in reader.codecs
              and not (codec == "zstd" and reader.name in NO_ZSTD)}
    got = reader.consume(broker, {topic: len(held) for topic, held in wanted.items()})
    for topic, held in wanted.items():
        expected = held
        if not reader.headers:
            expected = [r._replace(headers=[]) for r in expected]
        if not reader.timestamps and reader.name not in LINE_ORIENTED:
            expected = [r._replace(timestamp=None) for r in expected]
            got[topic] = [r._replace(timestamp=None) for r in got[topic]]
        assert got[topic] == expected, f"{reader} reading {topic}"
