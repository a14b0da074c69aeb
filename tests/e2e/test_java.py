"""Java's kafka-clients 2.7.1, 3.9.1 and 4.0.0."""

import pytest

from harness import wire
from harness.clients import JAVA, Record
from harness.data import records_for
from harness.process import until

CASES = [(c, codec) for c in JAVA for codec in c.codecs]


@pytest.mark.parametrize("client,codec", CASES, ids=[f"{c}-{codec}" for c, codec in CASES])
def test_it_reads_back_what_it_wrote(broker, connection, topic, client, codec):
    sent = records_for(client)
    client.produce(broker, topic, sent, codec)
    assert [Record(*r[1:]) for r in wire.read_all(connection, topic)] == sent
    assert client.consume(broker, {topic: len(sent)})[topic] == sent


@pytest.mark.parametrize("acks,idempotence", [("0", "false"), ("1", "false"), ("all", "true")])
@pytest.mark.parametrize("client", JAVA, ids=str)
def test_it_writes_many_records_in_order(broker, connection, topic, client, acks, idempotence):
    sent = [Record(1_700_000_000_000 + i, b"k%d" % (i % 10), b"value %d" % i, []) for i in range(20_000)]
    client.produce(broker, topic, sent, "lz4", acks, idempotence)
    until(lambda: len(wire.read_all(connection, topic)) >= len(sent), 10, "records sent")
    assert [Record(*r[1:]) for r in wire.read_all(connection, topic)] == sent


@pytest.mark.parametrize("client", JAVA, ids=str)
def test_its_admin_client(broker, client):
    name = f"admin-{client}"
    answers = client.admin(broker, name)
    modern = client.version != "2.7.1"
    assert answers == {
        "cluster id length": "22",
        "controller": "0",
        "nodes": f"1 127.0.0.1:{broker.port}",
        "create": "done",
        "create again": f"TopicExistsException: Topic '{name}' already exists.",
        "create with factor 2": "InvalidReplicationFactorException: Replication factor: 2 larger than available brokers: 1.",
        "create bad config": "InvalidConfigurationException: Unknown topic config name: foo",
        "describe": f"{name} 0:0/1/1 1:0/1/1",
        "describe unknown": "UnknownTopicOrPartitionException: This server does not host this topic-partition.",
        "listed": "true",
        "grow": "done",
        "grow again": "InvalidPartitionsException: Topic already has 3 partitions.",
        "topic config": "{cleanup.policy=compact/DYNAMIC_TOPIC_CONFIG, retention.ms=123456/DYNAMIC_TOPIC_CONFIG, "
                        "segment.bytes=1073741824/DEFAULT_CONFIG}",
        "broker config": "{broker.id=0/STATIC_BROKER_CONFIG, num.partitions=1/STATIC_BROKER_CONFIG}",
        "earliest": "0",
        "latest": "0",
        "latest after three": "3",
        "for timestamp 1500": "1 3000",
        "for timestamp 9000": "-1",
        "max timestamp": "1 3000" if modern else "not in this client",
        "delete": "done",
        "delete again": "UnknownTopicOrPartitionException: This server does not host this topic-partition.",
        "listed after delete": "false",
    }
