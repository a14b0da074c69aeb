"""Metadata and DescribeCluster by raw requests."""

import uuid

import pytest

from harness import wire
from harness.errors import *  # noqa: F403
from harness.process import until

NO_OPERATIONS = -2147483648


def ask(connection, topics, version=9, create=False, **more):
    values = {"topics": None if topics is None else [{"name": t} for t in topics], **more}
    if version >= 4:
        values["allow_auto_topic_creation"] = create
    return connection.request("METADATA", version, values)


@pytest.mark.parametrize("version", range(0, 13))
def test_every_version(broker, connection, topic, version):
    answer = ask(connection, [topic], version)
    assert [(b["node_id"], b["host"], b["port"]) for b in answer["brokers"]] == [(0, "127.0.0.1", broker.port)]
    if version >= 1:
        assert answer["controller_id"] == 0 and answer["brokers"][0]["rack"] is None
    if version >= 2:
        assert len(answer["cluster_id"]) == 22
    (found,) = answer["topics"]
    assert (found["error_code"], found["name"]) == (0, topic)
    (part,) = found["partitions"]
    assert (part["error_code"], part["partition_index"], part["leader_id"]) == (0, 0, 0)
    assert (part["replica_nodes"], part["isr_nodes"]) == ([0], [0])
    if version >= 5:
        assert part["offline_replicas"] == []
    if version >= 7:
        assert part["leader_epoch"] == 0
    if version >= 8:
        assert found["topic_authorized_operations"] == NO_OPERATIONS
    if version >= 10:
        assert found["topic_id"] != uuid.UUID(int=0)


def test_all_topics(connection, topic):
    assert topic in [t["name"] for t in ask(connection, None)["topics"]]
    assert topic in [t["name"] for t in ask(connection, [], 0)["topics"]], "in version 0 an empty list asks for all"
    assert ask(connection, [], 1)["topics"] == []


def test_a_name_given_twice_is_answered_once(connection, topic):
    assert len(ask(connection, [topic, topic])["topics"]) == 1


def test_authorized_operations_when_asked(connection, topic):
    answer = ask(connection, [topic], 9, include_cluster_authorized_operations=True, include_topic_authorized_operations=True)
    assert (answer["cluster_authorized_operations"], answer["topics"][0]["topic_authorized_operations"]) == (8096, 3576)


def test_an_unknown_topic_is_made_when_that_is_allowed(connection):
    assert ask(connection, ["not-to-be-made"])["topics"][0]["error_code"] == UNKNOWN_TOPIC_OR_PARTITION
    first = ask(connection, ["to-be-made"], create=True)["topics"][0]
    assert (first["error_code"], first["partitions"]) == (LEADER_NOT_AVAILABLE, [])
    until(lambda: ask(connection, ["to-be-made"])["topics"][0]["error_code"] == 0)
    assert ask(connection, ["not-to-be-made"])["topics"][0]["error_code"] == UNKNOWN_TOPIC_OR_PARTITION
    assert ask(connection, ["made-by-version-3"], 3)["topics"][0]["error_code"] == LEADER_NOT_AVAILABLE


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "ü", "x" * 250])
def test_bad_names(connection, name):
    assert ask(connection, [name], create=True)["topics"][0]["error_code"] == INVALID_TOPIC_EXCEPTION


def test_a_topic_by_its_id(connection, topic):
    ident = ask(connection, [topic], 10)["topics"][0]["topic_id"]
    answer = connection.request("METADATA", 12, {"topics": [{"topic_id": ident, "name": None}]})
    assert [(t["error_code"], t["name"]) for t in answer["topics"]] == [(0, topic)]
    answer = connection.request("METADATA", 12, {"topics": [{"topic_id": uuid.uuid4(), "name": None}]})
    assert [(t["error_code"], t["name"]) for t in answer["topics"]] == [(UNKNOWN_TOPIC_ID, None)]


@pytest.mark.parametrize("version", [0, 1])
def test_describe_cluster(broker, connection, version):
    more = {"endpoint_type": 1} if version else {}
    answer = connection.request("DESCRIBE_CLUSTER", version, {"include_cluster_authorized_operations": True, **more})
    assert (answer["error_code"], answer["controller_id"], answer["cluster_authorized_operations"]) == (0, 0, 8096)
    assert [(b["broker_id"], b["host"], b["port"]) for b in answer["brokers"]] == [(0, "127.0.0.1", broker.port)]
    assert len(answer["cluster_id"]) == 22


def test_endpoints_are_those_of_the_listener_asked(module_cluster):
    from harness.process import free_port
    outside = free_port()
    broker = module_cluster.broker("two-listeners")
    broker.settings.update({
        "listeners": f"INSIDE://127.0.0.1:{broker.port},OUTSIDE://127.0.0.1:{outside}",
        "advertised.listeners": f"INSIDE://127.0.0.1:{broker.port},OUTSIDE://outside.example:19092",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT", "inter.broker.listener.name": "INSIDE"})
    broker.start()
    with broker.connect() as inside, wire.Connection(f"127.0.0.1:{outside}") as other:
        assert [(b["host"], b["port"]) for b in ask(inside, [])["brokers"]] == [("127.0.0.1", broker.port)]
        assert [(b["host"], b["port"]) for b in ask(other, [])["brokers"]] == [("outside.example", 19092)]
