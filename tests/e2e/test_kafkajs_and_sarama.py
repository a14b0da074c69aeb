"""kafkajs 2.2.4, and sarama set as Filebeat sets it (protocol versions 1.0.0 and 2.1.0)."""

import json

import pytest

from harness import wire
from harness.clients import SARAMA, KafkaJs, Record
from harness.data import records_for
from harness.process import until

CASES = [(c, codec) for c in [KafkaJs()] + SARAMA for codec in c.codecs]


@pytest.mark.parametrize("client,codec", CASES, ids=[f"{c}-{codec}" for c, codec in CASES])
def test_it_reads_back_what_it_wrote(broker, connection, topic, client, codec):
    sent = records_for(client)
    client.produce(broker, topic, sent, codec)
    assert [Record(*r[1:]) for r in wire.read_all(connection, topic)] == sent
    assert client.consume(broker, {topic: len(sent)})[topic] == sent


@pytest.mark.parametrize("acks", ["1", "all"])
@pytest.mark.parametrize("client", SARAMA, ids=str)
def test_sarama_ships_many_records_as_filebeat_does(broker, connection, topic, client, acks):
    sent = [Record(1_700_000_000_000 + i, None, json.dumps({"@timestamp": i, "message": f"line {i}"}).encode(), [])
            for i in range(20_000)]
    client.produce(broker, topic, sent, "gzip", acks)
    assert [Record(*r[1:]) for r in wire.read_all(connection, topic)] == sent


@pytest.mark.parametrize("acks", ["0", "1", "all", "idempotent"])
def test_kafkajs_writes_with_every_acks(broker, connection, topic, acks):
    sent = [Record(1000 + i, b"k", b"%d" % i, []) for i in range(100)]
    KafkaJs().produce(broker, topic, sent, "gzip", acks)
    until(lambda: len(wire.read_all(connection, topic)) == 100, 10, "records sent")
    assert [Record(*r[1:]) for r in wire.read_all(connection, topic)] == sent


def test_kafkajs_admin_client(broker):
    answers = KafkaJs().admin(broker, "by-kafkajs")
    assert answers == {
        "create": "true", "create again": "false", "listed": "true", "metadata": "[[0,1],[0,1]]",
        "offsets": '[["0","0"],["0","0"]]', "grow": "undefined", "config": '[["segment.bytes","1073741824"]]', "cluster": "[1,0]",
        "delete": answers["delete"],
    }
