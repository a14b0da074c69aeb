"""A cluster grows while producers write: a fourth broker joins, partitions move to it by kafka-reassign-partitions.sh,
throttled and not, called off and finished, and one of the brokers dies on the way. No acknowledged record is lost."""

import json

import pytest

from harness.acknowledged import Feeds
from harness.brokers import Brokers, quietly
from harness.paths import BUILD
from harness.process import run, until
from harness.records import batch

PARTITIONS = 6


@pytest.fixture
def brokers(cluster):
    return Brokers(cluster, min_insync_replicas="2").start()


@pytest.fixture
def tool(brokers, tmp_path):
    def call(action, plan=None, *arguments):
        if plan is not None:
            (tmp_path / "plan.json").write_text(json.dumps(plan))
            arguments = ("--reassignment-json-file", tmp_path / "plan.json", *arguments)
        return run([BUILD / "bin" / "kafka-reassign-partitions.sh", "--bootstrap-server", brokers.address, f"--{action}", *arguments]).stdout.decode()

    return call


def proposal(tool, tmp_path, topics: list, ids: str) -> dict:
    (tmp_path / "topics.json").write_text(json.dumps({"version": 1, "topics": [{"topic": t} for t in topics]}))
    told = tool("generate", None, "--topics-to-move-json-file", tmp_path / "topics.json", "--broker-list", ids)
    return json.loads(told.splitlines()[-1])


def finished(tool, plan: dict) -> bool:
    return all("is complete" in line for line in tool("verify", plan, "--preserve-throttles").splitlines()[1:] if line)


def overrides(brokers, kind, name) -> dict:
    look = brokers.zookeeper.client()
    try:
        path = f"/config/{kind}/{name}"
        return json.loads(look.get(path)[0])["config"] if look.exists(path) else {}
    finally:
        look.stop()
        look.close()


def grow(brokers):
    """A fourth broker, by its configuration alone."""
    brokers.add(4).start()
    brokers.know_each_other()


def as_planned(brokers, plan: dict):
    for row in plan["partitions"]:
        assert brokers.partitions(row["topic"])[row["partition"]]["replica_nodes"] == row["replicas"]


def test_a_broker_joins_and_takes_its_share_under_load(brokers, tool, tmp_path):
    brokers.create_topic("load", partitions=PARTITIONS)
    feeds = Feeds(brokers, "load", PARTITIONS)
    feeds.progress()
    grow(brokers)
    fresh = brokers.partitions(brokers.create_topic("fresh", partitions=4))
    assert sorted(p["leader_id"] for p in fresh.values()) == [1, 2, 3, 4], "new topics use it"

    plan = proposal(tool, tmp_path, ["load"], "1,2,3,4")
    assert {b for row in plan["partitions"] for b in row["replicas"]} == {1, 2, 3, 4}
    assert "Successfully started partition reassignments for load-0,load-1" in tool("execute", plan)
    feeds.progress()
    until(lambda: finished(tool, plan), 90, "the end of the move")
    feeds.progress()
    as_planned(brokers, plan)
    tool("verify", plan)

    back = proposal(tool, tmp_path, ["load"], "1,2,3")  # and away from it again, while it dies once
    tool("execute", back)
    brokers[4].kill()
    feeds.progress()
    brokers.restart(4)
    until(lambda: finished(tool, back), 90, "the end of the move back")
    as_planned(brokers, back)
    feeds.progress()
    feeds.end()
    brokers.in_sync("load", "fresh")
    print(feeds.check())


def test_a_throttled_move_is_slow_while_producers_are_not(brokers, tool):
    topic = brokers.create_topic("big", assignment=[[1, 2], [2, 3]])
    for n in range(64):
        assert brokers.produce(topic, batch([(None, b"%2d" % n * 40000)]), partition=n % 2)["error_code"] == 0  # 5 MB in all
    feeds = Feeds(brokers, topic, 2)
    feeds.progress()
    grow(brokers)
    plan = {"version": 1, "partitions": [{"topic": "big", "partition": 0, "replicas": [4, 2]}, {"topic": "big", "partition": 1, "replicas": [2, 4]}]}
    told = tool("execute", plan, "--throttle", "50000")
    assert "The inter-broker throttle limit was set to 50000 B/s\n" in told
    assert "still in progress" in tool("verify", plan) and "adding: 4." in tool("list")
    assert overrides(brokers, "topics", "big") == {"leader.replication.throttled.replicas": "0:1,0:2,1:2,1:3", "follower.replication.throttled.replicas": "0:4,1:4"}
    assert overrides(brokers, "brokers", 4) == {"leader.replication.throttled.rate": "50000", "follower.replication.throttled.rate": "50000"}
    feeds.progress(600, 60)
    assert "still in progress" in tool("verify", plan), "5 MB take longer than that"
    # Called off and begun again, then let go.
    assert "Successfully cancelled partition reassignments for: big-0,big-1\n" in tool("cancel", plan)
    assert {p: sorted(t["replica_nodes"]) for p, t in brokers.partitions(topic).items()} == {0: [1, 2], 1: [2, 3]}
    assert overrides(brokers, "topics", "big") == overrides(brokers, "brokers", 4) == {}
    until(lambda: not [d for d in brokers[4].data.glob("big-*") if not d.name.endswith("-delete")], 60, "nothing of it left on 4")
    tool("execute", plan, "--throttle", "50000")
    assert "still in progress" in tool("verify", plan)
    assert "Successfully started" in tool("execute", plan, "--additional", "--throttle", "100000000")
    until(lambda: finished(tool, plan), 90, "the end of the move, no longer held back")
    assert "Clearing topic-level throttles on topic big\n" in tool("verify", plan)
    assert overrides(brokers, "topics", "big") == overrides(brokers, "brokers", 4) == {}
    feeds.progress()
    feeds.end()
    as_planned(brokers, plan)
    brokers.in_sync(topic)
    print(feeds.check())


def test_moves_survive_the_loss_of_the_controller_and_of_the_leader(brokers, tool):
    topic = brokers.create_topic("big", assignment=[[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    feeds = Feeds(brokers, topic, 3)
    feeds.progress()
    grow(brokers)
    plan = {"version": 1, "partitions": [{"topic": "big", "partition": p, "replicas": r} for p, r in enumerate(([4, 1, 2], [2, 4, 1], [3, 4, 2]))]}
    tool("execute", plan, "--throttle", "20000")
    lost = brokers.controller()
    brokers[lost].kill()
    feeds.progress(100)
    brokers.restart(lost)
    assert "adding: 4." in tool("list"), "the new controller goes on with it"
    lost = brokers.leader(topic, 1)
    brokers[lost].kill()
    feeds.progress(100)
    brokers.restart(lost)
    tool("execute", plan, "--additional", "--throttle", "100000000")
    until(quietly(lambda: finished(tool, plan)), 90, "the end of the move")
    tool("verify", plan)
    as_planned(brokers, plan)
    feeds.progress()
    feeds.end()
    brokers.in_sync(topic)
    print(feeds.check())
