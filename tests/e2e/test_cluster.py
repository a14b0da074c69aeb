"""Three brokers are one cluster: topics with three replicas, a leader that is lost and comes back."""

import re

import pytest

from harness import wire
from harness.brokers import Brokers, quietly
from harness.process import Process, run, until
from harness.records import batch
from harness.paths import BUILD


@pytest.fixture(scope="module")
def brokers(module_cluster):
    return Brokers(module_cluster).start()


def ours(brokers, tool: str, *arguments) -> str:
    return run([BUILD / "bin" / f"kafka-{tool}.sh", "--bootstrap-server", brokers.address, *arguments]).stdout.decode()


def values(brokers, topic: str) -> list:
    return [r[3] for records in brokers.read(topic).values() for r in records]


def test_every_broker_knows_the_others(brokers):
    controllers, ids = set(), set()
    for broker_id in brokers.all:
        metadata = brokers.metadata(broker_id, [])
        controllers.add(metadata["controller_id"])
        ids.add(metadata["cluster_id"])
        assert sorted((b["node_id"], b["port"]) for b in metadata["brokers"]) == sorted((i, b.port) for i, b in brokers.all.items())
    assert len(controllers) == 1 and controllers <= set(brokers.all) and len(ids) == 1


def test_a_topic_has_its_replicas_where_they_were_asked_for(brokers):
    brokers.create_topic("placed", assignment=[[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    for broker_id in brokers.all:
        told = brokers.partitions("placed", broker_id)
        assert [(p, t["leader_id"], t["replica_nodes"]) for p, t in sorted(told.items())] == [
            (0, 1, [1, 2, 3]), (1, 2, [2, 3, 1]), (2, 3, [3, 1, 2])]
    brokers.create_topic("spread", partitions=6)
    leaders = [p["leader_id"] for p in brokers.partitions("spread").values()]
    assert sorted(leaders) == [1, 1, 2, 2, 3, 3]


def test_only_the_leader_serves_and_what_all_replicas_have_is_shown(brokers):
    brokers.create_topic("served", assignment=[[2, 3, 1]])
    with brokers[1].connect() as connection:
        assert wire.produce(connection, "served", batch([(None, b"x")]))["error_code"] == 6, "not the leader"
        assert wire.fetch(connection, "served", 0, version=10)["error_code"] == 6
    with brokers[2].connect() as connection:
        for n in range(50):
            answer = wire.produce(connection, "served", batch([(None, b"%d" % n)]))
            assert answer["error_code"] == 0 and answer["base_offset"] == n
            # acks=all: behind it the high watermark, on the leader at once.
            assert wire.fetch(connection, "served", n, max_wait_ms=0)["high_watermark"] == n + 1
    assert values(brokers, "served") == [b"%d" % n for n in range(50)]
    for broker_id in (1, 3):  # by Fetch 11 anybody may be read; what he may show comes with the leader's next answer
        def shown():
            with brokers[broker_id].connect() as connection:
                return [r[3] for r in wire.read_all(connection, "served")] == [b"%d" % n for n in range(50)]

        until(shown, 30, f"all records on broker {broker_id}")


def test_too_few_in_sync_replicas_refuse_producers(brokers):
    brokers.create_topic("strict", assignment=[[1, 2]], configs={"min.insync.replicas": "2"})
    assert brokers.produce("strict", batch([(None, b"a")]))["error_code"] == 0
    brokers[2].kill()
    until(lambda: brokers.partitions("strict", 1)[0]["isr_nodes"] == [1], 30, "an ISR of one")
    assert brokers.produce("strict", batch([(None, b"b")]))["error_code"] == 19
    assert brokers.produce("strict", batch([(None, b"c")]), acks=1)["error_code"] == 0
    assert "\tTopic: strict\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1\n" in ours(brokers, "topics", "--describe", "--under-min-isr-partitions")
    brokers.restart(2)
    brokers.in_sync("strict")
    assert brokers.produce("strict", batch([(None, b"d")]))["error_code"] == 0
    assert values(brokers, "strict") == [b"a", b"c", b"d"]
    for report in ("under-replicated", "unavailable", "under-min-isr"):
        assert ours(brokers, "topics", "--describe", f"--{report}-partitions") == ""


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_lost_leader_is_replaced_and_comes_back(brokers, how):
    topic = f"failover-{how}"
    brokers.create_topic(topic, assignment=[[2, 3, 1], [3, 1, 2], [1, 2, 3]])
    for n in range(30):
        assert brokers.produce(topic, batch([(None, b"before-%d" % n)]), partition=n % 3)["error_code"] == 0
    lost = brokers.controller() if how == "kill" else brokers.leader(topic)
    partition = next(p for p, t in brokers.partitions(topic).items() if t["leader_id"] == lost)
    getattr(brokers[lost], how)()
    fresh = brokers.leader(topic, partition, other_than=lost)
    assert fresh != lost and brokers.controller() != lost
    until(lambda: all(lost not in t["isr_nodes"] for b in brokers.running() for t in brokers.partitions(topic, b).values()), 30, "an ISR without it")
    for n in range(30):
        until(quietly(lambda: brokers.produce(topic, batch([(None, b"after-%d" % n)]), partition=n % 3)["error_code"] == 0), 30)
    brokers.restart(lost)
    brokers.in_sync(topic)
    brokers.know_each_other()
    found = values(brokers, topic)
    assert sorted(found) == sorted([b"before-%d" % n for n in range(30)] + [b"after-%d" % n for n in range(30)])
    assert ours(brokers, "topics", "--describe", "--under-replicated-partitions") == ""


def test_the_preferred_leader_leads_again_when_asked(brokers):
    told = ours(brokers, "leader-election", "--election-type", "preferred", "--all-topic-partitions")
    for topic in ("failover-kill", "failover-stop", "placed"):
        until(quietly(lambda: all(t["leader_id"] == t["replica_nodes"][0] for b in brokers.running() for t in brokers.partitions(topic, b).values())),
              30, f"preferred leaders of {topic}, after {told}")
    assert ours(brokers, "leader-election", "--election-type", "preferred", "--all-topic-partitions") == ""


def test_replicas_are_compared(brokers, tmp_path):
    """kafka-replica-verification finds nothing, and then a batch whose checksum somebody changed on the disk of a follower."""
    brokers.create_topic("compared", assignment=[[1, 2, 3], [2, 3, 1]])
    for n in range(40):
        assert brokers.produce("compared", batch([(None, b"%d" % n)]), partition=n % 2)["error_code"] == 0

    def verification(name):
        tool = Process([BUILD / "bin" / "kafka-replica-verification.sh", "--broker-list", brokers.address, "--topic-white-list", "compared", "--time", "-2",
                        "--max-wait-ms", "100", "--report-interval-ms", "200"], tmp_path / name)
        brokers.cluster.ended.append(tool.kill)
        return tool

    tool = verification("clean")
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    report = re.compile(f"^{date}: max lag is 0 for partition compared-[01] at offset 20 among 2 partitions$", re.M)
    until(lambda: len(report.findall(tool.output())) > 2, 30, f"reports: {tool.output()}")
    assert re.match(f"{date}: verification process is started.\n", tool.output()) and "unmatched" not in tool.output()
    tool.kill()

    brokers[3].stop()
    segment = brokers[3].data / "compared-0" / "00000000000000000000.log"
    data = bytearray(segment.read_bytes())
    size = int.from_bytes(data[8:12], "big") + 12
    data[5 * size + 17] ^= 0x55  # the sixth batch's checksum; all have the same size up to the tenth
    segment.write_bytes(data)
    brokers.restart(3)
    brokers.in_sync("compared")
    tool = verification("damaged")
    until(lambda: re.search(f"^{date}: partition compared-0 has unmatched checksum at offset 5; replica 1's checksum \\d+; replica 3's checksum \\d+$", tool.output(), re.M),
          30, f"a report of it: {tool.output()}")
    until(lambda: "max lag is 0 " in tool.output(), 30, "the end of the comparison")
    assert tool.output().count("unmatched") == 1
    tool.kill()
    brokers[3].stop()
    data[5 * size + 17] ^= 0x55
    segment.write_bytes(data)
    brokers.restart(3)


def test_a_deleted_topic_is_gone_everywhere(brokers):
    brokers.create_topic("doomed", partitions=3)
    assert ours(brokers, "topics", "--delete", "--topic", "doomed") == ""
    until(quietly(lambda: all(brokers.metadata(b, ["doomed"])["topics"][0]["error_code"] == 3 for b in brokers.running())), 30, "no metadata of it")
    until(lambda: not [d for b in brokers.all.values() for d in b.data.glob("doomed-*")
                       if not d.name.endswith("-delete")], 30, "no directory of it")
