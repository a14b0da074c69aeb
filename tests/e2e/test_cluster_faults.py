"""What may happen to a cluster of three while producers write with acks=all and idempotence, from librdkafka and from Java:
afterwards every acknowledged record is in the log exactly once, where the producer was told, in the order it was sent."""

import subprocess
import time

import pytest

from harness import wire
from harness.acknowledged import Feeds
from harness.brokers import Brokers, quietly
from harness.exactly_once import Copy, difference
from harness.groups import Group, Hosts, Load, check_commits, check_ownership, missing, settle
from harness.hosts import CONFLUENT, JAVAS, KAFKAJS
from harness.network import Network
from harness.process import run, until
from harness.records import batch, batches

PARTITIONS = 6
ASSIGNMENT = [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 3, 2], [2, 1, 3], [3, 2, 1]]


@pytest.fixture
def brokers(cluster):
    return Brokers(cluster, min_insync_replicas="2").start()


@pytest.fixture
def feeds(brokers):
    return feed(brokers)


def feed(brokers, **settings):
    brokers.create_topic("load", assignment=ASSIGNMENT)
    made = Feeds(brokers, "load", PARTITIONS, **settings)
    made.progress()
    return made


def settled(brokers, feeds, seconds: float = 90):
    """The faults are over: all replicas come back, nothing is under way, nothing was lost."""
    feeds.progress(seconds=seconds)
    feeds.end()
    brokers.in_sync("load", seconds=seconds)
    print(feeds.check())
    check_alike(brokers, "load")


def check_alike(brokers, topic: str):
    """Every replica holds the same bytes up to the high watermark, read as the verification tool reads them."""
    for partition, told in brokers.partitions(topic).items():
        end = brokers.end(topic, partition)
        held = {}
        for replica in told["replica_nodes"]:
            def whole():
                with brokers[replica].connect() as connection:
                    return bytes_up_to(connection, topic, partition, end)

            held[replica] = until(quietly(whole), 30, f"all of {topic}-{partition} on broker {replica}")
        assert len(set(held.values())) == 1, f"{topic}-{partition}: { {r: len(h) for r, h in held.items()} } bytes"


def bytes_up_to(connection, topic, partition, end):
    data, at = b"", 0
    while at < end:
        part = wire.fetch(connection, topic, at, partition=partition, max_bytes=8 << 20, max_wait_ms=0, replica_id=-2)
        assert part["error_code"] == 0, part["error_code"]
        if part["high_watermark"] < end:
            return None
        got = [b for b in batches(part["records"] or b"") if b.base_offset < end]
        if not got:
            return None
        size = sum(b.length + 12 for b in got)
        data += part["records"][:size]
        at = got[-1].base_offset + got[-1].last_offset_delta + 1
    return data


def led_elsewhere(brokers, lost: int, seconds: float = 60):
    """Every partition has a leader other than that one, as all running brokers know."""
    def moved():
        return all(t["leader_id"] in brokers.running() and t["leader_id"] != lost for b in brokers.running() for t in brokers.partitions("load", b).values())

    until(quietly(moved), seconds, f"leaders other than {lost}")


def test_leaders_are_killed(brokers, feeds):
    for lost in (1, 2, 3):
        brokers[lost].kill()
        led_elsewhere(brokers, lost)
        feeds.progress()
        brokers.restart(lost)
        brokers.in_sync("load")
    settled(brokers, feeds)


def test_a_broker_is_killed_again_before_it_has_caught_up(brokers, feeds):
    for _ in range(4):
        brokers[2].kill()
        feeds.progress(100)
        brokers.restart(2)
    settled(brokers, feeds)


def test_the_controller_is_killed_each_time(brokers, feeds):
    for _ in range(3):
        lost = brokers.controller()
        brokers[lost].kill()
        led_elsewhere(brokers, lost)
        feeds.progress()
        assert brokers.controller() != lost
        brokers.restart(lost)
        brokers.in_sync("load")
    settled(brokers, feeds)


SILENCE = {"zookeeper_session_timeout_ms": "8000"}  # how long a broker may be silent, and see Feeds


