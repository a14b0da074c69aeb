"""kafka-python as it comes, and made to speak the formats of brokers from 0.8.2 to 0.10.1."""

import pytest

from harness import wire
from harness.clients import KAFKA_PYTHON_OLD, KafkaPython, Record
from harness.data import records_for

CASES = [(c, codec) for c in [KafkaPython()] + KAFKA_PYTHON_OLD for codec in c.codecs]


@pytest.mark.parametrize("client,codec", CASES, ids=[f"{c}-{codec}" for c, codec in CASES])
def test_it_reads_back_what_it_wrote(broker, connection, topic, client, codec):
    sent = records_for(client)
    client.produce(broker, topic, sent, codec)
    held = [Record(t, k, v, h) for _, t, k, v, h in wire.read_all(connection, topic)]
    without_time = [r._replace(timestamp=-1) for r in sent]
    assert held == (sent if client.timestamps else without_time)
    read = client.consume(broker, {topic: len(sent)})[topic]
    if client.timestamps:
        assert read == sent
    else:  # a message of format 0 has no time
        assert [r._replace(timestamp=-1) for r in read] == without_time


@pytest.mark.parametrize("acks", ["0", "1", "all"])
@pytest.mark.parametrize("client", [KafkaPython()] + KAFKA_PYTHON_OLD, ids=str)
def test_every_acks(broker, connection, topic, client, acks):
    client.produce(broker, topic, [Record(1000 + i, b"k", b"%d" % i, []) for i in range(1000)], acks=acks)
    from harness.process import until
    until(lambda: len(wire.read_all(connection, topic)) == 1000, 10, "records sent")
    assert [r[3] for r in wire.read_all(connection, topic)] == [b"%d" % i for i in range(1000)]


@pytest.mark.parametrize("client", KAFKA_PYTHON_OLD, ids=str)
def test_an_old_consumer_reads_what_a_new_producer_wrote(broker, topic, client):
    sent = [r._replace(headers=[]) for r in records_for(KafkaPython())]
    KafkaPython().produce(broker, topic, sent, "gzip")
    read = client.consume(broker, {topic: len(sent)})[topic]
    assert [(r.key, r.value) for r in read] == [(r.key, r.value) for r in sent]


def test_its_admin_client(broker):
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic("by-kafka-python", 2, 1, topic_configs={"retention.ms": "99999"})])
    assert "by-kafka-python" in admin.list_topics()
    admin.create_partitions({"by-kafka-python": NewPartitions(3)})
    described = admin.describe_topics(["by-kafka-python"])[0]
    assert len(described["partitions"]) == 3 and described["error_code"] == 0
    answer = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, "by-kafka-python")])[0]
    assert dict((e[0], e[1]) for e in answer.resources[0][4])["retention.ms"] == "99999"
    assert admin.describe_cluster()["brokers"][0]["port"] == broker.port
    admin.delete_topics(["by-kafka-python"])
    admin.close()
