#!/usr/bin/env python3
"""What consumer groups cost. By hand, beside tests/bench/run.sh; WEIR_E2E_BROKER=kafka-3.9.1 measures Apache Kafka:

    WEIR_BUILD_DIR=build/release /usr/bin/python3 tests/bench/groups.py [rebalance|commits|load|idle ...]

rebalance   10 members, 900 partitions: from the moment a member joins, or leaves, until all have their assignments
commits     offset commits per second, of one connection and of eight, requests following each other closely
load        1,000 groups with 1,000 offsets each: time until the last group is served after a restart
idle        1,000 groups of 10 members: CPU of the broker while nobody says anything, and while all send heartbeats every 3 s
"""

import os
import select
import struct
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))

from harness import wire  # noqa: E402
from harness.broker import Broker  # noqa: E402
from harness.errors import REBALANCE_IN_PROGRESS  # noqa: E402
from harness.group import Member, commit, fetch_offsets, find_coordinator, join_values, ready, sync_values  # noqa: E402
from harness.internal_topics import assignment, subscription  # noqa: E402
from harness.paths import BROKER  # noqa: E402
from harness.process import until  # noqa: E402
from harness.zookeeper import ZooKeeper  # noqa: E402


def cpu_seconds(process) -> float:
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle(members):
    """All join, the leader deals out 900 partitions, all sync."""
    for one in members:
        one.send_join()
    for one in members:
        assert one.receive_join()["error_code"] == 0
    leader = next(one for one in members if one.leads())
    plan = {one.id: assignment([("t", list(range(i, 900, len(members))))]) for i, one in enumerate(members)}
    for one in members:
        one.send_sync(assignments=plan if one is leader else None)
    for one in members:
        assert one.receive_sync()["error_code"] == 0


def rebalance(broker):
    with broker.connect() as connection:
        ready(connection, "g")
    members = [Member(broker, "g", protocols={"range": subscription(["t"])}, rebalance=60000) for _ in range(9)]
    settle(members[:1])
    settle_with(members)
    times = []
    for _ in range(20):
        newcomer = Member(broker, "g", protocols={"range": subscription(["t"])}, rebalance=60000)
        begin = time.monotonic()
        newcomer.send_join()
        settle_rest(members, newcomer)
        joined = time.monotonic() - begin
        begin = time.monotonic()
        newcomer.leave()
        newcomer.close()
        settle_rest(members, None)
        times.append((joined, time.monotonic() - begin))
    for what, values in zip(("joins", "leaves"), zip(*times)):
        print(f"rebalance: 10 members, 900 partitions, one {what}: median {sorted(values)[10] * 1000:.1f} ms, worst {max(values) * 1000:.1f} ms")


def settle_with(members):
    """The first is there; the others join, and it joins again."""
    for one in members[1:]:
        one.send_join()
    settle_rest(members[:1], *members[1:])


def settle_rest(members, *newcomers):
    """Members join again when a heartbeat tells them to; newcomers have asked to join already."""
    newcomers = [one for one in newcomers if one]
    for one in members:
        until(lambda: one.heartbeat() == REBALANCE_IN_PROGRESS)
        one.send_join()
    everybody = members + newcomers
    for one in everybody:
        assert one.receive_join()["error_code"] == 0
    leader = next(one for one in everybody if one.leads())
    plan = {one.id: assignment([("t", list(range(i, 900, len(everybody))))]) for i, one in enumerate(everybody)}
    for one in everybody:
        one.send_sync(assignments=plan if one is leader else None)
    for one in everybody:
        assert one.receive_sync()["error_code"] == 0


def pipelined(connections, frames, rounds, window=64):
    """Each connection sends its frame so many times, at most `window` ahead of the answers."""
    state = {c.socket.fileno(): [c, frame, rounds, 0, b""] for c, frame in zip(connections, frames)}
    while state:
        for one in state.values():
            ahead = min(window - one[3], one[2])
            if ahead > 0:
                one[0].send_bytes(one[1] * ahead)
                one[2] -= ahead
                one[3] += ahead
        for ready_one in select.select([s[0].socket for s in state.values()], [], [])[0]:
            one = state[ready_one.fileno()]
            data = one[4] + ready_one.recv(1 << 18)
            at = 0
            while len(data) - at >= 4 and len(data) - at >= 4 + (size := struct.unpack_from(">i", data, at)[0]):
                at += 4 + size
                one[3] -= 1
            one[4] = data[at:]
            if one[2] == 0 and one[3] == 0:
                del state[ready_one.fileno()]


def commit_frame(connection, group, partitions=1):
    return connection.frame("OFFSET_COMMIT", 7, {
        "group_id": group, "generation_id_or_member_epoch": -1, "member_id": "", "group_instance_id": None,
        "topics": [{"name": "t", "partitions": [{"partition_index": p, "committed_offset": 1, "committed_leader_epoch": -1,
                                                 "committed_metadata": ""} for p in range(partitions)]}]})


