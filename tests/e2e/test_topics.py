"""CreateTopics, DeleteTopics, CreatePartitions and DescribeConfigs by raw requests: codes and texts."""

import uuid

import pytest

from harness import records, wire
from harness.errors import *  # noqa: F403
from harness.process import until


def spec(name, partitions=1, factor=1, assignments=(), **configs):
    return {"name": name, "num_partitions": partitions, "replication_factor": factor,
            "assignments": [{"partition_index": p, "broker_ids": ids} for p, ids in assignments],
            "configs": [{"name": k.replace("_", "."), "value": v} for k, v in configs.items()]}


def create(connection, *specs, version=4, timeout=10000, validate=False):
    values = {"topics": list(specs), "timeout_ms": timeout}
    if version >= 1:
        values["validate_only"] = validate
    return connection.request("CREATE_TOPICS", version, values)["topics"]


def refused(connection, one):
    (answer,) = create(connection, one)
    return answer["error_code"], answer["error_message"]


def names(connection):
    return {t["name"] for t in connection.request("METADATA", 1, {"topics": None})["topics"]}


@pytest.mark.parametrize("version", range(0, 8))
def test_every_version_creates(connection, version):
    name = f"create-v{version}"
    (answer,) = create(connection, spec(name, 2, retention_ms="5000"), version=version)
    assert (answer["name"], answer["error_code"]) == (name, 0)
    if version >= 1:
        assert answer["error_message"] is None
    if version >= 5:
        assert (answer["num_partitions"], answer["replication_factor"]) == (2, 1)
        configs = {c["name"]: c for c in answer["configs"]}
        assert (configs["retention.ms"]["value"], configs["retention.ms"]["config_source"]) == ("5000", 1)
        assert configs["segment.bytes"]["config_source"] == 5 and len(configs) >= 26
    if version >= 7:
        assert answer["topic_id"] != uuid.UUID(int=0)
    wire.wait_for_leaders(connection, name, 2)


def test_counts_of_minus_one_are_the_brokers_defaults(connection):
    (answer,) = create(connection, spec("default-counts", -1, -1), version=5)
    assert (answer["error_code"], answer["num_partitions"], answer["replication_factor"]) == (0, 1, 1)


def test_validate_only_makes_nothing(connection):
    assert create(connection, spec("only-validated"), validate=True)[0]["error_code"] == 0
    assert "only-validated" not in names(connection)


def test_an_assignment_by_hand(connection):
    assert create(connection, spec("by-hand", -1, -1, [(0, [0]), (1, [0])]))[0]["error_code"] == 0
    wire.wait_for_leaders(connection, "by-hand", 2)


REFUSED = [
    ("no-partitions", spec("r", 0), INVALID_PARTITIONS, "Number of partitions must be larger than 0."),
    ("negative-partitions", spec("r", -2), INVALID_PARTITIONS, "Number of partitions must be larger than 0."),
    ("no-replicas", spec("r", 1, 0), INVALID_REPLICATION_FACTOR, "Replication factor must be larger than 0."),
    ("too-many-replicas", spec("r", 1, 2), INVALID_REPLICATION_FACTOR, "Replication factor: 2 larger than available brokers: 1."),
    ("unknown-config", spec("r", foo="1"), INVALID_CONFIG, "Unknown topic config name: foo"),
    ("bad-config", spec("r", retention_ms="x"), INVALID_CONFIG,
     "Invalid value x for configuration retention.ms: Not a number of type LONG"),
    ("counts-and-assignment", spec("r", 1, 1, [(0, [0])]), INVALID_REQUEST,
     "Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time."),
    ("gap-in-the-assignment", spec("r", -1, -1, [(0, [0]), (2, [0])]), INVALID_REPLICA_ASSIGNMENT,
     "partitions should be a consecutive 0-based integer sequence"),
    ("same-broker-twice", spec("r", -1, -1, [(0, [0, 0])]), INVALID_REPLICA_ASSIGNMENT, None),
    ("uneven-assignment", spec("r", -1, -1, [(0, [0]), (1, [0, 1])]), INVALID_REPLICA_ASSIGNMENT,
     "All partitions should have the same number of replicas"),
    ("empty-name", spec(""), INVALID_TOPIC_EXCEPTION, None),
    ("dot", spec("."), INVALID_TOPIC_EXCEPTION, None),
    ("blank", spec("a b"), INVALID_TOPIC_EXCEPTION, None),
    ("long-name", spec("x" * 250), INVALID_TOPIC_EXCEPTION, None),
]


