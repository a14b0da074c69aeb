"""Kafka's own console consumer with --group and kafka-consumer-groups of 2.7.1 and 3.9.1 show of this broker's groups what they show of Kafka's."""

import re

import pytest

from harness import wire
from harness.clients import console
from harness.groups import Group, settle
from harness.hosts import CONFLUENT
from harness.kafka_tools import GROUPS, KafkaTools, said
from harness.records import batch

RELEASES = ["2.7.1", "3.9.1"]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    made = {release: KafkaTools(release, tmp_path_factory.mktemp(f"tools-{release}")) for release in RELEASES}
    yield made
    for each in made.values():
        each.close()


class Tool:
    """kafka-consumer-groups of a release; what differs from run to run is replaced by words."""

    def __init__(self, tools, broker, topic):
        self.tools, self.broker, self.topic = tools, broker, topic

    def __call__(self, *arguments):
        done = self.tools.run(GROUPS, "--bootstrap-server", self.broker.address, *arguments)
        text = done.out + " " + " ".join(said(done.err))  # the releases break lines differently
        text = re.sub(r"rdkafka-[0-9a-f-]{36}", "ID", text).replace(self.broker.address, "ADDRESS").replace("localhost", "127.0.0.1").replace(self.topic, "T")
        return " ".join(text.split())

    def offsets(self, group) -> list:
        """Of each partition: current offset, log end offset, lag, consumer id, host, client id."""
        rows = re.findall(rf"{group} T (\d) (\S+) (\S+) (\S+) (\S+) (\S+) (-|\w+)", self("--describe", "--group", group))
        return sorted(" ".join(row) for row in rows)


def write(broker, topic, first, count):
    with broker.connect() as connection:
        for partition in (0, 1):
            records = batch([(None, b"%d-%d" % (partition, i)) for i in range(first, first + count)])
            assert wire.produce(connection, topic, records, partition=partition)["error_code"] == 0


@pytest.mark.parametrize("release", RELEASES)
def test_console_consumer_and_consumer_groups(broker, hosts, tools, release):
    topic = broker.create_topic(f"by-tools-{release}", 2)
    group = f"group-{release}"
    tool = Tool(tools[release], broker, topic)

    def consume(count):
        return sorted(console(release, "consumer", ["--bootstrap-server", broker.address, "--topic", topic, "--group", group, "--from-beginning",
                                                    "--max-messages", count]).stdout.split())

    write(broker, topic, 0, 10)
    assert consume(20) == sorted(b"%d-%d" % (p, i) for p in (0, 1) for i in range(10))
    write(broker, topic, 10, 3)
    inactive = f"Consumer group '{group}' has no active members."
    assert tool("--list") == group
    assert tool.offsets(group) == ["0 10 13 3 - - -", "1 10 13 3 - - -"]
    assert inactive in tool("--describe", "--group", group)
    assert f"{group} ADDRESS (0) Empty 0" in tool("--describe", "--group", group, "--state")
    assert inactive in tool("--describe", "--group", group, "--members")
    assert consume(6) == sorted(b"%d-%d" % (p, i) for p in (0, 1) for i in range(10, 13))
    assert tool.offsets(group) == ["0 13 13 0 - - -", "1 13 13 0 - - -"]

    member = Group(group, broker, hosts.history, topic, 2, "range")
    member.join(hosts.start(CONFLUENT), "a")
    settle([member])
    assert tool.offsets(group) == ["0 13 13 0 ID /127.0.0.1 rdkafka", "1 13 13 0 ID /127.0.0.1 rdkafka"]
    assert f"{group} ADDRESS (0) range Stable 1" in tool("--describe", "--group", group, "--state")
    assert f"{group} ID /127.0.0.1 rdkafka 2 {'T' if release == '2.7.1' else ''}(0,1)" in tool("--describe", "--group", group, "--members", "--verbose")
    assert (f"Assignments can only be reset if the group '{group}' is inactive, but the current state is Stable."
            in tool("--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"))
    assert "GroupNotEmptyException: The group is not empty." in tool("--delete", "--group", group)
    assert tool("--delete-offsets", "--group", group, "--topic", topic).count("GroupSubscribedToTopicException: Deleting offsets of a topic is forbidden while "
                                                                              "the consumer group is actively subscribed to it.") == 2
    member.leave("a")
    hosts.history.until(lambda: member.events("left"), 30, "it left")

    assert tool("--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--dry-run").endswith(f"{group} T 0 0 {group} T 1 0")
    assert tool("--reset-offsets", "--group", group, "--topic", f"{topic}:1", "--to-offset", "4", "--execute").endswith(f"{group} T 1 4")
    assert tool.offsets(group) == ["0 13 13 0 - - -", "1 4 13 9 - - -"]
    assert tool("--delete-offsets", "--group", group, "--topic", f"{topic}:0").endswith("T 0 Successful")
    assert tool.offsets(group) == ["1 4 13 9 - - -"]
    assert tool("--delete", "--group", group) == f"Deletion of requested consumer groups ('{group}') was successful."
    assert f"Consumer group '{group}' does not exist." in tool("--describe", "--group", group)
    assert tool("--list") == ""
