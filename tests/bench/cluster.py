#!/usr/bin/env python3
"""What a cluster of three costs, and how long it is without a leader. By hand; WEIR_E2E_BROKER=kafka-3.9.1 measures Apache Kafka:

    WEIR_BUILD_DIR=build/release /usr/bin/python3 tests/bench/cluster.py [failover[=partitions]|controller[=partitions]|produce|idle|memory ...]

failover    a leader is killed with -9: from the end of its registration in ZooKeeper to the first record acknowledged (acks=all)
            by its successor, in five partitions it led, of 1, 1,000 and 10,000 partitions with three replicas
controller  the controller is killed with -9, with 10,000 partitions: from the end of its /controller to the next one, and
            until every partition has a living leader in the metadata of both survivors
produce     acks=all, three replicas: time to the acknowledgement with 1,000 records of 1 KiB a second, each a request of its
            own, and with 20,000 a second, 100 to a request; CPU of the three brokers for each GB that followers copied
idle        CPU of each broker while 1,000 partitions, three replicas each, have nothing to do
memory      what 3,000 more replicas of 1,000 partitions add to the memory of the three brokers
"""

import os
import select
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from conftest import Cluster  # noqa: E402
from harness import wire  # noqa: E402
from harness.brokers import Brokers, quietly  # noqa: E402
from harness.paths import BROKER  # noqa: E402
from harness.process import until  # noqa: E402
from harness.records import batch  # noqa: E402


def cpu_seconds(process) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(directory, **settings) -> Brokers:
    brokers = Brokers(Cluster(directory), min_insync_replicas="2", log_index_size_max_bytes="65536", **settings)
    for broker in brokers.all.values():
        broker.heap = "1g"
    return brokers.start()


def fill(brokers, partitions: int, topic: str = "many"):
    """Topics of 1,000 partitions at most, dealt out evenly."""
    left, names = partitions, []
    while left:
        count = min(left, 1000)
        names.append(f"{topic}-{len(names)}")
        brokers.create_topic(names[-1], assignment=[[(p + i) % 3 + 1 for i in range(3)] for p in range(count)])
        left -= count
    return names


def led_by(brokers, names, broker_id) -> list:
    return [(n, p) for n in names for p, t in brokers.partitions(n).items() if t["leader_id"] == broker_id]


class Gone:
    """Waits for the end of a node; tells when."""

    def __init__(self, brokers, path: str):
        self.look = brokers.zookeeper.client()
        self.at, self.event = None, threading.Event()
        assert self.look.exists(path, watch=self.changed)

    def changed(self, event):
        self.at = time.monotonic()
        self.event.set()

    def wait(self) -> float:
        assert self.event.wait(30)
        return self.at

    def close(self):
        self.look.stop()
        self.look.close()


def first_acknowledged(brokers, topic, partition, times):
    """Asks the survivors in turn until one has written a record."""
    data = batch([(None, b"x" * 100)])
    connections = {}
    while True:
        for broker_id in brokers.running():
            try:
                if broker_id not in connections:
                    connections[broker_id] = brokers[broker_id].connect(10)
                if wire.produce(connections[broker_id], topic, data, partition=partition)["error_code"] == 0:
                    times[topic, partition] = time.monotonic()
                    for c in connections.values():
                        c.close()
                    return
            except (OSError, EOFError):
                connections.pop(broker_id, None)
        select.select([], [], [], 0.001)