def commits(broker):
    broker.create_topic("t", 10)
    for count in (1, 8):
        connections = [broker.connect() for _ in range(count)]
        for i, connection in enumerate(connections):
            ready(connection, f"group-{i}")
        frames = [commit_frame(c, f"group-{i}") for i, c in enumerate(connections)]
        pipelined(connections, frames, 200)
        rounds = 40000 // count
        begin, cpu = time.monotonic(), cpu_seconds(broker.process)
        pipelined(connections, frames, rounds)
        took = time.monotonic() - begin
        print(f"commits: {count} connections: {rounds * count / took:,.0f} per second, {(cpu_seconds(broker.process) - cpu) / (rounds * count) * 1e6:.1f} us of CPU each")


def load(broker):
    broker.create_topic("t", 1000)
    with broker.connect() as connection:
        names = [f"group-{i}" for i in range(1000)]
        for name in names[:100]:
            ready(connection, name)
        for name in names:
            assert set(commit(connection, name, "t", dict.fromkeys(range(1000), 1)).values()) == {0}
    broker.stop()
    broker.topics.clear()
    begin = time.monotonic()
    broker.start(300)
    served = time.monotonic() - begin
    with broker.connect() as connection:
        for name in names[:100]:
            until(lambda: fetch_offsets(connection, name, {"t": [0]}, 5) not in (14, 15, 16), 300, name)
        took = time.monotonic() - begin
        assert len(fetch_offsets(connection, names[-1], None, 5)) == 1000
    print(f"load: 1,000,000 offsets in 1,000 groups: the broker answers after {served:.2f} s, the last group after {took:.2f} s")


def idle(broker):
    groups, size, lanes = 1000, 10, 20
    lines = [[broker.connect(timeout=60) for _ in range(size)] for _ in range(lanes)]
    find_coordinator(lines[0][0], "idle-0")
    ready(lines[0][0], "idle-0")
    heartbeats = []
    for first in range(0, groups, lanes):
        names = [f"idle-{first + i}" for i in range(lanes)]
        for name, line in zip(names, lines):
            for connection in line:
                connection.send("JOIN_GROUP", 3, join_values(name, 3, session=1800000, rebalance=60000))
        for name, line in zip(names, lines):
            answers = [connection.receive("JOIN_GROUP", 3)[1] for connection in line]
            assert all(a["error_code"] == 0 and a["generation_id"] == 1 for a in answers), answers
            for connection, answer in zip(line, answers):
                leads = answer["leader"] == answer["member_id"]
                connection.send("SYNC_GROUP", 3, sync_values(name, 3, answer["member_id"], 1, {a["member_id"]: b"x" for a in answers} if leads else None))
            for connection, answer in zip(line, answers):
                assert connection.receive("SYNC_GROUP", 3)[1]["error_code"] == 0
                heartbeats.append(connection.frame("HEARTBEAT", 3, {"group_id": name, "generation_id": 1, "member_id": answer["member_id"],
                                                                    "group_instance_id": None}))
    def measure(seconds, act):
        begin, cpu = time.monotonic(), cpu_seconds(broker.process)
        while time.monotonic() - begin < seconds:
            act()
        return (cpu_seconds(broker.process) - cpu) / (time.monotonic() - begin)

    print(f"idle: {groups} groups of {size} members that say nothing: {measure(20, lambda: select.select([], [], [], 1)) * 100:.2f} % of a core")
    speakers = [connection for line in lines for connection in line]

    def beat():
        end = time.monotonic() + 3
        share = len(heartbeats) // len(speakers)
        for i, connection in enumerate(speakers):
            connection.send_bytes(b"".join(heartbeats[i * share:(i + 1) * share]))
        for connection in speakers:
            for _ in range(share):
                connection.receive_frame()
        select.select([], [], [], max(0, end - time.monotonic()))

    print(f"idle: the same, each sending a heartbeat every 3 s: {measure(21, beat) * 100:.2f} % of a core")


def main():
    wanted = sys.argv[1:] or ["rebalance", "commits", "load", "idle"]
    for name in wanted:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as directory:
            zookeeper = ZooKeeper(Path(directory) / "zookeeper").start() if BROKER != "weir" else None
            settings = {"offsets.topic.num.partitions": "50"}
            if name == "idle":
                settings["group.initial.rebalance.delay.ms"] = "300"
            broker = Broker(Path(directory) / "broker", BROKER, zookeeper, settings)
            broker.start()
            try:
                globals()[name](broker)
            finally:
                broker.kill()
                if zookeeper:
                    zookeeper.kill()


if __name__ == "__main__":
    main()
