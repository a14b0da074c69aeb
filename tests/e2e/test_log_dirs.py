"""Several data directories: placement, what lies where, and replicas that move from one to another while they are used."""

import json
import threading

import pytest

from harness import wire
from harness.process import until
from harness.records import batch
from test_cli import call

UNKNOWN_TOPIC, LOG_DIR_NOT_FOUND = 3, 57


@pytest.fixture
def broker(cluster, tmp_path):
    return cluster.broker(log_dirs=f"{tmp_path}/one,{tmp_path}/two", log_segment_delete_delay_ms="200").start()


@pytest.fixture
def dirs(broker):
    return broker.settings["log.dirs"].split(",")


def described(broker):
    """{partition: [(directory, size, future)]}, by the command."""
    code, out, error = call("kafka-log-dirs", "--bootstrap-server", broker.address, "--describe")
    assert code == 0, error
    found = {}
    for directory in json.loads(out.splitlines()[-1])["brokers"][0]["logDirs"]:
        assert directory["error"] is None
        for p in directory["partitions"]:
            found.setdefault(p["partition"], []).append((directory["logDir"], p["size"], p["isFuture"]))
    return found


def place(broker, partition):
    """The directory of a replica that does not move."""
    places = described(broker)[partition]
    return places[0][0] if len(places) == 1 and not places[0][2] else None


def move(broker, topic, to, version=1, partition=0):
    with broker.connect() as connection:
        answer = connection.request("ALTER_REPLICA_LOG_DIRS", version, {
            "dirs": [{"path": to, "topics": [{"name": topic, "partitions": [partition]}]}]})
        return answer["results"][0]["partitions"][0]["error_code"]


def produce(broker, topic, first, count, size=1000):
    with broker.connect() as connection:
        for i in range(first, first + count):
            assert wire.produce(connection, topic, batch([(None, b"%08d" % i + b"." * size)]))["error_code"] == 0


def numbers(broker, topic):
    with broker.connect() as connection:
        return [int(r[3][:8]) for r in wire.read_all(connection, topic)]


def names(directory):
    from pathlib import Path
    return sorted(p.name for p in Path(directory).iterdir() if p.is_dir())


def test_new_partitions_go_where_the_fewest_are(broker, dirs):
    broker.create_topic("spread", 6)
    assert [len(names(d)) for d in dirs] == [3, 3]
    assert sorted(p[0][0] for p in described(broker).values()) == sorted(dirs * 3)


def test_a_replica_moves_while_it_is_written_and_read(broker, dirs):
    topic = broker.create_topic("moving", configs={"segment.bytes": "100000"})
    produce(broker, topic, 0, 500)
    stop, written = threading.Event(), [500]

    def write():
        while not stop.is_set():
            produce(broker, topic, written[0], 1)
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for version in (0, 1, 2):
            here = place(broker, f"{topic}-0")
            there = next(d for d in dirs if d != here)
            assert move(broker, topic, there, version) == 0
            until(lambda: place(broker, f"{topic}-0") == there, 60, "the replica arrives")
            seen = written[0]
            until(lambda: written[0] > seen + 20, 30, "writing goes on")
    finally:
        stop.set()
        writer.join()
    assert numbers(broker, topic) == list(range(written[0]))
    until(lambda: names(here) == [] and names(there) == [f"{topic}-0"], 30, "only the new place is left")
    broker.kill()
    broker.start()
    assert numbers(broker, topic) == list(range(written[0]))


def test_moves_that_kills_interrupt_are_finished(broker, dirs):
    topic = broker.create_topic("killed", configs={"segment.bytes": "500000"})
    produce(broker, topic, 0, 60, size=100_000)
    written = 60
    for _ in range(4):
        here = place(broker, f"{topic}-0")
        there = next(d for d in dirs if d != here)
        assert move(broker, topic, there) == 0
        produce(broker, topic, written, 5)
        written += 5
        broker.kill()
        broker.start()
        produce(broker, topic, written, 5)
        written += 5
        until(lambda: place(broker, f"{topic}-0") == there, 60, "the replica arrives")
        assert numbers(broker, topic) == list(range(written))
    broker.stop()
    broker.start()
    assert numbers(broker, topic) == list(range(written))


def test_what_cannot_move(broker, dirs):
    topic = broker.create_topic("stays")
    assert move(broker, topic, "/nowhere") == LOG_DIR_NOT_FOUND
    assert move(broker, topic, "one") == LOG_DIR_NOT_FOUND
    assert move(broker, "nosuch", dirs[0]) == UNKNOWN_TOPIC
    assert move(broker, topic, place(broker, f"{topic}-0")) == 0
