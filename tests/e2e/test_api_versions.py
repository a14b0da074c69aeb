"""ApiVersions, and what happens to requests the broker does not know."""

import struct

import pytest

from harness import schema, wire
from harness.errors import *  # noqa: F403
from harness.paths import REPOSITORY

# In ZooKeeper mode, and without Weir's later APIs: what issue 3 promises, at Apache Kafka 3.9's versions.
PROMISED = {"PRODUCE": (0, 11), "FETCH": (0, 17), "LIST_OFFSETS": (0, 9), "METADATA": (0, 12), "API_VERSIONS": (0, 4),
            "CREATE_TOPICS": (0, 7), "DELETE_TOPICS": (0, 6), "INIT_PRODUCER_ID": (0, 5), "OFFSET_FOR_LEADER_EPOCH": (0, 4),
            "DESCRIBE_CONFIGS": (0, 4), "CREATE_PARTITIONS": (0, 3), "DESCRIBE_CLUSTER": (0, 1)}
NEVER = {52, 53, 54, 55, 59, 62, 63, 64, 70, 71, 72, 73, 74, 75}


def listed(answer):
    return {a["api_key"]: (a["min_version"], a["max_version"]) for a in answer["api_keys"]}


@pytest.mark.parametrize("version", range(0, 5))
def test_every_version_lists_what_is_served(connection, kind, version):
    more = {"client_software_name": "e2e", "client_software_version": "1.0"} if version >= 3 else {}
    answer = connection.request("API_VERSIONS", version, more)
    assert answer["error_code"] == 0
    keys = [a["api_key"] for a in answer["api_keys"]]
    assert keys == sorted(set(keys)) and not NEVER & set(keys)
    if kind != "kafka-2.7.1":
        found = listed(answer)
        assert {name: found.get(schema.KEYS[name]) for name in PROMISED} == PROMISED
    if version >= 3:
        assert answer["finalized_features_epoch"] >= -1
        assert "supported_features" not in answer and "zk_migration_ready" not in answer


def test_a_version_from_the_future_gets_the_range_in_version_0(connection):
    """And the connection lives on."""
    connection.correlation += 1
    connection.send_frame(struct.pack(">hhih", 18, 99, connection.correlation, -1) + b"\0" + b"nobody reads this")
    correlation, answer = connection.receive("API_VERSIONS", 0)
    assert (correlation, answer["error_code"]) == (connection.correlation, UNSUPPORTED_VERSION)
    assert list(listed(answer)) == [18]
    assert connection.request("API_VERSIONS", 2, {})["error_code"] == 0


@pytest.mark.parametrize("name,version", [("", "1"), ("e2e", ""), ("-e2e", "1"), ("e2e-", "1"), ("e 2", "1"), ("e2e", "1_0"), ("é", "1")])
def test_software_names_are_checked(connection, name, version):
    answer = connection.request("API_VERSIONS", 3, {"client_software_name": name, "client_software_version": version})
    assert (answer["error_code"], answer["api_keys"]) == (INVALID_REQUEST, [])
    assert connection.request("API_VERSIONS", 3, {"client_software_name": "a.b-c", "client_software_version": "1.0-x"})["error_code"] == 0


@pytest.mark.parametrize("key,version", [(0, 99), (0, -1), (3, 40), (52, 0), (71, 0), (999, 0), (-5, 0)])
def test_unknown_keys_and_versions_close_the_connection(connection, key, version):
    connection.send_frame(struct.pack(">hhihs", key, version, 1, 1, b"x") + b"\0" * 20)
    assert connection.closed()


def test_a_body_that_does_not_parse_closes_the_connection(connection):
    connection.send_frame(struct.pack(">hhihs", 3, 1, 1, 1, b"x") + struct.pack(">ih", 1, 500) + b"short")
    assert connection.closed()


def test_a_null_client_id_is_fine(connection):
    connection.send_frame(struct.pack(">hhih", 18, 0, 77, -1))
    assert connection.receive("API_VERSIONS", 0)[0] == 77


def test_unknown_tags_are_skipped(connection):
    body = b"\0" + b"\x04e2e\x021" + b"\x01\x2a\x03xyz"
    connection.send_frame(struct.pack(">hhihs", 18, 3, 5, 1, b"x") + b"\x01\x07\x02ab" + body[1:])
    assert connection.receive("API_VERSIONS", 3)[1]["error_code"] == 0


def golden_requests():
    for line in (REPOSITORY / "tests/golden/wire/messages.golden").read_text().splitlines():
        key, version, direction, variant, hexes, _ = line.split(" ", 5)
        if direction == "req":
            yield int(key), int(version), variant, bytes.fromhex("" if hexes == "-" else hexes)


def test_every_listed_api_answers_strange_requests_in_its_own_shape(broker, connection):
    """Kafka's own client wrote these: every field set to something absurd, or null, or left at its default. Each version that
    ApiVersions lists answers so that the answer parses, or waits, or closes; and the broker lives."""
    served = listed(connection.request("API_VERSIONS", 0, {}))
    names = {key: name for name, key in schema.KEYS.items()}
    inter_broker = {4, 5, 6, 7}  # a controller's word counts, and whoever may connect may speak as one
    answered = 0
    for key, version, variant, body in golden_requests():
        if key in inter_broker or key not in served or not served[key][0] <= version <= served[key][1]:
            continue
        with broker.connect(1.5) as probe:
            header = struct.pack(">hhi", key, version, 9)
            flexible = schema.MESSAGES[(names[key], "req", version)].header
            header += b"" if flexible == "h0" else struct.pack(">h", -1)
            probe.send_frame(header + body if flexible != "h2" else header + b"\0" + body)
            try:
                correlation, _ = probe.receive(names[key], version)
                assert correlation == 9, (names[key], version, variant)
                answered += 1
            except (EOFError, OSError):
                pass
    assert answered > 150
    assert broker.ready()