@pytest.mark.parametrize("which", ["controller", "other"])
def test_a_leader_is_paused_beyond_its_session(cluster, which):
    brokers = Brokers(cluster, min_insync_replicas="2", **SILENCE).start()
    feeds = feed(brokers, timeout_ms=3000)
    controller = brokers.controller()
    paused = controller if which == "controller" else next(b for b in brokers.all if b != controller)
    led = next(p for p, t in brokers.partitions("load").items() if t["leader_id"] == paused)
    epoch_before = len(feeds.all[0].acknowledged)
    with brokers[paused].connect(120) as stale:
        brokers[paused].pause()
        # It will find this when it wakes up, long after another leads.
        stale.send("PRODUCE", 8, wire.produce_values("load", batch([(None, b"stale:1")]), partition=led, acks=-1, timeout_ms=3000))
        led_elsewhere(brokers, paused)
        feeds.progress()
        brokers[paused].resume()
        try:
            answer = stale.receive("PRODUCE", 8)[1]["responses"][0]["partition_responses"][0]
        except (EOFError, OSError):
            answer = None
    feeds.progress()
    brokers.know_each_other()
    settled(brokers, feeds)
    assert len(feeds.all[0].acknowledged) > epoch_before
    held = [r[3] for r in brokers.read("load")[led] if r[3] == b"stale:1"]
    if answer and answer["error_code"] == 0:
        assert held == [b"stale:1"], "acknowledged"
    assert len(held) <= 1


def test_a_leader_is_cut_off(cluster):
    network = Network()
    cluster.ended.append(network.end)
    brokers = Brokers(cluster, network=network, min_insync_replicas="2", **SILENCE).start()
    feeds = feed(brokers, timeout_ms=3000)
    for lost in (brokers.controller(), None):
        lost = lost or next(b for b in brokers.all if b != brokers.controller())
        network.cut(lost)
        brokers[lost].paused = True  # nobody can ask it
        led_elsewhere(brokers, lost)
        feeds.progress(seconds=120)
        network.mend(lost)
        brokers[lost].paused = False
        brokers.know_each_other(90)
        brokers.in_sync("load", seconds=90)
        feeds.progress()
    settled(brokers, feeds)


def test_zookeeper_is_restarted(brokers, feeds):
    brokers.zookeeper.kill()
    deadline = time.monotonic() + 6  # longer than the sessions
    while time.monotonic() < deadline:
        feeds.progress(100)
    brokers.zookeeper.start()
    brokers.know_each_other(90)
    feeds.progress()
    brokers.create_topic("made-later", partitions=3)
    brokers.zookeeper.kill()  # and once more, only for a moment
    brokers.zookeeper.start()
    feeds.progress()
    lost = brokers.controller()
    brokers[lost].kill()
    led_elsewhere(brokers, lost)
    feeds.progress()
    brokers.restart(lost)
    settled(brokers, feeds)


def test_a_disk_is_full(cluster):
    brokers = Brokers(cluster, min_insync_replicas="2", log_segment_bytes="4194304", log_index_size_max_bytes="65536",
                      log_dir_min_free_bytes="4194304")
    small = brokers[2]
    small.data.mkdir(parents=True)
    run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", small.data])
    cluster.ended.insert(0, lambda: run(["umount", "-l", small.data]))
    brokers.start()
    feeds = feed(brokers)
    ballast = small.data / ".ballast"
    done = subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True)
    assert b"No space left" in done.stderr
    others = [p for p, t in brokers.partitions("load").items() if t["leader_id"] != 2]
    # The others go on without it, or with it.
    before = {f: Feeds.counts(f) for f in feeds.all}
    until(lambda: all(Feeds.counts(f).get(p, 0) > before[f].get(p, 0) + 30 for f in feeds.all for p in others), 90, "records in the other partitions")
    ballast.unlink()
    settle_disk(brokers)
    settled(brokers, feeds)


def settle_disk(brokers):
    """A broker that gave up its directory is started again by its supervisor."""
    try:
        brokers.in_sync("load", seconds=20)
    except AssertionError:
        brokers[2].kill()
        brokers.restart(2)


def test_every_broker_is_restarted_in_turn(brokers, feeds):
    for broker_id in brokers.all:
        brokers[broker_id].stop()
        feeds.progress(200)
        brokers.restart(broker_id)
        brokers.in_sync("load")
    settled(brokers, feeds)


def test_all_replicas_but_one_may_die(cluster):
    """min.insync.replicas=1: what the survivor acknowledged is kept, and so is all that the others had acknowledged."""
    brokers = Brokers(cluster, min_insync_replicas="1").start()
    feeds = feed(brokers)
    brokers[1].kill()
    led_elsewhere(brokers, 1)
    feeds.progress()
    until(quietly(lambda: all(1 not in t["isr_nodes"] for t in brokers.partitions("load").values())), 30, "an ISR without it")
    brokers[3].kill()
    led_elsewhere(brokers, 3)
    feeds.progress()
    assert {t["leader_id"] for t in brokers.partitions("load").values()} == {2}
    brokers.restart(3)
    brokers.restart(1)
    settled(brokers, feeds)