def failover(directory, partitions):
    brokers = start(directory)
    names = fill(brokers, partitions)
    windows = []
    for _ in range(3 if partitions > 1000 else 5):
        names_led = led_by(brokers, names, 1 if partitions > 1 else brokers.leader(names[0]))
        lost = brokers.leader(*names_led[0])
        if lost == brokers.controller() and partitions > 1:  # what the controller's own end costs is measured apart
            lost = next(b for b in brokers.all if b != brokers.controller())
            names_led = led_by(brokers, names, lost)
        probes = [names_led[i * (len(names_led) - 1) // 4] for i in range(5)] if len(names_led) > 4 else names_led[:1]
        gone = Gone(brokers, f"/brokers/ids/{lost}")
        times = {}
        brokers[lost].kill()
        threads = [threading.Thread(target=first_acknowledged, args=(brokers, t, p, times)) for t, p in probes]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        began = gone.wait()
        gone.close()
        windows.append([t - began for t in times.values()])
        brokers.restart(lost)
        brokers.in_sync(*names, seconds=180)
        brokers.elect_preferred()
    every = [w * 1000 for window in windows for w in window]
    print(f"failover: {partitions} partitions: first acknowledgement {statistics.median(every):.0f} ms after the session's end (median), worst {max(every):.0f} ms")
    brokers.cluster.end()


def controller(directory, partitions):
    brokers = start(directory)
    names = fill(brokers, partitions)
    for _ in range(2):
        lost = brokers.controller()
        gone = Gone(brokers, "/controller")
        brokers[lost].kill()
        began = gone.wait()
        until(lambda: gone.look.exists("/controller"), 60)
        elected = time.monotonic()

        def whole():
            return all(t["leader_id"] in brokers.running() for b in brokers.running() for n in names for t in brokers.partitions(n, b).values())

        until(quietly(whole), 180, "leaders of all partitions")
        ended = time.monotonic()
        gone.close()
        print(f"controller: {partitions} partitions: the next one {(elected - began) * 1000:.0f} ms after the end of the last, "
              f"all partitions led after {(ended - began) * 1000:.0f} ms")
        brokers.restart(lost)
        brokers.in_sync(*names, seconds=180)
    brokers.cluster.end()


def paced(brokers, topic, per_second: int, records: int, seconds: float) -> list:
    """Requests of so many records at a fixed pace, whatever the answers do; how long each took from when it was due, in ms."""
    data = batch([(None, b"x" * 1024)] * records)
    connections = [brokers[brokers.leader(topic, p)].connect() for p in range(3)]
    frames = [c.frame("PRODUCE", 8, wire.produce_values(topic, data, partition=p)) for p, c in enumerate(connections)]
    by_socket = {c.socket: (c, []) for c in connections}
    interval = records / per_second
    took, begin, sent, due = [], time.monotonic(), 0, 0.0
    total = int(seconds / interval)
    while len(took) < total:
        now = time.monotonic() - begin
        while sent < total and due <= now:
            connection = connections[sent % 3]
            connection.send_bytes(frames[sent % 3])
            by_socket[connection.socket][1].append(due)
            sent += 1
            due = sent * interval
        for ready in select.select(list(by_socket), [], [], max(0, due - (time.monotonic() - begin)) if sent < total else 5)[0]:
            connection, waiting = by_socket[ready]
            answer = connection.receive("PRODUCE", 8)[1]["responses"][0]["partition_responses"][0]
            assert answer["error_code"] == 0, answer
            took.append((time.monotonic() - begin - waiting.pop(0)) * 1000)
    for c in connections:
        c.close()
    return took


def produce(directory):
    brokers = start(directory)
    brokers.create_topic("t", assignment=[[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    paced(brokers, "t", 5000, 20, 10)  # a JVM is warm after that
    for per_second, records in ((1000, 1), (20000, 100)):
        before = [cpu_seconds(b.process) for b in brokers.all.values()]
        took = sorted(paced(brokers, "t", per_second, records, 20))
        cpu = sum(cpu_seconds(b.process) for b in brokers.all.values()) - sum(before)
        copied = len(took) * records * 1024 * 2 / 1e9
        at = lambda share: took[min(len(took) - 1, int(len(took) * share))]  # noqa: E731
        print(f"produce: {per_second} records of 1 KiB a second, {records} to a request, acks=all: p50 {at(.5):.2f} ms, p99 {at(.99):.2f} ms, "
              f"p99.9 {at(.999):.2f} ms; {cpu / 20 * 100:.1f} % of a core, {cpu / copied:.1f} CPU seconds for each GB copied")
    brokers.cluster.end()


def idle(directory):
    brokers = start(directory)
    fill(brokers, 1000)
    select.select([], [], [], 10)  # what creating them left behind
    before = {i: cpu_seconds(b.process) for i, b in brokers.all.items()}
    select.select([], [], [], 30)
    used = {i: (cpu_seconds(b.process) - before[i]) / 30 * 100 for i, b in brokers.all.items()}
    print("idle: 1,000 partitions, three replicas: " + ", ".join(f"broker {i} {u:.2f} % of a core" for i, u in used.items()))
    brokers.cluster.end()


def memory(directory):
    brokers = start(directory)
    fill(brokers, 1000, "first")
    before = {i: b.process.rss_bytes() for i, b in brokers.all.items()}
    fill(brokers, 1000, "second")
    select.select([], [], [], 5)
    after = {i: b.process.rss_bytes() for i, b in brokers.all.items()}
    print("memory: each of 1,000 more replicas takes " + ", ".join(f"{(after[i] - before[i]) / 1000 / 1024:.1f} KiB on broker {i}" for i in brokers.all))
    brokers.cluster.end()


def main():
    asked = sys.argv[1:] or ["failover", "controller", "produce", "idle", "memory"]
    print(f"{BROKER}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in asked:
        what, _, number = name.partition("=")
        for partitions in [int(number)] if number else {"failover": [1, 1000, 10000], "controller": [10000]}.get(what, [None]):
            with tempfile.TemporaryDirectory(prefix="weir-cluster-") as directory:
                arguments = [Path(directory)] + ([partitions] if partitions else [])
                {"failover": failover, "controller": controller, "produce": produce, "idle": idle, "memory": memory}[what](*arguments)


if __name__ == "__main__":
    main()
