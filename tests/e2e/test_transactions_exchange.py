"""One data directory and one ZooKeeper, opened in turn by Apache Kafka and by the broker under test: transactions that one
of them began, the other goes on with, commits, aborts, fences and times out."""

import pytest

from harness.errors import *  # noqa: F403
from harness.process import until
from harness.transactions import Producer, committed, wait_for_coordinator
from test_disk_exchange import OTHERS, Directory


@pytest.fixture
def directory(cluster):
    made = Directory(cluster)
    made.settings = {"transaction.state.log.num.partitions": "3",
                     "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200"}
    return made


def reopened(directory, kind, how, *producers):
    directory.close(how)
    connection = directory.open(kind).connect()
    for producer in producers:
        wait_for_coordinator(connection, producer.id)
        producer.connection = connection
    return connection


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("first", ["weir", "other"])
def test_one_goes_on_where_the_other_was(directory, kind, other, how, first):
    if kind != "weir":
        pytest.skip("two brokers of Apache Kafka prove nothing of ours")
    turns = [("weir", other), (other, "weir")][first == "other"]
    broker = directory.open(turns[0])
    topic = broker.create_topic("t")
    with broker.connect() as connection:
        for name in ("over", "open", "fenced", "late"):
            wait_for_coordinator(connection, name)
        over, open_one, fenced = (Producer(connection, name).init() for name in ("over", "open", "fenced"))
        late = Producer(connection, "late", 3000).init()
        over.begin(topic, [b"over-1"]).finish(True)
        over.begin(topic, [b"never"]).finish(False)
        open_one.begin(topic, [b"open-1"])
        fenced.begin(topic, [b"never"])
        late.begin(topic, [b"never"])

    connection = reopened(directory, turns[1], how, over, open_one, fenced, late)
    until(lambda: over.end(False) == 0)
    assert over.end(True) == INVALID_TXN_STATE
    assert committed(connection, topic) == [b"over-1"]
    assert open_one.add([(topic, 0)]) == 0
    assert open_one.write(topic, [b"open-2"])["error_code"] == 0
    open_one.finish(True)
    second = Producer(connection, "fenced").init()
    assert (second.producer_id, second.epoch) == (fenced.producer_id, 2)
    assert fenced.end(True) == PRODUCER_FENCED
    # Asked under the epoch that fences it: its own would commit what is still open.
    until(lambda: late.end(True, epoch=1) == INVALID_TXN_STATE, 30, "the end of a transaction over its time")
    assert late.end(True) == PRODUCER_FENCED
    until(lambda: committed(connection, topic) == [b"over-1", b"open-1", b"open-2"])
    second.begin(topic, [b"second-1"]).finish(True)
    over.begin(topic, [b"over-2"])

    connection = reopened(directory, turns[0], how, over, second)
    until(lambda: over.add([(topic, 0)]) == 0)
    over.finish(True)
    assert committed(connection, topic) == [b"over-1", b"open-1", b"open-2", b"second-1", b"over-2"]
    assert second.init().epoch == 3