@pytest.mark.parametrize("what,one,code,text", REFUSED, ids=[r[0] for r in REFUSED])
def test_refused(connection, what, one, code, text):
    found = refused(connection, one)
    assert found[0] == code
    assert text is None or found[1] == text


def test_a_topic_that_exists(connection, topic):
    assert refused(connection, spec(topic)) == (TOPIC_ALREADY_EXISTS, f"Topic '{topic}' already exists.")
    (answer,) = create(connection, spec(topic), version=5)
    assert (answer["num_partitions"], answer["replication_factor"], answer["configs"]) == (-1, -1, [])


def test_names_that_collide_in_metrics(connection):
    assert create(connection, spec("my_topic.x"))[0]["error_code"] == 0
    assert refused(connection, spec("my.topic_x")) == (
        INVALID_TOPIC_EXCEPTION, "Topic 'my.topic_x' collides with existing topics: my_topic.x")


def test_a_null_config_value(connection):
    """2.7.1 calls the request invalid, 3.9.1 the configuration."""
    one = spec("null-config")
    one["configs"] = [{"name": "retention.ms", "value": None}]
    code, text = refused(connection, one)
    assert code in (INVALID_REQUEST, INVALID_CONFIG)
    assert text.replace(" :", ":") == "Null value not supported for topic configs: retention.ms"


def test_a_name_twice_in_a_request(connection):
    """Kafka's map of answers holds the name once or twice; each says the same."""
    answers = create(connection, spec("twice"), spec("twice"))
    assert {(a["error_code"], a["error_message"]) for a in answers} == {(INVALID_REQUEST, "Found multiple entries for this topic.")}
    assert "twice" not in names(connection)


def test_timeout_0_answers_at_once_and_works_on(connection):
    (answer,) = create(connection, spec("no-time"), timeout=0)
    assert (answer["error_code"], answer["error_message"]) == (REQUEST_TIMED_OUT, None)
    until(lambda: "no-time" in names(connection))


# DeleteTopics


@pytest.mark.parametrize("version", range(0, 7))
def test_every_version_deletes(broker, connection, version):
    name = broker.create_topic(f"delete-v{version}")
    assert wire.produce(connection, name, records.batch([(b"k", b"v")]))["error_code"] == 0
    values = {"timeout_ms": 10000, **({"topics": [{"name": name}]} if version >= 6 else {"topic_names": [name]})}
    (answer,) = connection.request("DELETE_TOPICS", version, values)["responses"]
    assert (answer["name"], answer["error_code"]) == (name, 0)
    until(lambda: name not in names(connection))
    until(lambda: not list(broker.data.glob(f"{name}-0")), 30, "its directory is renamed")


def test_delete_by_id(broker, connection):
    name = broker.create_topic("delete-by-id")
    ident = connection.request("METADATA", 10, {"topics": [{"name": name}]})["topics"][0]["topic_id"]
    values = {"timeout_ms": 10000, "topics": [{"name": None, "topic_id": ident}, {"name": None, "topic_id": uuid.uuid4()}]}
    answers = connection.request("DELETE_TOPICS", 6, values)["responses"]
    assert {a["topic_id"] == ident: a["error_code"] for a in answers} == {True: 0, False: UNKNOWN_TOPIC_ID}


@pytest.mark.parametrize("name", ["no-such-topic", ""])
def test_delete_unknown(connection, name):
    (answer,) = connection.request("DELETE_TOPICS", 4, {"topic_names": [name], "timeout_ms": 10000})["responses"]
    assert answer["error_code"] == UNKNOWN_TOPIC_OR_PARTITION


def test_a_deleted_topic_can_be_made_again_and_is_empty(broker, connection, topic):

    wire.produce(connection, topic, records.batch([(b"k", b"v")]))
    connection.request("DELETE_TOPICS", 4, {"topic_names": [topic], "timeout_ms": 10000})
    until(lambda: topic not in names(connection))
    # Until its directory is out of the way, it may still count as existing.
    until(lambda: create(connection, spec(topic))[0]["error_code"] == 0)
    wire.wait_for_leaders(connection, topic)
    assert wire.read_all(connection, topic) == []
    assert wire.produce(connection, topic, records.batch([(b"k", b"v")]))["base_offset"] == 0


# CreatePartitions


def grow(connection, topic, count, assignments=None, version=2, validate=False):
    values = {"topics": [{"name": topic, "count": count,
                          "assignments": None if assignments is None else [{"broker_ids": a} for a in assignments]}],
              "timeout_ms": 10000, "validate_only": validate}
    (answer,) = connection.request("CREATE_PARTITIONS", version, values)["results"]
    return answer["error_code"], answer["error_message"]