# Coordinators


class ClusterCopy(Copy):
    """Reads from whoever leads."""

    def committed(self) -> dict:
        def asked():
            with self.broker[self.broker.coordinator(self.name)].connect() as connection:
                answer = connection.request("OFFSET_FETCH", 7, {"group_id": self.name, "topics": None, "require_stable": False})
            return {p["partition_index"]: p["committed_offset"] for t in answer["topics"] for p in t["partitions"]} if answer["error_code"] == 0 else None

        return until(quietly(asked), 30, f"the offsets of {self.name}")

    def ends(self, isolation: int) -> list:
        return [self.broker.end(self.output, p, isolation) for p in range(4)]

    def check(self):
        expected = {p: [] for p in range(4)}
        for (p, _), value in sorted(self.load.acknowledged.items()):
            expected[p].append(value + "!")
        got = read_committed(self.broker, self.output, self.ends(1))
        for p in range(4):
            assert got[p] == expected[p], f"{self.name}-{p}: {len(got[p])} of {len(expected[p])}; {difference(got[p], expected[p])}"


def read_committed(brokers, topic: str, ends: list) -> dict:
    """partition -> values, as librdkafka reads them up to these offsets."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": brokers.address, "group.id": "unused", "enable.auto.commit": False, "isolation.level": "read_committed",
                         "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(len(ends))])
    found, finished = {p: [] for p in range(len(ends))}, set()
    deadline = time.monotonic() + 90
    while len(finished) < len(ends):
        assert time.monotonic() < deadline, f"{finished} of {ends}"
        for m in consumer.consume(1000, 0.5):
            if m.error():
                finished.add(m.partition())
            else:
                found[m.partition()].append(m.value().decode())
    consumer.close()
    return found


def test_transactions_survive_the_loss_of_their_coordinators(cluster, tmp_path):
    brokers = Brokers(cluster, min_insync_replicas="2").start()
    hosts = Hosts(brokers, tmp_path / "hosts")
    cluster.ended.append(hosts.end)
    copy = ClusterCopy(brokers, hosts, "copy")
    copy.load.begin(each=10)
    for i, library in enumerate((JAVAS[1], KAFKAJS)):
        copy.start(library, f"w{i}")
    copy.progress(12)
    for find in (lambda: brokers.coordinator("copy"), lambda: brokers.coordinator("copy-w0", 1), lambda: brokers.coordinator("copy-w1", 1),
                 lambda: brokers.leader(copy.output)):
        lost = find()
        brokers[lost].kill()
        copy.progress(6, 120)
        brokers.restart(lost)
        brokers.in_sync("__consumer_offsets", "__transaction_state", copy.output)
    copy.finish()
    copy.check()


def test_groups_survive_the_loss_of_their_coordinator(cluster, tmp_path):
    brokers = Brokers(cluster, min_insync_replicas="2").start()
    hosts = Hosts(brokers, tmp_path / "hosts")
    cluster.ended.append(hosts.end)
    topic = brokers.create_topic("read", partitions=4)
    load = Load(brokers.address, topic, 4)
    group = ClusterGroup("readers", brokers, hosts.history, topic, 4, "range")
    for i, library in enumerate((JAVAS[1], CONFLUENT)):
        group.join(hosts.start(library), f"m{i}")
    settle([group])
    load.begin(each=10)
    for how in ("kill", "stop", "kill"):
        lost = brokers.coordinator("readers")
        getattr(brokers[lost], how)()
        before = len(load.acknowledged)
        until(lambda: len(load.acknowledged) > before + 200, 60, "records written on")
        assert brokers.coordinator("readers") != lost
        brokers.restart(lost)
        brokers.in_sync("__consumer_offsets", topic)
    load.end()
    hosts.history.until(lambda: not missing(group, load), 90, "all records are read")
    settle([group])
    hosts.history.check()
    check_ownership(group)
    check_commits(group, offsets_log(brokers))


class ClusterGroup(Group):
    def describe(self) -> dict:
        def asked():
            with self.broker[self.broker.coordinator(self.name)].connect() as connection:
                found = connection.request("DESCRIBE_GROUPS", 4, {"groups": [self.name], "include_authorized_operations": False})["groups"][0]
            return found if found["error_code"] == 0 else None

        return until(quietly(asked), 60, f"the state of {self.name}")


def offsets_log(brokers) -> list:
    from harness.internal_topics import parse_offsets_record

    return [parse_offsets_record(r[2], r[3]) for records in brokers.read("__consumer_offsets").values() for r in records]
