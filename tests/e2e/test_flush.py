"""Topics that are flushed before they acknowledge, and preallocated segments."""

import pytest

from harness import wire
from harness.records import batch


def produce_all(broker, topic, count, **more):
    with broker.connect() as connection:
        for i in range(count):
            assert wire.produce(connection, topic, batch([(b"k", b"%d" % i)]), **more)["error_code"] == 0


@pytest.mark.parametrize("acks", [1, -1])
def test_flushed_before_it_is_acknowledged(cluster, acks):
    broker = cluster.broker(log_flush_interval_messages="2").start()
    topic = broker.create_topic("flushed")
    every = broker.create_topic("every-one", 1, {"flush.messages": "1"})
    for name in (topic, every):
        produce_all(broker, name, 9, acks=acks)
    broker.kill()
    broker.start()
    with broker.connect() as connection:
        for name in (topic, every):
            assert [r[3] for r in wire.read_all(connection, name)] == [b"%d" % i for i in range(9)]


def test_flushed_from_time_to_time(cluster):
    broker = cluster.broker(log_flush_scheduler_interval_ms="20", log_flush_interval_ms="10").start()
    topic = broker.create_topic("scheduled")
    produce_all(broker, topic, 50)
    with broker.connect() as connection:
        assert len(wire.read_all(connection, topic)) == 50
    assert broker.stop() in (0, 143)


def test_a_preallocated_segment_is_cut_when_it_closes_or_is_recovered(cluster):
    broker = cluster.broker(log_preallocate="true", log_segment_bytes="100000").start()
    topic = broker.create_topic("preallocated")
    data = broker.data / "preallocated-0" / ("0" * 20 + ".log")
    written = 4 * len(batch([(b"k", b"0")]))
    produce_all(broker, topic, 4)
    assert data.stat().st_size == 100000
    broker.kill()
    broker.start()
    assert data.stat().st_size == written
    with broker.connect() as connection:
        assert wire.produce(connection, topic, batch([(b"k", b"4")]))["base_offset"] == 4
        assert [r[3] for r in wire.read_all(connection, topic)] == [b"%d" % i for i in range(5)]

    fresh = broker.create_topic("preallocated-and-closed")
    produce_all(broker, fresh, 4)
    data = broker.data / "preallocated-and-closed-0" / ("0" * 20 + ".log")
    assert data.stat().st_size == 100000
    broker.stop()
    assert data.stat().st_size == written
