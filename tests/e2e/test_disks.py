"""Disks that fill up, fail or were dead from the start: what a broker does then, and that it recovers by itself."""

import json
import os
import subprocess

import pytest

from harness import wire
from harness.process import until
from harness.records import batch

STORAGE_ERROR = 56
LEADER_NOT_AVAILABLE = 5
MEGABYTE = 1 << 20


def values(broker, topic, partition=0):
    with broker.connect() as connection:
        return [r[3] for r in wire.read_all(connection, topic, partition)]


def produce(broker, topic, value, partition=0):
    with broker.connect() as connection:
        return wire.produce(connection, topic, batch([(b"k", value)]), partition=partition)["error_code"]


def all_but(lost, broker, topic):
    """Whether clients are told that the partitions of the topic are led, all but these, which nobody can lead."""
    with broker.connect() as connection:
        (told,) = connection.request("METADATA", 5, {"topics": [{"name": topic}], "allow_auto_topic_creation": False})["topics"]
    return told["error_code"] == 0 and all((p["leader_id"], p["error_code"], p["offline_replicas"])
               == ((-1, LEADER_NOT_AVAILABLE, [0]) if p["partition_index"] in lost else (0, 0, [])) for p in told["partitions"])


@pytest.fixture
def small_disk(tmp_path, kind):
    """A file system of 64 MiB, where this machine lets us mount one."""
    if kind != "weir":
        pytest.skip("Apache Kafka gives a full disk up")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("nothing may be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place, leave=0):
    """A file that takes all the room but `leave` bytes."""
    ballast = place / "ballast"
    with open(ballast, "wb") as file:
        while True:
            left = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize - leave
            if left <= 0:
                return ballast
            try:
                file.write(b"\0" * min(left, MEGABYTE))
                file.flush()
            except OSError:
                return ballast


def on_small_disk(cluster, place, **settings):
    broker = cluster.broker(log_dir_min_free_bytes=str(8 * MEGABYTE), **settings)
    broker.settings["log.dirs"] = str(place / "data")
    return broker


def test_a_nearly_full_disk_refuses_producers_and_recovers_by_itself(cluster, small_disk):
    broker = on_small_disk(cluster, small_disk).start()
    topic = broker.create_topic("small")
    assert produce(broker, topic, b"before") == 0
    ballast = fill(small_disk, 4 * MEGABYTE)
    until(lambda: produce(broker, topic, b"refused") == STORAGE_ERROR, 20, "a storage error")
    held = values(broker, topic)
    assert held[0] == b"before"
    assert "nearly full" in broker.output()
    assert broker.output().count("is nearly full") == 1
    assert "Stopping serving logs" not in broker.output()
    # Topics come and go meanwhile.
    broker.create_topic("other")
    ballast.unlink()
    until(lambda: produce(broker, topic, b"after") == 0, 20, "records accepted")
    assert values(broker, topic)[-1] == b"after"
    assert "takes records again" in broker.output()


@pytest.mark.parametrize("metadata", ["embedded", "zookeeper"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_broker_starts_on_a_disk_without_a_byte_left(cluster, small_disk, how, metadata):
    zookeeper = cluster.zookeeper() if metadata == "zookeeper" else None
    broker = on_small_disk(cluster, small_disk, zookeeper=zookeeper).start()
    topic = broker.create_topic("full", configs={"segment.bytes": "100000"})
    for i in range(20):
        assert produce(broker, topic, b"%d" % i + b"." * 20000) == 0
    getattr(broker, how)()
    ballast = fill(small_disk)
    assert os.statvfs(small_disk).f_bavail == 0
    broker.start()
    assert len(values(broker, topic)) == 20
    assert produce(broker, topic, b"refused") == STORAGE_ERROR
    getattr(broker, how)()
    broker.start()  # whatever the last start wrote was no step towards the end of its room
    assert len(values(broker, topic)) == 20
    assert "Stopping serving logs" not in broker.output()
    ballast.unlink()
    until(lambda: produce(broker, topic, b"after") == 0, 20, "records accepted")
    assert len(values(broker, topic)) == 21
    broker.stop()
    broker.start()
    assert len(values(broker, topic)) == 21


def test_a_disk_that_others_fill_to_the_last_byte_loses_nothing(cluster, small_disk):
    broker = on_small_disk(cluster, small_disk)
    broker.settings["log.dir.min.free.bytes"] = "0"
    broker.start()
    topic = broker.create_topic("raced", configs={"segment.bytes": "1000000"})
    kept = []
    ballast = fill(small_disk, MEGABYTE)
    for i in range(200):
        code = produce(broker, topic, b"%d" % i + b"." * 30000)
        assert code in (0, STORAGE_ERROR)
        if code == 0:
            kept.append(i)
    assert 0 < len(kept) < 200
    ballast.unlink()
    until(lambda: produce(broker, topic, b"last" + b"." * 30000) == 0, 20, "records accepted")
    held = [v.split(b".")[0] for v in values(broker, topic)]
    assert [v for v in held if v != b"last"] == [b"%d" % i for i in kept]
    broker.kill()
    broker.start()
    assert [v.split(b".")[0] for v in values(broker, topic)] == held
    assert "Stopping serving logs" not in broker.output()


@pytest.fixture
def two_disks(cluster, kind):
    """A broker with two directories and partitions in both."""
    broker = cluster.broker(replica_high_watermark_checkpoint_interval_ms="300",
                            zookeeper=cluster.zookeeper())
    directories = [broker.directory / f"disk-{i}" for i in range(2)]
    broker.settings["log.dirs"] = ",".join(map(str, directories))
    broker.start()
    broker.create_topic("spread", 4)
    for p in range(4):
        assert produce(broker, "spread", b"%d" % p, p) == 0
    first = sorted(int(d.name.rsplit("-", 1)[1]) for d in directories[0].glob("spread-*"))
    assert len(first) == 2
    return broker, directories, first


def test_a_failed_directory_goes_offline_and_the_rest_goes_on(two_disks, kind):
    broker, directories, lost = two_disks
    directories[0].rename(directories[0].with_name("pulled-out"))
    until(lambda: "Stopping serving logs in dir" in broker.output(), 30, "the directory offline")
    for p in range(4):
        if p not in lost:
            assert values(broker, "spread", p) == [b"%d" % p]
            assert produce(broker, "spread", b"more", p) == 0
    # The controller is told, finds out which partitions are gone, and tells everybody that nobody leads them.
    until(lambda: all_but(lost, broker, "spread"), 30, "partitions without leaders")
    store = broker.zookeeper.client()
    try:
        until(lambda: not store.get_children("/log_dir_event_notification"), 20, "the report dealt with")
        for p in range(4):
            state = json.loads(store.get(f"/brokers/topics/spread/partitions/{p}/state")[0])
            assert state["leader"] == (-1 if p in lost else 0)
            assert state["leader_epoch"] == (1 if p in lost else 0)
            assert state["isr"] == [0]
    finally:
        store.stop()
    if kind != "weir":
        return
    for p in lost:
        assert produce(broker, "spread", b"more", p) == STORAGE_ERROR
    assert broker.output().count("Stopping serving logs in dir") == 1
    # It stays so over a restart: nothing is made anew where the old log may be.
    del broker.topics["spread"]  # whose leaders a start would wait for
    broker.stop()
    directories[0].write_text("no directory")
    broker.start()
    until(lambda: all_but(lost, broker, "spread"), 30, "partitions without leaders")
    for p in lost:
        assert produce(broker, "spread", b"more", p) == STORAGE_ERROR
    directories[0].unlink()
    broker.stop()
    directories[0].with_name("pulled-out").rename(directories[0])
    broker.start()
    until(lambda: all_but([], broker, "spread"), 30, "leaders again")
    for p in range(4):
        assert values(broker, "spread", p)[0] == b"%d" % p


def test_a_broker_alone_tells_that_nobody_leads_what_is_on_a_failed_disk(cluster, kind):
    if kind != "weir":
        pytest.skip("Apache Kafka has no embedded metadata")
    broker = cluster.broker(replica_high_watermark_checkpoint_interval_ms="300")
    directories = [broker.directory / f"disk-{i}" for i in range(2)]
    broker.settings["log.dirs"] = ",".join(map(str, directories))  # the first holds the metadata too
    broker.start()
    broker.create_topic("spread", 4)
    lost = {int(d.name.rsplit("-", 1)[1]) for d in directories[1].glob("spread-*")}
    assert len(lost) == 2
    directories[1].rename(directories[1].with_name("pulled-out"))
    until(lambda: all_but(lost, broker, "spread"), 30, "partitions without leaders")
    for p in range(4):
        assert produce(broker, "spread", b"more", p) == (STORAGE_ERROR if p in lost else 0)


def test_without_any_directory_left_the_broker_stops_and_says_so(two_disks):
    broker, directories, _ = two_disks
    for directory in directories:
        directory.rename(directory.with_name("pulled-" + directory.name))
    process = broker.process
    until(lambda: not process.running(), 30, "the end of the broker")
    assert process.popen.returncode == 1
    assert "Shutdown broker because all log dirs" in process.output()