@pytest.mark.parametrize("version", range(0, 4))
def test_every_version_grows(connection, topic, version):
    assert grow(connection, topic, 3, version=version) == (0, None)
    wire.wait_for_leaders(connection, topic, 3)
    assert grow(connection, topic, 4, [[0]], version=version) == (0, None)
    wire.wait_for_leaders(connection, topic, 4)


def test_growing_is_refused(connection, topic):
    assert grow(connection, topic, 1) == (INVALID_PARTITIONS, "Topic already has 1 partitions.")
    assert grow(connection, topic, 0) == (INVALID_PARTITIONS, "Topic currently has 1 partitions, which is higher than the requested 0.")
    assert grow(connection, "no-such-topic", 2) == (UNKNOWN_TOPIC_OR_PARTITION, "The topic 'no-such-topic' does not exist.")
    assert grow(connection, topic, 3, [[0]]) == (
        INVALID_REPLICA_ASSIGNMENT, "Increasing the number of partitions by 2 but 1 assignments provided.")
    assert grow(connection, topic, 2, [[9]]) == (INVALID_REPLICA_ASSIGNMENT, "Unknown broker(s) in replica assignment: 9.")
    assert grow(connection, topic, 5, validate=True) == (0, None)
    wire.wait_for_leaders(connection, topic, 1)


# DescribeConfigs

TOPIC, BROKER, LOGGERS = 2, 4, 8


def describe(connection, kind, name, keys=None, version=2, **more):
    values = {"resources": [{"resource_type": kind, "resource_name": name, "configuration_keys": keys}], **more}
    (answer,) = connection.request("DESCRIBE_CONFIGS", version, values)["results"]
    return answer


@pytest.mark.parametrize("version", range(0, 5))
def test_topic_configs_in_every_version(broker, connection, version):
    name = broker.create_topic(f"configs-v{version}", configs={"retention.ms": "777"})
    more = {"include_synonyms": True} if version >= 1 else {}
    if version >= 3:
        more["include_documentation"] = True
    answer = describe(connection, TOPIC, name, version=version, **more)
    assert (answer["error_code"], answer["error_message"]) == (0, "")
    found = {c["name"]: c for c in answer["configs"]}
    assert len(found) >= 26 and found["retention.ms"]["value"] == "777"
    assert found["cleanup.policy"]["value"] == "delete"
    if version >= 1:
        assert found["retention.ms"]["config_source"] == 1 and found["segment.bytes"]["config_source"] == 5
        synonyms = [(s["name"], s["value"], s["source"]) for s in found["retention.ms"]["synonyms"]]
        assert synonyms[:2] == [("retention.ms", "777", 1), ("log.retention.ms", "-1", 4)]
    if version >= 3:
        assert found["retention.ms"]["config_type"] == 5 and found["retention.ms"]["documentation"]


def test_broker_configs(broker, connection):
    answer = describe(connection, BROKER, "0")
    assert (answer["error_code"], answer["error_message"]) == (0, "")
    found = {c["name"]: c for c in answer["configs"]}
    assert (found["broker.id"]["value"], found["broker.id"]["read_only"], found["broker.id"]["config_source"]) == ("0", True, 4)
    assert (found["num.io.threads"]["value"], found["num.io.threads"]["read_only"], found["num.io.threads"]["config_source"]) == ("8", False, 5)
    assert found["log.dirs"]["value"] == broker.settings["log.dirs"]
    assert len(found) > 200


def test_some_keys_only(connection, topic):
    answer = describe(connection, TOPIC, topic, ["segment.bytes", "no.such.key"])
    assert [c["name"] for c in answer["configs"]] == ["segment.bytes"]
    assert len(describe(connection, TOPIC, topic, [])["configs"]) >= 26


def test_refused_descriptions(connection):
    def code_and_text(kind, name):
        answer = describe(connection, kind, name)
        return answer["error_code"], answer["error_message"]
    assert code_and_text(TOPIC, "no-such-topic")[0] == UNKNOWN_TOPIC_OR_PARTITION
    assert code_and_text(TOPIC, "a b")[0] == INVALID_TOPIC_EXCEPTION
    assert code_and_text(BROKER, "7") == (INVALID_REQUEST, "Unexpected broker id, expected 0 or empty string, but received 7")
    assert code_and_text(BROKER, "x") == (INVALID_REQUEST, "Broker id must be an integer, but it is: x")
    assert code_and_text(LOGGERS, "") == (INVALID_REQUEST, "Broker id must not be empty")
    assert code_and_text(77, "x")[0] == INVALID_REQUEST
    assert code_and_text(BROKER, "")[0] == 0
